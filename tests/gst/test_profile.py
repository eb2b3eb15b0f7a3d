#!/usr/bin/env python3
"""test_profile.py FOLDER (with tiny.npz): GST_DEBUG=rvmprofile:5 says where a frame's time goes: every 25 frames and at the end, kernel families
whose parts make up the whole. There is a launch of attention for each that the weight file describes. Without it nothing is said."""
import os
import re
import shlex
import subprocess
import sys

import numpy

weights = os.path.join(sys.argv[1], "tiny.npz")
attentions = [name for name in numpy.load(weights).files if name.endswith("attention/out/kernel") and not name.startswith("decoder/")]
FAMILIES = ["linear layers", "attention", "layer norms", "gates", "tokens"]


def run(level):
    launch = f"videotestsrc num-buffers=30 ! video/x-raw,format=RGB,width=64,height=48 ! rvmencode model-file=\"{weights}\" ! fakesink"
    done = subprocess.run(["gst-launch-1.0", "-q", *shlex.split(launch)], capture_output=True, text=True, timeout=100,
                          env=dict(os.environ, GST_DEBUG=f"rvmprofile:{level}", GST_DEBUG_NO_COLOR="1"))
    assert done.returncode == 0, done.stderr
    return done.stderr


said = run(5)
reports = re.split(r"rvm_profile_report_frame: (?=\d+ frames)", said)[1:]
assert len(reports) == 2, said
for report, frames in zip(reports, (25, 5)):
    head = re.match(r"(\d+) frames of 13 x 48 tokens, kernels measured one by one: ([\d.]+) ms a frame", report)
    lines = re.findall(r"rvm_profile_report_frame:   (\w[\w ]*?) +([\d.]+) ms +([\d.]+) %, (\d+) launches", report)
    assert head and int(head[1]) == frames, report
    assert [line[0] for line in lines] == FAMILIES, report
    assert float(head[2]) > 0 and abs(sum(float(line[1]) for line in lines) - float(head[2])) <= 0.005 * (len(lines) + 1), report
    assert abs(sum(float(line[2]) for line in lines) - 100) <= 0.05 * len(lines), report
    assert int(lines[1][3]) == len(attentions) == 6, (report, attentions)
assert "frames of" not in run(4)
print("2 reports")
