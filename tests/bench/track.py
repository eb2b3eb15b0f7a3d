#!/usr/bin/env python3
"""track.py MODEL [--size WxH] [--points N] [--boxes N] [--mask N] [--frames N] [--device D]: what rvmtrack costs beside rvmencode, in one pipeline: the median
time that a frame spends in each, once the context is full. Run it in `meson devenv -C build`."""
import argparse
import pathlib
import statistics
import sys
import tempfile
import time

import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "gst"))
from rendered_clip import write_png  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--size", default="256x256")
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--boxes", type=int, default=0)
    parser.add_argument("--mask", type=int, default=0, help="objects of a mask, side by side")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--device", default="")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    rng = np.random.default_rng(1)
    Gst.init(None)
    points = ";".join(f"{x:.4f},{y:.4f}" for x, y in rng.uniform(0.05, 0.95, (args.points, 2)))
    boxes = ";".join(f"{x:.4f},{y:.4f},0.2,0.2" for x, y in rng.uniform(0, 0.8, (args.boxes, 2)))
    device = f"device={args.device}" if args.device else ""
    with tempfile.TemporaryDirectory() as folder:
        mask = ""
        if args.mask:
            write_png(pathlib.Path(folder) / "mask.png",
                      np.repeat((np.arange(width) * args.mask // width + 1).astype(np.uint8)[None], height, 0))
            mask = f"mask-file=\"{folder}/mask.png\""
        pipeline = Gst.parse_launch(
            f"videotestsrc pattern=snow num-buffers={args.frames} ! video/x-raw,format=RGB,width={width},height={height}"
            f" ! rvmencode name=encode model-file=\"{args.model}\" {device} ! rvmtrack name=track points=\"{points}\" boxes=\"{boxes}\" {mask} max-tracks=4096 {device}"
            " ! fakesink sync=false")
        times = {name: [] for name in ("in", "between", "out")}
        for name, element, pad in (("in", "encode", "sink"), ("between", "encode", "src"), ("out", "track", "src")):
            pipeline.get_by_name(element).get_static_pad(pad).add_probe(
                Gst.PadProbeType.BUFFER, lambda p, i, key: times[key].append(time.perf_counter()) or Gst.PadProbeReturn.OK, name)
        pipeline.set_state(Gst.State.PLAYING)
        message = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.ERROR | Gst.MessageType.EOS)
        assert message.type == Gst.MessageType.EOS, message.parse_error()
        pipeline.set_state(Gst.State.NULL)
    start = min(25, args.frames // 2)
    encode = statistics.median(b - a for a, b in list(zip(times["in"], times["between"]))[start:]) * 1e3
    track = statistics.median(b - a for a, b in list(zip(times["between"], times["out"]))[start:]) * 1e3
    print(f"{pathlib.Path(args.model).name}, {width} x {height}, {args.points} points, {args.boxes} boxes, {args.mask} objects of a mask:"
          f" rvmencode {encode:.1f} ms, rvmtrack {track:.2f} ms a frame (median), {100 * track / encode:.1f} %")


if __name__ == "__main__":
    main()
