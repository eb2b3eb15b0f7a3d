#!/usr/bin/env python3
"""test_weights.py RVM-CL-TRAIN DATA: weight files from elsewhere. Arrays that a model does not need are listed and left alone, whatever they
are; those that it needs are read from F16, BF16 (safetensors, and npz as JAX writes it) and F64, mixed at will, or refused with a message that names
file, array, what was found and what was expected. info, convert, pretrain --init and resume."""
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np

program, data = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, str(data))
import other_arrays as other  # noqa: E402

warnings.simplefilter("ignore", UserWarning)  # of zipfile: two entries of one name
TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
SPELLINGS = ["<f2", "<f4", "<f8", "<V2", "|V2"]
tiny = dict(np.load(data / "tiny.npz"))
# Values that every type can hold.
exact = {name: ((other.bfloat16(np.clip(array, -2, 2)) & 0xFFF8).astype("<u4") << 16).view("<f4") for name, array in tiny.items()}
exact = {name: np.where(np.abs(array) < 1e-3, 0, array).astype("<f4") for name, array in exact.items()}
assert all(np.array_equal(array, array.astype("<f2").astype("<f4")) for array in exact.values())


def run(*args, status=0):
    result = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    assert result.returncode == status, (args, result)
    return result.stdout + result.stderr


def stored(array, kind):
    """An entry for other.write_safetensors()."""
    return kind, array.shape, (other.bfloat16(array) if kind == "BF16" else array.astype(TYPES[kind])).tobytes()


def mixed(kinds):
    """Every array of the model with the next of @kinds."""
    return {name: kinds[i % len(kinds)] for i, name in enumerate(exact)}


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)

    def converted(path, *args):
        output = run("convert", *args, path, folder / "converted.safetensors")
        return (folder / "converted.safetensors").read_bytes(), output

    np.savez(folder / "plain.npz", **exact)
    expected, output = converted(folder / "plain.npz")
    assert "left out" not in output, output

    # Each kind of array alone, then all together: read, listed with its type, dropped by convert, which says so.
    for name, content in other.NPY.items():
        other.write_npz(folder / "one.npz", {name: content, **{n: other.npy_as(a, "<f4") for n, a in exact.items()}})
        assert f" {name}\n" in run("info", "--arrays", folder / "one.npz"), name
    everything = {**{name: other.npy_as(exact[name], kind) for name, kind in mixed(SPELLINGS).items()}, **other.NPY}
    for mode in (0, 8):  # stored, deflated
        content, output = converted(other.write_npz(folder / "npz.npz", everything, mode))
        assert content == expected
        assert f"left out {len(other.NPY) + 2} arrays: step (I32), key (<u4), name (<U5)" in output, output
    listing = run("info", "--arrays", folder / "npz.npz")
    lines = {line.split()[-1]: line.split()[0] for line in listing.splitlines() if line.startswith("  ")}
    assert {name: lines[name] for name in ("step", "key", "name", "object", "big-endian", "damaged", "scalar")} == {
        "step": "I32", "key": "<u4", "name": "<U5", "object": "|O", "big-endian": ">f4", "damaged": "unreadable", "scalar": "F64"}, lines
    assert lines["structured"] == "[('a'," and f"{len(other.NPY) + 2} arrays that the model does not need" in listing, listing
    assert {lines[name] for name in exact} == {"F16", "F32", "F64", "BF16"}, lines

    entries = {name: stored(exact[name], kind) for name, kind in mixed(["BF16", "F64", "F16", "F32"]).items()}
    content, output = converted(other.write_safetensors(folder / "mixed.safetensors", entries))
    assert content == expected and f"left out {len(other.SAFETENSORS)} arrays" in output, output
    listing = run("info", "--arrays", folder / "mixed.safetensors")
    for name, (kind, _) in other.SAFETENSORS.items():
        assert f"  {kind:<4} (3,)                     {name}\n" in listing, (name, listing)

    # Encoder and core are of use although the decoder is not.
    for change in ({"decoder/xa_blocks_0/mlp/dense_in/kernel": other.npy(bytes(4), "'<i4'", "(1,)")}, {"mask_token": None}):
        broken = {name: content for name, content in {**everything, **change}.items() if content}
        other.write_npz(folder / "decoder.npz", broken)
        array = list(change)[0]
        message = run("info", folder / "decoder.npz")
        assert "decoder      cannot be used: " in message and array in message, message
        assert array in run("convert", folder / "decoder.npz", folder / "converted.npz", status=1)
        run("convert", "--no-decoder", folder / "decoder.npz", folder / "converted.npz")
        assert "decoder/step" not in np.load(folder / "converted.npz") and "cls_token" in np.load(folder / "converted.npz")

    # A needed array that cannot be read.
    shape = exact["cls_token"].shape
    for content, found in ((other.npy(bytes(4 * 48), "'<i4'", shape), "dtype I32 and shape (1, 48)"), (other.npy(bytes(4 * 48), "'<u4'", shape), "dtype <u4 and shape (1, 48)"),
                           (other.npy(bytes(4 * 48), "'>f4'", shape), "dtype >f4 (big-endian)"), (other.npy(bytes(20), "'<U5'"), "dtype <U5 and shape ()"),
                           (other.npy(b"N.", "'|O'", shape), "dtype |O (Python objects)"),
                           (other.npy(bytes(4 * 48), "[('bfloat16', '<V2'), ('x', '<u2')]", shape), "dtype [('bfloat16', '<V2'), ('x', ... and shape (1, 48)"),
                           (other.npy(bytes(48), "'<f1'", shape), "dtype <f1")):
        message = run("info", other.write_npz(folder / "bad.npz", {**everything, "cls_token": content}), status=1)
        assert all(part in message for part in ("bad.npz", "'cls_token'", found, "expected F32, F16, BF16 or F64 of shape (1, 48)")), message
    for content, parts in ((other.npy(bytes(4 * 47), shape="(1, 47)"), ("(1, 47), expected (1, 48)",)), (other.npy(bytes(4 * 40), shape=shape), ("shape (1, 48) of F32 needs 192 bytes, the entry holds 160",)),
                           (b"no header", ("NUMPY",)), (None, ("missing",)), (other.npy(shape="(0, 48)"), ("(0, 48), expected (1, 48)",)),
                           (other.npy(bytes(4), shape="()"), ("(), expected (1, 48)",)), (other.npy_as(np.full(shape, 1e39), "<f8"), ("no room",))):
        entries = {name: value for name, value in {**everything, "cls_token": content}.items() if value is not None}
        message = run("convert", other.write_npz(folder / "bad.npz", entries), folder / "converted.npz", status=1)
        assert all(part in message for part in ("bad.npz", "cls_token", *parts)), message
    twice = folder / "twice.npz"
    other.write_npz(twice, everything)
    with other.zipfile.ZipFile(twice, "a") as archive:
        archive.writestr("cls_token.npy", everything["cls_token"])
    assert "'cls_token.npy': there are two of it" in run("info", twice, status=1)
    for kind, size in (("I64", 8), ("F8_E4M3", 1), ("F5_OF_TOMORROW", 2)):
        entries = {name: stored(array, "F32") for name, array in exact.items()} | {"cls_token": (kind, (1, 48), bytes(48 * size))}
        message = run("info", other.write_safetensors(folder / "bad.safetensors", entries), status=1)
        assert all(part in message for part in ("bad.safetensors", "'cls_token'", kind, "(1, 48)", "expected F32, F16, BF16 or F64")), message

    # A run begins with such a file. What the file has of a decoder without being one is not taken for it.
    (folder / "photos").mkdir()
    subprocess.run(["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=1", "!", "video/x-raw,width=200,height=150", "!", "pngenc", "!", "filesink",
                    f"location={folder}/photos/bars.png"], check=True, timeout=60)
    settings = ["--recipe", "tiny", "--set", "synthetic=1", "--set", "picture-every=0", "--set", "steps=2", "--set", "checkpoint-every=1", "--photos", folder / "photos"]
    without = {name: content for name, content in everything.items() if not name.startswith(("decoder", "delta_embedder", "detokenizer"))}
    without["mask_token"] = other.npy(bytes(4 * 10**6), shape="(1000000,)")
    for name, entries in (("whole", everything), ("without", without)):
        out = folder / f"run-{name}"
        run("pretrain", *settings, "--init", other.write_npz(folder / "init.npz", entries), "--out", out, "--stop-at", 1, status=130)
        # And goes on from a checkpoint to which arrays were added.
        for checkpoint in out.glob("checkpoint-*.safetensors"):
            content = checkpoint.read_bytes()
            length = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + length])
            header["ema/step"] = {"dtype": "I64", "shape": [1], "data_offsets": [len(content) - 8 - length, len(content) - length]}
            header["other"] = {"dtype": "F8_E5M2", "shape": [0], "data_offsets": [0, 0]}
            text = json.dumps(header).encode()
            checkpoint.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :] + bytes(8))
        text = run("resume", out)
        assert "finished" in text and "passed over" not in text, text
print("ok")
