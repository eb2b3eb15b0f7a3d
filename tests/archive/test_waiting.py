#!/usr/bin/env python3
"""test_waiting.py RVM-ARCHIVE DATA: an archive that is not merged yet says what is in it; whoever has an archive or its database locked and does not go on
(stopped, or hanging) is named after a wait, and does not block others for ever; what a killed process leaves half made is no riddle."""
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from archive import clean, digest, index, make_videos, program, run, run_json, start, tiny, wait_for

# What each command is called with, but for the archive.
READERS = (["status"], ["search", "none.mkv@1"], ["scenes"], ["duplicates"], ["check"], ["export"])


def call(*args, seconds=20, wait=1):
    """Exit status, output, and how long it took. @seconds: it must not take longer."""
    begin = time.monotonic()
    result = subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=seconds, env={**clean, "RVM_ARCHIVE_WAIT": str(wait)})
    return result.returncode, result.stdout + result.stderr, time.monotonic() - begin


def hold(code, *args):
    """A process that does something to an archive and prints a line, and is then stopped."""
    process = subprocess.Popen([sys.executable, "-c", code + "\nprint(flush=True)\nimport signal; signal.pause()", *map(str, args)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"\n"
    process.send_signal(signal.SIGSTOP)
    wait_for(lambda: pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    return process


def end(process):
    process.kill()
    process.communicate()


def test_unmerged(folder):
    """Two ranks that cannot merge, because somebody has the archive open."""
    videos, archive, plain = make_videos(folder / "videos", 5), folder / "archive", folder / "plain"
    (videos / "none.mp4").write_text("no video")
    index(videos, plain)
    run("index", "--merge", "--archive", archive)
    empty = run_json("status", "--archive", archive)
    assert (empty["done"], empty["shards"], empty["writing"]) == (0, 0, False), empty
    with open(archive / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        counts = [index(videos, archive, "--rank", rank, "--ranks", 2) for rank in range(2)]
        said = run("search", "none.mkv@1", "--archive", archive, status=1)
        assert "the last process that writes merges them" in said and str(os.getpid()) in said, said
        status = run_json("status", "--archive", archive)
        assert status["writing"] and str(os.getpid()) in status["writers"], status
    unmerged = [{name: shard[name] for name in ("name", "rank", "ranks", "done", "failed", "moments", "reason")} for shard in status["unmerged"]]
    assert unmerged == [{"name": f"shards/{rank}-of-2.sqlite", "rank": rank, "ranks": 2, "done": counts[rank]["done"], "failed": counts[rank]["failed"],
                         "moments": counts[rank]["moments"], "reason": None} for rank in range(2)], unmerged
    assert sum(shard["done"] for shard in unmerged) == 5 and sum(shard["failed"] for shard in unmerged) == 1 and status["done"] == 0
    text = run("status", "--archive", archive)
    assert "shards/0-of-2.sqlite: 3 done" in text and "index --merge" in text, text
    for command in READERS[1:]:
        said = run(*command, "--archive", archive, status=1)
        assert "2 shards are not merged yet" in said and "0-of-2.sqlite: 3 files" in said and "index --merge" in said, (command, said)
    run("index", "--merge", "--archive", archive)
    assert digest(archive) == digest(plain) and run_json("status", "--archive", archive)["unmerged"] == []
    # What is merged is searched, and what is not is mentioned.
    shutil.copy(plain / "archive.sqlite", archive / "shards" / "0-of-2.sqlite")
    assert "1 shard is not merged yet" in run("export", "--archive", archive, "--kind", "summary", "--output", folder / "summaries.npy")
    assert "not checked: 1 shard" in run("check", "--archive", archive)
    (archive / "shards" / "1-of-2.sqlite").write_text("no shard" * 1000)
    assert "cannot be counted" in run("status", "--archive", archive)


def test_blank(folder):
    """A database without tables, as a process leaves it that is killed while it makes it."""
    archive = folder / "archive"
    archive.mkdir()
    (archive / "archive.sqlite").touch()
    assert run_json("status", "--archive", archive)["done"] == 0
    for command in READERS[1:]:
        status, said, _ = call(*command, "--archive", archive)
        assert status == 1 and ("no video is in this archive yet" in said or "has no tables" in said), (command, said)
    assert index(make_videos(folder / "videos", 1), archive)["done"] == 1
    assert run_json("check", "--archive", archive)["faults"] == []


def test_stopped_while_making(folder):
    """A process that is stopped while it makes the database: everybody else says who, soon."""
    videos, archive = make_videos(folder / "videos", 1), folder / "archive"
    archive.mkdir()
    process = hold("import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('BEGIN EXCLUSIVE')\nc.execute('CREATE TABLE a (b)')",
                   archive / "archive.sqlite")
    try:
        for command in (*READERS, ["index", videos, *tiny], ["index", "--merge"]):
            status, said, seconds = call(*command, "--archive", archive)
            assert status == 1 and 0.9 < seconds < 10, (command, status, said, seconds)
            assert f"{archive}/archive.sqlite: is locked by process {process.pid}" in said and "stopped" in said and "RVM_ARCHIVE_WAIT" in said, (command, said)
    finally:
        end(process)
    assert index(videos, archive)["done"] == 1
    # A database in write-ahead mode, which somebody has for himself.
    process = hold("import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('PRAGMA locking_mode = EXCLUSIVE')\n"
                   "c.execute('BEGIN IMMEDIATE')\nc.execute('DELETE FROM files')", archive / "archive.sqlite")
    try:
        for command in (["status"], ["index", videos, *tiny]):
            status, said, seconds = call(*command, "--archive", archive)
            assert status == 1 and f"archive.sqlite: is locked by process {process.pid}" in said and seconds < 10, (command, status, said, seconds)
    finally:
        end(process)
    assert run_json("status", "--archive", archive)["done"] == 1


def test_stopped_with_lock(folder):
    """A process that is stopped while it has the archive's lock: one of several waits for it, but not for ever."""
    videos, archive = make_videos(folder / "videos", 2), folder / "archive"
    index(videos / "ball.mkv", archive)
    process = hold("import fcntl, sys\nf = open(sys.argv[1])\nfcntl.flock(f, fcntl.LOCK_EX)", archive / "lock")
    try:
        status, said, seconds = call("index", videos, "--archive", archive, *tiny, "--rank", 0, "--ranks", 2)
        assert status == 1 and 0.9 < seconds < 10 and f"process {process.pid}" in said and "stopped" in said and f"{archive}/lock:" in said, (said, seconds)
        for command in (["index", videos, *tiny], ["check", "--mend"]):
            status, said, _ = call(*command, "--archive", archive)
            assert status == 1 and "another process writes to this archive" in said and f"process {process.pid}" in said and "stopped" in said, said
        # Ctrl-C ends the wait.
        waiting = start("index", videos, "--archive", archive, *tiny, "--rank", "0", "--ranks", "2")
        assert b"waiting for another process" in waiting.stdout.readline()
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(timeout=20) == 130
        waiting.stdout.close()
    finally:
        end(process)


def test_slow_merge(folder):
    """A process that merges for longer than the wait, and goes on, is waited for."""
    videos, archive = make_videos(folder / "videos", 2), folder / "archive"
    index(videos / "ball.mkv", archive)
    over = threading.Event()

    def merge():
        with open(archive / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            over.set()
            for _ in range(15):
                time.sleep(0.2)
                os.utime(archive / "archive.sqlite")

    thread = threading.Thread(target=merge)
    thread.start()
    over.wait()
    status, said, seconds = call("index", videos, "--archive", archive, *tiny, "--rank", 0, "--ranks", 1 + 1, seconds=60)
    thread.join()
    assert status == 0 and seconds > 2, (said, seconds)


def test_stopped_writer(folder):
    """A writer that is stopped in the middle of its work: readers go on, and say so."""
    # Enough videos for it to be in the middle of them still when the first is seen to be done, however fast it is.
    videos, archive = make_videos(folder / "videos", 180), folder / "archive"
    process = start("index", videos, "--archive", archive, *tiny, "--jobs", "1")
    wait_for(lambda: (archive / "archive.sqlite").exists() and "WAIT" not in call("status", "--archive", archive, wait=0)[1]
             and run_json("status", "--archive", archive)["done"] > 0, process)
    process.send_signal(signal.SIGSTOP)
    try:
        assert process.poll() is None, "it ended before it could be stopped"
        status = run_json("status", "--archive", archive)
        assert status["writing"] and f"process {process.pid} " in status["writers"] and "stopped" in status["writers"], status
        assert call("export", "--archive", archive, "--kind", "summary", "--output", folder / "summaries.npy")[0] == 0
        code, said, _ = call("index", videos, "--archive", archive, *tiny)
        assert code == 1 and f"process {process.pid} " in said and "stopped" in said, said
    finally:
        process.send_signal(signal.SIGCONT)
    text = process.communicate(timeout=120)[0]
    assert process.returncode == 0, text


def test_half_written_shard(folder):
    """A shard whose process was killed in the middle of a change is counted when it is merged, and named before."""
    videos, archive = make_videos(folder / "videos", 2), folder / "archive"
    run("index", "--merge", "--archive", archive)
    with open(archive / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        index(videos, archive, "--rank", 0, "--ranks", 1 + 1)
        index(videos, archive, "--rank", 1, "--ranks", 1 + 1)
    process = hold("import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('PRAGMA cache_size = 1')\nc.execute('BEGIN IMMEDIATE')\n"
                   "c.execute('DELETE FROM files')\n"
                   "[c.execute('INSERT INTO files (path, state, seal) VALUES (?, \"failed\", ?)', (b'%d' % i, 'x' * 9000)) for i in range(100)]",
                   archive / "shards" / "0-of-2.sqlite")
    end(process)
    assert (archive / "shards" / "0-of-2.sqlite-journal").stat().st_size > 0
    unmerged = run_json("status", "--archive", archive)["unmerged"]
    assert "ended in the middle of a change" in unmerged[0]["reason"] and unmerged[0]["done"] is None and unmerged[1]["done"] == 1, unmerged
    run("index", "--merge", "--archive", archive)
    assert run_json("status", "--archive", archive)["done"] == 2
    assert run_json("check", "--archive", archive)["faults"] == []


def test_wrong_wait(folder):
    archive = folder / "archive"
    run("index", "--merge", "--archive", archive)
    for wrong in ("x", "-1", "1e9", "nan"):
        status, said, _ = call("status", "--archive", archive, wait=wrong)
        assert status == 1 and f"RVM_ARCHIVE_WAIT is '{wrong}'" in said, said


for name, test in sorted(globals().items()):
    if name.startswith("test_") and (not sys.argv[3:] or name in sys.argv[3:]):
        with tempfile.TemporaryDirectory() as temporary:
            test(pathlib.Path(temporary).resolve())
        print(name, flush=True)
