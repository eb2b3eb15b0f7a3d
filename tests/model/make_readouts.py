#!/usr/bin/env python3
"""make_readouts.py FOLDER: readouts with random weights for the features of tests/data/tiny.npz at 64 x 48, for tests of C: windows less their first state and
their mean, a map of depths, a linear one, a linear one of labels of places, a distance, and one of another number of classes. Always the same."""
import pathlib
import sys

import numpy as np

import reference_readout as reference

DIM, WINDOW = 48, 3
folder, rng = pathlib.Path(sys.argv[1]), np.random.default_rng(11)
names = "a\nb\nc"
for name, arrays, values in (
        ("first", reference.make_arrays(rng, DIM, 32, 2, WINDOW, 3), {"kind": "class", "reference": "first", "classes": names}),
        ("mean", reference.make_arrays(rng, DIM, 32, 2, WINDOW, 3), {"kind": "class", "reference": "mean", "classes": names}),
        ("depth", reference.make_arrays(rng, DIM, 32, 2, WINDOW, 4, code=16), {"kind": "dense", "target": "depth"}),
        ("linear", reference.make_linear(rng, DIM, 2, 2, 3), {"kind": "class", "reference": "first", "classes": names}),
        ("distance", reference.make_distance(rng, DIM), {"kind": "distance"}),
        ("patches", reference.make_patches(rng, DIM, 2, 8, 12), {"kind": "dense", "target": "labels", "classes": names, "window": 1}),
        ("five", reference.make_arrays(rng, DIM, 32, 2, WINDOW, 5), {"kind": "class", "classes": "a\nb\nc\nd\ne"})):
    reference.write(folder / f"readout_{name}.safetensors", arrays, reference.metadata(values.pop("kind"), **{"window": WINDOW, **values}))
