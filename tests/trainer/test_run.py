#!/usr/bin/env python3
"""test_run.py RVM-CL-TRAIN: whole runs on videos made here: stopping and going on gives the same bytes, a killed run can go on, bad
material and bad settings are told."""
import array
import json
import math
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

program = sys.argv[1]


def run(*args, status=0):
    result = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    assert result.returncode == status, (args, result)
    return result.stdout + result.stderr


def make_video(path, frames, pattern="ball", size="128x96"):
    width, height = size.split("x")
    subprocess.run(
        ["gst-launch-1.0", "-q", "videotestsrc", f"num-buffers={frames}", f"pattern={pattern}", "!",
         f"video/x-raw,width={width},height={height},framerate=30/1", "!", "jpegenc", "!", "matroskamux", "!", "filesink", f"location={path}"],
        check=True, timeout=60)


def make_picture(path, pattern):
    subprocess.run(
        ["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=1", f"pattern={pattern}", "!", "video/x-raw,width=200,height=150", "!",
         "pngenc", "!", "filesink", f"location={path}"], check=True, timeout=60)


def arrays_of(path):
    """Name -> bytes of every array, and the metadata: the order in the file does not matter."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__")
    return {name: content[8 + length :][slice(*entry["data_offsets"])] for name, entry in header.items()}, metadata


def metrics_of(folder):
    """What a step computed, without what the clock said."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("waited", "time")} for line in lines]


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    (folder / "videos" / "more").mkdir(parents=True)
    (folder / "photos").mkdir()
    make_video(folder / "videos" / "ball.mkv", 70)
    make_video(folder / "videos" / "more" / "snow.mkv", 90, "snow")
    make_picture(folder / "photos" / "smpte.png", "smpte")
    make_picture(folder / "photos" / "zone.png", "circular")
    material = ["--data", folder / "videos", "--photos", folder / "photos"]
    tiny = ["--recipe", "tiny", "--set", "synthetic=0.5", "--set", "sources-min=2"]

    # A run from its first to its last step, and the same run in three parts.
    whole, parts = folder / "whole", folder / "parts"
    text = run("pretrain", *tiny, *material, "--out", whole)
    assert "finished" in text and "memory:" in text, text
    run("pretrain", *tiny, *material, "--out", parts, "--stop-at", 7, status=130)
    run("resume", parts, "--stop-at", 8, status=130)
    run("resume", parts)
    name = "checkpoint-00000020.safetensors"
    expected, metadata = arrays_of(whole / name)
    found, found_metadata = arrays_of(parts / name)
    assert {n for n in expected if expected[n] != found[n]} == set(), "a resumed run computes something else"
    assert metadata == found_metadata, [(key, metadata[key], found_metadata[key]) for key in metadata if metadata[key] != found_metadata[key]]
    assert metadata["step"] == "20" and "\npatch=16\n" in metadata["recipe"], metadata
    assert metadata["data"] == "[data]\nclips=ball.mkv;snow.mkv;\nphotos=smpte.png;zone.png;\nsprites=\n", metadata["data"]
    assert any(array.startswith("adamw/m/") for array in expected)
    assert metrics_of(whole) == metrics_of(parts) and [line["step"] for line in metrics_of(whole)] == list(range(1, 21))
    for file in ("loss.png", "reconstruction-00000020.png", "model.safetensors", "recipe.ini"):
        assert (whole / file).stat().st_size > 0, file
    assert "encoder" in run("info", whole / "model.safetensors")
    run("resume", whole)  # nothing left to do
    assert "holds a run already" in run("pretrain", *tiny, *material, "--out", whole, status=1)

    # Killed at any moment, a folder can go on: checkpoints are whole or not there.
    killed = folder / "killed"
    chance = random.Random(1)
    command = [program, "pretrain", *map(str, tiny + material), "--out", str(killed), "--set", "checkpoint-every=1", "--set", "steps=1000"]
    for i in range(8):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not (killed / "checkpoint-00000000.safetensors").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.8))
        process.send_signal(signal.SIGKILL)
        process.wait()
        command = [program, "resume", str(killed)]
    run("resume", killed, "--stop-at", 2 + max(int(path.stem.split("-")[1]) for path in killed.glob("checkpoint-*.safetensors")), status=130)

    assert not list(killed.glob("*.part"))

    # A damaged checkpoint is passed over, and the one before is gone on from.
    newest = max(killed.glob("checkpoint-*.safetensors"))
    content = bytearray(newest.read_bytes())
    content[-5] ^= 1
    newest.write_bytes(content)
    text = run("resume", killed, "--stop-at", int(newest.stem.split("-")[1]), status=130)
    assert "passed over" in text and newest.name in text and "damaged" in text, text

    # Ctrl-C finishes the step, saves and says how to go on.
    process = subprocess.Popen([program, "resume", str(killed)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if "loss" in line: # it trains, and no longer loads
            break
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "resume" in text, text

    # One process at a time in a folder.
    first = subprocess.Popen([program, "resume", str(killed)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    first.stdout.readline()
    assert "another process" in run("resume", killed, status=1)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)

    # Another start: its sizes replace the recipe's.
    run("init", "--config", "tiny", "--dim", 24, "--no-decoder", folder / "init.npz")
    run("pretrain", *tiny, *material, "--out", folder / "init", "--init", folder / "init.npz", "--set", "steps=1")
    assert "dim=24" in (folder / "init" / "recipe.ini").read_text()

    # Weights say what they began with, back to the first.
    run("pretrain", *tiny, *material, "--out", folder / "second", "--init", folder / "init" / "model.safetensors", "--set", "steps=2", "--stop-at", 1, status=130)
    run("resume", folder / "second")
    metadata = [arrays_of(folder / name / "model.safetensors")[1] for name in ("whole", "init", "second")]
    assert "start" not in metadata[0] and metadata[1]["start"] == "init.npz\n", metadata[1]["start"]
    recipe = [line for line in metadata[1]["recipe"].splitlines() if line and not line.startswith("#")]
    assert metadata[2]["start"].splitlines() == ["model.safetensors, step 1", *recipe, "", "which began with init.npz"], metadata[2]["start"]

    # First weights against the positional code, from a file and from nothing; the decoder sees the last state only.
    for i, start in enumerate((["--init", folder / "init.npz"], [])):
        plain, scaled = folder / f"plain{i}", folder / f"scaled{i}"
        for out, settings in ((plain, []), (scaled, ["--set", "position-scale=0.4", "--set", "context=1"])):
            run("pretrain", *tiny, *material, "--out", out, *start, "--set", "steps=1", *settings)
        before, after = (arrays_of(out / "checkpoint-00000000.safetensors")[0] for out in (plain, scaled))
        for name in before:
            beside = re.match("cls_token|tokenizer/|encoder/layers_[0-9]+/(attention/out|mlp/dense_out)/", name)
            gain = 2.5 if beside else 1
            a, b = array.array("f", before[name]), array.array("f", after[name])
            assert all(abs(gain * x - y) <= 1e-6 * abs(y) for x, y in zip(a, b, strict=True)), name
        assert "\ncontext=1\n" in (scaled / "recipe.ini").read_text()

    # A core that starts near to the encoder: its layers add half, and its update gate's inputs are 2 more, as each of the normalised
    # channels, which sum to nothing, has a bias that they meet again in every weight. init --recipe makes the same file.
    core = ["--set", "core-residual=0.5", "--set", "update-gate=2"]
    run("pretrain", *tiny, *material, "--out", folder / "core", "--set", "steps=1", *core)
    run("init", "--recipe", folder / "core" / "recipe.ini", folder / "core.safetensors")
    before, after, alone = (arrays_of(path)[0] for path in (
        folder / "plain1" / "checkpoint-00000000.safetensors", folder / "core" / "checkpoint-00000000.safetensors", folder / "core.safetensors"))
    assert all(after[name] == alone[name] for name in alone)
    for name in alone:
        a, b = array.array("f", before[name]), array.array("f", after[name])
        if re.match("rnn_core/transformer/xa_blocks_[0-9]+/((ca_)?attention/out|mlp/dense_out)/", name):
            assert any(a) or name.endswith("/bias"), name
            assert all(x / 2 == y for x, y in zip(a, b, strict=True)), name
        elif name == "encoder/LayerNorm_0/bias":
            bias = b[0]
            assert bias > 0 and set(b) == {bias}, b
        elif name == "rnn_core/input_update/kernel":
            width = math.isqrt(len(a))
            assert all(abs(x + 2 / (bias * width) - y) < 1e-6 for x, y in zip(a, b, strict=True)), name
        else:
            assert a == b, name

    # The gate of given weights is shifted along the bias that they have; nothing else is.
    run("pretrain", *tiny, *material, "--out", folder / "shut", "--set", "steps=1", "--init", folder / "core.safetensors", "--set", "gate-shift=-1.5")
    shut = arrays_of(folder / "shut" / "checkpoint-00000000.safetensors")[0]
    assert {name for name in alone if shut[name] != alone[name]} == {"rnn_core/input_update/kernel"}
    a, b = (array.array("f", arrays["rnn_core/input_update/kernel"]) for arrays in (alone, shut))
    assert all(abs(x - 1.5 / (bias * math.isqrt(len(a))) - y) < 1e-6 for x, y in zip(a, b, strict=True))

    # A gate that begins again has the same input for all patches and states, also with scales and biases that training has made uneven.
    run("pretrain", *tiny, *material, "--out", folder / "uneven", "--set", "steps=6", "--set", "rate=0.05", "--set", "warmup=0", "--init", folder / "core.safetensors")
    run("pretrain", *tiny, *material, "--out", folder / "renewed", "--set", "steps=1", "--init", folder / "uneven" / "model.safetensors",
        "--set", "gate-renew=true", "--set", "update-gate=3")
    uneven, renewed = (arrays_of(folder / name)[0] for name in ("uneven/checkpoint-00000006.safetensors", "renewed/checkpoint-00000000.safetensors"))
    gates = {"rnn_core/input_update/kernel", "rnn_core/state_update/kernel"}
    assert {name for name in uneven if not name.startswith("adamw/") and renewed[name] != uneven[name]} == gates
    assert not any(array.array("f", renewed["rnn_core/state_update/kernel"]))
    kernel, scale, bias = (array.array("f", renewed[name]) for name in ("rnn_core/input_update/kernel", "encoder/LayerNorm_0/scale", "encoder/LayerNorm_0/bias"))
    width = len(scale)
    assert max(scale) - min(scale) > 0.01 and max(bias) - min(bias) > 0.01
    for seed in range(3):
        rng = random.Random(seed)
        inputs = [rng.gauss(0, 1) for _ in range(width)]
        normal = [(x - statistics.fmean(inputs)) / statistics.pstdev(inputs) for x in inputs]
        output = [x * s + b for x, s, b in zip(normal, scale, bias, strict=True)]
        assert all(abs(sum(output[i] * kernel[i * width + j] for i in range(width)) - 3) < 1e-4 for j in range(width))
    message = run("pretrain", *tiny, *material, "--out", folder / "never", "--init", folder / "init.npz", "--set", "gate-shift=1", status=1)
    assert "gate-shift" in message and "encoder/LayerNorm_0/bias" in message, message

    # Only what is named is trained; what lies side by side with it has to be named, too, and a name that nothing has is a mistake.
    text = run("pretrain", *tiny, *material, "--out", folder / "only", "--set", "steps=3", "--set", "only=rnn_core/input_*;mask_token")
    before, after = (arrays_of(folder / "only" / f"checkpoint-0000000{step}.safetensors")[0] for step in (0, 3))
    named = {name for name in before if name == "mask_token" or name.startswith("rnn_core/input_")}
    assert len(named) == 3 and {name for name in before if after[name] != before[name] and not name.startswith("adamw/")} == named
    trained = sum(len(before[name]) // 4 for name in named)
    assert f"training.only: {trained} of these parameters are trained" in text, text
    text = run("pretrain", *tiny, *material, "--out", folder / "half", "--set", "only=rnn_core/input_update/*", status=1)
    assert "rnn_core/input_update/kernel and rnn_core/input_reset/kernel lie side by side" in text, text
    text = run("pretrain", *tiny, *material, "--out", folder / "half", "--set", "only=rnn_core/*;encoder/gates", status=1)
    assert "'encoder/gates' fits no array" in text, text

    # Batches of several sizes: stopping and going on gives the same bytes here, too.
    sizes = [*tiny, "--set", "batch=8", "--set", "width=32", "--set", "height=32", "--set", "side-max=80", "--set", "steps=6", "--set", "context=1"]
    run("pretrain", *sizes, *material, "--out", folder / "sizes")
    run("pretrain", *sizes, *material, "--out", folder / "sizes-parts", "--stop-at", 3, status=130)
    run("resume", folder / "sizes-parts")
    expected, found = (arrays_of(folder / name / "checkpoint-00000006.safetensors")[0] for name in ("sizes", "sizes-parts"))
    assert {n for n in expected if expected[n] != found[n]} == set(), "a resumed run with several sizes computes something else"
    assert metrics_of(folder / "sizes") == metrics_of(folder / "sizes-parts")
    assert "samples" in run("preview", *sizes, *material, folder / "sheet.png")
    assert "more pixels than" in run("pretrain", *sizes, *material, "--out", folder / "never", "--set", "batch=1", status=2)
    assert "multiple of model.patch" in run("pretrain", *sizes, *material, "--out", folder / "never", "--set", "side-max=50", status=2)

    # The rate: up, held, and down a cosine.
    run("pretrain", *tiny, *material, "--out", folder / "held", "--set", "steps=10", "--set", "warmup=2", "--set", "hold=0.5", "--set", "rate=1e-3",
        "--set", "rate-end=1e-4")
    rates = [line["rate"] for line in metrics_of(folder / "held")]
    falling = [1e-4 + 9e-4 * 0.5 * (1 + math.cos(math.pi * i / 4)) for i in range(4)]
    assert all(abs(a - b) < 1e-9 for a, b in zip(rates, [5e-4, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, *falling], strict=True)), rates

    # Material that cannot be used is told and counted; none at all ends the run.
    bad = folder / "bad"
    bad.mkdir()
    (bad / "empty.mp4").write_bytes(b"")
    (bad / "noise.mp4").write_bytes(random.Random(0).randbytes(5000))
    (bad / "text.mkv").write_text("no video at all\n" * 50)
    (bad / "cut.mkv").write_bytes((folder / "videos" / "ball.mkv").read_bytes()[:3000])
    make_video(bad / "short.mkv", 5)
    subprocess.run(["gst-launch-1.0", "-q", "audiotestsrc", "num-buffers=20", "!", "wavenc", "!", "filesink", f"location={bad}/sound.wav"],
        check=True, timeout=60)
    text = run("pretrain", *tiny, "--set", "synthetic=0", "--data", bad, "--out", folder / "none", status=1)
    for file in ("empty.mp4", "noise.mp4", "text.mkv", "cut.mkv", "short.mkv", "sound.wav"):
        assert sum("skipped" in line and file in line for line in text.splitlines()) == 1, (file, text)
    assert "none of the 6 files" in text, text
    text = run("preview", *tiny, "--set", "synthetic=0", "--data", bad, "--data", folder / "videos", folder / "sheet.png")
    assert "2 videos" in text and "6 files skipped" in text and (folder / "sheet.png").stat().st_size > 1000, text
    (folder / "list.txt").write_text("# a list\nvideos/ball.mkv\n")
    assert "1 videos" in run("preview", *tiny, "--set", "synthetic=0", "--data", folder / "list.txt", folder / "sheet.png")
    assert "no such file" in run("preview", *tiny, "--data", folder / "missing", folder / "sheet.png", status=1)

    # Settings.
    out = ["--out", folder / "never"]
    assert "did you mean 'batch'" in run("pretrain", *tiny, *material, *out, "--set", "bacth=2", status=2)
    assert "from 1 to" in run("pretrain", *tiny, *material, *out, "--set", "batch=0", status=2)
    assert "gap-min" in run("pretrain", *tiny, *material, *out, "--set", "gap-min=50", status=2)
    assert "--photos is missing" in run("pretrain", *tiny, "--data", folder / "videos", *out, status=1)
    assert "neither a file nor" in run("pretrain", "--recipe", "absent", *material, *out, status=2)
    assert "data.synthetic" in run("pretrain", "--help") or "training.batch" in run("pretrain", "--help")

    # Reconstruction with the run's own weights.
    text = run("reconstruct", whole / "model.safetensors", folder / "videos" / "ball.mkv", folder / "sheet.png")
    assert "mean squared error" in text
