#!/usr/bin/python3
"""Memory and start-up of rvmencode in gst-launch-1.0, measured from outside; prints a line of JSON and exits 1 beyond the limit.

  resources.py BUILD frames MODEL [--frames 10000] [--size 32]    resident memory over many frames: growth from a tenth of them to the end
  resources.py BUILD load MODEL [--precision f16]                  peak memory while loading and running two frames, over encoder and core in float32
  resources.py BUILD start MODEL [--size 256]                      from the start of a process to its first frame out, kernels from the cache
"""
import argparse
import json
import math
import os
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zipfile

import numpy as np

DECODER = ("decoder", "decoder_embedder", "delta_embedder", "detokenizer", "mask_token")


def launch(args, frames, size, settings, tail=("fakesink",)):
    env = {**os.environ, "GST_PLUGIN_PATH": str(args.build.resolve() / "gst-plugin")}
    return subprocess.Popen(["gst-launch-1.0", "-q", "videotestsrc", f"num-buffers={frames}", "pattern=ball", "!", f"video/x-raw,format=RGB,width={size},height={size}",
                             "!", "rvmencode", f"model-file={args.model}", *settings, "!", *tail], env=env)


def resident(pid):
    """Bytes of the process's own, files that are mapped left out."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", text).group(1)) * 1024


def frames(args):
    with tempfile.TemporaryDirectory() as folder:
        lines = pathlib.Path(folder) / "lines.jsonl"
        process = launch(args, args.frames, args.size or 32, (), ("rvmexport", f"location={lines}", "!", "fakesink"))
        samples = []  # of (frame, bytes)
        with subprocess.Popen(["tail", "-F", "-n", "+1", str(lines)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tail:
            for line in tail.stdout:
                index = json.loads(line)["index"]
                if index % (args.frames // 50) == 0 or index == args.frames - 1:
                    try:
                        samples.append((index, resident(process.pid)))
                    except (FileNotFoundError, AttributeError):
                        pass  # just ended
                if index == args.frames - 1 or process.poll():
                    break
            tail.kill()
        assert process.wait() == 0 and samples[-1][0] >= 0.9 * args.frames
    early = [memory for index, memory in samples if 0.1 * args.frames <= index <= 0.3 * args.frames]
    late = [memory for index, memory in samples if index >= 0.8 * args.frames]
    growth = statistics.median(late) - statistics.median(early)
    # The heap settles by pages; a leak of one float a frame would be seen.
    limit = 4 * args.frames + (256 << 10)
    return {"frames": args.frames, "MB early": statistics.median(early) / 1e6, "MB late": statistics.median(late) / 1e6, "growth bytes": growth,
            "limit bytes": limit}, growth <= limit


def count_values(path):
    """Numbers in arrays that inference needs, from the headers alone."""
    total = 0
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.removesuffix(".npy").split("/")[0] in DECODER:
                    continue
                with archive.open(name) as entry:
                    version = np.lib.format.read_magic(entry)
                    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                    total += math.prod(reader(entry)[0])
    else:
        with open(path, "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        total = sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__" and name.split("/")[0] not in DECODER)
    return total


def peak(args, model, settings, expect=0):
    args.model = model
    start = time.monotonic()
    process = launch(args, 2, args.size or 64, settings)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, status
    return usage.ru_maxrss * 1024, time.monotonic() - start


def load(args):
    model, values = args.model, count_values(args.model)
    # What a process with OpenCL, its compiler and GStreamer takes anyway, with a model of 1 MB.
    base, _ = peak(args, args.build.parent / "tests/data/tiny.npz" if args.base is None else args.base, ())
    memory, seconds = peak(args, model, [f"precision={args.precision}"])
    ratio = memory / (4 * values)
    return {"model": model.name, "precision": args.precision, "float32 encoder and core MB": 4 * values / 1e6, "file MB": model.stat().st_size / 1e6,
            "peak MB": memory / 1e6, "ratio": ratio, "peak MB of a process with a tiny model": base / 1e6, "seconds to load and run two frames": seconds,
            "limit": 1.3}, ratio <= 1.3


def start(args):
    size, seconds, processor = args.size or 256, [], []
    with tempfile.TemporaryDirectory() as folder:
        for attempt in range(6):
            out = pathlib.Path(folder) / f"{attempt}.jsonl"
            begin = time.time()
            process = launch(args, 1, size, [f"cache-dir={folder}/cache"], ("rvmexport", f"location={out}", "!", "fakesink"))
            _, status, usage = os.wait4(process.pid, 0)
            assert status == 0
            processor.append(usage.ru_utime + usage.ru_stime)
            # The line is written when the first frame leaves rvmencode.
            seconds.append(out.stat().st_mtime - begin)
    later = statistics.median(seconds[1:])
    return {"model": args.model.name, "size": size, "first start": seconds[0], "later starts": later,
            "processor seconds of a later start": statistics.median(processor[1:]), "limit": 1.0}, later <= 1.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("what", choices=("frames", "load", "start"))
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--frames", type=int, default=10000)
    parser.add_argument("--size", type=int)
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--base", type=pathlib.Path, help="the tiny model to compare with")
    args = parser.parse_args()
    result, good = {"frames": frames, "load": load, "start": start}[args.what](args)
    print(json.dumps(result, default=float))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
