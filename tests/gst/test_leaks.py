#!/usr/bin/env python3
"""test_leaks.py DATA: GStreamer's leaks tracer over a run of all elements, over a start that fails, and over an interrupted one."""
import os
import signal
import subprocess
import sys
import tempfile
import time

env = {**os.environ, "GST_TRACERS": "leaks", "GST_DEBUG": "GST_TRACER:7", "GST_DEBUG_NO_COLOR": "1"}
model = f"model-file={sys.argv[1]}/tiny.npz"
source = ["videotestsrc", "num-buffers={}", "!", "video/x-raw,width=64,height=48", "!"]
whole = ["rvmencode", model, "interval=1", "!", "rvmtrack", "points=20,20", "!", "rvmoverlay", "!", "rvmexport", "location=/dev/null", "!", "fakesink"]


def check(name, frames, elements, fails, interrupt=None):
    command = ["gst-launch-1.0", "-q", "-e", *(part.format(frames) for part in source), *elements]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if interrupt:
        # Not before it runs: until then nobody catches the signal.
        deadline = time.monotonic() + 100
        while not (os.path.exists(interrupt) and os.path.getsize(interrupt)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert os.path.exists(interrupt) and os.path.getsize(interrupt), (name, "does not run")
        process.send_signal(signal.SIGINT)
    log = process.communicate(timeout=120)[1]
    assert bool(process.returncode) == fails, (name, process.returncode, log[-2000:])
    # The tracer's own registry entries are known to it; what stays alive is reported as object-alive.
    alive = [line for line in log.splitlines() if "object-alive" in line and "new format string" not in line and "object-alive.class" not in line]
    assert not alive, (name, alive[:5])
    print(f"{name}: nothing alive")


check("a run", 20, whole, False)
with tempfile.TemporaryDirectory() as folder:
    lines = f"{folder}/lines.jsonl"
    check("an interrupted run", 1000000, [f"location={lines}" if part.startswith("location=") else part for part in whole], False, interrupt=lines)
check("a missing model", 5, ["rvmencode", "model-file=no-such-file.npz", "!", "fakesink"], True)
check("a bad track", 5, ["rvmencode", model, "!", "rvmtrack", "points=1000,1000", "!", "fakesink"], True)
