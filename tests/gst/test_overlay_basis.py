#!/usr/bin/env python3
"""test_overlay_basis.py DATA: rvmoverlay's colours on the features of a model, against principal components by numpy: fitted by the element, and
computed here and given to it as a file. Files that are no basis are refused by name."""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

model = f"{sys.argv[1]}/tiny.npz"
ROWS, COLUMNS, CELL, FRAMES = 6, 8, 16, 5
WIDTH, HEIGHT = COLUMNS * CELL, ROWS * CELL


def run(folder, *overlay):
    """The picture in the middle of each patch (T, rows, columns, 3), and the features."""
    frames, features = folder / "frames.rgb", folder / "features.npy"
    done = subprocess.run(["gst-launch-1.0", "-q", "videotestsrc", f"num-buffers={FRAMES}", "pattern=ball", "background-color=0xff406080", "!",
                           f"video/x-raw,format=RGB,width={WIDTH},height={HEIGHT}", "!", "rvmencode", f"model-file={model}", "!", "rvmexport",
                           f"features-location={features}", "!", "rvmoverlay", "alpha=1", *overlay, "!", "filesink", f"location={frames}"],
                          capture_output=True, text=True)
    if done.returncode:
        return done.stderr, None
    picture = np.fromfile(frames, np.uint8).reshape(FRAMES, HEIGHT, WIDTH, 3).astype(float)
    # Between the four pixels around the middle of a patch.
    low, high = slice(CELL // 2 - 1, None, CELL), slice(CELL // 2, None, CELL)
    middle = sum(picture[:, r, c] for r in (low, high) for c in (low, high)) / 4
    return middle, np.load(features).astype(float)


def basis_of(features):
    samples = features.reshape(-1, features.shape[-1])
    mean = samples.mean(0)
    components = np.linalg.svd(samples - mean, full_matrices=False)[2][:3]
    return mean, components, ((samples - mean) @ components.T).std(0)


def colours(features, mean, components, deviation):
    return 255 * np.clip(0.5 + (features - mean) @ components.T / (4 * deviation), 0, 1)


def check(got, expected, what):
    # In the middle of a patch interpolation leaves a little of the neighbours.
    difference = np.abs(got - expected)
    print(f"{what}: largest difference {difference.max():.1f} of 255, mean {difference.mean():.2f}")
    assert difference.max() < 14 and difference.mean() < 2, what


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    got, features = run(folder, "fit-frames=1")
    mean, components, deviation = basis_of(features[0])
    components *= np.sign(np.take_along_axis(components, np.abs(components).argmax(1)[:, None], 1))
    check(got, colours(features, mean, components, deviation), "fitted on the first frame")

    mean, components, deviation = basis_of(features)
    components[1] *= -1  # no rule for signs: the file's are taken
    np.savez(folder / "basis.npz", mean=mean.astype("f"), components=components.astype("f"), deviation=deviation.astype("f"))
    got, features = run(folder, f"basis-file={folder}/basis.npz")
    check(got, colours(features, mean, components, deviation), "given by a file")

    # As doubles, in numpy's own type, and beside what a program keeps in the same file.
    np.savez(folder / "more.npz", mean=mean, components=components, deviation=deviation, step=np.int32(7), name=np.array("small"), fit=np.array([None]))
    again, _ = run(folder, f"basis-file={folder}/more.npz")
    assert np.array_equal(got, again)

    good = {"mean": mean.astype("f"), "components": components.astype("f"), "deviation": deviation.astype("f")}
    for change, message in (({"mean": None}, "'mean' is missing"), ({"components": good["components"][:2]}, "'components' has the shape (2, 48)"),
                            ({"components": good["components"][:, :40]}, "'components' has the shape (3, 40)"),
                            ({"deviation": np.zeros(3, "f")}, "deviation[0] is 0"), ({"deviation": np.ones(3, int)}, "'deviation' has dtype I64"),
                            ({"mean": good["mean"][:40], "components": good["components"][:, :40]}, "of 40 numbers, these have 48")):
        np.savez(folder / "bad.npz", **{key: value for key, value in {**good, **change}.items() if value is not None})
        error, _ = run(folder, f"basis-file={folder}/bad.npz")
        assert isinstance(error, str) and "bad.npz" in error and message in error, (message, error)
    error, _ = run(folder, f"basis-file={folder}/missing.npz")
    assert isinstance(error, str) and "missing.npz" in error, error
print("ok")
