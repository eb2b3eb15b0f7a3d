#!/usr/bin/env python3
"""archive_recall.py ARCHIVE [LABELS.csv]: how well moments of an archive find each other by what it keeps: for each video with at least four moments, the
vectors of its second half ask for those of the first halves of all videos. Relevant is the video itself, and with LABELS (file, lab, room, ...) each video
of the same lab and room. Recall at k: the share of videos that have something relevant among the first k. If the archive keeps patches, squares of 1, 2 and 4
patches a side, at a random place in the middle moment of the second half of 200 videos, ask in the same way."""
import csv
import os
import sqlite3
import sys

import numpy


def read(archive, kind):
    """Path -> (moments, numbers), float32."""
    connection = sqlite3.connect(f"file:{archive}/archive.sqlite?mode=ro", uri=True)
    result = {}
    for path, moments, file in connection.execute("SELECT path, moments, id FROM files WHERE moments >= 4 ORDER BY path").fetchall():
        pieces = connection.execute("SELECT data FROM vectors WHERE file = ? AND kind = ? ORDER BY first", (file, kind)).fetchall()
        result[os.fsdecode(path)] = numpy.frombuffer(b"".join(piece for piece, in pieces), "<f2").astype("f4").reshape(moments, -1)
    return result


def normalise(values):
    return values / numpy.maximum(numpy.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def find_basis(everything, videos, whiten=True):
    """What is subtracted, and what the rest is multiplied by, as rvm-archive search does (archive/search/nearest.h): standardised, and whitened by their correlations, of which a share of 5 / videos is given up."""
    mean, deviation = everything.mean(0), everything.std(0)
    deviation[deviation == 0] = numpy.inf
    given_up = min(5 / videos, 1) if whiten else 1
    everything = (everything - mean) / deviation
    correlation = (1 - given_up) * everything.T @ everything / len(everything) + given_up * numpy.eye(everything.shape[1])
    power, axes = numpy.linalg.eigh(correlation)
    return mean, axes / numpy.sqrt(power) / deviation[:, None]


def convert(vectors, whiten=True):
    mean, basis = find_basis(numpy.concatenate(list(vectors.values())), len(vectors), whiten)
    return {path: (values - mean) @ basis for path, values in vectors.items()}


def coarser(vectors, levels):
    """Histograms of 8 x 8 x 8 as those of fewer levels."""
    step = 8 // levels
    return {path: numpy.sqrt((values.reshape(-1, levels, step, levels, step, levels, step) ** 2).sum(axis=(2, 4, 6)).reshape(len(values), -1))
            for path, values in vectors.items()}


def similarities(vectors, whole):
    """(asked, videos): of the mean of the second half with the mean of each first half, or of one moment in its middle with the best moment of each."""
    first = [values[: len(values) // 2] for values in vectors.values()]
    second = [values[len(values) // 2 :] for values in vectors.values()]
    if whole:
        return normalise(numpy.stack([half.mean(0) for half in second])) @ normalise(numpy.stack([half.mean(0) for half in first])).T
    asked = normalise(numpy.stack([half[len(half) // 2] for half in second]))
    return numpy.stack([(asked @ normalise(half).T).max(1) for half in first], axis=1)


def recall(scores, relevant, k):
    best = numpy.argsort(-scores, axis=1, kind="stable")[:, :k]
    return numpy.take_along_axis(relevant, best, 1).any(1).mean()


def print_recall(name, scores, own, same):
    line = f"{name:45s} itself {' '.join(f'{recall(scores, own, k):.3f}' for k in (1, 5, 10))}"
    if same.any():
        asked = same.any(1)
        others = numpy.where(own, -numpy.inf, scores)[asked]
        line += f"   another of its room {' '.join(f'{recall(others, same[asked], k):.3f}' for k in (1, 5, 10))}"
    print(line)


def read_patches(archive, paths):
    """(moments, rows, columns, numbers) of each, or nothing."""
    connection = sqlite3.connect(f"file:{archive}/archive.sqlite?mode=ro", uri=True)
    files = [connection.execute("SELECT features FROM files WHERE path = ?", (os.fsencode(path),)).fetchone()[0] for path in paths]
    return [numpy.load(f"{archive}/{file}").astype("f4") for file in files] if all(files) else []


def measure_regions(archive, paths, same):
    """A region is the mean of its patches, and its score the mean over as many patches of a moment, at most six moments of a first half."""
    random = numpy.random.default_rng(1)
    chosen = numpy.sort(random.choice(len(paths), min(200, len(paths)), replace=False))
    patches = read_patches(archive, [paths[i] for i in chosen])
    if not patches:
        return
    same, own = same[numpy.ix_(chosen, chosen)], numpy.eye(len(chosen), dtype=bool)
    sample = numpy.concatenate([values.reshape(-1, values.shape[3])[:: max(1, values[..., 0].size // 100)] for values in patches])
    for side in (1, 2, 4):
        corners = [(random.integers(values.shape[1] - side + 1), random.integers(values.shape[2] - side + 1)) for values in patches]
        asked = [values[(len(values) + len(values) // 2) // 2, row : row + side, column : column + side].mean((0, 1)) for values, (row, column) in zip(patches, corners)]
        for whiten in (True, False):
            mean, basis = find_basis(sample, len(paths), whiten)
            queries = normalise((numpy.stack(asked) - mean) @ basis)
            scores = []
            for values in patches:
                half = values[numpy.linspace(0, len(values) // 2 - 1, min(len(values) // 2, 6)).astype(int)]
                cosines = queries @ normalise((half.reshape(-1, half.shape[3]) - mean) @ basis).T
                scores.append(numpy.sort(cosines.reshape(len(queries), len(half), -1), 2)[:, :, -side * side :].mean(2).max(1))
            print_recall(f"regions, {side} x {side}{'' if whiten else ', standardised only'}", numpy.stack(scores, axis=1), own, same)


def measure(archive, labels=None):
    kinds = {kind: read(archive, kind) for kind in ("class", "mean", "summary", "colours")}
    paths = list(kinds["colours"])
    own = numpy.eye(len(paths), dtype=bool)
    places = {row["file"]: (row["lab"], row["room"]) for row in csv.DictReader(open(labels))} if labels else {}
    place = [places.get(os.path.basename(path)) for path in paths]
    same = numpy.array([[a is not None and a == b and i != j for j, b in enumerate(place)] for i, a in enumerate(place)])
    print(f"{len(paths)} videos")
    for whole in (True, False):
        scores = {f"features, {kind}{'' if whiten else ', standardised only'}": similarities(convert(kinds[kind], whiten), whole)
                  for kind in ("class", "mean", "summary") for whiten in (True, False) if len(next(iter(kinds[kind].values()), ()))}
        scores |= {f"colours, {levels ** 3}": similarities(coarser(kinds["colours"], levels), whole) for levels in (4, 8)}
        scores["both (summary, 512)"] = 0.15 * scores["features, summary"] + 0.85 * scores["colours, 512"]
        for name, value in scores.items():
            print_recall(f"{'halves' if whole else 'moments'}: {name}", value, own, same)
    measure_regions(archive, paths, same)


measure(*sys.argv[1:])
