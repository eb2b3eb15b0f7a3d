#!/usr/bin/env python3
"""test_bad_weights.py CHECK-GOLDEN|--plugin DATA: weight files that are broken in every way we could think of: each must be refused with a
message that names the file and what is wrong with it, and nothing may crash. The same loader serves rvmencode and rvm-cl-train; with --plugin
it is rvmencode that loads them: going from READY to PAUSED fails, the error on the bus has that message, and nothing stays open. What has
more than a model needs is read."""
import io
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import warnings
import zipfile

import numpy as np

program, data = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, str(data))
import other_arrays  # noqa: E402

warnings.simplefilter("ignore", UserWarning)  # of zipfile: two entries of one name
arrays = dict(np.load(data / "tiny.npz"))
query = "encoder/layers_0/attention/query/kernel"
norm = "encoder/LayerNorm_0/scale"
failed = 0


def load_with_program(path):
    """Whether @path was refused as it should be, or read, and what was said."""
    result = subprocess.run([program, str(path), str(data / "tiny_forward.npz")], capture_output=True, text=True)
    text = result.stdout + result.stderr
    return {0: "read", 1: "refused", 2: "refused"}.get(result.returncode, f"status {result.returncode}") if "CRITICAL" not in text else "critical", text


def load_with_element(path):
    pipeline = Gst.parse_launch(f"videotestsrc num-buffers=1 ! video/x-raw,width=32,height=32 ! rvmencode model-file=\"{path}\" name=encode ! fakesink")
    pipeline.set_state(Gst.State.READY)
    result = pipeline.set_state(Gst.State.PAUSED)
    if result == Gst.StateChangeReturn.ASYNC:
        result = pipeline.get_state(60 * Gst.SECOND)[0]
    message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    more = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if result == Gst.StateChangeReturn.SUCCESS and message is None:
        return "read", ""
    if result != Gst.StateChangeReturn.FAILURE or message is None or more is not None or message.src.get_name() != "encode":
        return "not one error message", f"{result} {message and message.parse_error()} {more and more.parse_error()}"
    return "refused", message.parse_error()[0].message


def count_open_files():
    return len(os.listdir("/proc/self/fd"))


if program == "--plugin":
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import Gst

    # A critical warning of any library ends the process.
    os.environ["G_DEBUG"] = "fatal-criticals"
    Gst.init(None)
    load = load_with_element
else:
    load = load_with_program


def check(path, *expected):
    global failed
    result, text = load(path)
    missing = [word for word in (path.name, *expected) if word not in text]
    if result != "refused" or missing:
        failed += 1
        print(f"{path.name}: {result}, message lacks {missing}: {text.strip()[:400]}")
    else:
        print("ok", text.strip().splitlines()[-1][:200])


def accept(path):
    global failed
    result, text = load(path)
    if result != "read":
        failed += 1
        print(f"{path.name}: {result}: {text.strip()[:400]}")


def npy(array, **changes):
    """An .npy file's bytes; header fields can be replaced."""
    header = {"descr": "<f4", "fortran_order": False, "shape": array.shape, **changes}
    text = repr(header).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + array.astype("<f4").tobytes()


def write_npz(path, changes=None, drop=(), mode=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", mode) as archive:
        for name, array in arrays.items():
            if name not in drop:
                archive.writestr(name + ".npy", (changes or {}).get(name) or npy(array))
    return path


def write_safetensors(path, header, payload=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + payload)
    return path


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    # That the fixture itself is sound: stored and deflated archives are read.
    for mode in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert load(write_npz(folder / "good.npz", mode=mode))[0] == "read"
    open_files = count_open_files()

    # Arrays that nobody needs stop nobody, in either kind of file; nor does a decoder, which is not needed here.
    more = {name: other_arrays.npy_as(array, ("<f4", "<f8")[i % 2]) for i, (name, array) in enumerate(arrays.items())}
    accept(other_arrays.write_npz(folder / "others.npz", {**more, **other_arrays.NPY}))
    more["decoder/xa_blocks_0/mlp/dense_in/kernel"] = npy(np.zeros(1), descr="<i4")
    more.pop("mask_token")
    accept(other_arrays.write_npz(folder / "no-decoder.npz", {**other_arrays.NPY, **more}, zipfile.ZIP_DEFLATED))
    accept(other_arrays.write_safetensors(folder / "others.safetensors", {name: ("F64", array.shape, array.astype("<f8").tobytes()) for name, array in arrays.items()}))

    check(folder / "missing.npz")
    for suffix in ("npz", "safetensors"):
        (folder / f"empty.{suffix}").write_bytes(b"")
        check(folder / f"empty.{suffix}")
        (folder / f"random.{suffix}").write_bytes(random.Random(1).randbytes(4096))
        check(folder / f"random.{suffix}")
    content = (data / "tiny.npz").read_bytes()
    (folder / "truncated.npz").write_bytes(content[: len(content) // 2])
    check(folder / "truncated.npz")
    with zipfile.ZipFile(folder / "other.npz", "w") as archive:
        archive.writestr("readme.txt", "no arrays")
    check(folder / "other.npz")

    for name, expected, change in (
        ("dtype", "dtype", npy(arrays[query], descr="<i8")),
        ("big-endian", "dtype", npy(arrays[query], descr=">f4")),
        ("object", "dtype", npy(arrays[query], descr="|O")),
        ("fortran", "ortran", npy(arrays[query], fortran_order=True)),
        ("huge", "", npy(arrays[query], shape=(2**40, 2**40))),
        ("negative", "", npy(arrays[query], shape=(-48, 3, 16))),
        ("scalar", "", npy(arrays[query], shape=())),
        ("short", "", npy(arrays[query])[:-400]),
        ("no-magic", "", b"hello" + npy(arrays[query])),
        ("no-shape", "shape", npy(arrays[query]).replace(b"'shape'", b"'shale'")),
        ("header-length", "", b"\x93NUMPY\x01\x00\xff\xff" + npy(arrays[query])[10:]),
        ("wrong-shape", "", npy(arrays[query][:, :, :8])),
        ("other-width", "", npy(arrays[query][:47])),
        ("nan", "finite", npy(np.where(np.arange(arrays[query].size).reshape(arrays[query].shape) == 5, np.nan, arrays[query]))),
        ("infinity", "finite", npy(np.full_like(arrays[query], np.inf))),
    ):
        check(write_npz(folder / f"{name}.npz", {query: change}), query, expected)
    # Heads that do not divide the width: five of nine where 48 are wanted, everywhere in the layer.
    attention = query[:query.index("query")]
    uneven = {attention + f"{part}/kernel": npy(arrays[query][:, :1, :9].repeat(5, 1)) for part in ("query", "key", "value")}
    uneven.update({attention + f"{part}/bias": npy(np.zeros((5, 9))) for part in ("query", "key", "value")})
    uneven[attention + "out/kernel"] = npy(np.zeros((5, 9, 48)))
    assert set(uneven) <= set(arrays)
    check(write_npz(folder / "heads.npz", uneven), query, "5", "9", "48")
    check(write_npz(folder / "no-query.npz", drop={query}), query)
    check(write_npz(folder / "no-norm.npz", drop={norm}), norm)
    check(write_npz(folder / "no-core.npz", drop={name for name in arrays if not name.startswith("encoder")}))
    check(write_npz(folder / "norm-shape.npz", {norm: npy(arrays[norm][:40])}), norm)

    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    check(write_safetensors(folder / "overlap.safetensors", {"a": entry, "b": {**entry, "data_offsets": [4, 12]}}, bytes(12)), "'b'")
    check(write_safetensors(folder / "outside.safetensors", {"a": {**entry, "data_offsets": [0, 800]}, }, bytes(8)), "'a'")
    check(write_safetensors(folder / "backwards.safetensors", {"a": {**entry, "data_offsets": [8, 0]}}, bytes(8)), "'a'")
    check(write_safetensors(folder / "negative.safetensors", {"a": {**entry, "data_offsets": [-8, 0]}}, bytes(8)), "'a'")
    check(write_safetensors(folder / "shape.safetensors", {"a": {**entry, "shape": [3]}}, bytes(8)), "'a'")
    check(write_safetensors(folder / "shape-huge.safetensors", {"a": {**entry, "shape": [2**62, 2**62]}}, bytes(8)), "'a'")
    check(write_safetensors(folder / "dtype.safetensors", {query: {**entry, "dtype": "I64", "shape": [1]}}, bytes(8)), query, "I64")
    check(write_safetensors(folder / "header-size.safetensors", {"a": entry}, bytes(8), length=2**60), "header")
    check(write_safetensors(folder / "no-json.safetensors", b"{ this is not json", bytes(8)), "header")
    check(write_safetensors(folder / "list.safetensors", b"[1, 2, 3]", bytes(8)), "is not a weight file")
    text = b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
    check(write_safetensors(folder / "duplicate.safetensors", text, bytes(8)), "'a'")
    check(write_safetensors(folder / "fields.safetensors", {"a": {"dtype": "F32"}}, bytes(8)), "'a'")

    # Duplicates in a zip, and bytes changed at random anywhere: refused or read, but never a crash.
    with zipfile.ZipFile(folder / "twice.npz", "w") as archive:
        for _ in range(2):
            archive.writestr(query + ".npy", npy(arrays[query]))
    check(folder / "twice.npz", query)
    chance = random.Random(2)
    small = io.BytesIO()
    np.savez(small, **{name: array for name, array in arrays.items() if "layers_0" in name and array.size < 3000})
    header = {f"a{i}": {"dtype": "F16", "shape": [4], "data_offsets": [i * 8, i * 8 + 8]} for i in range(20)}
    sources = [small.getvalue(), write_safetensors(folder / "source.safetensors", header, bytes(160)).read_bytes()]
    for i in range(120):
        changed = bytearray(sources[i % 2])
        for _ in range(chance.randint(1, 6)):
            # Mostly where structure is: the beginning, the end.
            where = chance.choice([chance.randrange(len(changed)), chance.randrange(min(400, len(changed))), -1 - chance.randrange(300)])
            changed[where] = chance.randrange(256)
        path = folder / ("changed.npz" if i % 2 == 0 else "changed.safetensors")
        path.write_bytes(changed)
        result, text = load(path)
        if result not in ("read", "refused"):
            failed += 1
            print(f"changed file {i}: {result}: {text[:400]}")
    if count_open_files() > open_files:
        failed += 1
        print(f"{count_open_files() - open_files} files stay open")

print(f"{failed} wrong")
sys.exit(bool(failed))
