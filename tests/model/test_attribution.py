#!/usr/bin/env python3
"""test_attribution.py SOURCE RVM_CL_TRAIN: model/default/ATTRIBUTION.md has an entry, with a source, who made it and a licence whose text it names, for
each video and picture that the metadata of the bundled weights names."""
import fnmatch
import pathlib
import re
import subprocess
import sys

folder = pathlib.Path(sys.argv[1]) / "model/default"
PAGE = (folder / "ATTRIBUTION.md").read_text()
KINDS = ("clips", "photos", "sprites")


def entries(page):
    """Kind -> patterns; every row is complete, and its licences are among those at the end."""
    found, texts = {}, re.findall(r"^- ([^:\n]+): https://", page, re.M)
    known = {name.strip() for names in texts for name in names.split(",")}
    for kind, part in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.M | re.S):
        for row in re.findall(r"^\| (`.*) \|$", part, re.M):
            cells = [cell.strip() for cell in row.split(" | ")]
            assert len(cells) == 4 and all(cells), f"{row}: expected files, source, by, licence"
            named = re.findall(r"[A-Z][\w.-]*-[\w.+-]+|MIT", cells[3])
            assert named and not set(named) - known, f"{cells[0]}: the licence is {cells[3]}, of which the end of the page knows {sorted(known)}"
            found.setdefault(kind.lower(), []).extend(re.findall(r"`([^`]+)`", cells[0]))
    return found


def files_of(weights):
    """(kind, name) of all that the weights were trained on, whenever that was."""
    said = subprocess.run([sys.argv[2], "info", "--files", weights], capture_output=True, text=True, check=True).stdout
    kind, found = None, []
    for line in said[said.index("\n[") :].splitlines():
        heading = re.match(r"(\w+): (\d+)$", line)
        if heading:
            kind = heading.group(1)
            assert kind in KINDS, f"{weights}: {kind} is none of {KINDS}"
            found += [None] * int(heading.group(2))
        elif line.startswith("  ") and kind:
            found[found.index(None)] = (kind, line[2:])
    assert found and None not in found, f"{weights}: not all names of its files were read: {said}"
    return found


def missing(page, files):
    table = entries(page)
    return [f"{kind}: {name}" for kind, name in files if not any(fnmatch.fnmatchcase(name, each) for each in table.get(kind, ()))]


weights = sorted(folder.glob("*.safetensors"))
assert weights
wrong = []
for path in weights:
    files = files_of(path)
    wrong += [f"model/default/ATTRIBUTION.md has no entry for {path.name}'s {each}" for each in missing(PAGE, files)]
    # What the check is for is found: new material, material of another kind, an entry that is gone.
    assert missing(PAGE, [*files, ("clips", "new_clip.mp4")])[-1] == "clips: new_clip.mp4"
    assert missing(PAGE, [("photos", "intel_car-detection.mp4")])
    assert missing(PAGE.replace("| `sam2_*.mp4` ", "| `gone` "), files) == [f"clips: {name}" for kind, name in files if kind == "clips" and name.startswith("sam2_")] != []
    print(f"{path.name}: {len(files)} files")
print("\n".join(wrong))
sys.exit(bool(wrong))
