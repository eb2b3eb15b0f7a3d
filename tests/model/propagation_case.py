#!/usr/bin/env python3
"""propagation_case.py OUT.npz: a file in the layout of check_propagation, of sizes that are not the golden file's, made by an implementation in
numpy that shares nothing with the project's. With --break KEY, that array is wrong."""
import argparse
import math

import numpy as np


def affinities(query, frame, radius):
    """(cells, cells) dot products / 0.7 of unit rows; cells at a grid distance of radius and more are excluded."""
    rows, columns, _ = query.shape
    a, b = (x.reshape(rows * columns, -1) / np.linalg.norm(x.reshape(rows * columns, -1), axis=1, keepdims=True) for x in (query, frame))
    y, x = np.divmod(np.arange(rows * columns), columns)
    far = np.hypot(y[:, None] - y[None], x[:, None] - x[None]) >= radius if radius else np.zeros((rows * columns,) * 2, bool)
    return np.where(far, -np.inf, a @ b.T / 0.7)


def standardise(features):
    """Each channel of each frame to mean 0, deviation 1; one that is the same everywhere to 0."""
    deviation = features.std((1, 2), keepdims=True)
    return (features - features.mean((1, 2), keepdims=True)) / np.where(deviation > 1e-4, deviation, np.inf)


def propagate(features, labels, context, radius, top):
    maps = [labels.astype(np.float64)]
    for t in range(1, len(features)):
        # Frame 0 for itself, then a queue that starts as copies of it.
        queue = ([0] * context + list(range(1, t)))[-context:]
        scores = np.concatenate([affinities(features[t], features[0], 0)] + [affinities(features[t], features[f], radius) for f in queue], axis=1)
        values = np.concatenate([maps[f].reshape(-1, labels.shape[2]) for f in [0] + queue])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        weights = np.exp(np.take_along_axis(scores, best, 1) - scores.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        maps.append((weights[..., None] * values[best]).sum(1).reshape(labels.shape))
    return np.stack(maps)


def resize(picture, height, width):
    """Bilinear, half-pixel centres, two taps: OpenCV's."""
    def taps(to, size):
        at = np.clip((np.arange(to) + 0.5) * size / to - 0.5, 0, size - 1)
        low = at.astype(int)
        return low, np.minimum(low + 1, size - 1), at - low

    y0, y1, wy = taps(height, picture.shape[0])
    x0, x1, wx = taps(width, picture.shape[1])
    wy, wx = wy[:, None, None], wx[None, :, None]
    return (1 - wy) * ((1 - wx) * picture[y0][:, x0] + wx * picture[y0][:, x1]) + wy * ((1 - wx) * picture[y1][:, x0] + wx * picture[y1][:, x1])


def stamp(points, rows, columns):
    """Points in cells to maps, background first: exp (-d^2 / (2 * 0.5^2)) around the cell of the point."""
    maps = np.zeros((rows, columns, 1 + len(points)))
    for i, (x, y) in enumerate(points):
        for dy in range(-2, 2):
            for dx in range(-2, 2):
                column, row = int(x - 1.5) + 2 + dx, int(y - 1.5) + 2 + dy
                if 0 <= column < columns and 0 <= row < rows:
                    maps[row, column, 1 + i] = math.exp(-2 * (dx * dx + dy * dy))
    maps[..., 0] = (maps[..., 1:].sum(2) == 0)
    return maps


def locate(maps):
    """The weighted mean of the five largest cells of each channel but the first, in cells; and whether there is any."""
    rows, columns, channels = maps.shape
    found, places = np.zeros(channels - 1, bool), np.zeros((channels - 1, 2))
    for i in range(channels - 1):
        flat = maps[..., 1 + i].ravel()
        best = np.argsort(-flat, kind="stable")[:5]
        found[i] = flat[best].sum() > 0
        if found[i]:
            places[i] = (flat[best] * (best % columns)).sum() / flat[best].sum(), (flat[best] * (best // columns)).sum() / flat[best].sum()
    return places, found


def region(truth, result):
    either = (truth | result).sum()
    return (truth & result).sum() / either if either else 1.0


def boundary(truth, result):
    height, width = truth.shape
    radius = math.ceil(0.008 * math.hypot(height, width))

    def edge(mask):
        out = np.zeros_like(mask)
        out[:, :-1] |= mask[:, :-1] != mask[:, 1:]
        out[:-1] |= mask[:-1] != mask[1:]
        out[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
        return out

    def dilate(mask):
        out = np.zeros_like(mask)
        for dy in range(-radius, radius + 1):
            for dx in range(-radius, radius + 1):
                if dx * dx + dy * dy <= radius * radius:
                    from_y, to_y = slice(max(-dy, 0), height - max(dy, 0)), slice(max(dy, 0), height - max(-dy, 0))
                    from_x, to_x = slice(max(-dx, 0), width - max(dx, 0)), slice(max(dx, 0), width - max(-dx, 0))
                    out[to_y, to_x] |= mask[from_y, from_x]
        return out

    a, b = edge(truth), edge(result)
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    precision, recall = (b & dilate(a)).sum() / b.sum(), (a & dilate(b)).sum() / a.sum()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def make(rng):
    frames, rows, columns, dim, height, width = 26, 7, 11, 24, 98, 121
    # A drifting world, so that matches are near and distinct.
    world = rng.standard_normal((rows, columns + frames, dim))
    features = np.stack([world[:, t // 3:t // 3 + columns] + 0.3 * rng.standard_normal((rows, columns, dim)) for t in range(frames)])
    # Channels are shifted and scaled apart, and one says nothing: standardising changes something.
    features = features * rng.uniform(0.5, 2, dim) + rng.uniform(-1, 1, dim)
    features[..., 3] = 0.7
    mask = np.zeros((height, width), np.uint8)
    mask[20:60, 30:70], mask[50:90, 80:115], mask[5:18, 60:118] = 1, 2, 3
    points = np.array([[31.0, 45.5], [100.25, 60.75], [64.0, 30.0]], np.float32)
    kept = np.array([0, 1, 5, 22, 25], np.int32)
    one_hot = (mask[..., None] == np.arange(4)).astype(np.float64)
    heatmap = resize(one_hot, rows, columns)
    out = {"features": features.astype(np.float32), "mask": mask, "mask_heatmap": heatmap.astype(np.float32), "kept_frames": kept, "points": points}
    exact = out["features"].astype(np.float64)
    for name, given, settings in (("default", exact, (20, 20, 7)), ("short", exact, (4, 4, 5)), ("standardised", standardise(exact), (20, 20, 7))):
        maps = propagate(given, heatmap, *settings)[kept]
        out["propagated_" + name] = maps.astype(np.float32)
        out["masks_" + name] = np.stack([resize(m, height, width).argmax(2) for m in maps]).astype(np.uint8)
    cells = points * (columns / width, rows / height)
    stamps = stamp(cells, rows, columns)
    out["points_heatmap"] = stamps.astype(np.float32)
    located = [locate(m) for m in propagate(exact, stamps, 20, 20, 7)[kept]]
    out["points_tracked"] = np.stack([p * (width / columns, height / rows) for p, _ in located]).astype(np.float32)
    out["points_visible"] = np.stack([f for _, f in located]).astype(np.uint8)
    truth = np.stack([mask == 1, mask == 2, np.zeros_like(mask, bool), mask == 3, np.zeros_like(mask, bool)])
    result = np.stack([np.roll(mask == 1, 3, 1), np.roll(mask == 2, (4, -2), (0, 1)), np.zeros_like(mask, bool), np.zeros_like(mask, bool), mask == 1])
    out["davis_truth"], out["davis_result"] = truth.astype(np.uint8), result.astype(np.uint8)
    out["davis_j"] = np.array([region(a, b) for a, b in zip(truth, result)])
    out["davis_f"] = np.array([boundary(a, b) for a, b in zip(truth, result)])
    return out


# How each is made wrong, by a little more than what is allowed.
BREAKS = {
    "mask_heatmap": lambda x: x + np.float32(1e-5), "propagated_default": lambda x: x + np.float32(1e-3), "propagated_short": lambda x: x * np.float32(1.01),
    "propagated_standardised": lambda x: x - np.float32(1e-3), "masks_standardised": lambda x: (x + 1) % 4,
    "masks_default": lambda x: (x + 1) % 4, "masks_short": lambda x: np.where(np.arange(x.shape[2]) == 60, (x + 1) % 4, x).astype(np.uint8),
    "points_heatmap": lambda x: np.roll(x, 1, 1), "points_tracked": lambda x: x + np.float32(9), "points_visible": lambda x: 1 - x,
    "davis_j": lambda x: x + 1e-5, "davis_f": lambda x: x - 1e-5, "kept_frames": lambda x: x[:-1], "mask": lambda x: x[1:], "features": lambda x: x[..., 0],
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--break", dest="wrong", choices=sorted(BREAKS))
    args = parser.parse_args()
    case = make(np.random.default_rng(5))
    if args.wrong:
        case[args.wrong] = BREAKS[args.wrong](case[args.wrong])
    np.savez(args.out, **case)
