#!/usr/bin/env python3
"""test_readout_step.py CHECK-READOUT-STEP CHECK-READOUT: the loss of a batch of windows against numpy, its gradients against central differences of the
numpy implementation in double precision, and a training: the loss falls, and the file that it writes gives the answers it was trained to give."""
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "model"))
import reference_readout as reference  # noqa: E402

step_program, stream_program = sys.argv[1:3]
folder = pathlib.Path(tempfile.mkdtemp(prefix="rvm-readout-step-"))
UNKNOWN = np.float32(-1e30)
failed = 0


def report(good, text):
    global failed
    failed += not good
    print("ok  " if good else "FAILED", text)


def map_of(arrays, values, window, grid):
    """Outputs for one window as a map (places, channels)."""
    states = reference.take_reference(window, values["reference"])
    if values["kind"] == "class":
        return reference.attention_readout(arrays, states)
    channels = len(values["classes"].split("\n")) if values["target"] == "labels" else 1
    return reference.rearrange(reference.attention_readout(arrays, states, grid), grid, channels).reshape(-1, channels)


def loss_of(arrays, values, features, target, weight, grid):
    total = 0.0
    for window, wanted, weights in zip(features.astype("f8"), target.astype("f8"), weight.astype("f8")):
        outputs = map_of(arrays, values, window, grid)
        if values["kind"] == "class" or values["target"] == "labels":
            top = outputs.max(-1, keepdims=True)
            total -= (weights * (wanted * (outputs - top - np.log(np.exp(outputs - top).sum(-1, keepdims=True)))).sum(-1)).sum()
        else:
            total += (weights * np.where(wanted == UNKNOWN, 0, np.abs(outputs - wanted)).sum(-1)).sum()
    return total


def run(mode, arrays, values, features, target, weight, grid):
    reference.write(folder / "readout.safetensors", arrays, values)
    for name, array in (("features", features), ("target", target), ("weight", weight)):
        array.astype("<f4").tofile(folder / name)
    result = subprocess.run([step_program, mode, *(folder / name for name in ("readout.safetensors", "features", "target", "weight")),
                             *map(str, (*features.shape[:2], *grid)), folder / "out.safetensors"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


# The order in which check_readout_step writes gradients.
def in_order(arrays):
    first = [name for name in arrays if "query" not in name]
    return first + [name for name in arrays if "query" in name]


def check_gradients(name, arrays, values, features, target, weight, grid, rng):
    run("gradients", arrays, values, features, target, weight, grid)
    got = np.fromfile(folder / "out.safetensors", "<f4")
    exact = loss_of(arrays, values, features, target, weight, grid)
    report(abs(got[0] - exact) <= 1e-5 * abs(exact), f"{name}: loss {got[0]:.6f}, numpy {exact:.6f}")
    at = 1 + target.size
    wide = {key: array.astype("f8") for key, array in arrays.items()}
    worst, largest = 0.0, 0.0
    for key in in_order(arrays):
        gradient, array = got[at:at + arrays[key].size], wide[key].reshape(-1)
        at += arrays[key].size
        for i in rng.choice(array.size, min(array.size, 6), replace=False):
            kept, differences = array[i], []
            for move in (1e-4, 2e-4):
                sides = []
                for sign in (1, -1):
                    array[i] = kept + sign * move
                    sides.append(loss_of(wide, values, features, target, weight, grid))
                differences.append((sides[0] - sides[1]) / (2 * move))
            array[i] = kept
            difference = (4 * differences[0] - differences[1]) / 3
            worst, largest = max(worst, abs(gradient[i] - difference)), max(largest, abs(difference))
    report(at == len(got) and worst <= 1e-5 * largest, f"{name}: gradients differ by {worst / largest:.1e} of the largest, allowed 1e-5")


def check_class(rng):
    grid, dim, windows, states = (2, 3), 24, 5, 3
    arrays = reference.make_arrays(rng, dim, 48, 3, 4, 3)
    for of in ("none", "first", "mean"):
        values = reference.metadata("class", classes="a\nb\nc", reference=of)
        features = rng.normal(0, 1, (windows, states, 7, dim)).astype("f4")
        target = reference.softmax(rng.normal(0, 1, (windows, 1, 3))).astype("f4")
        weight = np.array([1, 0.5, 0, 2, 1], "f4").reshape(windows, 1)
        check_gradients(f"class, reference {of}", arrays, values, features, target, weight, grid, rng)


def check_dense(rng):
    grid, dim, windows, states, side = (2, 3), 24, 2, 3, 2
    places = grid[0] * grid[1] * side * side
    features = rng.normal(0, 1, (windows, states, 7, dim)).astype("f4")
    weight = rng.uniform(0, 1, (windows, places)).astype("f4")
    weight[0, :3] = 0
    labels = np.eye(3, dtype="f4")[rng.integers(0, 3, (windows, places))]
    values = reference.metadata("dense", target="labels", classes="a\nb\nc")
    check_gradients("labels", reference.make_arrays(rng, dim, 48, 3, 4, side * side * 3, code=16), values, features, labels, weight, grid, rng)
    depth = rng.normal(0, 3, (windows, places, 1)).astype("f4")
    depth[:, ::5] = UNKNOWN
    values = reference.metadata("dense", target="depth")
    check_gradients("depth", reference.make_arrays(rng, dim, 48, 3, 4, side * side, code=16), values, features, depth, weight, grid, rng)


def check_training(rng):
    grid, dim, windows, states = (2, 2), 16, 6, 3
    values = reference.metadata("class", classes="a\nb", window=3, reference="first")
    features = rng.normal(0, 1, (windows, states, 5, dim)).astype("f4")
    target = np.eye(2, dtype="f4")[[0, 1, 0, 1, 1, 0]].reshape(windows, 1, 2)
    losses = [float(line) for line in run("train", reference.make_arrays(rng, dim, 32, 2, 3, 2), values, features, target,
                                          np.full((windows, 1), 1 / windows, "f4"), grid).split()]
    report(abs(losses[0] - math.log(2)) < 0.3 and losses[-1] < 0.05 * losses[0], f"loss of a training from {losses[0]:.3f} to {losses[-1]:.4f}")
    for i, window in enumerate(features):
        window.astype("<f4").tofile(folder / "features")
        result = subprocess.run([stream_program, "stream", folder / "out.safetensors", folder / "features", *map(str, grid), folder / "answers"],
                                capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        probabilities = np.fromfile(folder / "answers", "<f4")[-4:-2]
        report(probabilities[int(target[i, 0, 1])] > 0.9, f"window {i}: {probabilities}")


rng = np.random.default_rng(5)
check_class(rng)
check_dense(rng)
check_training(rng)
for file in folder.iterdir():
    file.unlink()
folder.rmdir()
print(f"{failed} failed")
sys.exit(failed != 0)
