#!/usr/bin/env python3
"""test_ranks.py RVM-ARCHIVE DATA: several processes on one archive, told who they are by options or by mpirun, Slurm or Kubernetes; each takes its share, the
last one merges, and what a killed one leaves is done by the next run. The result is that of one process."""
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile

from archive import clean, data, digest, index, make_videos, program, run, run_json, start, tiny, wait_for


def has_files(shard):
    """Whether the process that writes @shard has finished a file."""
    if not shard.exists():
        return False
    connection = sqlite3.connect(f"file:{shard}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT count(*) FROM files").fetchone()[0] > 0
    except sqlite3.OperationalError:  # its tables are being made
        return False
    finally:
        connection.close()


with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary).resolve()
    videos = make_videos(folder / "videos", 9)
    plain = folder / "plain"
    index(videos, plain)
    expected = digest(plain)

    # One after the other, and all at once.
    for n in (2, 3):
        archive = folder / f"one-by-one-{n}"
        listed = [index(videos, archive, "--rank", rank, "--ranks", n)["listed"] for rank in range(n)]
        assert sum(listed) == 9 and max(listed) - min(listed) <= 1 and digest(archive) == expected, listed
        archive = folder / f"together-{n}"
        processes = [start("index", videos, "--archive", archive, *tiny, "--rank", rank, "--ranks", n) for rank in range(n)]
        for process in processes:
            text = process.communicate(timeout=300)[0]
            assert process.returncode == 0, text
        assert digest(archive) == expected and run_json("status", "--archive", archive)["shards"] == 0

    # One of two is killed: its share is done by the next run, whoever that is.
    for then in ([], ["--rank", "0", "--ranks", "2"]):
        archive = folder / f"killed-{len(then)}"
        dying = start("index", videos, "--archive", archive, *tiny, "--rank", "1", "--ranks", "2", "--jobs", "1")
        wait_for(lambda: (archive / "shards" / "1-of-2.sqlite").exists(), dying)
        dying.send_signal(signal.SIGKILL)
        dying.communicate()
        index(videos, archive, "--rank", "0", "--ranks", "2")
        before = run_json("status", "--archive", archive)
        assert before["done"] >= 5 and before["shards"] == 0, before
        index(videos, archive, *then)
        if then:
            index(videos, archive, "--rank", "1", "--ranks", "2")
        assert digest(archive) == expected

    # A shard that was left is merged by whoever comes next, or by --merge; one that is damaged is set aside.
    archive = folder / "left"
    holding = start("index", videos, "--archive", archive, *tiny, "--rank", "0", "--ranks", "2", "--jobs", "1")
    wait_for(lambda: has_files(archive / "shards" / "0-of-2.sqlite"), holding)
    holding.send_signal(signal.SIGKILL)
    holding.communicate()
    run("index", "--merge", "--archive", archive)
    status = run_json("status", "--archive", archive)
    assert status["shards"] == 0 and 1 <= status["done"] < 9, status
    (archive / "shards" / "5-of-9.sqlite").write_text("no shard" * 1000)
    text = run("index", videos, "--archive", archive, *tiny)
    assert "5-of-9.sqlite.damaged" in text and digest(archive) == expected, text

    # Who says it.
    def listed(environment, *options, status=0):
        shutil.rmtree(folder / "asked", ignore_errors=True)
        result = subprocess.run([program, "index", videos, "--archive", folder / "asked", *tiny, "--json", *options], env={**clean, **environment}, capture_output=True,
                                text=True, timeout=300)
        assert result.returncode == status, result
        return result.stderr if status else int(result.stdout.split('"listed":')[1].split(",")[0])

    assert listed({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "4"}) == 3
    assert listed({"PMI_RANK": "8", "PMI_SIZE": "9"}) == 1
    assert listed({"SLURM_PROCID": "1", "SLURM_NTASKS": "2"}) == 4
    assert listed({"SLURM_ARRAY_TASK_ID": "10", "SLURM_ARRAY_TASK_MIN": "8", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_STEP": "2"}) == 2
    assert listed({"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2"}) == 1
    assert listed({"JOB_COMPLETION_INDEX": "1"}, "--ranks", "5") == 2
    assert "--ranks does" in listed({"JOB_COMPLETION_INDEX": "1"}, status=2)
    assert "expected a number" in listed({"SLURM_PROCID": "x"}, status=2)
    assert "--rank is 0 to 1" in listed({}, "--rank", "2", "--ranks", "2", status=2)

    if shutil.which("mpirun"):
        archive = folder / "mpi"
        as_root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        subprocess.run(["mpirun", *as_root, "--oversubscribe", "-np", "2", program, "index", videos, "--archive", archive, *tiny], check=True, timeout=300, env=clean)
        assert digest(archive) == expected
    else:
        print("there is no mpirun here")
