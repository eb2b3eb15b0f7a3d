#!/usr/bin/env python3
"""Times a training step of this project and of the same step in JAX, side by side in one run.

    peers_training.py --trainer BUILD/trainer/rvm-cl-train [--recipe cpu] [--batch N] [--sources N]

The JAX step (rvm_jax_training.py) is first checked against the recorded training of the authors' model in tests/data: losses and gradient
norms of ten steps. Then both steps are timed in turn, in several rounds, on all processors; medians and their ratio are printed. numpy
and jax are installed from PyPI into --environment when they are missing.
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from environment import default_path, enter_environment

PACKAGES = ["numpy", "jax"]
DATA = pathlib.Path(__file__).parent.parent / "data"


def check():
    """The JAX step does what the authors' model did."""
    import numpy as np
    import rvm_jax_training as training

    weights = dict(np.load(DATA / "tiny.npz"))
    recorded = np.load(DATA / "tiny_pretrain.npz")
    batches = [[recorded[f"batch{i}/{name}"] for name in ("source", "target", "deltas", "order")] for i in range(2)]
    height, width = batches[0][0].shape[2:4]
    loss = training.build_loss(weights, height, width, 3)
    step = training.build_step(loss, clip=0.5)
    p = weights
    m, v = ({k: np.zeros_like(x) for k, x in p.items()} for _ in range(2))
    worst = 0
    for i, rate in enumerate(recorded["adamw/learning_rates"]):
        p, m, v, value, total = step(p, m, v, i + 1.0, rate, *batches[i % 2])
        worst = max(worst, abs(float(value) / recorded["adamw/losses"][i] - 1), abs(float(total) / recorded["adamw/grad_norms"][i] - 1))
    if not worst < 1e-4:
        sys.exit(f"the JAX step differs from the recorded training by {worst:.1e}")
    print(f"JAX's losses and gradient norms of ten recorded steps: within {worst:.1e}")


class Jax:
    def __init__(self, weights, size, samples, sources, targets, kept):
        import numpy as np
        import rvm_jax_training as training

        dice = np.random.default_rng(1)
        patch = weights["tokenizer/patch_embedding/Conv_0/kernel"].shape[1]
        patches = (size[0] // patch) * (size[1] // patch)
        self.batch = [
            dice.integers(0, 256, (samples, sources, size[1], size[0], 3), np.uint8), dice.integers(0, 256, (samples, targets, size[1], size[0], 3), np.uint8),
            dice.integers(4, 49, (samples, targets)), dice.permuted(np.tile(np.arange(patches), (samples, targets, 1)), axis=-1),
        ]
        self.step = training.build_step(training.build_loss(weights, size[1], size[0], kept))
        self.state = [weights] + [{k: np.zeros_like(x) for k, x in weights.items()} for _ in range(2)]
        self.t = 0

    def run(self):
        self.t += 1
        start = time.perf_counter()
        *self.state, loss, _ = self.step(*self.state, float(self.t), 1e-5, *self.batch)
        loss.block_until_ready()
        return (time.perf_counter() - start) * 1e3


def time_ours(args, model, steps):
    command = [args.trainer, "bench", model, "--size", args.size, "--batch", str(args.batch), "--sources", str(args.sources), "--targets",
               str(args.targets), "--mask-ratio", str(args.mask_ratio), "--steps", str(steps)] + (["--device", args.device] if args.device else [])
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(x) for x in re.search(r"step ([0-9.]+) ms .* = ([0-9.]+) of the GEMM rate, ([0-9.]+)", output).groups()], output.splitlines()[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", required=True, help="rvm-cl-train")
    parser.add_argument("--device", help="OpenCL device of this project: index or part of its name")
    parser.add_argument("--model", help="weights with a decoder (.npz); default: the sizes of the recipe cpu")
    parser.add_argument("--size", default="64x64")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--sources", type=int, default=5)
    parser.add_argument("--targets", type=int, default=4)
    parser.add_argument("--mask-ratio", type=float, default=0.9)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="of a round")
    parser.add_argument("--environment", type=pathlib.Path, default=default_path("peers-training"))
    args = parser.parse_args()
    enter_environment(args.environment, PACKAGES)
    import jax
    import numpy as np

    check()
    with tempfile.TemporaryDirectory() as folder:
        model = args.model or f"{folder}/cpu.npz"
        if args.model is None:
            subprocess.run([args.trainer, "init", "--recipe", "cpu", model], check=True, stdout=subprocess.DEVNULL)
        weights = dict(np.load(model))
        size = [int(x) for x in args.size.split("x")]
        patches = np.prod([x // weights["tokenizer/patch_embedding/Conv_0/kernel"].shape[1] for x in size])
        peer = Jax(weights, size, args.batch, args.sources, args.targets, max(int(patches * (1 - args.mask_ratio)), 1))
        peer.run()
        ours, theirs = [], []
        for _ in range(args.rounds):
            figures, device = time_ours(args, model, args.steps)
            ours.append(figures)
            theirs += [peer.run() for _ in range(args.steps)]
    ms, of_gemm, gemm = (statistics.median(column) for column in zip(*ours))
    other = statistics.median(theirs)
    print(f"{args.batch} samples of {args.sources} + {args.targets} frames of {args.size}, {args.rounds} rounds of {args.steps} steps, medians\n"
          f"| engine | ms a step | samples/s | this project is faster by |\n| --- | --- | --- | --- |\n"
          f"| rvm-cl-train on {device} | {ms:.0f} | {args.batch / ms * 1e3:.1f} | {of_gemm:.2f} of the GEMM rate, {gemm:.0f} GFLOP/s |\n"
          f"| JAX {jax.__version__} | {other:.0f} | {args.batch / other * 1e3:.1f} | {other / ms:.2f} |")


if __name__ == "__main__":
    main()
