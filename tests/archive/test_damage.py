#!/usr/bin/env python3
"""test_damage.py RVM-ARCHIVE DATA: killed at random, interrupted, on a full disk, with damaged databases and files, an archive loses nothing but what was at
hand, and in the end equals one that was made undisturbed."""
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from archive import call, digest, files, index, kill, make_videos, rows, run, run_json, start, tiny, wait_for

PARTS = ["--parts", "class,summary,patches"]


def make(folder, n=8):
    videos, plain = make_videos(folder / "videos", n), folder / "plain"
    assert index(videos, plain, *PARTS)["done"] == n
    return videos, plain, digest(plain)


def test_killed(folder):
    """Ten times at random, and once more by Ctrl-C."""
    videos, plain, expected = make(folder, 12)
    archive, chance = folder / "archive", random.Random(3)
    kills = 0
    for _ in range(10):
        process = start("index", videos, "--archive", archive, *tiny, *PARTS, "--jobs", "2")
        time.sleep(chance.uniform(0.05, 1.2))
        kills += kill(process)[1] == -signal.SIGKILL
        if (archive / "archive.sqlite").exists():
            known = run_json("status", "--archive", archive) if rows(archive, "PRAGMA user_version") == [(2,)] and rows(archive, "SELECT count(*) FROM archive") == [(1,)] else None
            assert known is None or known["partial"] == known["failed"] == 0, known
    assert kills > 0
    index(videos, archive, *PARTS)
    assert digest(archive) == expected and not list(archive.rglob("*.part"))
    assert not [path for path in archive.rglob("*") if "damaged" in path.name]


def test_interrupted(folder):
    """Ctrl-C ends with 130, and keeps what was finished."""
    videos, plain, expected = make(folder, 12)
    for number in (signal.SIGINT, signal.SIGTERM):
        archive = folder / f"archive{number}"
        process = start("index", videos, "--archive", archive, *tiny, *PARTS, "--jobs", "1")
        wait_for(lambda: (archive / "archive.sqlite").exists() and "files" in str(rows(archive, "SELECT name FROM sqlite_schema"))
                 and rows(archive, "SELECT count(*) FROM files") > [(0,)] or process.poll() is not None)
        text, status = kill(process, number)
        assert status == 128 + number or b"12 are new" in text, (status, text)
        assert run_json("check", "--archive", archive)["faults"] == []
        index(videos, archive, *PARTS)
        assert digest(archive) == expected


def test_full(folder):
    """A disk that fills, or a limit on the size of files, is an error that names the file; with more room the rest is done."""
    videos, plain, expected = make(folder, 8)
    archive = folder / "limited"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    result = call("index", videos, "--archive", archive, *tiny, *PARTS, preexec_fn=limit)
    assert result.returncode == 1 and b"archive.sqlite" in result.stderr, result
    small = folder / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", small], capture_output=True).returncode:
        print("no small file system can be mounted here")
    else:
        try:
            result = call("index", videos, "--archive", small / "archive", *tiny, *PARTS)
            assert result.returncode == 1 and b"No space left on device" in result.stderr, result
            subprocess.run(["mount", "-o", "remount,size=20m", small], check=True)
            assert run_json("check", "--archive", small / "archive")["faults"] == []
            index(videos, small / "archive", *PARTS)
            assert digest(small / "archive") == expected
            # Where nothing can be written any more, it can still be read.
            subprocess.run(["mount", "-o", "remount,ro", small], check=True)
            assert digest(small / "archive") == expected
            assert run_json("search", videos / "ball.mkv@0.2", "--archive", small / "archive", "--others")["answers"]
            assert "Read-only file system" in run("index", videos, "--archive", small / "archive", *tiny, *PARTS, status=1)
        finally:
            subprocess.run(["umount", small], check=True)
    index(videos, archive, *PARTS)
    assert digest(archive) == expected


def test_two_at_once(folder):
    """The second one is refused; readers are not."""
    videos = make_videos(folder / "videos", 12)
    archive = folder / "archive"
    index(videos / "ball.mkv", archive)
    process = start("index", videos, "--archive", archive, *tiny, "--jobs", "1")
    wait_for(lambda: run_json("status", "--archive", archive)["writing"], process)
    refused = seen = 0
    while process.poll() is None:
        result = call("index", videos, "--archive", archive, *tiny)
        refused += result.returncode == 1 and b"another process writes to this archive" in result.stderr
        seen = max(seen, run_json("status", "--archive", archive)["done"])
    assert process.returncode == 0 and refused and seen >= 1, (process.returncode, refused, seen)


def damage(path, where, content):
    with open(path, "r+b") as file:
        file.seek(where)
        file.write(content)


def test_pages(folder):
    """Pages of the database overwritten, each alone, and the file cut: found, mended, and equal after the next indexing."""
    videos, plain, expected = make(folder, 4)
    size = (plain / "archive.sqlite").stat().st_size
    pages = random.Random(4).sample(range(1, size // 16384), min(6, size // 16384 - 1))
    cases = [("page", page) for page in (0, *pages)] + [("cut", size // 2), ("cut", 100), ("cut", 0), ("text", 0)]
    found = 0
    for kind, where in cases:
        archive = folder / "archive"
        shutil.rmtree(archive, ignore_errors=True)
        shutil.copytree(plain, archive)
        database = archive / "archive.sqlite"
        if kind == "page":
            damage(database, where * 16384 + (100 if where == 0 else 0), bytes(random.Random(where).randbytes(16284)))
        elif kind == "cut":
            os.truncate(database, where)
        else:
            database.write_text("no database " * 1000)
        result = call("check", "--archive", archive, "--json")
        if result.returncode == 0:
            assert b'"digest":"' + expected.encode() in result.stdout, (kind, where, result)  # a page that nothing uses
            continue
        found += 1
        run("check", "--archive", archive, "--mend", status=None)
        assert run_json("check", "--archive", archive)["faults"] == [], (kind, where)
        index(videos, archive, *PARTS)
        assert digest(archive) == expected, (kind, where)
    assert found >= len(cases) // 2, (found, len(cases))


def test_features(folder):
    """Files of features that are damaged, missing or foreign."""
    videos, plain, expected = make(folder, 4)
    archive = folder / "archive"
    shutil.copytree(plain, archive)
    first, second, third = sorted(archive.glob("features/*/*.npy"))[:3]
    damage(first, 300, b"\xff")
    second.unlink()
    os.truncate(third, 500)
    (archive / "features" / "00").mkdir(exist_ok=True)
    (archive / "features" / "00" / "other.npy").touch()
    faults = run_json("check", "--archive", archive, status=1)["faults"]
    assert len(faults) == 4 and sorted("content has changed" in fault["what"] for fault in faults) == [False, False, False, True], faults
    assert [fault["mended"] for fault in run_json("check", "--archive", archive, "--mend")["faults"]] == [True] * 4
    assert index(videos, archive, *PARTS)["done"] == 3
    assert digest(archive) == expected


def test_versions(folder):
    """A later version and another program's database are refused, and left as they are."""
    import sqlite3

    videos, plain, _ = make(folder, 2)
    for sql, words in (("PRAGMA user_version = 3", "made by a later rvm-archive"), ("PRAGMA application_id = 7", "database of another program")):
        archive = folder / words.replace(" ", "-")
        shutil.copytree(plain, archive)
        connection = sqlite3.connect(archive / "archive.sqlite")
        connection.execute(sql)
        connection.close()
        before = (archive / "archive.sqlite").read_bytes()
        for command in (["status"], ["index", videos, *tiny]):
            assert words in run(*command, "--archive", archive, status=1)
        assert (archive / "archive.sqlite").read_bytes() == before
    assert "No such file" in run("status", "--archive", folder / "none", status=1) and "which archive" in run("status", status=2)


def test_first_version(folder):
    """An archive of version 1, which has no summaries, is brought up to date by index, loses nothing, and is searched by means."""
    import sqlite3

    videos = make_videos(folder / "videos", 3)
    archive = folder / "archive"
    index(videos, archive, "--parts", "class,mean")
    expected = digest(archive)
    connection = sqlite3.connect(archive / "archive.sqlite")
    (now,), = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'vectors'").fetchall()
    before = now.replace("vectors", "earlier", 1).replace("'mean', 'summary', ", "'mean', ")
    assert before != now and "summary" not in before
    connection.executescript(f"BEGIN; {before}; INSERT INTO earlier SELECT * FROM vectors; DROP TABLE vectors; ALTER TABLE earlier RENAME TO vectors; "
                             "CREATE INDEX vectors_kind ON vectors (kind, file, first); PRAGMA user_version = 1; COMMIT;")
    connection.close()
    assert "'rvm-archive index' brings it up to date" in run("status", "--archive", archive, status=1)
    counts = index(videos, archive)
    assert (counts["known"], counts["done"]) == (3, 0) and digest(archive) == expected, counts
    assert rows(archive, "PRAGMA user_version") == [(2,)] and "'summary'" in rows(archive, "SELECT sql FROM sqlite_schema WHERE name = 'vectors'")[0][0]
    assert run_json("check", "--archive", archive)["faults"] == []
    assert len(run_json("search", f"{videos}/ball.mkv@0", "--archive", archive, "--by", "features", "--others")["answers"]) == 2
    assert "has none of that kind" in run("export", "--archive", archive, "--kind", "summary", "--output", folder / "out.npy", status=2)


for name, test in sorted(globals().items()):
    if name.startswith("test_") and (not sys.argv[3:] or name in sys.argv[3:]):
        with tempfile.TemporaryDirectory() as temporary:
            test(pathlib.Path(temporary).resolve())
        print(name, flush=True)
