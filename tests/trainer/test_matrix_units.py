#!/usr/bin/env python3
"""test_matrix_units.py RVM-CL-TRAIN DATA: runs with training.precision=bf16 on matrix units, which the program itself emulates where there are none. What they
compute is close to the arithmetic without them; a run that was stopped goes on with the same bytes, and two processes give the same bytes twice.
Where they are refused, or their test product fails, the reason is said once and the run is that of a processor without them. The same for evaluate."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import training
from training import arrays_of, make_photos, run

data = pathlib.Path(sys.argv[2])
LAST = "checkpoint-00000002.safetensors"


def losses_of(folder):
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def products_of(report):
    """How many products each process since the last call made, or None where nothing is emulated."""
    counts = [int(line) for line in report.read_text().splitlines()] if report.exists() else []
    report.unlink(missing_ok=True)
    return None if 2**64 - 1 in counts else counts


def check_one_notice(text, *parts):
    lines = [line for line in text.splitlines() if line.startswith("rvm-cl-train: precision bf16")]
    assert len(lines) == 1 and all(part in lines[0] for part in parts), text


def check_fallbacks(folder, tiny, environment, emulated):
    """Each gives the bytes of the first."""
    expected = None
    for fault, reason in {"absent": "has no matrix units", "refused": "sigaltstack", "wrong": "came out wrong"}.items():
        if fault == "wrong" and not emulated:
            continue
        text = run("pretrain", *tiny, "--out", folder / fault, env={**environment, "MATRIX_UNITS": fault})
        check_one_notice(text, reason, "multiplied in float32")
        got = arrays_of(folder / fault / LAST)
        expected = expected or got
        assert got == expected, fault
    return expected


def check_ranks(folder, tiny, environment):
    arrays = []
    for i in range(2):
        result = subprocess.run(["mpirun", "-np", "2", training.program, "pretrain", *map(str, tiny), "--out", str(folder / f"two{i}")],
                                capture_output=True, text=True, timeout=300, env=dict(
                                    environment, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1"))
        assert result.returncode == 0, result
        text = result.stdout + result.stderr
        if "built without Open MPI" in text:
            return
        check_one_notice(text, "matrix units (AMX) multiply")
        arrays.append(arrays_of(folder / f"two{i}" / LAST))
    assert arrays[0] == arrays[1], "two processes give other bytes the second time"
    pairs = list(zip(losses_of(folder / "whole"), losses_of(folder / "two0"), strict=True))
    assert all(abs(a - b) < 1e-3 * a for a, b in pairs), pairs


def check_evaluate(folder, environment):
    """On one sequence of grey noise, which needs no more than that the model is run."""
    pictures, masks = folder / "davis/JPEGImages/480p/noise", folder / "davis/Annotations/480p/noise"
    for path, pattern, encoder, ending in ((pictures, "snow", "jpegenc", "jpg"), (masks, "checkers-8", "pngenc", "png")):
        path.mkdir(parents=True)
        form = "GRAY8" if ending == "png" else "I420"
        subprocess.run(["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=4", f"pattern={pattern}", "!", f"video/x-raw,format={form},width=64,height=48", "!",
                        encoder, "!", "multifilesink", f"location={path}/%05d.{ending}"], check=True, timeout=60)
    options = ["evaluate", "--model", data / "tiny.npz", "--davis", folder / "davis", "--size", "64x48"]
    text = {value: run(*options, "--precision", value, env=environment) for value in ("f32", "f16", "bf16")}
    assert "precision bf16" not in text["f32"] + text["f16"], text
    check_one_notice(text["bf16"], "matrix units (AMX) multiply")
    check_one_notice(run(*options, "--precision", "bf16", env={**environment, "MATRIX_UNITS": "refused"}), "sigaltstack", "float32")
    assert "--precision 'f8': expected" in run(*options, "--precision", "f8", env=environment, status=2)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    report = folder / "products"
    environment = dict(os.environ, MATRIX_UNITS_REPORT=str(report))
    make_photos(folder / "photos")
    tiny = ["--recipe", "tiny", "--photos", folder / "photos", "--set", "synthetic=1", "--set", "picture-every=0", "--set", "steps=2", "--set", "checkpoint-every=1",
            "--set", "precision=bf16", "--set", "batch=2"]

    text = run("pretrain", *tiny, "--out", folder / "whole", env=environment)
    check_one_notice(text, "matrix units (AMX) multiply operands")
    counts = products_of(report)
    assert counts is None or len(counts) == 1 and counts[0] > 100, counts
    run("pretrain", *tiny, "--out", folder / "parts", "--stop-at", 1, env=environment, status=130)
    run("resume", folder / "parts", env=environment)
    whole = arrays_of(folder / "whole" / LAST)
    assert whole == arrays_of(folder / "parts" / LAST), "a resumed run computes something else"

    without = check_fallbacks(folder, tiny, environment, counts is not None)
    assert without != whole
    pairs = list(zip(losses_of(folder / "absent"), losses_of(folder / "whole"), strict=True))
    assert all(0 < abs(a - b) < 1e-3 * a for a, b in pairs), pairs
    if shutil.which("mpirun"):
        check_ranks(folder, tiny, environment)
    check_evaluate(folder, environment)
