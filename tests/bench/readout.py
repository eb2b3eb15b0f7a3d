#!/usr/bin/env python3
"""readout.py MODEL... [--size WxH] [--frames N] [--rounds N] [--settings S] [--readout-settings S]: what one rvmreadout costs beside rvmencode, in frames with and without it by
turns. A readout of class (attention, of the width and with the heads that docs/model.md names for this model) with random weights, and the linear one of
pipelines/teach; a window of 16 states that is full. Of each round the median time of a frame is taken; printed are the median and the best of the rounds, and
how much memory the process has more with the window than without. Run it in `meson devenv -C build`."""
import argparse
import pathlib
import statistics
import sys
import tempfile
import time

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import Gst, GstRvm  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "model"))
import reference_readout as reference  # noqa: E402

WINDOW = 16


def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) / 1024


class Turns:
    """One pipeline, in which each frame is pushed when the one before is over: its time in rvmencode and, every other frame, in rvmreadout."""

    def __init__(self, model, width, height, settings, readouts, of_readouts=""):
        chain = "".join(f"! rvmreadout name=r{i} readout-file=\"{path}\" {of_readouts} " for i, path in enumerate(readouts))
        self.pipeline = Gst.parse_launch(f"appsrc name=source format=time caps=video/x-raw,format=RGB,width={width},height={height},framerate=25/1"
                                         f" ! rvmencode name=encode model-file=\"{model}\" {settings} {chain} ! appsink name=sink sync=false")
        self.source, self.sink = (self.pipeline.get_by_name(name) for name in ("source", "sink"))
        self.marks, self.time = [], 0
        for element in ["encode", *(f"r{i}" for i in range(len(readouts)))]:
            self.pipeline.get_by_name(element).get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self.mark)
        self.pipeline.get_by_name("encode").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, self.mark)
        self.pipeline.set_state(Gst.State.PLAYING)

    def mark(self, *_):
        self.marks.append(time.perf_counter())
        return Gst.PadProbeReturn.OK

    def push(self, pixels):
        """Milliseconds in rvmencode and in each rvmreadout."""
        self.marks.clear()
        buffer = Gst.Buffer.new_wrapped(pixels)
        buffer.pts, self.time = self.time, self.time + 40 * Gst.MSECOND
        self.source.emit("push-buffer", buffer)
        sample = self.sink.emit("try-pull-sample", 600 * Gst.SECOND)
        assert sample, self.pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR).parse_error()[0].message
        return [(b - a) * 1e3 for a, b in zip(self.marks, self.marks[1:])], sample.get_buffer()


def write_readouts(folder, features, size):
    dim, common = features.dim, {"model": features.model_id, "width": size[0], "height": size[1], "window": WINDOW, "classes": "a\nb\nc\nd"}
    rng = np.random.default_rng(1)
    found = {}
    for name, of in ("attention", "none"), ("attention, less the first state", "first"):
        arrays = reference.make_arrays(rng, dim, 2 * dim, max(2 * dim // 64, 1), WINDOW, 4)
        found[name] = reference.write(folder / f"{len(found)}.safetensors", arrays, reference.metadata("class", reference=of, **common))
    arrays = reference.make_linear(rng, dim, 9, 4, 4)
    found["linear"] = reference.write(folder / "linear.safetensors", arrays, reference.metadata("class", reference="first", **common))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--size", default="256x256")
    parser.add_argument("--frames", type=int, default=12, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--settings", default="", help="of rvmencode")
    parser.add_argument("--readout-settings", default="", help="of rvmreadout")
    args = parser.parse_args()
    size = tuple(map(int, args.size.split("x")))
    Gst.init(None)
    rng = np.random.default_rng(2)
    pictures = [rng.integers(0, 256, 3 * size[0] * size[1], np.uint8).tobytes() for _ in range(8)]
    print("| model, analysed size | readout | rvmencode alone: median, best of rounds | with the readout | the readout alone: median, best | share | memory |"
          "\n| --- | --- | --- | --- | --- | --- | --- |")
    for model in args.models:
        plain = Turns(model, *size, args.settings, [])
        features = GstRvm.buffer_get_features(plain.push(pictures[0])[1], None)
        with tempfile.TemporaryDirectory() as folder:
            for name, path in write_readouts(pathlib.Path(folder), features, size).items():
                before = resident()
                both = Turns(model, *size, args.settings, [path], args.readout_settings)
                for i in range(WINDOW + 2):
                    both.push(pictures[i % 8])
                memory = resident() - before
                rounds = {"alone": [], "with": [], "readout": []}
                for _ in range(args.rounds):
                    times = {key: [] for key in rounds}
                    for i in range(args.frames):
                        times["alone"].append(plain.push(pictures[i % 8])[0][0])
                        encode, readout = both.push(pictures[i % 8])[0]
                        times["with"].append(encode + readout)
                        times["readout"].append(readout)
                    for key, found in times.items():
                        rounds[key].append(statistics.median(found))
                alone, together, readout = ((statistics.median(rounds[key]), min(rounds[key])) for key in rounds)
                print(f"| {pathlib.Path(model).stem}, {args.size} | {name} | {alone[0]:.1f}, {alone[1]:.1f} ms | {together[0]:.1f}, {together[1]:.1f} ms |"
                      f" {readout[0]:.2f}, {readout[1]:.2f} ms | {100 * readout[1] / alone[1]:.1f} % | {memory:+.1f} MB |", flush=True)
                both.pipeline.set_state(Gst.State.NULL)
        plain.pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
