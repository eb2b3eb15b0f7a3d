#!/usr/bin/env python3
"""test_propagation.py CHECK_PROPAGATION: it passes on a case made by an implementation in numpy, of sizes of its own, and fails, naming the array,
when any array is wrong, missing, or not of a shape that fits."""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import propagation_case

check = sys.argv[1]


def run(folder, arrays):
    path = pathlib.Path(folder) / "case.npz"
    np.savez(path, **arrays)
    done = subprocess.run([check, path], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


with tempfile.TemporaryDirectory() as folder:
    case = propagation_case.make(np.random.default_rng(5))
    code, text = run(folder, case)
    print(text)
    assert code == 0, text
    for name, change in propagation_case.BREAKS.items():
        code, text = run(folder, {**case, name: change(case[name])})
        # Sizes that belong together are told by the array that does not fit.
        said = [line for line in text.splitlines() if "FAILED" in line or "check_propagation:" in line]
        assert code == 1 and said, (name, code, text)
        if case[name].shape == change(case[name]).shape:
            assert any(name in line for line in said), (name, text)
    # Only that of the project's own is left out of the authors' file.
    for name in case.keys() - {"propagated_standardised"}:
        code, text = run(folder, {key: value for key, value in case.items() if key != name})
        assert code == 1 and f"'{name}' is missing" in text, (name, text)
print("ok")
