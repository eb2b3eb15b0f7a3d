"""Weight files as other programs leave them: npz entries of every kind, written byte by byte, and safetensors of any type."""
import json
import struct
import zipfile

import numpy as np


def npy(content=b"", descr="'<f4'", shape="()", order="False"):
    """An .npy file: @descr is the text of a Python literal."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def bfloat16(array):
    """The upper halves of float32, rounded to even."""
    bits = np.ascontiguousarray(array, "<f4").view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")


def npy_as(array, kind):
    """@array as float32 of @kind: f2, f4, f8 or a spelling of bfloat16, V2 as NumPy writes what ml_dtypes gives it."""
    if "V2" in kind:
        return npy(bfloat16(array).tobytes(), repr(kind), str(array.shape))
    return npy(array.astype(kind).tobytes(), repr(kind), str(array.shape))


# What no model needs. The names are taken from where models keep their own, too.
NPY = {
    "step": npy(struct.pack("<i", 7), "'<i4'"),
    "key": npy(bytes(8), "'<u4'", "(2,)"),
    "name": npy("small".encode("utf-32-le"), "'<U5'"),
    "note": npy(b"abc", "'|S3'"),
    "object": npy(b"\x80\x04N.", "'|O'", "(1,)"),
    "structured": npy(bytes(12), "[('a', '<f4'), (\"b'\", '<i4', (2,))]", "(1,)"),
    "padded": npy(bytes(8), "[('a', '|u1'), ('', '|V3'), ('b', '<f4')]", "(1,)"),
    "float8": npy(bytes(3), "'<f1'", "(3,)"),
    "complex": npy(bytes(16), "'<c16'"),
    "date": npy(bytes(8), "'<M8[s]'"),
    "big-endian": npy(bytes(8), "'>f4'", "(2,)"),
    "fortran": npy(bytes(16), shape="(2, 2)", order="True"),
    "none": npy(shape="(0, 3)"),
    "scalar": npy(struct.pack("<d", 0.9), "'<f8'"),
    "not-a-number": npy(struct.pack("<f", float("nan"))),
    "many-dimensions": npy(bytes(4), shape=str((1,) * 32)),
    "short": npy(bytes(4), shape="(2,)"),
    "huge": npy(shape="(4611686018427387904, 1024)"),
    "damaged": b"no header",
    "encoder/layers_0/attention/step": npy(struct.pack("<q", 7), "'<i8'"),
    "encoder/layers_99/rate": npy(bytes(4)),
    "decoder/step": npy(struct.pack("<q", 7), "'<i8'"),
    "mask_tokens": npy(bytes(4), "'|b1'", "(4,)"),
}
# The same for safetensors: type, bytes of an element.
SAFETENSORS = {"step": ("I64", 8), "key": ("U32", 4), "flags": ("BOOL", 1), "bytes": ("U8", 1), "quantised": ("F8_E4M3", 1), "next": ("F5_OF_TOMORROW", 3),
               "encoder/layers_0/attention/step": ("I64", 8), "decoder/step": ("I16", 2)}


def write_npz(path, entries, mode=zipfile.ZIP_STORED):
    """@entries: name -> bytes of an .npy file. Beside them an entry that is no array, and two of one name."""
    with zipfile.ZipFile(path, "w", mode) as archive:
        archive.writestr(zipfile.ZipInfo("folder/"), b"")
        for name, content in entries.items():
            archive.writestr(name + ".npy", content)
        archive.writestr("README.txt", "not an array")
        for content in (b"one", b"two"):
            archive.writestr(zipfile.ZipInfo("twice.npy"), npy(content))
    return path


def write_safetensors(path, entries, others=SAFETENSORS):
    """@entries: name -> (type, shape, bytes)."""
    entries = {**entries, **{name: (kind, [3], bytes(3 * size)) for name, (kind, size) in others.items()}}
    header, at = {}, 0
    for name, (kind, shape, content) in entries.items():
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + len(content)]}
        at += len(content)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(content for _, _, content in entries.values()))
    return path
