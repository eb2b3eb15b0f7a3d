#!/usr/bin/env python3
"""paired.py BUILD OTHER [--rounds N] [--frames N] [--training] [-- ARGUMENTS of frame]: is one commit slower than another? BUILD and OTHER are build folders
with tests. Each round runs `frame` of both, the order changing from round to round; the ratio of a round is of two runs that follow each other, so that a
machine that is slow for a while is so for both. Prints medians, and the mean ratio with its standard error. With --training, `rvm-cl-train bench` instead.

    git worktree add ../before COMMIT && (cd ../before && meson setup build -Dtests=enabled && ninja -C build)
    tests/bench/paired.py build ../before/build -- --model model/default/rvm-cpu.safetensors --size 256x256

Exit status: 1 if BUILD is slower by more than 2 % and by more than three standard errors."""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys


def run(build, args):
    if args.training:
        output = subprocess.run([build / "trainer/rvm-cl-train", "bench", *args.arguments], check=True, capture_output=True, text=True).stdout
        return float(re.search(r"step ([0-9.]+) ms", output).group(1))
    output = subprocess.run([build / "tests/bench/frame", "--no-start", "--frames", str(args.frames), *args.arguments], check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])["ms_median"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("other", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--frames", type=int, default=30, help="of each run")
    parser.add_argument("--training", action="store_true")
    own = sys.argv[1:sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    args = parser.parse_args(own)
    args.arguments = sys.argv[2 + len(own):] # of the program
    builds = [args.build, args.other]
    for build in builds: # programs are compiled, files are in memory
        run(build, args)
    times = [[], []]
    for i in range(args.rounds):
        for which in (0, 1) if i % 2 == 0 else (1, 0):
            times[which].append(run(builds[which], args))
        print(f"round {i + 1}: {times[0][-1]:.2f} and {times[1][-1]:.2f} ms", file=sys.stderr)
    ratios = [a / b for a, b in zip(*times)]
    mean, error = statistics.fmean(ratios), statistics.stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else 0
    print(f"| build | ms, median of {args.rounds} | best |\n| --- | --- | --- |")
    for build, its in zip(builds, times):
        print(f"| {build} | {statistics.median(its):.2f} | {min(its):.2f} |")
    print(f"{args.build} takes {mean:.3f} +- {error:.3f} of the time of {args.other}; load {os.getloadavg()[0]:.1f}")
    sys.exit(mean > 1.02 and mean - 1 > 3 * error)


if __name__ == "__main__":
    main()
