#!/usr/bin/env python3
"""archive_kills.py RVM-ARCHIVE WORK SOURCE... [-- OPTION...]: indexes the sources three times in the folder WORK, with the options after --: undisturbed; killed
(SIGKILL) ten times at random moments; and as two processes under mpirun, of which one is killed ten times. The three archives must agree in their digests, in
the bytes of all exported vectors, and in the bytes of all files of features. Prints a line for each step, with the time."""
import filecmp
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

KILLS = 10
KINDS = ("class", "mean", "colours")
begin = time.monotonic()


def say(text):
    print(f"{time.monotonic() - begin:7.1f} s  {text}", flush=True)


def children(pid):
    """Process numbers."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


def status(archive):
    done = subprocess.run([program, "status", "--archive", archive, "--json"], capture_output=True)
    return json.loads(done.stdout) if done.returncode == 0 else {"done": 0, "unmerged": [], "failed": 0, "partial": 0}


def export(archive):
    """The exported files, and the digest."""
    files = []
    for kind in KINDS:
        files.append(pathlib.Path(f"{archive}-{kind}.npy"))
        subprocess.run([program, "export", "--archive", archive, "--kind", kind, "--output", files[-1]], check=True)
    check = json.loads(subprocess.run([program, "check", "--archive", archive, "--json"], check=True, capture_output=True).stdout)
    assert check["faults"] == [] and check["unmerged"] is None, check
    return files, check["digest"]


def compare(name, archive, plain):
    (files, digest), (expected, expected_digest) = export(archive), export(plain)
    features = [sorted(path.relative_to(folder) for path in folder.glob("features/*/*")) for folder in (archive, plain)]
    equal = features[0] == features[1] and all(filecmp.cmp(archive / path, plain / path, shallow=False) for path in features[0])
    same = all(filecmp.cmp(a, b, shallow=False) for a, b in zip(files, expected))
    say(f"{name}: digest {digest} {'equals' if digest == expected_digest else 'IS NOT'} {expected_digest}; exported vectors {'are' if same else 'ARE NOT'} equal; "
        f"{len(features[0])} files of features {'are' if equal else 'ARE NOT'} equal")
    return digest == expected_digest and same and equal


def index(archive):
    return [program, "index", *sources, "--archive", archive, *options]


def kill_some(name, command, archive, seconds, choose):
    """Ten times at random moments; then undisturbed to the end. @choose: process of the command -> the one to kill."""
    chance, kills = random.Random(7), 0
    for i in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.5, 1.6 * seconds / KILLS))
        victim = choose(process, chance) if process.poll() is None else None
        if victim:
            os.kill(victim, signal.SIGKILL)
            kills += 1
        process.wait()
        now = status(archive)
        say(f"{name}: kill {i + 1}: {now['done']} files recorded, {sum(shard['done'] or 0 for shard in now['unmerged'])} in {len(now['unmerged'])} shards")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    say(f"{name}: {kills} kills; to the end: {status(archive)['done']} done")


rest = sys.argv[1:]
options = rest[rest.index("--") + 1 :] if "--" in rest else []
rest = rest[: rest.index("--")] if "--" in rest else rest
program, work, sources = rest[0], pathlib.Path(rest[1]), rest[2:]
work.mkdir(parents=True, exist_ok=True)

plain = work / "plain"
clock = time.monotonic()
subprocess.run(index(plain), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
seconds = time.monotonic() - clock
say(f"undisturbed: {status(plain)['done']} done in {seconds:.0f} s")

killed = work / "killed"
kill_some("killed", index(killed), killed, seconds, lambda process, chance: process.pid)
ok = compare("killed", killed, plain)

ranks = work / "ranks"
mpirun = ["mpirun", *(["--allow-run-as-root"] if os.geteuid() == 0 else []), "--oversubscribe", "-np", "2"]
kill_some("two ranks", [*mpirun, *index(ranks)], ranks, seconds, lambda process, chance: chance.choice(children(process.pid) or [None]))
ok = compare("two ranks", ranks, plain) and ok
sys.exit(not ok)
