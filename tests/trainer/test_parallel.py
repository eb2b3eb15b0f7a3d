#!/usr/bin/env python3
"""test_parallel.py RVM-CL-TRAIN: two processes with half the batch each train as one does; one that dies ends the others with a message and
leaves a folder that one process can go on with; one that cannot read its videos any more ends all when everything is saved; a batch that cannot be
divided is told."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from training import check_saved, endless, make_photos, make_video, wait_for_steps

program = sys.argv[1]
environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1")


def pretrain(out, *settings, processes=1, status=0, stop_at=0):
    start = ["mpirun", "-np", str(processes)] if processes > 1 else []
    sets = [word for setting in settings for word in ("--set", setting)]
    command = [*start, program, "pretrain", "--recipe", "tiny", "--photos", str(photos), *sets, "--out", str(out), f"--stop-at={stop_at}"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)
    assert status is None or result.returncode == status, (command, result)
    return result.stdout + result.stderr


def metrics_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def floats_of(path):
    import numpy

    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__")
    return {name: numpy.frombuffer(content[8 + length :][slice(*entry["data_offsets"])], numpy.float32) for name, entry in header.items()}


def children_of(pid):
    # Not by ps, which hangs with AddressSanitizer's library before it.
    children = [int(child) for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
    return [child for child in children if "rvm-cl-train" in pathlib.Path(f"/proc/{child}/comm").read_text()]


if shutil.which("mpirun") is None:
    sys.exit(77)
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    photos = folder / "photos"
    make_photos(photos)
    common = ["synthetic=1", "batch=4", "accumulate=2", "steps=6", "checkpoint-every=3", "picture-every=0"]

    # One process, two, and two that stop half way and go on as one.
    pretrain(folder / "one", *common)
    output = pretrain(folder / "two", *common, processes=2)
    if "built without Open MPI" in output:
        sys.exit(77)
    overlap = re.search(r"2 processes: [0-9.]+ MiB of gradients summed, ([0-9]+) % of them during the backward pass", output)
    assert overlap, output
    print(overlap.group(0))
    for a, b in zip(metrics_of(folder / "one"), metrics_of(folder / "two"), strict=True):
        for key in ("loss", "loss_all", "gradient_norm", "mean_colour", "copy"):
            assert abs(a[key] - b[key]) <= 1e-5 * abs(a[key]), (key, a, b)
    # Biases of attention keys have gradients that are rounding noise, which AdamW makes steps of.
    one, two = floats_of(folder / "one" / "model.safetensors"), floats_of(folder / "two" / "model.safetensors")
    for key in one:
        if not key.endswith("key/bias"):
            assert abs(one[key] - two[key]).max() < 2e-5, (key, abs(one[key] - two[key]).max())
    pretrain(folder / "mixed", *common, processes=2, status=130, stop_at=3)
    subprocess.run([program, "resume", str(folder / "mixed")], check=True, capture_output=True, timeout=100)
    for a, b in zip(metrics_of(folder / "one"), metrics_of(folder / "mixed"), strict=True):
        assert abs(a["loss"] - b["loss"]) <= 1e-5 * a["loss"], (a, b)

    # One of two dies.
    out = folder / "killed"
    job = subprocess.Popen(
        ["mpirun", "-np", "2", program, "pretrain", "--recipe", "tiny", "--photos", str(photos), "--set", "synthetic=1", "--set", "steps=1000000",
         "--set", "batch=2", "--set", "picture-every=0", "--set", "checkpoint-every=5", "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    deadline = time.monotonic() + 100
    while not list(out.glob("checkpoint-*5.safetensors")) + list(out.glob("checkpoints/*5*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    ranks = children_of(job.pid)
    assert len(ranks) == 2, ranks
    os.kill(ranks[1], signal.SIGKILL)
    output, _ = job.communicate(timeout=60)
    assert job.returncode != 0 and "signal 9" in output, (job.returncode, output)
    before = len(metrics_of(out))
    result = subprocess.run([program, "resume", str(out), f"--stop-at={before + 50}"], capture_output=True, text=True, timeout=100)
    assert result.returncode == 130 and "stopped and saved" in result.stdout, result

    output = pretrain(folder / "odd", "synthetic=1", "batch=3", processes=2, status=None)
    assert "training.batch is 3: expected a multiple of the 2 processes" in output, output

    # Videos that vanish: the process that first has to read one again ends both, and nothing is lost. They go on from another place.
    videos, out = folder / "videos", folder / "vanish"
    videos.mkdir()
    for i in range(6):
        make_video(videos / f"{i}.mkv", "ball" if i % 2 else "snow", 64, (320, 240))
    settings = [*endless, "--set", "synthetic=0", "--set", "picture-every=0", "--set", "clip-memory=16", "--set", "crop-min=0.2", "--set", "gap-max=8"]

    def begin(*args):
        return subprocess.Popen(["mpirun", "-np", "2", program, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)

    job = begin("pretrain", "--recipe", "tiny", *settings, "--data", videos, "--out", out)
    wait_for_steps(out, job)
    videos.rename(folder / "away")
    output, _ = job.communicate(timeout=120)
    step = check_saved(out)
    assert job.returncode == 1 and f"The {step} steps before are saved" in output and ("No such file" in output or "another process could not continue" in output), output
    job = begin("resume", out)
    output, _ = job.communicate(timeout=120)
    assert job.returncode == 1 and "are missing (6)" in output, output
    job = begin("resume", out, "--data", folder / "away", f"--stop-at={step + 3}")
    output, _ = job.communicate(timeout=120)
    assert job.returncode == 130 and output.count("the same as before") == 1 and check_saved(out) == step + 3, (job.returncode, output)
