"""What the tests of rvm-archive have in common: the program, small videos, and looking into an archive."""
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

program, data = sys.argv[1], pathlib.Path(sys.argv[2])
# Small, with a patch of 16 pixels; every frame, so that there is something to compare.
tiny = ["--model", str(data / "tiny.npz"), "--size", "32", "--interval", "0"]
clean = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMI_", "SLURM_", "JOB_COMPLETION"))}


def call(*args, **options):
    return subprocess.run([program, *map(os.fspath, map(str, args))], capture_output=True, timeout=300, env=clean, **options)


def run(*args, status=0, **options):
    """Standard output and error, as text."""
    result = call(*args, **options)
    text = result.stdout.decode(errors="surrogateescape"), result.stderr.decode(errors="surrogateescape")
    assert status is None or result.returncode == status, (args, result.returncode, *text)
    return "".join(text)


def run_json(*args, status=0):
    result = call(*args, "--json")
    assert result.returncode == status, (args, result.returncode, result.stdout, result.stderr)
    return json.loads(result.stdout)


def index(videos, archive, *options, **more):
    """The counts that index ends with."""
    return run_json("index", videos, "--archive", archive, *tiny, *options, **more)


def start(*args, **options):
    return subprocess.Popen([program, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean, **options)


def digest(archive):
    text = run("check", "--archive", archive, "--digest").strip()
    assert len(text) == 32, text
    return text


def files(archive):
    """Path -> record, as status has it."""
    return {record["path"]: record for record in run_json("status", "--archive", archive, "--files")["files"]}


def make_video(path, pattern="ball", frames=12, size=(64, 48), extra="", muxer="matroskamux"):
    # By file descriptor: the name may be one that no command line takes.
    with open(path, "wb") as file:
        subprocess.run(f"gst-launch-1.0 -q videotestsrc num-buffers={frames} pattern={pattern} ! video/x-raw,width={size[0]},height={size[1]},framerate=25/1"
                       f" ! jpegenc ! {muxer} name=mux ! fdsink fd=1 {extra}".split(), check=True, timeout=120, stdout=file)


def make_videos(folder, n=6):
    """@n videos that differ, from a few that are made: what follows the last frame of a Matroska file does not matter to its pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    patterns = ["ball", "smpte", "snow", "circular"]
    made = []
    for pattern in patterns[:n]:
        made.append(folder / f"{pattern}.mkv")
        make_video(made[-1], pattern)
    for i in range(len(patterns), n):
        shutil.copy(made[i % len(made)], folder / f"copy{i}.mkv")
    return folder


def rows(archive, sql, *values):
    connection = sqlite3.connect(f"file:{archive}/archive.sqlite?mode=ro", uri=True)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def wait_for(what, process=None, seconds=120):
    deadline = time.monotonic() + seconds
    while not what():
        assert process is None or process.poll() is None, (process.returncode, process.stdout.read())
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def kill(process, number=signal.SIGKILL):
    process.send_signal(number)
    return process.communicate(timeout=120)[0], process.returncode
