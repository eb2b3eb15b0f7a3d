#!/usr/bin/env python3
"""test_cli.py RVM-CL-TRAIN DATA: files that init and convert write, read back with numpy, and errors."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

program, data = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
sys.path.insert(0, str(data))
import make_weights  # noqa: E402


def run(*args, status=0):
    result = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    assert result.returncode == status, (args, result)
    return result.stdout + result.stderr


def read_safetensors(path):
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    types = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
    return {
        name: np.frombuffer(content[8 + length :][slice(*entry["data_offsets"])], types[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
    }, metadata


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    # The arrays of a new file are those of the reference, with values of the right spread.
    run("init", "--config", "tiny", folder / "a.npz")
    arrays = dict(np.load(folder / "a.npz"))
    assert {name: array.shape for name, array in arrays.items()} == make_weights.shapes("tiny")
    query = arrays["encoder/layers_0/attention/query/kernel"]
    assert abs(query.std() * np.sqrt(48) - 1) < 0.05 and abs(query.mean()) < 0.02
    dense = arrays["encoder/layers_0/mlp/dense_in/kernel"]
    limit = np.sqrt(6 / (48 + 112))
    assert 0.98 * limit < np.abs(dense).max() <= limit and abs(dense.std() / (limit / np.sqrt(3)) - 1) < 0.05
    assert (arrays["encoder/LayerNorm_0/scale"] == 1).all() and (arrays["encoder/LayerNorm_0/bias"] == 0).all()
    run("init", "--config", "tiny", folder / "b.npz")
    assert (folder / "a.npz").read_bytes() == (folder / "b.npz").read_bytes()
    run("init", "--config", "tiny", "--seed", 1, folder / "b.npz")
    assert not np.array_equal(np.load(folder / "b.npz")["cls_token"], arrays["cls_token"])
    # Other sizes.
    run("init", "--patch", 8, "--dim", 30, "--layers", 1, "--heads", 5, "--mlp", 7, "--core-layers", 1, "--core-heads", 3, "--core-mlp", 9,
        "--no-decoder", folder / "c.safetensors")
    odd, metadata = read_safetensors(folder / "c.safetensors")
    assert odd["tokenizer/patch_embedding/Conv_0/kernel"].shape == (1, 8, 8, 3, 30) and "untrained" in metadata["origin"]
    assert not any(name.startswith("decoder") for name in odd)

    os.environ["RVM_DEFAULT_MODEL"] = str(folder / "c.safetensors")
    assert run("info") == run("info", folder / "c.safetensors")
    os.environ["RVM_DEFAULT_MODEL"] = "no-such-file"
    message = run("info", status=1)
    assert "RVM_DEFAULT_MODEL" in message and "no-such-file: cannot be opened" in message, message

    # npz -> safetensors -> npz is exact; f16 rounds as numpy does; numpy's compressed files are read.
    tiny = dict(np.load(data / "tiny.npz"))
    run("convert", data / "tiny.npz", folder / "t.safetensors")
    run("convert", folder / "t.safetensors", folder / "t.npz")
    assert all(np.array_equal(np.load(folder / "t.npz")[name], value) for name, value in tiny.items())
    run("convert", "--dtype", "f16", "--no-decoder", data / "tiny.npz", folder / "h.safetensors")
    halves, _ = read_safetensors(folder / "h.safetensors")
    assert all(np.array_equal(value, tiny[name].astype(np.float16)) for name, value in halves.items())
    run("convert", "--dtype", "bf16", data / "tiny.npz", folder / "b.safetensors")
    brains, _ = read_safetensors(folder / "b.safetensors")
    for name, value in brains.items():
        wide = (value.astype(np.uint32) << 16).view(np.float32)
        assert np.all(np.abs(wide - tiny[name]) <= np.abs(tiny[name]) * 2.0**-8), name
    np.savez_compressed(folder / "z.npz", **tiny)
    run("convert", folder / "z.npz", folder / "z.safetensors")
    assert (folder / "z.safetensors").read_bytes() == (folder / "t.safetensors").read_bytes()
    assert "encoder" in run("info", folder / "h.safetensors")

    # Bad files: each message names the file and the array.
    def bad(change, *parts):
        broken = dict(tiny)
        change(broken)
        np.savez(folder / "bad.npz", **broken)
        message = run("info", folder / "bad.npz", status=1)
        assert all(part in message for part in ("bad.npz", *parts)), message

    bad(lambda a: a.pop("encoder/LayerNorm_0/bias"), "encoder/LayerNorm_0/bias", "missing")
    bad(lambda a: a.update({"encoder/LayerNorm_0/bias": np.zeros(47, np.float32)}), "encoder/LayerNorm_0/bias", "(47,)", "(48,)")
    bad(lambda a: a.update(cls_token=a["cls_token"].astype(np.int64)), "cls_token", "I64", "(1, 48)")
    bad(lambda a: a.update(cls_token=np.array([[None] * 48])), "cls_token", "object")
    bad(lambda a: a.update({"encoder/layers_0/attention/query/kernel": np.zeros((48, 5, 10), np.float32)}), "heads")
    kernel = "encoder/layers_0/mlp/dense_in/kernel"
    bad(lambda a: a.update({kernel: np.asfortranarray(a[kernel])}), kernel, "Fortran")

    def bad_header(header, *parts):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        (folder / "bad.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))
        message = run("info", folder / "bad.safetensors", status=1)
        assert all(part in message for part in ("bad.safetensors", *parts)), message

    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    bad_header({"a": entry, "b": {**entry, "data_offsets": [4, 12]}}, "overlap")
    bad_header({"a": {**entry, "data_offsets": [16, 24]}}, "'a'", "outside")
    bad_header({"a": {**entry, "shape": [2**40, 2**40]}}, "'a'", "shape")
    bad_header({"a": {**entry, "shape": [-2]}}, "'a'", "shape")
    bad_header(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}', "'a'", "two")
    bad_header(b"{" + b'"a":[' * 50000, "nests")
    (folder / "bad.safetensors").write_bytes((2**60).to_bytes(8, "little") + b"{}")
    assert "header" in run("info", folder / "bad.safetensors", status=1)
    # What follows a zero byte is not left out in silence.
    (folder / "bad.ini").write_bytes(b"[model]\ndim=48\n\0dim=96\n")
    message = run("pretrain", "--recipe", folder / "bad.ini", "--photos", folder, "--out", folder / "run", status=2)
    assert "bad.ini" in message and "byte 15 is zero" in message, message
    assert "unknown" in run("nothing", status=2)

    # info is a screenful; lists come when they are asked for.
    text = run("info", folder / "t.safetensors")
    assert f"arrays       {len(tiny)} (--arrays lists them)" in text and len(text.splitlines()) < 30 and kernel not in text, text
    text = run("info", "--arrays", folder / "t.safetensors")
    assert all(f" {name}\n" in text for name in tiny), text
    bundled = data.parent.parent / "model" / "default" / "rvm-cpu.safetensors"
    _, metadata = read_safetensors(bundled)
    text = run("info", bundled)
    assert "and 31 more (--files names them)" in text and re.search(r"^recipe .*\bsteps=\d+ ", text, re.M) and len(text.splitlines()) < 30, text
    names = [name for line in metadata["data"].splitlines() for name in line.partition("=")[2].split(";") if name]
    text = run("info", "--files", bundled)
    assert len(names) > 100 and all(f"  {name}\n" in text for name in names), text
    text = run("info", "--metadata", bundled)
    assert all(value in text for value in metadata.values()), text

    # Pictures need a decoder, which the bundled weights are without; those beside them are not.
    message = run("reconstruct", bundled, "a.mkv", folder / "b.png", status=1)
    assert "rvm-cpu.safetensors: has no decoder" in message and "rvm-cpu-decoder.safetensors" in message and "recipe" not in message, message
    message = run("reconstruct", bundled.with_name("rvm-cpu-decoder.safetensors"), folder / "none.mkv", folder / "b.png", status=1)
    assert "decoder, which" not in message and "none.mkv" in message, message
    # A folder that is not there is not one without sequences.
    assert "no-davis: there is no such folder" in run("evaluate", "--model", data / "tiny.npz", "--davis", folder / "no-davis", "--size", "64x64", status=1)
    assert "no sequences in Annotations/480p or masks" in run("evaluate", "--model", data / "tiny.npz", "--davis", folder, "--size", "64x64", status=1)

    # Names print as they are, whatever the locale; bytes that are no text are escaped.
    for locale in ({"LANG": "C.UTF-8"}, {"LANG": "C"}, {"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}, {}):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG"))} | locale
        for command in (["info", "Größe.npz"], ["reconstruct", "Größe.npz", "a.mkv", "b.png"], ["resume", "Größe.npz"], ["convert", "Größe.npz", "a.npz"],
                        ["preview", "--recipe", "Größe.npz", "a.png"], ["preview", "--recipe", "tiny", "--data", "Größe.npz", "a.png"],
                        ["evaluate", "--davis", ".", "--model", "Größe.npz"], ["bench", "Größe.npz"]):
            result = subprocess.run([program, *command], capture_output=True, env=environment, cwd=folder)
            assert result.returncode in (1, 2) and "Größe.npz" in result.stderr.decode("utf-8"), (locale, command, result)
        result = subprocess.run([program, "init", "--config", "tiny", "Größe.npz"], capture_output=True, env=environment, cwd=folder)
        assert result.stdout.decode("utf-8").startswith("Größe.npz: untrained"), (locale, result)
        (folder / "Größe.npz").unlink()
        result = subprocess.run([program, "info", b"caf\xe9.npz"], capture_output=True, env=environment, cwd=folder)
        assert result.stderr.decode("utf-8").startswith("rvm-cl-train: caf\\351.npz: cannot be opened"), (locale, result)
print("ok")
