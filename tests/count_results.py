#!/usr/bin/python3
"""Counts what ran, from Meson's logs: tests/count_results.py [--skipped N] [PLACE=]testlog.json...

Prints which tests failed, then "N passed, M failed" over all logs, and exits 1 when any did. Counted from the logs of what ran, so that a
run that died early, or left no log, cannot pass.
"""
import argparse
import json
import os
import sys

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--skipped", type=int, default=0, help="what was left out before there was a log")
parser.add_argument("logs", nargs="+", metavar="[PLACE=]LOG")
args = parser.parse_args()
passed, skipped, failures = 0, args.skipped, []
for argument in args.logs:
    place, _, path = argument.rpartition("=")
    results = []
    if os.path.exists(path):
        with open(path) as log:
            results = [json.loads(line) for line in log]
    if not results:
        failures.append(f"{path}: no test ran")
    for result in results:
        if result["result"] in ("OK", "EXPECTEDFAIL"):
            passed += 1
        elif result["result"] == "SKIP":
            skipped += 1
        else:
            failures.append(result["name"] + (f", {place}" if place else ""))
for failure in failures:
    print(f"FAILED {failure}")
print(f"{passed} passed, {len(failures)} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(1 if failures or not passed else 0)
