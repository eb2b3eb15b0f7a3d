#!/usr/bin/env python3
"""headers.py ROOT CC FLAGS...: every header compiles alone. CC may be several words, such as 'ccache gcc'."""
import pathlib
import subprocess
import sys

root, compiler, *flags = sys.argv[1:]
failed = 0
headers = [path for room in ("kernels", "model", "video", "program", "gst-plugin", "trainer", "archive") for path in sorted(pathlib.Path(root, room).rglob("*.h"))]
for header in headers:
    command = [*compiler.split(), "-std=gnu11", "-fsyntax-only", "-Wall", "-Werror", "-I", root, "-I", f"{root}/gst-plugin", *flags, "-include", str(header), "-x", "c", "/dev/null"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        print(header, result.stderr)
        failed += 1
print(f"{len(headers)} headers, {failed} do not compile alone")
sys.exit(bool(failed) or not headers)
