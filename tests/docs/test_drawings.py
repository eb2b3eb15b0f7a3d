#!/usr/bin/env python3
"""test_drawings.py SOURCE: the drawings of docs/ are what docs/make-drawings makes, and each is well-formed, as are the plots of docs/make-calibration,
docs/make-readouts, docs/make-memory and docs/make-precision, which cannot be made again without their footage."""
import pathlib
import subprocess
import sys
import tempfile
import xml.dom.minidom

PLOTS = {"confidence.svg", "learning-curve.svg", "memory.svg", "precision.svg"}  # of docs/make-calibration, -readouts, -memory and -precision

docs = pathlib.Path(sys.argv[1]) / "docs"
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, docs / "make-drawings", folder], check=True)
    made = {path.name: path.read_text() for path in pathlib.Path(folder).iterdir()}
kept = {path.name: path.read_text() for path in docs.glob("*.svg")}
assert made and {*made, *PLOTS} == set(kept), (sorted(made), sorted(kept))
for name in kept:
    xml.dom.minidom.parseString(kept[name])
for name in made:
    assert made[name] == kept[name], f"docs/{name} is out of date: run docs/make-drawings"
print(f"{len(made)} drawings")
