#!/usr/bin/env python3
"""test_model.py SOURCE: each constant of docs/model.md's table is in the code where the table says, with that value."""
import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])
rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \| `([^`]+)`: `([^`]+)` \|$", (source / "docs/model.md").read_text(), re.M)
assert len(rows) > 15, rows
wrong = []
for constant, value, file, snippet in rows:
    # The digits of the value are in the snippet, so that the two cannot differ.
    numbers = re.findall(r"[0-9.]+(?:e-?[0-9]+)?", value)
    if not numbers or not all(re.search(rf"(?<![0-9.]){re.escape(number)}(?![0-9])", snippet) for number in numbers):
        wrong.append(f"{constant}: {value} is not in '{snippet}'")
    if snippet not in (source / file).read_text():
        wrong.append(f"{constant}: {file} has no '{snippet}'")
print("\n".join(wrong) or f"{len(rows)} constants")
sys.exit(bool(wrong))
