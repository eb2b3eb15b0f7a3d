#!/usr/bin/env python3
"""packages.py ROOT: what pipelines/install-packages installs is what debian/control says building and testing need."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
# All of 'packages="..."', also what is added by release; not what only the viewer needs.
script = (root / "pipelines/install-packages").read_text()
lists = re.findall(r'\bpackages="([^"]*)"', "\n".join(line for line in script.splitlines() if "viewer" not in line))
installed = [name for part in lists for name in part.split() if not name.startswith("$")]
control = (root / "debian/control").read_text()
needed = re.search(r"Build-Depends:\n((?: .*\n)+)", control).group(1)
declared = {line.split()[0].rstrip(",").split(":")[0] for line in needed.splitlines()}
# Part of every build machine (build-essential, debhelper), brought by meson and its python, or of use beside curl where it uses HTTPS, which no
# test does.
given = {"gcc", "g++", "ninja-build", "gstreamer1.0-plugins-base", "ca-certificates"}
missing = sorted(set(installed) - declared - given)
unknown = sorted(declared - set(installed) - {"debhelper-compat", "dh-sequence-gir"})
assert installed and declared
for name in missing:
    print(f"debian/control does not build-depend on {name}, which pipelines/install-packages installs")
for name in unknown:
    print(f"pipelines/install-packages does not install {name}, which debian/control build-depends on")
sys.exit(bool(missing or unknown))
