#!/usr/bin/env python3
"""Times a frame of RVM in this project and in the engines that people would use instead, side by side in one run.

    peers.py --frame BUILD/tests/bench/frame --check BUILD/tests/model/check_golden MODEL.npz WxH [MODEL.npz WxH ...]

The same network is built from the same weight file as an ONNX graph (for OpenVINO and ONNX Runtime) and as a JAX function. All must agree
within 1e-4 of the largest feature: JAX's outputs are the expectation, which check_golden compares ours with. Then everything is timed in turn,
in several rounds, on all processors of the machine; the table shows the median of the rounds' medians, the best round (on a shared machine the
one that was disturbed least), and the ratios to ours. numpy, onnx, onnxruntime, openvino and jax are installed from PyPI into --environment
when they are missing. With --runtime this project is timed on several OpenCL implementations in the same rounds.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from environment import default_path, enter_environment

PACKAGES = ["numpy", "onnx", "onnxruntime", "openvino", "jax"]
TOLERANCE = 1e-4


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

        self.step, self.state = rvm_jax.build(weights, height, width), None

    def push(self, pixels, state):
        import numpy as np

        return np.asarray(self.step(pixels, state))


class OnnxRuntime:
    def __init__(self, path, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def push(self, pixels, state):
        return self.session.run(None, {"pixels": pixels, "state": state})[0]


class OpenVino:
    def __init__(self, path, threads):
        import openvino

        core = openvino.Core()
        model = core.compile_model(core.read_model(path), "CPU", {
            "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
        self.request = model.create_infer_request()

    def push(self, pixels, state):
        return self.request.infer({"pixels": pixels, "state": state})["next"].copy()


def engines(weights, height, width, folder, threads):
    """(name, engine) for each peer, and one line per variant that an engine does not take."""
    import rvm_onnx

    yield "JAX", Jax(weights, height, width, folder)
    for suffix, attention_op in (("", False), (" (Attention op)", True)):
        path = os.path.join(folder, f"rvm{int(attention_op)}.onnx")
        rvm_onnx.build(weights, height, width, path, attention_op)
        for name, kind in (("ONNX Runtime", OnnxRuntime), ("OpenVINO", OpenVino)):
            try:
                yield name + suffix, kind(path, threads)
            except Exception as error:
                print(f"{name}{suffix}: not available: {str(error).splitlines()[0][:120]}", file=sys.stderr)


def check_ours(check, device, model, pixels, features, folder, environment):
    import numpy as np

    path = os.path.join(folder, "forward.npz")
    np.savez(path, **{"clip/frames": pixels, "clip/features": features})
    done = subprocess.run([check, *(["--device", device] if device else []), "--tolerance", str(TOLERANCE), model, path],
                          capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"this project disagrees with JAX:\n{done.stdout}{done.stderr}")


def time_ours(frame, device, model, size, frames, environment):
    command = [frame, "--no-start", "--model", model, "--size", size, "--frames", str(frames), *(["--device", device] if device else [])]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def time_engine(engine, pixels, frames):
    import numpy as np

    state, times = np.zeros_like(engine.expected[0]), []
    for i in range(frames + 1):
        start = time.perf_counter()
        state = engine.push(pixels[i % len(pixels)], state)
        times.append(1e3 * (time.perf_counter() - start))
    return times[1:]


def compare(args, model, size):
    import numpy as np
    import rvm_weights

    width, height = (int(side) for side in size.split("x"))
    weights = rvm_weights.load(model)
    pixels = np.random.RandomState(0).randint(0, 256, (3, height, width, 3)).astype(np.uint8)
    tokens = (height // 16) * (width // 16) + 1
    with tempfile.TemporaryDirectory() as folder:
        peers, expected = [], None
        for name, engine in engines(weights, height, width, folder, args.threads):
            states = [np.zeros((tokens, weights["cls_token"].shape[1]), np.float32)]
            for picture in pixels:
                states.append(engine.push(picture, states[-1]))
            expected = states[1:] if expected is None else expected
            error = max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(states[1:], expected))
            if not error < TOLERANCE:
                sys.exit(f"{name} disagrees with JAX by {error:.1e}")
            engine.expected = expected
            peers.append((name, engine, []))
        for _, environment, _ in args.runtimes:
            check_ours(args.check, args.device, model, pixels, np.stack(expected), folder, environment)
    frames = max(3, int(args.seconds / args.rounds * 150e9 / (tokens * 75e6)) if args.frames == 0 else args.frames)
    runs = {label: [] for label, _, _ in args.runtimes}
    for _ in range(args.rounds):
        for label, environment, _ in args.runtimes:
            runs[label].append(time_ours(args.frame, args.device, model, size, frames, environment))
        for _, engine, times in peers:
            times.append(statistics.median(time_engine(engine, pixels, frames)))
    ours = {label: [run["ms_median"] for run in found] for label, found in runs.items()}
    first = next(iter(runs.values()))[0]
    print(f"\n{os.path.basename(model)} {size}, {tokens} tokens, {first['gflop']:.1f} GFLOP a frame, {args.rounds} rounds of {frames} frames")
    peak = max(statistics.median(run["fma_gflops"] for run in found) for found in runs.values())
    print(f"multiply-adds that touch no memory: {peak:.0f} GFLOP/s, with which these alone take {1e3 * first['gflop'] / peak:.1f} ms\n")
    print("| engine | ms a frame, median | best round | of the best GEMM rate |" + "".join(f" its time / ours on {label}, best round |" for label in ours))
    print("| --- | --- | --- | --- |" + " --- |" * len(ours))
    for label, found in runs.items():
        rate = statistics.median(run["of_gemm"] for run in found)
        print(f"| gst-rvm on {found[0]['device']} | {statistics.median(ours[label]):.1f} | {min(ours[label]):.1f} |"
              f" {rate:.2f} of {found[0]['gemm_gflops']:.0f} GFLOP/s |" + " |" * len(ours))
    for name, _, times in peers:
        value, best = statistics.median(times), min(times)
        print(f"| {name} | {value:.1f} | {best:.1f} | |"
              + "".join(f" {value / statistics.median(mine):.2f}, {best / min(mine):.2f} |" for mine in ours.values()), flush=True)


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
    parser.add_argument("cases", nargs="+", metavar="MODEL SIZE")
    args = parser.parse_args()
    if len(args.cases) % 2:
        parser.error("each MODEL needs a SIZE")
    args.runtimes = args.runtimes or [("the default device", dict(os.environ), "")]
    enter_environment(args.environment, PACKAGES)
    import jax
    import onnxruntime
    import openvino

    print(f"{processor()}, {vector_extension()}, {args.threads} threads; OpenVINO {openvino.__version__}, ONNX Runtime {onnxruntime.__version__}, JAX {jax.__version__}")
    for model, size in zip(args.cases[::2], args.cases[1::2]):
        compare(args, model, size)


if __name__ == "__main__":
    main()
