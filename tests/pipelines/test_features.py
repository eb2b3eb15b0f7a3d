#!/usr/bin/env python3
"""test_features.py SOURCE BUILD DATA: pipelines/features on a short video made here, and the README's pipeline, killed half way."""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

source, build, data = sys.argv[1:]
env = {**os.environ, "RVM_BUILD": build}
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    video = folder / "clip.avi"
    subprocess.run(["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=12", "pattern=ball", "!", "video/x-raw,width=161,height=121", "!",
                    "jpegenc", "!", "avimux", "!", "filesink", f"location={video}"], check=True)
    done = subprocess.run([f"{source}/pipelines/features", str(video), "--model", f"{data}/tiny.npz", "--size", "64", "--output", str(folder / "out")],
                          check=True, capture_output=True, text=True, env=env)
    assert "features of 12 frames, 4 x 5 patches of 48" in done.stdout, done.stdout
    assert np.load(folder / "out/features.npy").shape == (12, 4, 5, 48)
    assert np.isfinite(np.load(folder / "out/features.npy")).all()

    # Without --model: the bundled one.
    subprocess.run([f"{source}/pipelines/features", str(video), "--output", str(folder / "bundled")], check=True, capture_output=True, env=env)
    assert np.load(folder / "bundled/features.npy").shape == (12, 16, 21, 128)

    # A process that is killed leaves an array that loads.
    out = folder / "killed.npy"
    running = subprocess.Popen(["gst-launch-1.0", "-q", "videotestsrc", "!", "video/x-raw,width=64,height=64", "!", "rvmencode",
                                f"model-file={data}/tiny.npz", "!", "rvmexport", f"features-location={out}", "!", "fakesink"])
    deadline = time.monotonic() + 60
    while (not out.exists() or out.stat().st_size < 20000) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.kill()
    running.wait()
    killed = np.load(out)
    assert killed.shape[0] >= 1 and killed.shape[1:] == (4, 4, 48), killed.shape
print("ok")
