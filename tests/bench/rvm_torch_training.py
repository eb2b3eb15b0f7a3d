#!/usr/bin/python3
"""rvm_torch_training.py CASE.npz [--autocast]: training steps of RVM in PyTorch, as somebody who uses PyTorch would write them: the loss of a batch, its
gradients, clipping, AdamW. With --autocast, products are computed in bfloat16 as torch.autocast chooses them. peers_training.py starts it with the Python
that has torch, and writes CASE: weights/NAME, table (tokens' positions), code (those of the decoder), batch0/source, batch0/target, batch0/gaps,
batch0/order, batch1/... if there are more, kept, clip, rates (of each step; the last one for all after it).

Each line of standard input is a number of steps, and is answered by a line of JSON: their milliseconds, those of processor time of all threads, losses and norms of gradients."""
import json
import os
import sys
import time

import numpy as np
import torch
from torch.nn import functional

DECAY, B1, B2, EPSILON = 0.05, 0.9, 0.95, 1e-8


def layer_norm(x, scale, bias=None, epsilon=1e-6):
    return functional.layer_norm(x.float(), x.shape[-1:], scale, bias, epsilon)


def norm(p, key, x):
    return layer_norm(x, p[key + "/scale"], p[key + "/bias"])


def linear(p, key, x):
    kernel = p[key + "/kernel"]
    return x @ kernel.reshape(x.shape[-1], -1) + p[key + "/bias"].reshape(-1)


def attention(p, key, x, context):
    """x (B, N, D), context (B, M, D)."""
    heads = p[f"{key}/query/kernel"].shape[1]

    def project(part, value):
        return linear(p, f"{key}/{part}", value).unflatten(-1, (heads, -1)).transpose(1, 2)

    q, k, v = project("query", x), project("key", context), project("value", context)
    if hasattr(functional, "scaled_dot_product_attention"):
        mixed = functional.scaled_dot_product_attention(q, k, v)
    else:
        mixed = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v.to(q.dtype)
    return linear(p, key + "/out", mixed.transpose(1, 2).flatten(2))


def mlp(p, key, x):
    return linear(p, key + "/dense_out", functional.gelu(linear(p, key + "/dense_in", x), approximate="tanh"))


def count(p, prefix):
    return 1 + max(int(name[len(prefix):].split("/")[0]) for name in p if name.startswith(prefix))


def encode(p, x):
    for i in range(count(p, "encoder/layers_")):
        key = f"encoder/layers_{i}"
        y = norm(p, key + "/attention_norm", x)
        x = x + attention(p, key + "/attention", y, y)
        x = x + mlp(p, key + "/mlp", norm(p, key + "/mlp_norm", x))
    return norm(p, "encoder/LayerNorm_0", x)


def cross_transformer(p, root, x, context):
    for i in range(count(p, root + "/xa_blocks_")):
        key = f"{root}/xa_blocks_{i}"
        x = x + attention(p, key + "/ca_attention", norm(p, key + "/ca_attention_norm", x), context)
        x = x + mlp(p, key + "/mlp", norm(p, key + "/mlp_norm", x))
        y = norm(p, key + "/attention_norm", x)
        x = x + attention(p, key + "/attention", y, y)
    return norm(p, root + "/output_norm", x)


def fold(p, e, s):
    u = torch.sigmoid(e @ p["rnn_core/input_update/kernel"] + s @ p["rnn_core/state_update/kernel"]).float()
    r = torch.sigmoid(e @ p["rnn_core/input_reset/kernel"] + s @ p["rnn_core/state_reset/kernel"]).float()
    c = r * layer_norm(s, p["rnn_core/state_layer_norm/scale"], epsilon=1e-4)
    return (1 - u) * s + u * cross_transformer(p, "rnn_core/transformer", e, c)


def split_patches(pixels, patch):
    """(B, H, W, 3) to (B, N, patch * patch * 3)."""
    batch, height, width, _ = pixels.shape
    patches = pixels.float() / 255
    return patches.reshape(batch, height // patch, patch, width // patch, patch, 3).transpose(2, 3).reshape(batch, -1, patch * patch * 3)


def gather(x, index):
    """x (B, N, D), index (B, K)."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))


def loss_of(p, table, code, kept, source, target, gaps, order):
    samples, sources, targets = source.shape[0], source.shape[1], target.shape[1]
    kernel = p["tokenizer/patch_embedding/Conv_0/kernel"]
    patch = kernel.shape[1]

    def embed(patches, positions):
        x = patches @ kernel.reshape(-1, kernel.shape[-1]) + p["tokenizer/patch_embedding/Conv_0/bias"] + positions
        return torch.cat([p["cls_token"].expand(len(x), 1, -1), x], 1)

    encoded = encode(p, embed(split_patches(source.flatten(0, 1), patch), table)).unflatten(0, (samples, sources))
    states = [torch.zeros_like(encoded[:, 0])]
    for i in range(sources):
        states.append(fold(p, encoded[:, i], states[-1]))
    context = linear(p, "decoder_embedder", torch.cat(states[1:], 1)).repeat_interleave(targets, 0)

    patches, order = split_patches(target.flatten(0, 1), patch), order.flatten(0, 1)
    visible, hidden = order[:, :kept], order[:, kept:]
    seen = linear(p, "decoder_embedder", encode(p, embed(gather(patches, visible), table[visible]))).float()
    x = p["mask_token"].reshape(1, 1, -1).expand(len(patches), *code.shape)
    x = x.scatter(1, visible[..., None].expand(-1, -1, code.shape[-1]), seen[:, 1:])
    x = x + code + (p["delta_embedder/kernel"][gaps.flatten()] + p["delta_embedder/bias"])[:, None]
    x = cross_transformer(p, "decoder", torch.cat([seen[:, :1], x], 1), context)[:, 1:]
    error = (linear(p, "detokenizer/Dense_0", x).float() - patches).square().mean(-1)
    return error.gather(1, hidden).mean()


class Trainer:
    def __init__(self, path, autocast):
        case = np.load(path)
        self.p = {name[len("weights/"):]: torch.from_numpy(case[name]).requires_grad_() for name in case.files if name.startswith("weights/")}
        self.fixed = [torch.from_numpy(case[name]) for name in ("table", "code")] + [int(case["kept"])]
        self.clip, self.rates, self.autocast, self.t = float(case["clip"]), case["rates"], autocast, 0
        self.batches = [[torch.from_numpy(case[f"batch{i}/{name}"].astype(np.int64 if name in ("gaps", "order") else np.uint8))
                         for name in ("source", "target", "gaps", "order")] for i in range(sum(name.endswith("/source") for name in case.files))]
        self.moments = {name: (torch.zeros_like(x), torch.zeros_like(x)) for name, x in self.p.items()}

    def step(self):
        rate = float(self.rates[min(self.t, len(self.rates) - 1)])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            loss = loss_of(self.p, *self.fixed, *self.batches[self.t % len(self.batches)])
        gradients = dict(zip(self.p, torch.autograd.grad(loss, list(self.p.values()))))
        self.t += 1
        total = float(torch.sqrt(sum(g.square().sum() for g in gradients.values())))
        with torch.no_grad():
            for name, x in self.p.items():
                g = gradients[name] * min(1, self.clip / total)
                m, v = self.moments[name]
                m.mul_(B1).add_(g, alpha=1 - B1)
                v.mul_(B2).addcmul_(g, g, value=1 - B2)
                change = m / (1 - B1**self.t) / ((v / (1 - B2**self.t)).sqrt() + EPSILON)
                x.sub_(rate * (change + DECAY * x if name.endswith("/kernel") else change))
        return float(loss.detach()), total


def main():
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    trainer = Trainer(sys.argv[1], "--autocast" in sys.argv[2:])
    print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        answer = {"ms": [], "busy": [], "losses": [], "norms": []}
        for _ in range(int(line)):
            start, busy = time.perf_counter(), time.process_time()
            loss, total = trainer.step()
            for name, value in (("ms", (time.perf_counter() - start) * 1e3), ("busy", (time.process_time() - busy) * 1e3), ("losses", loss), ("norms", total)):
                answer[name].append(value)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
