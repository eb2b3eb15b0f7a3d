#!/usr/bin/env python3
"""test_clblast_parameters.py CHECK_GOLDEN DATA: parameters for CLBlast from a file; wrong ones are refused by name."""
import os
import pathlib
import subprocess
import sys
import tempfile

GOOD = """[XgemmDirect]
KWID=2
MDIMAD=8
MDIMCD=8
NDIMBD=8
NDIMCD=8
PADA=1
PADB=1
VWMD=1
VWND=1
WGD=16
"""
BAD = {
    "no such kernel": ("[Xgemmm]\nMWG=8\n", ["[Xgemmm]", "name of one of its kernels"]),
    "a parameter short": (GOOD.replace("WGD=16\n", ""), ["[XgemmDirect]", "all of that one's parameters"]),
    "no number": (GOOD.replace("WGD=16", "WGD=wide"), ["[XgemmDirect] WGD", "whole number"]),
    "no key file": ("MWG=8\n", ["RVM_CLBLAST_PARAMETERS"]),
}


def main(check, data):
    def run(path):
        command = [check, "--gemm", "clblast", data / "tiny.npz", data / "tiny_forward.npz"]
        return subprocess.run(command, env={**os.environ, "RVM_CLBLAST_PARAMETERS": str(path)}, capture_output=True, text=True)

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "parameters.ini")
        path.write_text(GOOD)
        done = run(path)
        assert done.returncode == 0, done.stdout + done.stderr
        for what, (text, expected) in BAD.items():
            path.write_text(text)
            done = run(path)
            message = done.stdout + done.stderr
            assert done.returncode != 0, f"{what}: was taken"
            assert all(part in message for part in [*expected, str(path)]), f"{what}: {message}"
        path.unlink()
        done = run(path)
        assert done.returncode != 0 and str(path) in done.stdout + done.stderr, "a missing file was taken"


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
