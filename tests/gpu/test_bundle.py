#!/usr/bin/env python3
"""test_bundle.py SOURCE BUILD: the folder that tests/gpu/bundle packs is small, lacks no library, and `run` in it checks this machine, says what fails,
and writes one report."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

source, build = map(pathlib.Path, sys.argv[1:])
BARE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def run(*command, **settings):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **settings)


def check_refusals(folder):
    done = run(source / "tests/gpu/bundle", folder / "no build", folder / "new")
    assert done.returncode == 2 and "holds no build" in done.stderr and not (folder / "new").exists(), done
    (folder / "there").mkdir()
    done = run(source / "tests/gpu/bundle", build, folder / "there")
    assert done.returncode == 2 and "exists already" in done.stderr, done


def check_libraries(bundle):
    """The loader of the bundle finds every library of every program in it."""
    libraries = bundle / "libraries"
    loader = next(libraries.glob("ld-linux*"))
    for program in (bundle / "programs").iterdir():
        done = run(loader, "--inhibit-cache", "--library-path", libraries, "--list", program)
        found = re.findall(r"=> (/\S+)", done.stdout)
        assert done.returncode == 0 and len(found) > 3 and "not found" not in done.stdout, done
        assert all(path.startswith(str(libraries)) for path in found), done.stdout


def check_stopped(start, report, settings):
    """A report of a run that somebody stops, or a limit of time, says so and names the check."""
    report.unlink()
    process = subprocess.Popen([str(part) for part in start], stderr=subprocess.PIPE, text=True, start_new_session=True, **settings)
    while not report.exists() or "== kernels" not in report.read_text():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    errors = process.communicate()[1]
    text = report.read_text()
    assert process.returncode == 130 and "kernels: status" not in errors, (process.returncode, errors)
    assert re.search(r"\n== summary\n0 passed, 0 failed\n  stopped by a signal, after \d+ s: kernels\. .* were not run\n$", text), text


def check_run(bundle, folder):
    # Elsewhere, with nothing of this session, and without network if this user may take it away.
    moved = folder / "else where" / "bundle"
    moved.parent.mkdir()
    shutil.move(bundle, moved)
    offline = ["unshare", "--net"] if run("unshare", "--net", "true").returncode == 0 else []
    report = folder / "report.txt"
    settings = {"env": {**BARE, "HOME": str(folder / "home"), **{name: os.environ[name] for name in ("OCL_ICD_VENDORS",) if name in os.environ}},
                "cwd": folder}
    start = [*offline, moved / "run", "--quick", "--report", report]

    before = sorted(folder.rglob("*"))
    done = run(*start, "--only", "kernels", **settings)
    text = report.read_text()
    assert done.returncode == 0 and "1 passed, 0 failed" in done.stdout, done
    assert "== machine" in text and "under test: 0" in text and re.search(r"\n  0: .+\n", text) and text.endswith("1 passed, 0 failed\n"), text
    assert sorted(folder.rglob("*")) == sorted([*before, report]), "something else was written"

    # A check that fails has its name in the report.
    (moved / "data" / "tiny_forward.npz").write_bytes((moved / "data" / "propagation.npz").read_bytes())
    done = run(*start, "--only", "features of the authors' code, native", **settings)
    text = report.read_text()
    assert done.returncode == 1 and re.search(r"0 passed, 1 failed\n  failed with status \d+, after \d+ s: features of the authors' code, native\n", text), text

    check_stopped([*start, "--only", "kernels"], report, settings)
    (folder / "none").mkdir()
    settings["env"]["OCL_ICD_VENDORS"] = str(folder / "none")
    done = run(*start, **settings)
    assert done.returncode == 2 and "no OpenCL device" in done.stderr and "/etc/OpenCL/vendors" in done.stderr, done
    done = run(moved / "run", "--nonsense", **settings)
    assert done.returncode == 2 and "--device DEVICE" in done.stderr, done


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    check_refusals(folder)
    done = run(source / "tests/gpu/bundle", build, folder / "bundle")
    assert done.returncode == 0, done
    size = sum(file.stat().st_size for file in (folder / "bundle").rglob("*") if file.is_file())
    assert size < 60 << 20, size
    check_libraries(folder / "bundle")
    check_run(folder / "bundle", folder)
