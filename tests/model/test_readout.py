#!/usr/bin/env python3
"""test_readout.py CHECK-READOUT: readouts of every kind against an implementation in numpy and double precision: streams with windows that fill, slide,
are reset and skip frames, batches, every backend and precision. The same input gives the same bytes. Files that are broken are refused with a message
that names the file and what is wrong."""
import itertools
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import reference_readout as reference

program = sys.argv[1]
folder = pathlib.Path(tempfile.mkdtemp(prefix="rvm-readout-"))
failed = 0


def report(good, text):
    global failed
    failed += not good
    print("ok  " if good else "FAILED", text)


def run(*arguments, options=()):
    return subprocess.run([program, *options, *map(str, arguments), folder / "out"], capture_output=True, text=True)


def read_floats():
    return np.fromfile(folder / "out", "<f4")


def relative_error(got, expected):
    return np.abs(got - expected).max() / np.abs(expected).max() if got.shape == expected.shape else np.inf


def stream(path, states, grid, options=()):
    states.astype("<f4").tofile(folder / "states")
    result = run("stream", path, folder / "states", *grid, options=options)
    assert result.returncode == 0, result.stderr
    return read_floats()


def expect_stream(arrays, values, states, grid, kind):
    """What check_readout writes for @states, of which some are None: a reset."""
    window, frame, out = [], 0, []
    classes = len(values.get("classes", "").splitlines())
    for state in states:
        if state is None:
            window, frame = [], 0
            continue
        frame += 1
        if (frame - 1) % int(values["stride"]):
            continue
        window = (window + [state])[-int(values["window"]):]
        seen = np.stack(window)
        if kind == "distance":
            parts = [np.array([reference.distance(arrays, seen)])]
        elif kind == "class":
            if "linear/kernel" in arrays:
                logits = reference.linear(arrays, seen, grid, values["reference"])
            else:
                seen = reference.pooled_tokens(seen, grid, int(values["cells"])) if "cells" in values else seen
                logits = reference.attention_readout(arrays, reference.take_reference(seen, values["reference"]))
            parts = [reference.softmax(logits), logits]
        else:
            if "patches/kernel" in arrays:
                outputs = reference.patches(arrays, seen[-1], grid)
            else:
                outputs = reference.attention_readout(arrays, reference.take_reference(seen, values["reference"]), grid)
            logits = reference.rearrange(outputs, grid, classes or 1)
            parts = [reference.softmax(logits), logits] if classes else [np.exp(logits)]
        out.append((len(window), parts))
    return out


def check_stream(name, arrays, values, rng, grid, dim, options=(), tolerance=1e-5):
    states = [rng.normal(0, 1, (1 + grid[0] * grid[1], dim)).astype("f4") for _ in range(11)]
    given = np.stack(states)
    states[6] = None
    given[6] = 1e30
    path = reference.write(folder / "readout.safetensors", arrays, values)
    got = stream(path, given, grid, options)
    expected = expect_stream(arrays, values, states, grid, values["kind"])
    at, worst = 0, 0.0
    for seen, parts in expected:
        good = at < len(got) and got[at] == seen
        at += 1
        for part in parts:
            worst = max(worst, relative_error(got[at:at + part.size], part.reshape(-1))) if good else np.inf
            at += part.size
    report(worst <= tolerance and at == len(got), f"{name}: error {worst:.1e}, allowed {tolerance:.0e}; {len(expected)} answers")


def check_streams():
    rng = np.random.default_rng(1)
    classes = "wave\nclap\nnothing"
    for dim, width, heads, window, grid in ((24, 48, 3, 4, (2, 3)), (19, 34, 2, 5, (1, 1)), (64, 128, 2, 16, (4, 4))):
        arrays = reference.make_arrays(rng, dim, width, heads, window, 3)
        values = reference.metadata("class", classes=classes, window=window)
        check_stream(f"class of {dim} channels", arrays, values, rng, grid, dim)
    arrays = reference.make_arrays(rng, 24, 48, 3, 6, 3)
    for kept, stride, of in itertools.product((3, 6), (1, 2), ("none", "first", "mean")):
        values = reference.metadata("class", classes=classes, window=kept, stride=stride, reference=of)
        check_stream(f"class, window {kept} of 6, stride {stride}, reference {of}", arrays, values, rng, (2, 3), 24)
    for cells, grid, of in ((1, (2, 3), "none"), (4, (6, 8), "first"), (4, (3, 2), "mean")):
        check_stream(f"class, pooled to {cells} cells, reference {of}", arrays, reference.metadata("class", classes=classes, cells=cells, reference=of), rng,
                     grid, 24)
    for options, tolerance in ((("--gemm", "native"), 1e-5), (("--gemm", "clblast"), 1e-5), (("--precision", "f16"), 5e-3), (("--precision", "bf16"), 5e-2)):
        check_stream(" ".join(options), arrays, reference.metadata("class", classes=classes, window=6), rng, (2, 3), 24, options, tolerance)
    for grid, side in (((2, 3), 1), ((3, 1), 4)):
        arrays = reference.make_arrays(rng, 24, 48, 3, 4, side * side * 3, code=16)
        check_stream(f"labels, {side} a side", arrays, reference.metadata("dense", target="labels", classes=classes), rng, grid, 24)
        arrays = reference.make_arrays(rng, 24, 48, 3, 4, side * side, code=16)
        check_stream(f"depth, {side} a side", arrays, reference.metadata("dense", target="depth", unit="m", reference="mean"), rng, grid, 24)
    for slots, cells, grid, of, changes in ((9, 1, (2, 3), "first", False), (3, 2, (3, 5), "none", True), (1, 4, (2, 3), "mean", True),
                                            (5, 4, (4, 6), "first", False), (9, 8, (6, 9), "first", True)):
        values = reference.metadata("class", classes=classes, window=4, reference=of)
        check_stream(f"linear of {slots} slots, {cells} cells, reference {of}{', with changes' if changes else ''}",
                     reference.make_linear(rng, 24, slots, cells, 3, changes), values, rng, grid, 24)
    for grid, side, rings, code, stride in (((2, 3), 2, 2, 20, 1), ((7, 9), 2, 3, 4, 2), ((1, 1), 1, 1, 8, 1), ((3, 8), 3, 4, 4, 1)):
        values = reference.metadata("dense", target="labels", classes=classes, window=1, stride=stride)
        check_stream(f"labels, linear, {rings} surroundings", reference.make_patches(rng, 24, rings, code, side * side * 3), values, rng, grid, 24)
        check_stream(f"depth, linear, {rings} surroundings", reference.make_patches(rng, 24, rings, code, side * side),
                     reference.metadata("dense", target="depth", unit="m", window=1, stride=stride), rng, grid, 24)
    check_stream("distance", reference.make_distance(rng, 24), reference.metadata("distance", window=3), rng, (2, 3), 24)


def check_batch():
    """A batch of windows gives what numpy gives, and the last answer of a stream is the same to 1e-6."""
    rng = np.random.default_rng(2)
    windows, length, grid, dim = 5, 4, (2, 3), 24
    arrays = reference.make_arrays(rng, dim, 48, 3, length, 4)
    path = reference.write(folder / "readout.safetensors", arrays, reference.metadata("class", classes="a\nb\nc\nd", window=length))
    states = rng.normal(0, 1, (windows, length, 1 + grid[0] * grid[1], dim)).astype("f4")
    states.tofile(folder / "states")
    result = run("batch", path, folder / "states", windows, length, states.shape[2])
    assert result.returncode == 0, result.stderr
    got = read_floats().reshape(windows, -1)
    error = relative_error(got, np.concatenate([reference.attention_readout(arrays, window) for window in states]))
    report(error <= 1e-5, f"batch: error {error:.1e}")
    last = np.stack([stream(path, window, grid)[-4:] for window in states])
    error = relative_error(last, got)
    report(error <= 1e-6, f"stream against batch: difference {error:.1e}")


def count_window(dim, width, heads, queries, window, tokens, reference, code, outputs):
    """Bytes of a stream, by calculation: what is kept of each state, what the temporal code adds, and scratch for one state."""
    kept = window * (queries * width + heads * queries) + (window * tokens * dim if reference != "none" else 0)
    tables = window * (heads * queries + width) + window
    scratch = tokens * dim * 2 + tokens * 2 * width + (2 * tokens * dim if reference != "none" else 0)
    query = queries * (code + 2 * 4 * width + width if code else 0)
    # queries, attended, log-sum-exp, joined, the MLP's norm and its mean and deviation, hidden twice, out; outputs.
    block = queries * (width * 3 + heads + width * 2 + 2 * 4 * width + width + 2 + outputs)
    return 4 * (kept + tables + scratch + query + block)


def check_size():
    """For classes, a window of 16 states of a small16 network at 256 x 256 takes less than 30 MB; what a window takes is what calculation says."""
    dim, width, heads, window, grid = 384, 768, 12, 16, (16, 16)
    np.zeros((1, 257, dim), "f4").tofile(folder / "states")
    for of, outputs, code in (("none", 8, 0), ("first", 8, 0), ("mean", 8, 0), ("none", 64, 16), ("first", 64, 16)):
        arrays = reference.make_arrays(np.random.default_rng(3), dim, width, heads, window, outputs, code=code)
        values = (reference.metadata("dense", target="depth", window=window, reference=of) if code
                  else reference.metadata("class", classes="\n".join("abcdefgh"), window=window, reference=of))
        result = run("stream", reference.write(folder / "readout.safetensors", arrays, values), folder / "states", *grid)
        used = int(result.stdout.split()[-2])
        counted = count_window(dim, width, heads, grid[0] * grid[1] if code else 1, window, 257, of, code, outputs)
        report(result.returncode == 0 and (used < 30e6 or code) and abs(used / counted - 1) < 0.1,
               f"window of 16 states, {'depth' if code else 'class'}, reference {of}: {used / 1e6:.2f} MB, counted {counted / 1e6:.2f} MB")


def check_bad():
    rng = np.random.default_rng(4)
    good = reference.make_arrays(rng, 24, 48, 3, 4, 3)
    labels = reference.make_arrays(rng, 24, 48, 3, 4, 12, code=16)
    values = reference.metadata("class", classes="a\nb\nc")
    dense = reference.metadata("dense", target="labels", classes="a\nb\nc")
    cases = []

    def refuse(name, arrays, values, *expected):
        path = reference.write(folder / f"bad{len(cases)}.safetensors", arrays, values)
        cases.append((name, path, (path.name, *expected)))

    def without(arrays, *names):
        return {name: array for name, array in arrays.items() if name not in names}

    for key in ("format", "version", "kind", "model", "features", "width", "height", "window", "stride", "reference"):
        refuse(f"no {key}", good, without(values, key), f"'{key}'")
    for key, value, *expected in (
            ("format", "pt", "rvm-readout"), ("version", "2", "'1'"), ("kind", "box", "class, dense, distance"), ("model", "small", "32 hexadecimal"),
            ("features", "states", "state, encoder", "states"), ("width", "-1", "from 1"), ("height", "1e3", "from 1"), ("window", "0", "1 to 64"),
            ("window", "65", "1 to 64"), ("window", "5", "at most 4"), ("stride", "0", "1 to 1000"), ("reference", "last", "none, first, mean"),
            ("cells", "0", "1 to 64"), ("cells", "65", "1 to 64"), ("frame-rate", "-3", "frames per second"), ("frame-rate", "nan", "frames per second"), ("frame-rate", "25 fps", "frames per second"),
            ("classes", "a\nb", "expected 3"), ("classes", "a\nb\nb", "different names"), ("classes", "a\n\nc", "different names"),
            ("classes", "", "1 to 4096 names")):
        refuse(f"{key} {value!r}", good, {**values, key: value}, f"'{key}'", *expected)
    refuse("no classes", good, without(values, "classes"), "'classes'", "expected 3 names")
    for name, array in good.items():
        refuse(f"no {name}", without(good, name), values, f"'{name}'", "missing")
        if name != "temporal_posenc/embeddings":  # which may have more ages than the window
            refuse(f"{name} too long", {**good, name: np.concatenate([array, array])}, values)
        refuse(f"{name} with NaN", {**good, name: array * np.nan}, values, f"'{name}'", "NaN")
    refuse("two queries", {**good, "query": np.concatenate([good["query"]] * 2)}, values, "'query'", "one query")
    refuse("dense with learned queries", good, dense, "query_mlp/Dense_0/kernel")
    refuse("dense without target", labels, without(dense, "target"), "'target'", "depth or labels")
    refuse("dense labels without classes", labels, without(dense, "classes"), "'classes'")
    refuse("dense of no square", labels, {**dense, "classes": "a\nb"}, "'Dense_1/kernel'", "square")
    refuse("dense of pooled states", labels, {**dense, "cells": "4"}, "'cells'", "not pooled")
    refuse("class of places", labels, values, "query")
    few = reference.make_linear(rng, 24, 4, 2, 3)
    refuse("linear without bias", without(few, "linear/bias"), values, "'linear/bias'", "missing")
    refuse("linear with another bias", {**few, "linear/bias": few["linear/bias"][:2]}, values, "'linear/bias'", "(2,)", "(3,)")
    refuse("linear with other cells", {**few, "linear/kernel": few["linear/kernel"][:, :, :1]}, values, "'linear/kernel'", "(4, 2, 1, 24, 3)")
    moving = reference.make_linear(rng, 24, 4, 2, 3, changes=True)
    refuse("changes without travel", without(moving, "linear/travel"), values, "'linear/travel'", "missing")
    refuse("travel without change", without(moving, "linear/change"), values, "'linear/change'", "missing")
    refuse("change of other slots", {**moving, "linear/change": moving["linear/change"][:3]}, values, "'linear/change'", "(3, 2, 2, 3)", "(4, 2, 2, 3)")
    refuse("linear of other classes", few, {**values, "classes": "a\nb"}, "'classes'", "expected 3")
    refuse("linear and dense", few, dense, "missing")
    near, newest = reference.make_patches(rng, 24, 2, 4, 12), {**dense, "window": "1"}
    for name in ("patches/bias", "places/kernel"):
        refuse(f"patches without {name}", without(near, name), newest, f"'{name}'", "missing")
    refuse("patches with another bias", {**near, "patches/bias": near["patches/bias"][:2]}, newest, "'patches/bias'", "(2,)", "(12,)")
    refuse("patches with other places", {**near, "places/kernel": near["places/kernel"][:, :4]}, newest, "'places/kernel'", "(4, 4)", "(4, 12)")
    refuse("patches with an odd code", {**near, "places/kernel": near["places/kernel"][:3]}, newest, "'places/kernel'", "multiple of 4", "found 3")
    refuse("patches without dimensions", {**near, "patches/kernel": near["patches/kernel"][0]}, newest, "'patches/kernel'", "3 dimensions")
    refuse("patches with NaN", {**near, "places/kernel": near["places/kernel"] * np.nan}, newest, "'places/kernel'", "NaN")
    refuse("patches of a window", near, dense, "'window'", "expected 1", "found 4")
    refuse("patches less a reference", near, {**newest, "reference": "mean"}, "'reference'", "expected none")
    refuse("patches of no square", near, {**newest, "classes": "a\nb"}, "'patches/kernel'", "square")
    refuse("patches of pooled states", near, {**newest, "cells": "4"}, "'cells'", "not pooled")
    refuse("patches of a class", near, {**values, "window": "1"}, "missing")
    far = reference.make_distance(rng, 24)
    for name in far:
        refuse(f"distance without {name}", without(far, name), reference.metadata("distance"), f"'{name}'", "missing")
    refuse("distance with a reference", far, reference.metadata("distance", reference="mean"), "'reference'")
    refuse("distance, not square", {**far, "whitening": far["whitening"][:5]}, reference.metadata("distance"), "'whitening'", "(5, 24)", "(24, 24)")
    result = subprocess.run([program, "load", *(path for _, path, _ in cases)], capture_output=True, text=True)
    report(result.returncode == 0 and len(result.stdout.splitlines()) == len(cases), f"{len(cases)} broken files: {result.stderr}")
    for (name, _, expected), message in zip(cases, result.stdout.splitlines()):
        missing = [word for word in expected if word not in message]
        report(not missing, f"{name}: {message[-200:]} {missing or ''}")
    np.full((1, 7, 24), np.nan, "f4").tofile(folder / "states")
    reference.write(folder / "good.safetensors", good, values)
    result = run("stream", folder / "good.safetensors", folder / "states", 2, 3)
    report(result.returncode == 1 and "NaN" in result.stderr and "good.safetensors" in result.stderr, f"features with NaN: {result.stderr.strip()}")


check_streams()
check_batch()
check_size()
check_bad()
for file in folder.iterdir():
    file.unlink()
folder.rmdir()
print(f"{failed} failed")
sys.exit(failed != 0)
