#!/usr/bin/env python3
"""paired.py BUILD OTHER [--rounds N] [--frames N] [--training] [-- ARGUMENTS of frame]: is one commit slower than another? BUILD and OTHER are build folders
with tests. Each round runs `frame` of both, the order changing from round to round; the ratio of a round is of two runs that follow each other, so that a
machine that is slow for a while is so for both. Prints medians, and the median of the ratios with the interval that holds it at 95 % (of order statistics: on
a machine that others use, a round in ten is off by half, which a mean would not forgive). With --training, `rvm-cl-train bench` instead.

    git worktree add ../before COMMIT && (cd ../before && meson setup build -Dtests=enabled && ninja -C build)
    tests/bench/paired.py build ../before/build -- --model model/default/rvm-cpu.safetensors --size 256x256

Exit status: 1 if BUILD is slower by more than 2 %, and the whole interval says that it is slower."""
import argparse
import json
import math
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


def interval(ordered, wanted=0.95):
    """The narrowest pair of order statistics that holds the median with the wanted probability, or the extremes if there are too few."""
    n, outside = len(ordered), 0.0
    for i in range(n // 2):
        outside += 2 * math.comb(n, i) / 2 ** n # that the median is below the i-th or above its mirror image
        if outside > 1 - wanted:
            return ordered[max(i - 1, 0)], ordered[n - 1 - max(i - 1, 0)]
    return ordered[0], ordered[-1]


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
    ratios = sorted(a / b for a, b in zip(*times))
    median, (low, high) = statistics.median(ratios), interval(ratios)
    print(f"| build | ms, median of {args.rounds} | best |\n| --- | --- | --- |")
    for build, its in zip(builds, times):
        print(f"| {build} | {statistics.median(its):.2f} | {min(its):.2f} |")
    print(f"{args.build} takes {median:.3f} ({low:.3f} to {high:.3f}) of the time of {args.other}; load {os.getloadavg()[0]:.1f}")
    sys.exit(median > 1.02 and low > 1)


if __name__ == "__main__":
    main()
