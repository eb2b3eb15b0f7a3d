#!/usr/bin/env python3
"""test_reference.py CHECK-GOLDEN RVM-CL-TRAIN DATA: sizes that were never published (patches of 8 and 4, odd widths, other heads in the core,
grids of one row) against an implementation in numpy, which is first compared with the authors' own outputs."""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from reference_model import Model

check_golden, trainer, data = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])

golden, weights = np.load(data / "tiny_forward.npz"), np.load(data / "tiny.npz")
for clip in ("wide", "tall", "tiny"):
    model = Model(weights)
    for frame, expected in zip(golden[f"{clip}/frames"], golden[f"{clip}/features"]):
        error = np.abs(model.push(frame) - expected).max() / np.abs(expected).max()
        assert error < 1e-5, (clip, error)

sizes = {
    "patch8": ["--patch", 8, "--dim", 40, "--heads", 5, "--mlp", 72, "--core-heads", 4, "--core-mlp", 56, "--layers", 3, "--core-layers", 1],
    "patch4": ["--patch", 4, "--dim", 24, "--heads", 1, "--mlp", 40, "--core-heads", 3, "--core-mlp", 24, "--layers", 1, "--core-layers", 3],
    "patch14": ["--patch", 14, "--dim", 96, "--heads", 3, "--mlp", 200, "--core-heads", 1, "--core-mlp", 100],
}
shapes = {"patch8": [(40, 56), (8, 72), (136, 152)], "patch4": [(4, 4), (20, 36)], "patch14": [(14, 14), (70, 42)]}
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for name, arguments in sizes.items():
        chance = np.random.RandomState(3)
        subprocess.run([trainer, "init", "--config", "tiny", *map(str, arguments), folder / "init.npz"], check=True, stdout=subprocess.DEVNULL)
        # Biases and scales that are not 0 and 1, so that none can be left out.
        values = {key: (array + 0.1 * chance.randn(*array.shape)).astype("f4") for key, array in np.load(folder / "init.npz").items()}
        np.savez(folder / f"{name}.npz", **values)
        forward = {}
        for height, width in shapes[name]:
            model, clip = Model(values), f"{height}x{width}"
            frames = chance.randint(0, 256, (4, height, width, 3)).astype(np.uint8)
            forward[f"{clip}/frames"] = frames
            forward[f"{clip}/features"] = np.stack([model.push(frame) for frame in frames]).astype("f4")
        np.savez(folder / "forward.npz", **forward)
        for gemm in ("native", "clblast"):
            result = subprocess.run([check_golden, "--gemm", gemm, folder / f"{name}.npz", folder / "forward.npz"], capture_output=True, text=True)
            print(name, gemm, result.stdout, result.stderr)
            assert result.returncode == 0, (name, gemm)
