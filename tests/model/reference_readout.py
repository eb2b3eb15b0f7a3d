"""Readouts in numpy and double precision, written from docs/model.md alone: random weights, files, and answers for windows of states."""
import json
import math
import struct

import numpy as np

MODEL = "0123456789abcdef" * 2


def make_arrays(rng, dim, width, heads, window, outputs, queries=1, code=0):
    head_dim, hidden = width // heads, 4 * width

    def dense(key, inputs, outs):
        return {f"{key}/kernel": rng.normal(0, 1 / math.sqrt(np.prod(inputs)), (*inputs, *outs)), f"{key}/bias": rng.normal(0, 0.1, outs)}

    def norm(key, n):
        return {f"{key}/scale": 1 + rng.normal(0, 0.1, n), f"{key}/bias": rng.normal(0, 0.1, n)}

    arrays = {
        **norm("LayerNorm_0", dim), "temporal_posenc/embeddings": rng.normal(0, 0.5, (window, dim)),
        **dense("key_embedding", (dim,), (heads, head_dim)), **dense("value_embedding", (dim,), (heads, head_dim)),
        **dense("Dense_0", (width,), (width,)), **norm("LayerNorm_1", width),
        **dense("MLP_0/Dense_0", (width,), (hidden,)), **dense("MLP_0/Dense_1", (hidden,), (width,)), **dense("Dense_1", (width,), (outputs,)),
    }
    if code:
        arrays |= {**dense("query_mlp/Dense_0", (code,), (hidden,)), **dense("query_mlp/Dense_1", (hidden,), (heads, head_dim))}
    else:
        arrays["query"] = rng.normal(0, 1, (queries, heads, head_dim))
    return {name: array.astype("f4") for name, array in arrays.items()}


def make_linear(rng, dim, slots, cells, outputs, changes=False):
    shapes = {"linear/kernel": (slots, cells, cells, dim, outputs), "linear/bias": (outputs,)}
    if changes:
        shapes.update({name: (slots, cells, cells, outputs) for name in ("linear/change", "linear/travel")})
    return {name: rng.normal(0, 1, shape).astype("f4") for name, shape in shapes.items()}


def make_patches(rng, dim, rings, code, outputs):
    return {"patches/kernel": rng.normal(0, 1 / math.sqrt(dim), (rings, dim, outputs)).astype("f4"), "patches/bias": rng.normal(0, 1, outputs).astype("f4"),
            "places/kernel": rng.normal(0, 1, (code, outputs)).astype("f4")}


def make_distance(rng, dim):
    return {"mean": rng.normal(0, 1, dim).astype("f4"), "whitening": rng.normal(0, 1, (dim, dim)).astype("f4")}


def metadata(kind, **more):
    values = {"format": "rvm-readout", "version": "1", "kind": kind, "model": MODEL, "features": "state", "width": 64, "height": 48, "window": 4,
              "stride": 1, "reference": "none"}
    values |= {key.replace("_", "-"): value for key, value in more.items()}
    return {key: str(value) for key, value in values.items() if value is not None}


def write(path, arrays, values):
    header, at = {"__metadata__": values}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in arrays.values()))
    return path


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer_norm(x, arrays, key):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * arrays[f"{key}/scale"] + arrays[f"{key}/bias"]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def dense(x, arrays, key):
    kernel, bias = arrays[f"{key}/kernel"], arrays[f"{key}/bias"]
    return x @ kernel.reshape(x.shape[-1], -1) + bias.reshape(-1)


def code_places(code, rows, columns):
    y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij")
    octaves = math.pi * 2.0 ** np.arange(code // 4)
    parts = [np.stack([np.sin(at[..., None] * octaves), np.cos(at[..., None] * octaves)], -1).reshape(rows * columns, -1) for at in (x, y)]
    return np.concatenate(parts, -1)


def take_reference(states, reference):
    """@states: oldest first."""
    return states - {"none": 0, "first": states[:1], "mean": states.mean(0, keepdims=True)}[reference]


def attention_readout(arrays, states, grid=None):
    """Outputs (queries, outputs) for a window of @states (states, tokens, dim), the oldest first. @grid: (rows, columns), for queries of places."""
    a = {name: array.astype("f8") for name, array in arrays.items()}
    _, heads, head_dim = a["key_embedding/kernel"].shape
    n = layer_norm(states.astype("f8"), a, "LayerNorm_0") + a["temporal_posenc/embeddings"][len(states) - 1 - np.arange(len(states))][:, None]
    n = n.reshape(-1, states.shape[-1])
    if grid:
        query = dense(gelu(dense(code_places(a["query_mlp/Dense_0/kernel"].shape[0], *grid), a, "query_mlp/Dense_0")), a, "query_mlp/Dense_1")
    else:
        query = a["query"].reshape(len(a["query"]), -1)
    q, k, v = (x.reshape(-1, heads, head_dim) for x in (query, dense(n, a, "key_embedding"), dense(n, a, "value_embedding")))
    weights = softmax(np.einsum("qhd,khd->hqk", q, k) / math.sqrt(head_dim))
    x = query + dense(np.einsum("hqk,khd->qhd", weights, v).reshape(query.shape), a, "Dense_0")
    x = x + dense(gelu(dense(layer_norm(x, a, "LayerNorm_1"), a, "MLP_0/Dense_0")), a, "MLP_0/Dense_1")
    return dense(x, a, "Dense_1")


def rearrange(outputs, grid, channels):
    """Outputs of cells to a map (rows, columns, channels)."""
    side = math.isqrt(outputs.shape[-1] // channels)
    return outputs.reshape(*grid, side, side, channels).transpose(0, 2, 1, 3, 4).reshape(grid[0] * side, grid[1] * side, channels)


def pool(states, grid, cells):
    """(states, cells, cells, dim) of @states (states, tokens, dim)."""
    x = states[:, 1:].astype("f8").reshape(len(states), *grid, -1)
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    edges = [[(i * n // cells, max((i + 1) * n // cells, i * n // cells + 1)) for i in range(cells)] for n in grid]
    return np.stack([np.stack([x[:, top:bottom, left:right].mean((1, 2)) for left, right in edges[1]], 1) for top, bottom in edges[0]], 1)


def pooled_tokens(states, grid, cells):
    """(states, 1 + cells * cells, dim): the mean of all, and that of each cell."""
    return np.concatenate([pool(states, grid, n).reshape(len(states), n * n, -1) for n in (1, cells)], 1)


def linear(arrays, states, grid, reference):
    """Logits for a window of @states (states, tokens, dim), the oldest first."""
    kernel = arrays["linear/kernel"].astype("f8")
    slots, cells = kernel.shape[:2]
    pooled = pool(states, grid, cells)
    at = np.arange(slots) * (len(states) - 1) / (slots - 1) if slots > 1 else np.array([len(states) - 1.0])

    def resample(values):
        return np.stack([(1 - t % 1) * values[int(t)] + t % 1 * values[min(int(t) + 1, len(values) - 1)] for t in at])

    logits = np.tensordot(resample(take_reference(pooled, reference)), kernel, 4) + arrays["linear/bias"]
    if "linear/change" in arrays:
        steps = np.sqrt((np.diff(pooled, axis=0) ** 2).mean(-1)) if len(states) > 1 else np.zeros((0, cells, cells))
        change = np.concatenate([steps[:1], steps]) if len(states) > 1 else np.zeros((1, cells, cells))
        travel = np.sqrt(((pooled - pooled[0]) ** 2).mean(-1))
        logits = logits + np.tensordot(resample(change), arrays["linear/change"].astype("f8"), 3)
        logits = logits + np.tensordot(resample(travel), arrays["linear/travel"].astype("f8"), 3)
    return logits[None]


def patches(arrays, state, grid):
    """Outputs (cells, outputs) for one state (tokens, dim): of the patch of each cell, and of the means around it."""
    kernel, places = arrays["patches/kernel"].astype("f8"), arrays["places/kernel"].astype("f8")
    x = state[1:].astype("f8").reshape(*grid, -1)

    def around(reach):
        return np.array([[x[max(r - reach, 0):r + reach + 1, max(c - reach, 0):c + reach + 1].mean((0, 1)) for c in range(grid[1])] for r in range(grid[0])])

    out = sum(around(2 * ring) @ kernel[ring] for ring in range(len(kernel))).reshape(grid[0] * grid[1], -1)
    return out + code_places(len(places), *grid) @ places + arrays["patches/bias"]


def distance(arrays, states):
    pooled = states[:, 1:].astype("f8").mean((0, 1))
    return np.linalg.norm(arrays["whitening"].astype("f8") @ (pooled - arrays["mean"])) / math.sqrt(len(pooled))
