#!/usr/bin/env python3
"""test_gate.py RVM-CL-TRAIN WEIGHTS REFERENCE: an update gate that is fitted keeps the state of covered patches and replaces that of clear ones, by an
independent computation of the encoder and the gate; all other weights stay as they are, and the same material gives the same bytes."""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

sys.path.append(sys.argv[3])
from reference_model import Model, sigmoid  # noqa: E402

program, weights = sys.argv[1:3]
GATES = {"rnn_core/input_update/kernel", "rnn_core/state_update/kernel"}


def run(*args, status=0):
    result = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    assert result.returncode == status, (args, result)
    return result.stdout + result.stderr


def arrays(path, folder):
    run("convert", path, folder / "arrays.npz")
    return dict(np.load(folder / "arrays.npz"))


def scene(rng, rows, columns):
    """A picture with edges and textures at many scales."""
    picture = np.zeros((8 * rows, 8 * columns, 3))
    for cells in (2, 5, 11, 40):
        coarse = rng.uniform(size=(cells, cells, 3))
        picture += coarse[np.arange(8 * rows) * cells // (8 * rows)][:, np.arange(8 * columns) * cells // (8 * columns)] / 4
    return 255 * picture


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    photos = folder / "photos"
    photos.mkdir()
    rng = np.random.default_rng(4)
    for i in range(24):
        pixels = scene(rng, 20, 24).astype(np.uint8)
        header = f"P6 {pixels.shape[1]} {pixels.shape[0]} 255 ".encode()
        subprocess.run(["gst-launch-1.0", "-q", "fdsrc", "!", "pnmdec", "!", "videoconvert", "!", "pngenc", "!", "filesink", f"location={photos}/{i}.png"],
                       input=header + pixels.tobytes(), check=True)
    fit = ["gate", "--photos", photos, "--set", "synthetic=1", "--set", "cut-outs=1", "--set", "side-max=128", "--frames", 160]
    text = run(*fit, weights, folder / "out.safetensors")
    print(text, end="")
    run(*fit, weights, folder / "again.safetensors")
    assert (folder / "out.safetensors").read_bytes() == (folder / "again.safetensors").read_bytes()
    assert "fitted by rvm-cl-train gate" in run("info", folder / "out.safetensors")

    before, after = (arrays(path, folder) for path in (weights, folder / "out.safetensors"))
    changed = {key for key in before if not np.array_equal(before[key], after[key])}
    assert "rnn_core/input_update/kernel" in changed and changed <= GATES, changed
    assert not after["rnn_core/state_update/kernel"].any()
    model = Model(after)
    kept, replaced = [], []
    for i in range(12):
        frame, hidden = scene(rng, 14, 16), np.zeros((14, 16), bool)
        if i % 3:
            hidden[3:9, 4:12] = True
        frame[np.kron(hidden, np.ones((8, 8), bool))] = 128
        gate = sigmoid(model.encode(frame.astype(np.uint8))[1:] @ after["rnn_core/input_update/kernel"].astype(float))
        assert np.ptp(gate, axis=1).max() < 1e-3  # all channels of a patch alike
        kept += list(gate[hidden.ravel(), 0] < 0.1)
        replaced += list(gate[~hidden.ravel(), 0] > 0.9)
    print(f"kept {np.mean(kept):.3f} of {len(kept)}, replaced {np.mean(replaced):.3f} of {len(replaced)}")
    assert np.mean(kept) > 0.5 and np.mean(replaced) > 0.95

    run("init", "--config", "tiny", folder / "random.npz")
    text = run("gate", "--recipe", "tiny", "--photos", photos, "--set", "synthetic=1", "--set", "cut-outs=1", "--frames", 40, folder / "random.npz",
               folder / "never.npz", status=1)
    assert "encoder/LayerNorm_0/bias" in text and not (folder / "never.npz").exists(), text
    run("gate", "--photos", photos, "--frames", 5, weights, folder / "never.npz", status=2)
    text = run("gate", "--set", "synthetic=1", weights, folder / "never.npz", status=1)
    assert "photo" in text, text
print("ok")
