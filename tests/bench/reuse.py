#!/usr/bin/env python3
"""reuse.py MODEL VIDEO...: what leaving out still frames saves and costs, beside leaving out every N-th frame; or any --settings, such as precision=bf16.

For each video, the features of rvmencode with `reuse=still` and with `interval` are compared with those of a stream that computes every frame. The
error of a frame is the L2 norm of the difference over that of its features; for carried frames it contains what has moved meanwhile. The mean of the last tenth
of the frames tells whether errors grow with time, the largest difference is of single values, over the largest value of all. Run it in
`meson devenv -C build`."""
import argparse
import pathlib
import sys

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import Gst, GstRvm  # noqa: E402


def run(args, video, settings):
    """Features (frames, values), and the part of the frames that was computed."""
    pipeline = Gst.parse_launch(
        f'filesrc name=source ! decodebin ! videoconvert ! rvmencode name=encode model-file="{args.model}" size={args.size} {settings} ! appsink name=sink sync=false')
    pipeline.get_by_name("source").set_property("location", video)
    sink = pipeline.get_by_name("sink")
    pipeline.set_state(Gst.State.PLAYING)
    found = []
    while (len(found) < args.frames or not args.frames) and (sample := sink.emit("pull-sample")):
        found.append(np.frombuffer(GstRvm.buffer_get_features(sample.get_buffer(), None).get_data().get_data(), np.float32))
    message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    if message:
        sys.exit(f"{video}: {message.parse_error()}")
    stats = pipeline.get_by_name("encode").get_property("stats")
    frames, skipped = stats.get_uint64("frames")[1], stats.get_uint64("skipped")[1]
    pipeline.set_state(Gst.State.NULL)
    return np.stack(found), 1 - skipped / frames


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--frames", type=int, default=0, help="at most, of a video (0 = all)")
    parser.add_argument("--settings", nargs="+", metavar="SETTINGS", help="of rvmencode, one table row each",
                        default=[*(f"reuse=still reuse-threshold={levels}" for levels in (1, 2, 4)), "interval=1", "interval=4", "interval=9"])
    args = parser.parse_args()
    Gst.init(None)
    print("| video | frames | settings | computed | error, mean | 95 % of frames below | largest | last tenth | largest difference |\n|" + " --- |" * 9)
    for video in args.videos:
        exact, _ = run(args, video, "")
        for settings in args.settings:
            features, computed = run(args, video, settings)
            count = min(len(exact), len(features))
            errors = np.linalg.norm(features[:count] - exact[:count], axis=1) / np.linalg.norm(exact[:count], axis=1)
            worst = abs(features[:count] - exact[:count]).max() / abs(exact[:count]).max()
            print(f"| {pathlib.Path(video).stem} | {count} | `{settings}` | {computed:.2f} | {errors.mean():.4f} | {np.quantile(errors, .95):.4f} |"
                  f" {errors.max():.4f} | {errors[-max(count // 10, 1):].mean():.4f} | {worst:.4f} |", flush=True)


if __name__ == "__main__":
    main()
