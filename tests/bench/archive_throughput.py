#!/usr/bin/python3
"""archive_throughput.py BUILD VIDEOS [--files N] [--rounds N] [--minutes N] [--interval N] [--size N]: how fast `rvm-archive index` is, compared with what it cannot be faster than. The same
files, every frame or one of interval + 1, class tokens and means kept, in four ways, one after the other in each round, so that what else the machine does hits all:
  bare       filesrc ! decodebin ! rvmencode ! fakesink, file after file in one process
  index -j1  rvm-archive index --jobs 1
  index      rvm-archive index, as it is by default
  2 ranks    mpirun -np 2 rvm-archive index, both on this computer, with the merge
A round takes four times as long as the model needs for all frames; a first one that fills the cache of kernels is not counted. Whole processes are timed, with the
start of each, but for that of Python. Prints frames a second: of each round, the median and the best; then the ratios of both. Run it alone: other work on the processors makes it worthless."""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

VIDEOS = {".mp4", ".mkv", ".webm", ".mov", ".avi"}


def run_bare(args):
    """In a process of its own: prints the number of frames that reached the sink, and the time without Python's own start."""
    import gi
    gi.require_version("Gst", "1.0")
    from gi.repository import Gst

    begin = time.monotonic()
    Gst.init(None)
    frames = 0
    # The weights are shared by all elements of a process, and stay as long as there is one.
    keeper = Gst.parse_launch(f"videotestsrc num-buffers=1 ! video/x-raw,width={args.size},height={args.size} ! rvmencode size={args.size} ! fakesink")
    keeper.set_state(Gst.State.PAUSED)
    keeper.get_state(Gst.CLOCK_TIME_NONE)

    def count(_pad, _info):
        nonlocal frames
        frames += 1
        return Gst.PadProbeReturn.OK
    for path in args.material:
        pipeline = Gst.parse_launch(f"filesrc name=file ! decodebin ! rvmencode size={args.size} interval={args.interval} ! fakesink name=sink sync=false")
        pipeline.get_by_name("file").set_property("location", path)
        pipeline.get_by_name("sink").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, count)
        pipeline.set_state(Gst.State.PLAYING)
        message = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        if message.type == Gst.MessageType.ERROR:
            sys.exit(f"{path}: {message.parse_error()[0].message}")
        pipeline.set_state(Gst.State.NULL)
    keeper.set_state(Gst.State.NULL)
    print(frames, time.monotonic() - begin)


def time_of(command, environment):
    """(seconds, what it prints)"""
    begin = time.monotonic()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return time.monotonic() - begin, done.stdout


def measure(args, name, folder):
    """(seconds, moments, frames that were decoded; None if the way does not tell)"""
    program, archive = args.build / "archive/rvm-archive", folder / "archive"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMPI_", "PMI_", "SLURM_", "JOB_COMPLETION"))}
    environment |= {"GST_PLUGIN_PATH": str(args.build / "gst-plugin"), "GST_REGISTRY": str(folder.parent / "registry.bin"),
                    "RVM_DEFAULT_MODEL": str(args.model), "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    if name == "bare":
        _, said = time_of([sys.executable, __file__, args.build, "--bare", "--size", str(args.size), "--interval", str(args.interval), *args.material], environment)
        frames, seconds = said.split()
        return float(seconds), None, int(frames)
    index = [program, "index", *args.material, "--archive", archive, "--size", str(args.size), "--interval", str(args.interval), "--parts", "class,mean", "--json"]
    before = {"index -j1": [], "index": [], "2 ranks": ["mpirun", "-np", "2", "--oversubscribe", "--bind-to", "none"]}[name]
    seconds, _ = time_of([*before, *index, *(["--jobs", "1"] if name == "index -j1" else [])], environment)
    status = json.loads(subprocess.run([program, "status", "--archive", archive, "--files", "--json"], stdout=subprocess.PIPE, check=True).stdout)
    assert status["done"] == len(args.material) and not status["unmerged"], status
    shutil.rmtree(archive)
    return seconds, status["moments"], sum(file["frames"] for file in status["files"])


def main(args):
    ways = ["bare", "index -j1", "index"] + (["2 ranks"] if shutil.which("mpirun") else [])
    rates = {name: [] for name in ways}
    print(f"{len(args.material)} files, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / "round"
        folder.mkdir()
        whole, args.material = args.material, args.material[:1]
        measure(args, "bare", folder)
        measure(args, "index", folder)
        args.material = whole
        counts, begin = set(), time.monotonic()
        for number in range(args.rounds):
            if number and (time.monotonic() - begin) * (number + 1) / number > args.minutes * 60:
                print(f"{number} of {args.rounds} rounds: another one would take longer than --minutes {args.minutes:g}")
                break
            # Each way is first, second, ... equally often.
            for name in ways[number % len(ways):] + ways[:number % len(ways)]:
                seconds, _, frames = measure(args, name, folder)
                counts.add(frames)
                rates[name].append(frames / seconds)
                print(f"round {number + 1}: {name:9s} {seconds:7.2f} s, {frames} frames, {frames / seconds:.2f} a second", flush=True)
            assert len(counts) == 1, f"the ways have not seen the same frames: {counts}"
    for name in ways:
        print(f"{name:9s} median {statistics.median(rates[name]):7.2f}  best {max(rates[name]):7.2f}  frames a second")
    for name, other in (("index -j1", "bare"), ("index", "bare"), ("2 ranks", "index")):
        if name in rates:
            print(f"{name} / {other}: median {statistics.median(rates[name]) / statistics.median(rates[other]):.3f}, best {max(rates[name]) / max(rates[other]):.3f}")


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("build", type=pathlib.Path)
parser.add_argument("videos", nargs="+", help="files, and folders of files")
parser.add_argument("--files", type=int, default=0, help="only so many of them, by name (all)")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--minutes", type=float, default=60, help="no round begins that would end later (60)")
parser.add_argument("--interval", type=int, default=0)
parser.add_argument("--size", type=int, default=128)
parser.add_argument("--model", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2] / "model/default/rvm-cpu.safetensors")
parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
arguments = parser.parse_args()
arguments.build = arguments.build.resolve()
found = [path for video in map(pathlib.Path, arguments.videos) for path in (sorted(video.iterdir()) if video.is_dir() else [video])]
arguments.material = [os.path.abspath(path) for path in found if path.suffix in VIDEOS][: arguments.files or None]
if not arguments.material:
    sys.exit("archive_throughput.py: no videos are there")
run_bare(arguments) if arguments.bare else main(arguments)
