#!/usr/bin/env python3
"""golden_plugin.py WEIGHTS FORWARD.npz [--gemm G] [--device D]: raw golden frames through gst-launch-1.0, rvmencode and rvmexport, the .npy
that comes out compared with the reference features: within 1e-4 of the largest magnitude, every clip, every frame."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np


def run_clip(name, frames, features, args, folder):
    count, height, width, _ = frames.shape
    raw, out, tokens, lines = (folder / part for part in ("raw.rgb", "patches.npy", "class.npy", "lines.jsonl"))
    raw.write_bytes(frames.tobytes())
    encode = ["rvmencode", f"model-file={args.weights}", f"gemm={args.gemm}"]
    if args.device:
        encode.append(f"device={args.device}")
    subprocess.run(
        ["gst-launch-1.0", "-q", "filesrc", f"location={raw}", f"blocksize={width * height * 3}", "!",
         "rawvideoparse", "format=rgb", f"width={width}", f"height={height}", "framerate=25/1", "!", *encode, "!",
         "rvmexport", f"features-location={out}", f"class-location={tokens}", f"location={lines}", "!", "fakesink"],
        check=True,
    )
    got = np.load(out)
    assert got.shape == (count, height // args.patch, width // args.patch, features.shape[2]), got.shape
    got = np.concatenate([np.load(tokens)[:, None], got.reshape(count, -1, features.shape[2])], axis=1)
    error = np.abs(got - features).max() / np.abs(features).max()
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [record["frames_since_reset"] for record in records] == list(range(1, count + 1))
    assert np.array_equal(np.array([record["class_token"] for record in records], np.float32), np.load(tokens))
    print(f"{name}: {count} frames of {width} x {height}, largest relative error {error:.2e}")
    return error <= args.tolerance


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=pathlib.Path)
    parser.add_argument("forward")
    parser.add_argument("--gemm", default="auto")
    parser.add_argument("--device")
    parser.add_argument("--patch", type=int, default=16)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    data = np.load(args.forward)
    clips = sorted({key.split("/")[0] for key in data.files if key.endswith("/frames")})
    assert clips, "no clips"
    with tempfile.TemporaryDirectory() as folder:
        good = [run_clip(c, data[c + "/frames"], data[c + "/features"], args, pathlib.Path(folder)) for c in clips]
    sys.exit(0 if all(good) else "features differ from the reference")


if __name__ == "__main__":
    main()
