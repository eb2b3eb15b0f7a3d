#!/usr/bin/env python3
"""test_precision.py RVM-CL-TRAIN: runs with training.precision=bf16: the arithmetic is stated once, the recipe records it, a resumed run gives the same bytes
and keeps it, weights stay float32, two processes give the losses of one and the same bytes twice. Other precisions are errors."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from training import arrays_of, header_of, make_photos, metadata_of, program, run

NOTICE = re.compile(r"rvm-cl-train: precision bf16: (the processor's matrix units|the processor's bfloat16 products|operands are rounded to bfloat16 and multiplied in float32)")


def losses_of(folder):
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    photos = folder / "photos"
    make_photos(photos)
    tiny = ["--recipe", "tiny", "--photos", photos, "--set", "synthetic=1", "--set", "picture-every=0", "--set", "steps=6", "--set", "checkpoint-every=3"]
    bf16 = [*tiny, "--set", "precision=bf16"]

    text = run("pretrain", *bf16, "--out", folder / "whole")
    assert len(NOTICE.findall(text)) == 1, text
    assert "\nprecision=bf16\n" in (folder / "whole" / "recipe.ini").read_text()
    text = run("pretrain", *bf16, "--out", folder / "parts", "--stop-at", 3, status=130)
    text = run("resume", folder / "parts")
    assert len(NOTICE.findall(text)) == 1, text
    last = "checkpoint-00000006.safetensors"
    whole = arrays_of(folder / "whole" / last)
    assert whole == arrays_of(folder / "parts" / last), "a resumed run computes something else"
    for file in (last, "model.safetensors"):
        assert "\nprecision=bf16\n" in metadata_of(folder / "parts" / file)["recipe"], file
        assert {entry["dtype"] for name, entry in header_of(folder / "parts" / file).items() if name != "__metadata__"} == {"F32"}, file

    # Float32 says nothing, and is close and not the same.
    text = run("pretrain", *tiny, "--out", folder / "f32")
    assert not NOTICE.search(text) and "\nprecision=f32\n" in (folder / "f32" / "recipe.ini").read_text(), text
    pairs = list(zip(losses_of(folder / "f32"), losses_of(folder / "whole"), strict=True))
    assert all(0 < abs(a - b) < 0.01 * a for a, b in pairs), pairs

    for value in ("f16", ""):
        assert "training.precision" in (text := run("pretrain", *tiny, "--set", f"precision={value}", "--out", folder / "bad", status=2)), text
        assert "expected f32 or bf16" in text, text
    assert "--precision half: expected f32 or bf16" in run("bench", "--recipe", "tiny", "--precision", "half", status=2)
    assert "training.precision" in run("pretrain", "--help") and "(f32 or bf16, default f32)" in run("pretrain", "--help")

    if shutil.which("mpirun"):
        environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1")
        outputs = []
        for i in range(2):
            command = ["mpirun", "-np", "2", program, "pretrain", *map(str, bf16), "--out", str(folder / f"two{i}")]
            result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)
            assert result.returncode == 0, result
            outputs.append(result.stdout + result.stderr)
        if "built without Open MPI" not in outputs[0]:
            assert len(NOTICE.findall(outputs[0])) == 1, outputs[0]
            assert arrays_of(folder / "two0" / last) == arrays_of(folder / "two1" / last), "two processes give other bytes the second time"
            # The order of sums is another one, and what then is on the edge between two bfloat16s may be rounded to the other.
            pairs = list(zip(losses_of(folder / "whole"), losses_of(folder / "two0"), strict=True))
            assert all(abs(a - b) < 1e-3 * a for a, b in pairs), pairs
