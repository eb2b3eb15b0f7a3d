#!/usr/bin/env python3
"""kill.py RVM-CL-TRAIN [TIMES]: kills a run at random moments (50 unless told), creation and checkpoints among them, and goes on with it each
time: every folder in which a run was begun must be one that can be resumed. test_run.py does a short version of this."""
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

program, times = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50
chance = random.Random(2)
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    subprocess.run(["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=1", "pattern=circular", "!", "video/x-raw,width=200,height=150", "!",
                    "pngenc", "!", "filesink", f"location={folder}/zone.png"], check=True, timeout=60)
    run, reached, begun = folder / "run0", 0, 0
    for i in range(times):
        if i % 10 == 9:  # a new folder, killed while it is made
            run, reached = folder / f"run{i}", 0
        first = not list(run.glob("checkpoint-*.safetensors"))
        command = [program, "pretrain", "--recipe", "tiny", "--photos", str(folder), "--out", str(run), "--set", "synthetic=1", "--set", "steps=1000000",
                   "--set", "checkpoint-every=1", "--set", "picture-every=3"] if first else [program, "resume", str(run)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while first and i % 10 != 9 and not list(run.glob("checkpoint-*.safetensors")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 1.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        steps = [int(path.stem.split("-")[1]) for path in run.glob("checkpoint-*.safetensors")]
        if not steps:
            continue  # killed before there was a run: pretrain may be called again
        begun += 1
        assert max(steps) >= reached, (i, steps, reached)
        result = subprocess.run([program, "resume", str(run), "--stop-at", str(max(steps) + 1)], capture_output=True, text=True, timeout=600)
        assert result.returncode == 130 and "passed over" not in result.stderr and not list(run.glob("*.part")), (i, result)
        reached = max(steps) + 1
        print(f"\rkilled {i + 1} times, step {reached}", end="", flush=True)
    print(f"\n{times} kills, {begun} of them in runs that were begun: each could go on")
    assert begun > times / 2
