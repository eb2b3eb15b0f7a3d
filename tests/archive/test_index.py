#!/usr/bin/env python3
"""test_index.py RVM-ARCHIVE DATA: what index records is what rvmencode finds; run again it looks only at what is new, has changed or is asked for; what
is no video is recorded with its reason, and harms nothing."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

import numpy

from archive import call, data, digest, files, index, make_video, make_videos, rows, run, run_json, tiny


def features_of(archive, kind):
    """Of all files, by path: (moments, numbers)."""
    result = {}
    for path, moments, file in rows(archive, "SELECT path, moments, id FROM files WHERE moments > 0 ORDER BY path"):
        pieces = rows(archive, "SELECT data FROM vectors WHERE file = ? AND kind = ? ORDER BY first", file, kind)
        result[os.fsdecode(path)] = numpy.frombuffer(b"".join(piece for piece, in pieces), "<i8" if kind == "times" else "<f2").reshape(moments, -1)
    return result


def test_equals_plugin(folder):
    """Bytes of class tokens and patches, and means and summaries, against rvmexport's of the same video."""
    videos = folder / "videos"
    videos.mkdir()
    make_video(videos / "a.mkv", "ball", 7, (80, 48))
    archive = folder / "archive"
    counts = index(videos, archive, "--parts", "class,mean,summary,patches")
    assert counts["done"] == 1 and counts["moments"] == 7, counts
    subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={videos}/a.mkv", "!", "decodebin", "!", "rvmencode", f"model-file={data}/tiny.npz", "size=32", "!",
                    "rvmexport", f"features-location={folder}/plugin.npy", f"class-location={folder}/class.npy", f"location={folder}/plugin.jsonl", "!", "fakesink"],
                   check=True, timeout=300)
    patches, tokens = numpy.load(folder / "plugin.npy"), numpy.load(folder / "class.npy")
    lines = [json.loads(line) for line in open(folder / "plugin.jsonl")]
    record, = files(archive).values()
    stored = numpy.load(archive / record["features"])
    assert stored.dtype == "<f2" and (stored == patches.astype("f2")).all() and stored.shape == patches.shape == (7, 2, 3, patches.shape[3])
    assert (features_of(archive, "class")[str(videos / "a.mkv")] == tokens.astype("f2")).all()
    mean = patches.astype("f8").mean(axis=(1, 2))
    assert abs(features_of(archive, "mean")[str(videos / "a.mkv")] - mean).max() <= abs(mean).max() / 1024
    summary = numpy.concatenate([mean, patches.astype("f8").std(axis=(1, 2))], axis=1)
    assert abs(features_of(archive, "summary")[str(videos / "a.mkv")] - summary).max() <= abs(summary).max() / 1024
    assert features_of(archive, "times")[str(videos / "a.mkv")].ravel().tolist() == [line["pts"] for line in lines]
    assert record["features_error"] == abs(patches.astype("f8") - stored).max() / abs(patches.astype("f8")).max() <= 1 / 2048
    assert (record["width"], record["height"], record["analysis_width"], record["rows"], record["columns"]) == (80, 48, 48, 2, 3), record
    assert record["frames"] == 7 and record["duration"] == 280000000, record
    assert rows(archive, "SELECT model_id, dim FROM archive") == [(lines[0]["model_id"], lines[0]["dim"])]
    colours = features_of(archive, "colours")[str(videos / "a.mkv")].astype("f8")
    assert abs((colours**2).sum(axis=1) - 1).max() < 1e-3
    for name in ("class", "summary", "colours"):
        run("export", "--archive", archive, "--kind", name, "--output", folder / "out.npy")
        assert (numpy.load(folder / "out.npy") == features_of(archive, name)[str(videos / "a.mkv")]).all()
    run("export", "--archive", archive, "--kind", "mean", "--output", folder / "out.csv")
    table = numpy.genfromtxt(folder / "out.csv", delimiter=",", skip_header=1)
    assert abs(table[:, 3:] - mean).max() <= abs(mean).max() / 1000 and table[:, 2].tolist() == [line["pts"] / 1e9 for line in lines]
    exported = [json.loads(line) for line in run("export", "--archive", archive).splitlines()]
    assert [(line["path"], line["time"], len(line["colours"])) for line in exported] == [(str(videos / "a.mkv"), line["pts"], 512) for line in lines]


def test_again(folder):
    """What is known is left alone; a touched file is compared, a changed one analysed, a failed one only when asked."""
    videos, archive = make_videos(folder / "videos", 3), folder / "archive"
    (videos / "none.mp4").write_text("no video")
    counts = index(videos, archive)
    assert (counts["done"], counts["failed"], counts["known"]) == (3, 1, 0), counts
    before = digest(archive)
    counts = index(videos, archive)
    assert (counts["done"], counts["failed"], counts["known"], counts["known_failed"]) == (0, 0, 4, 1), counts
    os.utime(videos / "ball.mkv")
    counts = index(videos, archive)
    assert (counts["done"], counts["known"]) == (0, 4) and digest(archive) == before, counts
    assert index(videos, archive, "--retry")["failed"] == 1
    shutil.copy(videos / "smpte.mkv", videos / "ball.mkv")
    make_video(videos / "none.mp4", "red", 3)
    make_video(videos / "new.mkv", "blue", 3)
    counts = index(videos, archive)
    assert (counts["done"], counts["known"], counts["failed"]) == (3, 2, 0), counts
    assert digest(archive) != before
    means = features_of(archive, "summary")
    assert (means[str(videos / "ball.mkv")] == means[str(videos / "smpte.mkv")]).all()
    # The archive keeps what it was made with, and says so where it is asked for something else.
    assert "4 files" not in run("index", videos, "--archive", archive, "--model", data / "tiny.npz")
    assert "was made with size 32, not 48" in run("index", videos, "--archive", archive, "--model", data / "tiny.npz", "--size", "48", status=2)
    assert "was made with model" in run("index", videos, "--archive", archive, "--model", data / "small16.npz", status=None) or not (data / "small16.npz").exists()


def test_rate(folder):
    """Analysed frames follow from times: 25 frames a second."""
    videos = folder / "videos"
    videos.mkdir()
    make_video(videos / "a.mkv", "ball", 25)
    for option, expected in (("--rate=5", range(0, 25, 5)), ("--rate=10", [0, 3, 5, 8, 10, 13, 15, 18, 20, 23]), ("--rate=1/2", [0]), ("--rate=0.5", [0]),
                             ("--rate=100", range(25)), ("--interval=3", range(0, 25, 4))):
        archive = folder / option.strip("-").replace("/", "_")
        run_json("index", videos, "--archive", archive, *tiny[:4], option)
        assert features_of(archive, "times")[str(videos / "a.mkv")].ravel().tolist() == [40000000 * i for i in expected], option
    # What bf16 means on this processor is said once.
    for precision, times in (("f16", 0), ("bf16", 1)):
        text = run("index", videos, "--archive", folder / precision, *tiny[:4], "--precision", precision)
        assert text.count("rvm-archive: precision bf16: ") == times, text
    for wrong in ("--rate=0", "--rate=x", "--rate=1/0", "--rate=-5", "--rate=nan", "--parts=all", "--parts=", "--precision=f8", "--size=99999"):
        assert call("index", videos, "--archive", folder / "none", *tiny[:2], wrong).returncode == 2, wrong
    assert call("index", videos, "--archive", folder / "none", *tiny[:2], "--rate=5", "--interval=2").returncode == 2
    assert call("index", folder / "missing", "--archive", folder / "none", *tiny).returncode == 1


def test_planted(folder):
    """Each of these is recorded with what is wrong, and the others are as if it were not there."""
    videos, archive = make_videos(folder / "videos", 2), folder / "archive"
    alone = folder / "alone"
    index(videos, alone)
    wrong = videos / "wrong"
    wrong.mkdir()
    (wrong / "empty.mp4").touch()
    (wrong / "text.mp4").write_text("not a video" * 100)
    os.mkfifo(wrong / "pipe.mp4")
    (wrong / "broken.mp4").symlink_to("nowhere")
    (wrong / "device.mp4").symlink_to("/dev/zero")
    subprocess.run(f"gst-launch-1.0 -q audiotestsrc num-buffers=20 ! vorbisenc ! oggmux ! filesink location={wrong}/sound.ogg".split(), check=True, timeout=60)
    subprocess.run(f"gst-launch-1.0 -q videotestsrc num-buffers=50 pattern=snow ! video/x-raw,width=64,height=48,framerate=25/1 ! vp8enc ! webmmux name=mux"
                   f" ! filesink location={wrong}/whole.webm audiotestsrc num-buffers=80 ! vorbisenc ! mux.".split(), check=True, timeout=60)
    content = (wrong / "whole.webm").read_bytes()
    (wrong / "cut.webm").write_bytes(content[: len(content) // 3])
    (wrong / "nearly.mkv").write_bytes((videos / "smpte.mkv").read_bytes()[:40])
    (wrong / "unreadable.mkv").write_bytes((videos / "smpte.mkv").read_bytes())
    (wrong / "unreadable.mkv").chmod(0)
    odd = [os.fsencode(wrong) + name for name in (b"/new\nline.mkv", b"/caf\xe9.mkv", b"/100% \"quoted\" #1?.mkv", "/ü \u202e.mkv".encode())]
    for name in odd:
        shutil.copyfile(os.fsencode(videos / "smpte.mkv"), name)
    (wrong / "tiny").mkdir()
    for i in range(300):
        (wrong / "tiny" / f"{i}.mp4").write_bytes(b"x")
    result = call("index", videos, "--archive", archive, *tiny, "--json")
    assert result.returncode == 0, result
    state = {os.path.relpath(os.fsdecode(path), wrong): (state, reason) for path, state, reason in rows(archive, "SELECT path, state, reason FROM files")}
    assert state["empty.mp4"] == ("failed", "is empty")
    assert state["pipe.mp4"] == ("failed", "is a pipe, expected a file")
    assert state["device.mp4"] == ("failed", "is a device, expected a file")
    assert state["broken.mp4"][0] == "failed" and "No such file" in state["broken.mp4"][1]
    assert state["sound.ogg"] == ("failed", "there is no video in it")
    assert state["text.mp4"][0] == state["nearly.mkv"][0] == "failed"
    assert state["whole.webm"] == ("done", None), state["whole.webm"]
    assert state["cut.webm"][0] == "partial" and "cut short" in state["cut.webm"][1], state["cut.webm"]
    assert os.geteuid() == 0 or state["unreadable.mkv"] == ("failed", "Permission denied")
    assert all(state[f"tiny/{i}.mp4"][0] == "failed" for i in range(300))
    means = features_of(archive, "summary")
    for name in odd:
        assert state[os.path.relpath(os.fsdecode(name), wrong)] == ("done", None), name
        assert (means[os.fsdecode(name)] == means[str(videos / "smpte.mkv")]).all()
    assert b"caf\\351.mkv" in call("status", "--archive", archive, "--files").stdout
    assert run_json("check", "--archive", archive)["faults"] == []
    shutil.rmtree(wrong)
    known = {path: record for path, record in files(archive).items() if "/wrong/" not in path}
    for path, record in files(alone).items():
        assert record["seal"] == known[path]["seal"]


def test_changing(folder):
    """A file that is written to while it is read is not recorded as what it was, and is looked at again by the next run."""
    videos, archive = make_videos(folder / "videos", 1), folder / "archive"
    over = threading.Event()

    def write():
        time = 1000000000
        while not over.wait(0.002):
            time += 1
            os.utime(videos / "ball.mkv", ns=(time, time))

    thread = threading.Thread(target=write)
    thread.start()
    counts = index(videos, archive)
    over.set()
    thread.join()
    assert counts["failed"] == 1, counts
    (record,) = files(archive).values()
    assert record["reason"] == "was changed each time while it was read" and record["modified"] is None, record
    assert index(videos, archive)["done"] == 1


def test_lists(folder):
    """Lists, single files, file:// addresses, links, and an archive inside of the folder that it is of."""
    videos = make_videos(folder / "videos", 3)
    (folder / "list.txt").write_text("# two\nvideos/ball.mkv\nvideos/smpte.mkv\n")
    (videos / "link.mkv").symlink_to("ball.mkv")
    archive = videos / "archive"
    assert index(folder / "list.txt", archive)["listed"] == 2
    assert index((videos / "snow.mkv").as_uri(), archive)["done"] == 1
    counts = index(videos, archive)
    assert counts["known"] == counts["listed"] == 3, counts
    counts = index("http://127.0.0.1:9/none.mp4", archive)
    assert counts["failed"] == 1 and files(archive)["http://127.0.0.1:9/none.mp4"]["size"] is None, counts


for name, test in sorted(globals().items()):
    if name.startswith("test_") and (not sys.argv[3:] or name in sys.argv[3:]):
        with tempfile.TemporaryDirectory() as temporary:
            test(pathlib.Path(temporary).resolve())
        print(name, flush=True)
