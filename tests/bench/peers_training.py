#!/usr/bin/env python3
"""Times a training step of this project and of the same step in JAX and PyTorch, side by side in one run.

    peers_training.py --trainer BUILD/trainer/rvm-cl-train [--precision f32 --precision bf16] [--batch N] [--sources N]

The JAX step (rvm_jax_training.py) is first checked against the recorded training of the authors' model in tests/data: losses and gradient
norms of ten steps, and so is PyTorch's (rvm_torch_training.py) in float32 and, with what it then differs by, with torch.autocast in bfloat16. Then
all steps are timed in turn, in several rounds, on all processors. Of each engine the median and the best of its rounds are printed, and by how much this
project is faster: the median, over the rounds, of the ratio within a round, and the ratio of the best rounds. The same of processor time, of all threads:
where other programs are busy it is what can be compared, with a single processor (taskset -c 0 peers_training.py ...), because threads that wait for
others may spin. numpy and jax are installed from PyPI into --environment when they are missing. PyTorch is left out, with a line that says so, unless the Python that --torch names has it
(Debian's python3-torch).
"""
import argparse
import json
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


def write_case(path, weights, batches, size, kept, clip, rates):
    """What rvm_torch_training.py reads."""
    import numpy as np
    import rvm_jax_training as training
    from rvm_weights import token_table

    rows, columns = (side // weights["tokenizer/patch_embedding/Conv_0/kernel"].shape[1] for side in reversed(size))
    bare = {**weights, "cls_token": 0 * weights["cls_token"], "tokenizer/patch_embedding/Conv_0/bias": 0 * weights["tokenizer/patch_embedding/Conv_0/bias"]}
    np.savez(path, **{f"weights/{name}": value for name, value in weights.items()}, table=token_table(bare, rows, columns)[1:],
             code=training.position_code(rows * columns, weights["decoder_embedder/kernel"].shape[1]), kept=kept, clip=clip, rates=rates,
             **{f"batch{i}/{name}": value for i, batch in enumerate(batches) for name, value in zip(("source", "target", "gaps", "order"), batch)})


class Torch:
    """rvm_torch_training.py in a process of the Python that has PyTorch."""

    def __init__(self, python, case, autocast):
        command = [python, str(pathlib.Path(__file__).with_name("rvm_torch_training.py")), str(case)] + ["--autocast"] * autocast
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = self.read()["version"]
        self.name = f"PyTorch {self.version}, {'bf16 autocast' if autocast else 'float32'}"

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"rvm_torch_training.py ended with status {self.process.wait()}")
        return json.loads(line)

    def run(self, steps):
        print(steps, file=self.process.stdin, flush=True)
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def has_torch(python):
    try:
        return subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0
    except OSError:
        return False


def check_torch(python, folder):
    """The step in PyTorch does what the authors' model did. Returns how far autocast is from it."""
    import numpy as np

    recorded = np.load(DATA / "tiny_pretrain.npz")
    batches = [[recorded[f"batch{i}/{name}"] for name in ("source", "target", "deltas", "order")] for i in range(2)]
    write_case(folder / "tiny.npz", dict(np.load(DATA / "tiny.npz")), batches, batches[0][0].shape[3:1:-1], 3, 0.5, recorded["adamw/learning_rates"])
    for autocast, most in ((False, 1e-4), (True, 0.5)): # old versions sum bfloat16 in bfloat16 where the processor has no instructions for it
        peer = Torch(python, folder / "tiny.npz", autocast)
        answer = peer.run(10)
        peer.close()
        worst = max(np.abs(np.array(answer[mine]) / recorded[f"adamw/{name}"][:10] - 1).max() for mine, name in (("losses", "losses"), ("norms", "grad_norms")))
        if not worst < most:
            sys.exit(f"the step of {peer.name} differs from the recorded training by {worst:.1e}")
        print(f"{peer.name}: losses and gradient norms of ten recorded steps within {worst:.1e}")


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
        start, busy = time.perf_counter(), time.process_time()
        *self.state, loss, _ = self.step(*self.state, float(self.t), 1e-5, *self.batch)
        loss.block_until_ready()
        return (time.perf_counter() - start) * 1e3, (time.process_time() - busy) * 1e3


def time_ours(args, model, steps, precision):
    command = [args.trainer, "bench", model, "--size", args.size, "--batch", str(args.batch), "--sources", str(args.sources), "--targets",
               str(args.targets), "--mask-ratio", str(args.mask_ratio), "--steps", str(steps), "--precision", precision] + (["--device", args.device] if args.device else [])
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures = re.search(r"step ([0-9.]+) ms .* = ([0-9.]+) of the GEMM rate, ([0-9.]+)\nprocessor time ([0-9.]+)", output)
    ms, of_gemm, gemm, busy = map(float, figures.groups())
    return (ms, busy), (of_gemm, gemm), output.splitlines()[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", required=True, help="rvm-cl-train")
    parser.add_argument("--device", help="OpenCL device of this project: index or part of its name")
    parser.add_argument("--precision", action="append", choices=["f32", "bf16"], help="of this project; may be repeated (default: f32)")
    parser.add_argument("--torch", default="/usr/bin/python3", help="a Python that has PyTorch (default: Debian's)")
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
        kept = max(int(patches * (1 - args.mask_ratio)), 1)
        jax_peer = Jax(weights, size, args.batch, args.sources, args.targets, kept)
        jax_peer.run()
        torch_peers = []
        if has_torch(args.torch):
            check_torch(args.torch, pathlib.Path(folder))
            write_case(f"{folder}/case.npz", weights, [jax_peer.batch], size, kept, 1.0, np.array([1e-5]))
            torch_peers = [Torch(args.torch, f"{folder}/case.npz", autocast) for autocast in (False, True)]
            for peer in torch_peers:
                peer.run(1)
        else:
            print(f"{args.torch} has no PyTorch (Debian: python3-torch): it is left out")
        precisions = args.precision or ["f32"]
        jax_name = f"JAX {jax.__version__}, float32"
        ours, rates, theirs = {name: [] for name in precisions}, {name: [] for name in precisions}, {name: [] for name in (jax_name, *(peer.name for peer in torch_peers))}
        for number in range(args.rounds):
            for precision in precisions:
                times, rate, device = time_ours(args, model, args.steps, precision)
                ours[precision].append(times)
                rates[precision].append(rate)
            theirs[jax_name].append(np.median([jax_peer.run() for _ in range(args.steps)], 0))
            for peer in torch_peers:
                answer = peer.run(args.steps)
                theirs[peer.name].append([statistics.median(answer[what]) for what in ("ms", "busy")])
            print(f"round {number + 1} of {args.rounds}, ms and processor time: " + "; ".join(f"{name} {rounds[-1][0]:.0f}, {rounds[-1][1]:.0f}" for name, rounds in (*ours.items(), *theirs.items())),
                  file=sys.stderr, flush=True)
        for peer in torch_peers:
            peer.close()
    print(f"{args.batch} samples of {args.sources} + {args.targets} frames of {args.size}, {args.rounds} rounds of {args.steps} steps, {len(os.sched_getaffinity(0))} processors; "
          f"x: by how much this project in {precisions[0]} is faster\n"
          "| engine | ms a step: median, best | x: median, best | processor time: median, best | x: median, best |\n| --- | --- | --- | --- | --- |")
    first = np.array(ours[precisions[0]])
    for name, rounds in (*ours.items(), *theirs.items()):
        times = np.array(rounds)
        columns = [cell for i in range(2) for cell in (f"{np.median(times[:, i]):.0f}, {times[:, i].min():.0f}",
                                                       f"{np.median(times[:, i] / first[:, i]):.2f}, {times[:, i].min() / first[:, i].min():.2f}")]
        if name in ours:
            name = "rvm-cl-train, {}, on {}; {:.2f} of the GEMM rate, {:.0f} GFLOP/s".format(name, device, *np.median(rates[name], 0))
        print(f"| {name} | {' | '.join(columns)} |")


if __name__ == "__main__":
    main()
