#!/usr/bin/env python3
"""inlines.py SOURCE | --self-test: no function of kernels/cl/ that is always inlined takes restrict pointers: Clang makes of them
llvm.experimental.noalias.scope.decl, which oclgrind does not know, so that it can run no kernel of that file."""
import pathlib
import re
import sys


def find(text):
    """The names of such functions."""
    found = re.findall(r"always_inline\)\)[^{;]*?\b(\w+) \(([^{;]*?)\)\s*\{", text)
    return [name for name, parameters in found if "restrict" in parameters]


if sys.argv[1:] == ["--self-test"]:
    good = "__attribute__ ((always_inline)) void\ngood (float *a)\n{\n}\n__kernel void\nfine (__global float *restrict a)\n{\n}\n"
    bad = "__attribute__ ((always_inline)) void\nbad (float *a,\n    __global const float *restrict b)\n{\n}\n"
    assert find(good) == [] and find(good + bad) == ["bad"] and find(bad + good) == ["bad"]
    sys.exit()
files = sorted(pathlib.Path(sys.argv[1]).glob("kernels/cl/*.cl"))
assert files
wrong = [f"{path.name}: {name}" for path in files for name in find(path.read_text())]
sys.exit("\n".join(f"{line} is always inlined and takes restrict pointers" for line in wrong) or 0)
