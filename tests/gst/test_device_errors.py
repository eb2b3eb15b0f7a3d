#!/usr/bin/env python3
"""test_device_errors.py DATA: OpenCL devices that are not there, or have no room: rvmencode says so in one error message, with what there is,
the pipeline does not preroll, and nothing takes another device in silence."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

model, failed = f"model-file={sys.argv[1]}/tiny.npz", 0


def check(name, settings, parts, **env):
    global failed
    command = ["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=2", "!", "video/x-raw,width=64,height=64", "!", "rvmencode", model,
               *settings.split(), "!", "fakesink"]
    result = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=100)
    ours = [line for line in result.stderr.splitlines() if re.match(r"ERROR: from element .*rvmencode0: ", line)]
    missing = [part for part in parts if part not in result.stderr]
    if result.returncode <= 0 or len(ours) != 1 or missing or "CRITICAL" in result.stderr:
        failed += 1
        print(f"{name}: status {result.returncode}, {len(ours)} messages, lacks {missing}: {result.stderr[:1000]}")
    else:
        print(f"ok {name}: {ours[0].partition('rvmencode0: ')[2]}")


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    (folder / "none").mkdir()
    check("an unknown name", "device=no-such-device", ["no OpenCL device 'no-such-device'", "there are", "0: "])
    check("an index beyond", "device=1000", ["no OpenCL device '1000'", "there are", "0: "])
    check("no driver", "", ["no OpenCL device", "pocl-opencl-icd"], OCL_ICD_VENDORS=str(folder / "none"))
    check("no driver, a name", "device=pthread", ["no OpenCL device"], OCL_ICD_VENDORS=str(folder / "none"))
    (folder / "gone").mkdir()
    (folder / "gone" / "gone.icd").write_text("libThisDriverWasRemoved.so.1\n")
    check("a driver that is gone", "", ["no OpenCL device"], OCL_ICD_VENDORS=str(folder / "gone"))
    icd = pathlib.Path("/etc/OpenCL/vendors/pocl.icd")
    if icd.exists():
        # A device of 1 GiB, in which PoCL 7 lets one buffer have all of it: the patches of this analysis, as large as one may be, take 3, and
        # saying so takes no time.
        (folder / "pocl").mkdir()
        (folder / "pocl" / "pocl.icd").write_text(icd.read_text())
        check("out of device memory", "width=16384 height=16368", ["no memory for", "bytes on", "which allows"],
              OCL_ICD_VENDORS=str(folder / "pocl"), POCL_MEMORY_LIMIT="1")
sys.exit(bool(failed))
