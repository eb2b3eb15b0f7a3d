#!/usr/bin/env python3
"""make_corpus.py FOLDER: the seeds of tests/fuzz/corpus that are not found by fuzzing: small valid files of every kind, and a dictionary's worth
of odd ones. What a fuzzer finds is added by hand, minimised, under the name of the fault."""
import io
import json
import pathlib
import struct
import sys
import zipfile
import zlib

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "model"))
import reference_readout  # noqa: E402

corpus = pathlib.Path(sys.argv[1])
TINY = pathlib.Path(__file__).parent.parent / "data" / "tiny.npz"


def write(kind, name, content):
    (corpus / kind).mkdir(parents=True, exist_ok=True)
    (corpus / kind / name).write_bytes(content)


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array))
    return stream.getvalue()


def npy_header(dtype, shape, order="False"):
    text = f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


def others_npz(arrays={}):
    """Arrays of the kinds that other programs leave in a file, an entry that is none, and two of one name."""
    stream = io.BytesIO()
    entries = {name: npy(array) for name, array in arrays.items()}
    entries |= {"bfloat16": npy_header("'<V2'", "(3,)") + bytes(6), "wide": npy(np.ones(2)), "step": npy(np.int64(7)), "key": npy(np.zeros(2, "<u4")),
                "name": npy(np.array("small")), "object": npy_header("'|O'", "(1,)") + b"pickle", "big": npy(np.ones(2, ">f4")),
                "order": npy_header("'<f4'", "(2, 2)", "True") + bytes(16), "none": npy(np.zeros((0, 3))), "short": npy_header("'<f4'", "(9,)"),
                "damaged": b"no header", "huge": npy_header("'<f4'", "(4611686018427387904, 16, 0)")}
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name + ".npy"), content)
        archive.writestr(zipfile.ZipInfo("folder/"), b"")
        archive.writestr(zipfile.ZipInfo("twice.npy"), npy(np.ones(2, "<f4")))
        archive.writestr(zipfile.ZipInfo("twice.npy"), npy(np.ones(2, "<f4")))
    return stream.getvalue()


def npz(arrays, mode=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", mode) as archive:
        for name, array in arrays.items():
            archive.writestr(zipfile.ZipInfo(name + ".npy"), npy(array), mode)
    return stream.getvalue()


def safetensors(arrays, dtype="F32", metadata=None):
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, array in arrays.items():
        raw = np.asarray(array).astype({"F32": "<f4", "F16": "<f2", "BF16": "<f2"}[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": list(np.shape(array)), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def png(width, height, depth=8, colours=3, interlaced=0):
    """An indexed or grey picture of noise, PNG, by hand: depths and interlacing that Python's libraries do not write."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + bytes(37 * (x + 3 * y) % 256 for x in range((width * depth + 7) // 8)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, interlaced))
            + (chunk(b"PLTE", bytes(3 * 2**depth)) if colours == 3 else b"") + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def text(value):
    """A text of the metadata's bytes, or None."""
    return struct.pack("<I", 0xFFFFFFFF) if value is None else struct.pack("<I", len(value.encode())) + value.encode()


def features(parts, rows, columns, dim):
    """A GstRvmFeatureMeta as bytes, with all fields set."""
    tokens = (parts & 1) + (rows * columns if parts & 2 else 0)
    return (struct.pack("<BIQQQI", 2, parts, 3, 7, 40000000, 0) + text("0123456789abcdef") + struct.pack("<3I4I", rows, columns, dim, 64, 48, 32, 32)
            + struct.pack("<IQQQQ", 1, 1, 2**64 - 1, 4, 1) + text("encode") + text(None) + struct.pack("<QQ3I", 2**62 + 5, 7, 1, 16, 15)
            + np.arange(tokens * dim, dtype="<f4").tobytes())


def tracks(masks):
    """A GstRvmTrackMeta as bytes: a point and a box, or two masks."""
    def track(number, kind, value, label):
        return struct.pack("<IBBB5dQQ", number, kind, 1, value, 1.5, 2, 3, 4, 0.5, 0, 40000000) + text(label)

    content = (struct.pack("<B", 2) + text("track") + text("encode") + struct.pack("<QQ3I", 2**62 + 5, 7, 64, 48, 3) + struct.pack("<I", 2)
               + track(1, 2 if masks else 0, masks, None) + track(2, 2 if masks else 1, masks and 9, "caf\u00e9"))
    runs = struct.pack("<BIBIBI", 0, 5, masks, 4, 9, 3)
    return content + (struct.pack("<II", 4, 3) + runs if masks else struct.pack("<II", 0, 0))


def answer(kind, rows, columns, channels, classes, logits):
    """A GstRvmReadoutMeta as bytes, with all fields set."""
    values = np.arange(rows * columns * channels, dtype="<f4").tobytes()
    return (struct.pack("<B", 2) + text("readout") + struct.pack("<6I", kind, rows, columns, channels, 2, 4) + text("encode")
            + struct.pack("<QQQ", 2**62 + 5, 7, 40000000) + text("m") + struct.pack("<IIQd", 3, 1, 0, 0.75)
            + struct.pack("<I", len(classes)) + b"".join(map(text, classes)) + struct.pack("<B", logits) + values * (1 + logits))


def model(tiny):
    """The smallest model: the names of tests/data/tiny.npz, one layer each, no decoder; width 2, one head, patches of one pixel."""
    sizes = {48: 2, 24: 2, 16: 2, 3: 1, 2: 1, 1: 1, 112: 1, 80: 1}
    arrays = {}
    for name, array in np.load(tiny).items():
        if name.split("/")[0] in ("encoder", "rnn_core", "cls_token") and "_1/" not in name:
            arrays[name] = np.zeros([sizes[n] for n in array.shape])
    arrays["tokenizer/patch_embedding/Conv_0/kernel"] = np.zeros((1, 1, 1, 3, 2))
    arrays["tokenizer/patch_embedding/Conv_0/bias"] = np.zeros(2)
    return arrays


if __name__ == "__main__":
    write("npy", "vector", npy(np.arange(3, dtype="<f4"))[:128])
    write("npy", "scalar", npy(np.float64(1))[:128])
    write("npy", "halves", npy(np.zeros((2, 3, 4), "<f2"))[:128])
    write("npy", "version-2", b"\x93NUMPY\x02\x00" + struct.pack("<I", 52) + b"{'descr': '<i8', 'fortran_order': False, 'shape': ()}"[:51] + b"\n")
    write("npy", "fortran", npy(np.zeros((2, 2), "|u1", order="F"))[:128])
    for name, dtype, shape in (("bfloat16", "'<V2'", "(2, 3)"), ("void", "'|V2'", "(2, 3)"), ("float8", "'<f1'", "(3,)"), ("string", "'<U5'", "()"),
                               ("object", "'|O'", "(1, 2)"), ("big-endian", "'>f4'", "(2, 1)"), ("no-values", "'<u4'", "(0, 3)"),
                               ("structured", "[('a', '<f4'), (\"b'\", '<i4', (2,))]", "(2,)"), ("empty-structure", "[]", "()"),
                               ("many-dimensions", "'<f4'", str((1,) * 64)), ("escaped", "[('a\\'b', '<f4')]", "()")):
        write("npy", name, npy_header(dtype, shape))
    write("npz", "stored.npz", npz({"a": np.ones((2, 3), "<f4"), "b/c": np.arange(4, dtype="<f2")}))
    write("npz", "deflated.npz", npz({"a": np.zeros((64,), "<f4")}, zipfile.ZIP_DEFLATED))
    write("npz", "others.npz", others_npz())
    arrays = {"a": np.ones((2, 3)), "b/c": np.arange(4)}
    write("safetensors", "plain.safetensors", safetensors(arrays))
    write("safetensors", "halves.safetensors", safetensors(arrays, "BF16", {"made-by": "a test", "id": "\u00e9\u4e2d"}))
    write("weights", "model.safetensors", safetensors(model(TINY), "F16"))
    others = {name: {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]} for name, dtype, shape in (
        ("step", "I64", [0]), ("key", "U32", [3, 0]), ("quantised", "F8_E4M3", [0]), ("flags", "BOOL", [0]), ("half-bytes", "F4", [0, 2]))}
    header = json.dumps(others, separators=(",", ":")).encode()
    write("safetensors", "others.safetensors", struct.pack("<Q", len(header)) + header)
    write("weights", "others.npz", others_npz({name: np.asarray(array, "<f2") for name, array in model(TINY).items()}))
    write("weights", "halves.npz", npz({"x/kernel": np.ones(2, "<f2")}))
    write("recipe", "model.ini", b"[model]\npatch=8\ndim=48\nheads=3\n\n[data]\nwidth=64\nheight=64\nflip=false\n")
    write("recipe", "numbers.ini", b"# a comment\n[optimiser]\nrate = 1.5e-4\nepsilon=1e-30\n[training]\nmask-ratio=0.95\nsteps=1000000000000\nseed=9007199254740991\n")
    write("recipe", "assignment.ini", b"optimiser.rate=0.001")
    state = {"format": "gst-rvm-state-1", "model": "0123456789abcdef" * 2, "device": "a device", "precision": "f32", "width": "32",
             "height": "16", "frames": "7", "time": "40000000"}
    write("state", "state.safetensors", safetensors({"state": np.ones((3, 2))}, metadata=state))
    write("state", "nan.safetensors", safetensors({"state": np.full((3, 2), np.nan)}, metadata=state))
    write("tracks", "points", b"10,20;0.5,0.25;")
    write("tracks", "boxes", b"0.1,0.1,0.2,0.2;1e1, 5 ,3.5,1e0;")
    write("metadata", "features", features(3, 2, 3, 2))
    write("metadata", "class-token", features(1, 0, 0, 4))
    write("metadata", "no-parts", features(0, 0, 0, 0))
    write("metadata", "tracks", tracks(0))
    write("metadata", "masks", tracks(5))
    write("metadata", "old-version", b"\x01" + features(2, 1, 1, 1)[1:])
    write("metadata", "classes", answer(0, 1, 1, 3, ["a", "caf\u00e9", ""], 1))
    write("metadata", "labels", answer(2, 2, 3, 2, ["x", "y"], 1))
    write("metadata", "depths", answer(1, 2, 3, 1, [], 0))
    write("metadata", "distance", answer(3, 1, 1, 1, [], 0))
    write("mask", "indexed.png", png(5, 4, 4))
    write("mask", "grey.png", png(9, 3, 8, colours=0))
    write("mask", "interlaced.png", png(1, 1, 1, interlaced=1))
    write("mask", "deep.png", png(3, 3, 16, colours=0))
    rng = np.random.default_rng(1)
    readouts = {"class": reference_readout.make_arrays(rng, 2, 4, 2, 2, 3), "dense": reference_readout.make_arrays(rng, 2, 4, 2, 2, 8, code=4),
                "distance": reference_readout.make_distance(rng, 2), "linear": reference_readout.make_linear(rng, 2, 3, 2, 2, changes=True),
                "patches": reference_readout.make_patches(rng, 2, 2, 4, 8)}
    more = {"class": {"classes": "a\nb\nc", "frame_rate": 25, "licence": "CC0"}, "dense": {"target": "labels", "classes": "a\nb"}, "distance": {"unit": "m"},
            "linear": {"classes": "a\nb"}, "patches": {"target": "labels", "classes": "a\nb", "window": 1}}
    kinds = {"linear": "class", "patches": "dense"}
    for kind, arrays in readouts.items():
        write("readout", f"{kind}.safetensors", safetensors(arrays, metadata=reference_readout.metadata(kinds.get(kind, kind), **{"window": 2, **more[kind]})))
    write("basis", "basis.safetensors", safetensors({"mean": np.zeros(2), "components": np.ones((3, 2)), "deviation": np.ones(3)}))
