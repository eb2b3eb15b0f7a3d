#!/usr/bin/env python3
"""test_reference.py SOURCE: the API reference is built as docs/applications.md says, without a warning of gi-docgen, and has a page for each public
function, structure and enumeration."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

source = pathlib.Path(sys.argv[1])
if shutil.which("gi-docgen") is None:
    print("gi-docgen is not installed")
    sys.exit(77)
text = (source / "docs/applications.md").read_text()
commands = re.findall(r"^((?:meson setup|ninja -C) build-docs.*)$", text, re.M)
assert len(commands) == 2, commands
with tempfile.TemporaryDirectory() as folder:
    build = pathlib.Path(folder) / "build-docs"
    for command in commands:
        command = command.replace("build-docs", str(build))
        done = subprocess.run(["bash", "-c", command], cwd=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout, done.stdout
    page = re.search(r"`build-docs/(\S+/index\.html)` is its first page", text).group(1)
    reference = (build / page).parent
    assert (build / page).is_file(), list(build.rglob("index.html"))
    installed = re.search(r"gstrvm_meta_headers = files\(([^)]*)\)", (source / "gst-plugin/meta/meson.build").read_text()).group(1)
    public = "".join((source / "gst-plugin/meta" / name).read_text() for name in re.findall(r"'(\w+\.h)'", installed))
    pages = "".join(file.read_text() for file in reference.glob("*.html"))
    functions = re.findall(r"^GST_RVM_API .*?\*?(gst_rvm_\w+) \(", public, re.M)
    missing = [name for name in functions if not name.endswith(("_get_type", "_get_info")) and name not in pages]
    assert len(functions) > 30 and not missing, (len(functions), missing)
print(f"{len(functions)} functions")
