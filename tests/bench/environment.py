"""A virtual environment with the packages from PyPI that a benchmark compares with, made when it is first needed."""
import os
import pathlib
import subprocess
import sys


def default_path(name):
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "gst-rvm" / name


def enter_environment(path, packages):
    """Runs this program again with the Python of the environment at @path, which is made first if it does not have all @packages."""
    path = path.resolve()
    python, complete = path / "bin" / "python", path / "complete" # the packages that were installed
    if pathlib.Path(sys.prefix) == path:
        return
    if not (complete.exists() and set(packages) <= set(complete.read_text().split())):
        print(f"installing {', '.join(packages)} into {path}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", path], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        complete.write_text("\n".join(packages) + "\n")
    os.execv(python, [python, *sys.argv])
