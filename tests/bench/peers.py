#!/usr/bin/env python3
"""Times a frame of RVM in this project and in the engines that people would use instead, side by side in one run.

    peers.py --frame BUILD/tests/bench/frame --check BUILD/tests/model/check_golden MODEL.npz WxH [MODEL.npz WxH ...]

The same network is built from the same weight file as an ONNX graph (for OpenVINO and ONNX Runtime) and as a JAX function. JAX's outputs are the
expectation, and check_golden compares ours with them: what computes in float32 from float32 weights must agree within 1e-4 of the largest feature,
anything else within 3e-2. OpenVINO is timed twice: held to float32, and as it is by default, which is bf16 or f16 on processors that have
instructions for it; the table says which precision each engine ran in, and its error. Everything is timed in turn, in several rounds, on all
processors of the machine; the table shows the median of the rounds' medians, the best round (on a shared machine the one that was disturbed
least), and the ratios to ours. --precision times this project with other weights, too. numpy, onnx, onnxruntime, openvino and jax are installed from PyPI into --environment
when they are missing. With --runtime this project is timed on several OpenCL implementations in the same rounds.
"""
import argparse
import functools
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

PACKAGES = ["numpy", "onnx", "onnxruntime", "openvino", "jax"]
TOLERANCE, LOW_TOLERANCE = 1e-4, 3e-2 # of float32, and of engines with fewer bits


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return "unknown processor"


def vector_extension():
    flags = next(line for line in open("/proc/cpuinfo") if line.startswith("flags")).split()
    return next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("sse4_2", "SSE 4.2")) if flag in flags), "no vectors")


class Jax:
    def __init__(self, weights, height, width, folder):
        import rvm_jax

        self.step, self.state, self.precision = rvm_jax.build(weights, height, width), None, "f32"

    def push(self, pixels, state):
        import numpy as np

        return np.asarray(self.step(pixels, state))


class OnnxRuntime:
    def __init__(self, path, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.precision = "f32"
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def push(self, pixels, state):
        return self.session.run(None, {"pixels": pixels, "state": state})[0]


class OpenVino:
    """@settings: beside those of every run. Without INFERENCE_PRECISION_HINT OpenVINO chooses the precision by the processor."""

    def __init__(self, path, threads, **settings):
        import openvino

        core = openvino.Core()
        model = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", **settings})
        self.precision = model.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.request = model.create_infer_request()

    def push(self, pixels, state):
        return self.request.infer({"pixels": pixels, "state": state})["next"].copy()


def engines(weights, height, width, folder, threads):
    """(name, engine) for each peer, and one line per variant that an engine does not take."""
    import rvm_onnx

    yield "JAX", Jax(weights, height, width, folder)
    held = functools.partial(OpenVino, INFERENCE_PRECISION_HINT="f32")
    for suffix, attention_op in (("", False), (" (Attention op)", True)):
        path = os.path.join(folder, f"rvm{int(attention_op)}.onnx")
        rvm_onnx.build(weights, height, width, path, attention_op)
        for name, kind in (("ONNX Runtime", OnnxRuntime), ("OpenVINO held to f32", held), ("OpenVINO by default", OpenVino)):
            try:
                yield name + suffix, kind(path, threads)
            except Exception as error:
                print(f"{name}{suffix}: not available: {str(error).splitlines()[0][:120]}", file=sys.stderr)


class Peer:
    """An engine beside this project: its error against @expected, and its times."""

    def __init__(self, name, engine, pixels, shape, expected):
        import numpy as np

        self.name, self.engine, self.precision, self.times = name, engine, engine.precision, []
        states = [np.zeros(shape, np.float32)]
        for picture in pixels:
            states.append(engine.push(picture, states[-1]))
        self.states = states[1:]
        self.error = max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(self.states, expected or self.states))
        if not self.error < (TOLERANCE if self.precision == "f32" else LOW_TOLERANCE):
            sys.exit(f"{name} ({self.precision}) disagrees with JAX by {self.error:.1e}")

    def time(self, pixels, frames):
        import numpy as np

        state, times = np.zeros_like(self.states[0]), []
        for i in range(frames + 1):
            start = time.perf_counter()
            state = self.engine.push(pixels[i % len(pixels)], state)
            times.append(1e3 * (time.perf_counter() - start))
        self.times.append(statistics.median(times[1:]))


class Ours:
    """This project on one OpenCL implementation with weights of one precision."""

    def __init__(self, args, label, environment, precision, model, size):
        self.args, self.label, self.environment, self.precision, self.model, self.size = args, label, environment, precision, model, size
        self.name, self.runs = f"{label}, {precision}" if len(args.precisions) > 1 else label, []

    def options(self):
        return ["--precision", self.precision, *(["--device", self.args.device] if self.args.device else [])]

    def check(self, path):
        tolerance = TOLERANCE if self.precision == "f32" else LOW_TOLERANCE
        done = subprocess.run([self.args.check, *self.options(), "--tolerance", str(tolerance), self.model, path], capture_output=True, text=True,
                              env=self.environment)
        if done.returncode:
            sys.exit(f"this project ({self.name}) disagrees with JAX:\n{done.stdout}{done.stderr}")
        self.error = max(float(error) for error in re.findall(r"features, worst frame\s+(\S+)", done.stdout))

    def time(self, frames):
        command = [self.args.frame, "--no-start", "--model", self.model, "--size", self.size, "--frames", str(frames), *self.options()]
        self.runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=self.environment).stdout))

    @property
    def times(self):
        return [run["ms_median"] for run in self.runs]


def print_table(ours, peers):
    print("| engine | weights, arithmetic | error | ms a frame, median | best round | of the best GEMM rate |"
          + "".join(f" its time / ours ({mine.name}), best round |" for mine in ours))
    print("| --- " * (6 + len(ours)) + "|")
    for mine in ours:
        rate, run = statistics.median(run["of_gemm"] for run in mine.runs), mine.runs[0]
        print(f"| gst-rvm on {run['device']} | {run['weights']}, {run['arithmetic']} | {mine.error:.1e} | {statistics.median(mine.times):.1f} |"
              f" {min(mine.times):.1f} | {rate:.2f} of {run['gemm_gflops']:.0f} GFLOP/s |" + " |" * len(ours))
    for peer in peers:
        value, best = statistics.median(peer.times), min(peer.times)
        print(f"| {peer.name} | {peer.precision}, {peer.precision} | {peer.error:.1e} | {value:.1f} | {best:.1f} | |"
              + "".join(f" {value / statistics.median(mine.times):.2f}, {best / min(mine.times):.2f} |" for mine in ours), flush=True)


def compare(args, model, size):
    import numpy as np
    import rvm_weights

    width, height = (int(side) for side in size.split("x"))
    weights = rvm_weights.load(model)
    pixels = np.random.RandomState(0).randint(0, 256, (3, height, width, 3)).astype(np.uint8)
    tokens = (height // 16) * (width // 16) + 1
    ours = [Ours(args, label, environment, precision, model, size) for label, environment, _ in args.runtimes for precision in args.precisions]
    with tempfile.TemporaryDirectory() as folder:
        peers = []
        for name, engine in engines(weights, height, width, folder, args.threads):
            peers.append(Peer(name, engine, pixels, (tokens, weights["cls_token"].shape[1]), peers and peers[0].states))
        path = os.path.join(folder, "forward.npz")
        np.savez(path, **{"clip/frames": pixels, "clip/features": np.stack(peers[0].states)})
        for mine in ours:
            mine.check(path)
    frames = max(3, int(args.seconds / args.rounds * 150e9 / (tokens * 75e6)) if args.frames == 0 else args.frames)
    for _ in range(args.rounds):
        for mine in ours:
            mine.time(frames)
        for peer in peers:
            peer.time(pixels, frames)
    first = ours[0].runs[0]
    print(f"\n{os.path.basename(model)} {size}, {tokens} tokens, {first['gflop']:.1f} GFLOP a frame, {args.rounds} rounds of {frames} frames")
    peak = max(statistics.median(run["fma_gflops"] for run in mine.runs) for mine in ours)
    print(f"multiply-adds that touch no memory: {peak:.0f} GFLOP/s, with which these alone take {1e3 * first['gflop'] / peak:.1f} ms")
    print("error: the largest difference from JAX's features, as a part of the largest feature\n")
    print_table(ours, peers)


def parse_runtime(text):
    """LABEL=VENDORS[,LIBRARIES]: (label, environment, text)."""
    label, _, folders = text.partition("=")
    vendors, _, libraries = folders.partition(",")
    environment = {**os.environ, "OCL_ICD_VENDORS": vendors}
    if libraries:
        environment["LD_LIBRARY_PATH"] = libraries
    return label, environment, text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frame", required=True, help="this project's benchmark program")
    parser.add_argument("--check", required=True, help="this project's check_golden")
    parser.add_argument("--device", help="OpenCL device of this project: index or part of its name")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=0, help="frames a round (default: by size)")
    parser.add_argument("--seconds", type=float, default=10, help="roughly, for each engine")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--environment", type=pathlib.Path, default=default_path("peers"))
    parser.add_argument("--runtime", action="append", type=parse_runtime, dest="runtimes", metavar="LABEL=VENDORS[,LIBRARIES]",
                        help="an OpenCL implementation: the folder with its .icd file, and that of its libraries; may be given several times")
    parser.add_argument("--precision", action="append", dest="precisions", choices=("f32", "f16", "bf16"),
                        help="of this project's weights; may be given several times (f32)")
    parser.add_argument("cases", nargs="+", metavar="MODEL SIZE")
    args = parser.parse_args()
    if len(args.cases) % 2:
        parser.error("each MODEL needs a SIZE")
    args.runtimes = args.runtimes or [("the default device", dict(os.environ), "")]
    args.precisions = args.precisions or ["f32"]
    enter_environment(args.environment, PACKAGES)
    import jax
    import onnxruntime
    import openvino

    print(f"{processor()}, {vector_extension()}, {args.threads} threads; OpenVINO {openvino.__version__}, ONNX Runtime {onnxruntime.__version__}, JAX {jax.__version__}")
    for model, size in zip(args.cases[::2], args.cases[1::2]):
        compare(args, model, size)


if __name__ == "__main__":
    main()
