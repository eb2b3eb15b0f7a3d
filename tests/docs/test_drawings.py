#!/usr/bin/env python3
"""test_drawings.py SOURCE: the drawings of docs/ are what docs/make-drawings makes, and each is well-formed."""
import pathlib
import subprocess
import sys
import tempfile
import xml.dom.minidom

docs = pathlib.Path(sys.argv[1]) / "docs"
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, docs / "make-drawings", folder], check=True)
    made = {path.name: path.read_text() for path in pathlib.Path(folder).iterdir()}
kept = {path.name: path.read_text() for path in docs.glob("*.svg")}
assert made and sorted(made) == sorted(kept), (sorted(made), sorted(kept))
for name in made:
    xml.dom.minidom.parseString(kept[name])
    assert made[name] == kept[name], f"docs/{name} is out of date: run docs/make-drawings"
print(f"{len(made)} drawings")
