#!/usr/bin/env python3
"""test_search.py RVM-ARCHIVE DATA: what search finds is what NumPy finds in the same database; regions match regions; pictures, addresses and moments from elsewhere;
answers are put together; the same is found with FAISS; and what cannot be asked is refused."""
import http.server
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import zlib

import numpy

from archive import call, data, digest, files, index, make_video, make_videos, rows, run, run_json, start, tiny, wait_for

MODEL = tiny[:2]
PATTERNS = ["ball", "smpte", "snow", "circular", "zone-plate", "gamut", "blink", "spokes"]


def write_png(path, pixels):
    """Grey."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    height, width = pixels.shape
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels.astype("u1")))) + chunk(b"IEND", b""))


def table(archive, kind):
    """Paths and times of rows, and their vectors."""
    names, times, values = [], [], []
    for path, file, moments in rows(archive, "SELECT path, id, moments FROM files WHERE moments > 0 ORDER BY path"):
        piece = b"".join(part for part, in rows(archive, "SELECT data FROM vectors WHERE file = ? AND kind = ? ORDER BY first", file, kind))
        when = b"".join(part for part, in rows(archive, "SELECT data FROM vectors WHERE file = ? AND kind = 'times' ORDER BY first", file))
        names += [path.decode()] * moments
        times += numpy.frombuffer(when, "<i8").tolist()
        values.append(numpy.frombuffer(piece, "<f2").reshape(moments, -1).astype("f8"))
    return names, numpy.array(times), numpy.concatenate(values)


def cosines(values, query, videos=0):
    """Of standardised vectors; of those of more than five @videos, whitened by their correlations, of which a share of 5 / @videos is given up."""
    mean, deviation = values.mean(0), values.std(0)
    scale = numpy.where(deviation > 0, 1 / numpy.where(deviation > 0, deviation, 1), 0)
    values, query = (values - mean) * scale, (query - mean) * scale
    if videos > 5:
        correlation = (1 - 5 / videos) * values.T @ values / len(values) + 5 / videos * numpy.eye(values.shape[1])
        power, axes = numpy.linalg.eigh(correlation)
        values, query = values @ axes / numpy.sqrt(power), query @ axes / numpy.sqrt(power)
    return values @ query / numpy.maximum(numpy.linalg.norm(values, axis=1) * numpy.linalg.norm(query), 1e-12)


def best_of_each(names, scores, own):
    found = {}
    for name, score in zip(names, scores):
        if name != own:
            found[name] = max(found.get(name, -2), score)
    return sorted(found.items(), key=lambda item: -item[1])


def check_scores(archive, videos):
    """Against NumPy, for each way to compare whole pictures."""
    own = str(videos / "ball.mkv")
    expected = {}
    for kind in ("mean", "class", "summary", "colours"):
        names, times, values = table(archive, kind)
        query = values[[i for i, name in enumerate(names) if name == own and times[i] == 200000000][0]]
        expected[kind] = values @ query if kind == "colours" else cosines(values, query, len(PATTERNS))
    expected["both"] = 0.15 * expected["summary"] + 0.85 * expected["colours"]
    for options, scores in ((["--by", "features"], expected["summary"]), (["--by", "features", "--kind", "class"], expected["class"]),
                            (["--by", "features", "--kind", "mean"], expected["mean"]),
                            (["--by", "colours"], expected["colours"]), (["--by", "both"], expected["both"]), ([], expected["colours"])):
        answers = run_json("search", f"{own}@0.21", "--archive", archive, "--others", "--gap", "100", *options)
        wanted = best_of_each(names, scores, own)
        assert answers["time"] == 200000000 and answers["moments"] == len(names), answers
        assert len(answers["answers"]) == len(wanted) == len(PATTERNS) - 1, answers
        for answer, (name, score) in zip(answers["answers"], wanted):
            assert abs(answer["score"] - score) < 2e-3, (options, answer, name, score)
        assert [answer["path"] for answer in answers["answers"]][0] == wanted[0][0], options


def check_regions(archive, videos):
    """A region finds the picture that has it elsewhere."""
    own = str(videos / "smpte.mkv")
    record = files(archive)[own]
    names, times, _ = table(archive, "mean")
    patches = {path: numpy.load(archive / each["features"]).astype("f8") for path, each in files(archive).items()}
    everything = numpy.concatenate([values.reshape(-1, values.shape[3]) for _, values in sorted(patches.items())])
    for option, cover in ((["--box", "0,0,32,24"], {0: 1}), (["--point", "60,40"], {record["rows"] * record["columns"] - 1: 1})):
        flat = patches[own][5].reshape(-1, everything.shape[1])
        wanted = cosines(everything, sum(flat[patch] * share for patch, share in cover.items()), len(PATTERNS))
        found = run_json("search", f"{own}@0.2", "--archive", archive, *option, "--others", "--gap", "100")["answers"]
        at, best = 0, {}
        for path, values in sorted(patches.items()):
            n = values.size // values.shape[3]
            best[path] = wanted[at : at + n].max()
            at += n
        if record["rows"] * record["columns"] == 4:
            for answer in found:
                assert abs(answer["score"] - best[answer["path"]]) < 2e-3, (option, answer, best)
        assert all(0 <= answer["patch"][0] < 64 and answer["patch"][2] > 0 for answer in found)
    mask = numpy.zeros((48, 64))
    mask[:24, :32] = 1
    write_png(videos.parent / "mask.png", mask)
    asked = [run_json("search", f"{own}@0.2", "--archive", archive, *option)["answers"] for option in (["--box", "0,0,32,24"], ["--mask", videos.parent / "mask.png"])]
    # A pixel of a mask belongs to one patch, a box may end within one.
    for box, masked in zip(*asked):
        assert abs(box["score"] - masked["score"]) < 0.05, asked
    # The sheet shows what was asked for, and where it was found.
    for option, cells in ([], 0), (["--box", "0,0,32,24"], 2), (["--point", "60,40"], 2), (["--mask", videos.parent / "mask.png"], 1):
        sheet = videos.parent / "marked.png"
        run("search", f"{own}@0.2", "--archive", archive, *option, "--others", "--top", "1", "--sheet", sheet)
        shown = subprocess.run(f"gst-launch-1.0 -q filesrc location={sheet} ! pngdec ! videoconvert ! video/x-raw,format=RGB ! fdsink".split(), check=True, timeout=60,
                               stdout=subprocess.PIPE).stdout
        width = 6 + 4 * (224 + 6)
        pixels = numpy.frombuffer(shown, "u1").reshape(len(shown) // (4 * (3 * width // 4 + (3 * width % 4 > 0))), -1)[:, : 3 * width].reshape(-1, width, 3)
        yellow = (pixels == (255, 204, 0)).all(2)
        assert sum(bool(yellow[:, 6 + cell * 230 : 230 + cell * 230].sum() > 20) for cell in range(4)) == cells, (option, yellow.sum())
    assert "lies outside" in run("search", f"{own}@0.2", "--archive", archive, "--box", "100,100,5,5", status=2)
    write_png(videos.parent / "mask.png", numpy.ones((10, 10)))
    assert "expected those of the picture, 64 x 48" in run("search", f"{own}@0.2", "--archive", archive, "--mask", videos.parent / "mask.png", status=1)


def check_elsewhere(archive, videos, folder):
    """A copy of a video that the archive does not have finds the original, and so does a picture of it."""
    shutil.copy(videos / "smpte.mkv", folder / "copy.mkv")
    answers = run_json("search", folder / "copy.mkv@0.2", "--archive", archive, *MODEL)["answers"]
    assert answers[0]["path"] == str(videos / "smpte.mkv") and answers[0]["score"] > 0.99, answers
    subprocess.run(f"gst-launch-1.0 -q videotestsrc num-buffers=1 pattern=smpte ! video/x-raw,width=64,height=48 ! pngenc ! filesink location={folder}/picture.png".split(),
                   check=True, timeout=60)
    answers = run_json("search", folder / "picture.png", "--archive", archive, *MODEL)["answers"]
    assert answers[0]["path"] == str(videos / "smpte.mkv"), answers
    box = run_json("search", folder / "picture.png", "--archive", archive, *MODEL, "--box", "0,0,32,24")["answers"]
    assert str(videos / "smpte.mkv") in [answer["path"] for answer in box[:2]], box
    assert "is a video: VIDEO@SECONDS" in run("search", folder / "copy.mkv", "--archive", archive, *MODEL, status=2)
    # Twelve frames of 40 ms, whether the archive has them or not: after them there is nothing that could be meant.
    for video in videos / "smpte.mkv", folder / "copy.mkv":
        assert run_json("search", f"{video}@0.47", "--archive", archive, *MODEL)["time"] == 440000000
        for late in "0.5", "3", "99":
            assert "ends before" in run("search", f"{video}@{late}", "--archive", archive, *MODEL, status=2), (video, late)
    assert "expected VIDEO@SECONDS" in run("search", "video.mp4@x", "--archive", archive, status=2)
    assert "was made with model" in run("search", folder / "copy.mkv@0.2", "--archive", archive, "--model", data / ".." / ".." / "model" / "default" / "rvm-cpu.safetensors", status=2)
    run("search", folder / "copy.mkv@0.2", "--archive", archive, *MODEL, "--sheet", folder / "sheet.png", "--top", "3")
    assert (folder / "sheet.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and not (folder / "sheet.png.part").exists()
    for wrong in (["--by", "smell"], ["--kind", "patches"], ["--top", "0"], ["--box", "1,2"], ["--point", "x"], ["--box", "0,0,1,1", "--point", "1,1"],
                  ["--point", "1,1", "--by", "both"]):
        assert call("search", videos / "ball.mkv@0", "--archive", archive, *wrong).returncode == 2, wrong


def check_answers(folder):
    """Moments that follow each other are one answer; those around the query are left out."""
    long = folder / "long"
    long.mkdir()
    make_video(long / "a.mkv", "ball", 100)
    archive = folder / "long-archive"
    index(long, archive)
    answers = run_json("search", long / "a.mkv@2", "--archive", archive, "--gap", "0.5")["answers"]
    assert answers and all(answer["end"] < 1.5e9 or answer["start"] > 2.5e9 for answer in answers), answers
    for a in answers:
        assert a["start"] <= a["time"] <= a["end"]
        assert all(a is b or a["end"] + 5e8 < b["start"] or b["end"] + 5e8 < a["start"] for b in answers), answers
    assert run_json("search", long / "a.mkv@2", "--archive", archive, "--others")["answers"] == []
    assert "keeps no patches" in run("search", long / "a.mkv@2", "--archive", archive, "--point", "1,1", *MODEL, status=2)


def check_addresses(folder, videos):
    """What was indexed by its address is asked for by it, and drawn."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Quiet(*args, directory=videos)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address, archive = f"http://127.0.0.1:{server.server_port}/smpte.mkv", folder / "addressed"
        assert index(address, archive)["done"] == 1
        assert index(videos / "ball.mkv", archive)["done"] == 1
        sheets = [folder / "from-address.png", folder / "from-nowhere.png"]
        found = run_json("search", f"{address}@0.2", "--archive", archive, "--others", "--sheet", sheets[0])
        assert found["path"] == address and [answer["path"] for answer in found["answers"]] == [str(videos / "ball.mkv")], found
        # Its file is another video to the archive, and the same to the eye.
        answers = run_json("search", (videos / "smpte.mkv").as_uri() + "@0.2", "--archive", archive, *MODEL)["answers"]
        assert answers[0]["path"] == address and answers[0]["score"] > 0.99, answers
        assert address in run("scenes", address, "--archive", archive) and "is not in the archive" in run("scenes", address + "x", "--archive", archive, status=2)
        server.shutdown()
    run("search", f"{address}@0.2", "--archive", archive, "--others", "--sheet", sheets[1])
    assert len(sheets[0].read_bytes()) > len(sheets[1].read_bytes()), "the picture was fetched"


def check_methods(archive, videos):
    """A small archive is searched exactly, and says so; with FAISS it finds the same, because of few moments no list is left out."""
    asked = ["search", f"{videos / 'ball.mkv'}@0.2", "--archive", archive, "--others"]
    exact = run_json(*asked)
    assert exact["method"] == "exact" and exact["compared"] == exact["moments"] == 12 * len(PATTERNS), exact
    assert exact == {**run_json(*asked, "--method", "exact"), "seconds": exact["seconds"]} and not (archive / "nearest").exists()
    assert call(*asked, "--method", "quick").returncode == 2
    assert "compares whole pictures" in run(*asked, "--method", "faiss", "--by", "both", status=2)
    assert "compares whole pictures" in run(*asked, "--method", "faiss", "--point", "1,1", status=2)
    first = call(*asked, "--method", "faiss", "--json")
    if first.returncode == 2:
        assert b"built without FAISS (libfaiss-dev)" in first.stderr and not (archive / "nearest").exists(), first
        print("without FAISS", flush=True)
        return
    assert first.returncode == 0 and b"an index for FAISS is made" in first.stderr and (archive / "nearest/colours.faiss").exists(), first
    found = run_json(*asked, "--method", "faiss")
    assert found["method"] == "faiss" and found["compared"] == found["moments"], found
    for answer, expected in zip(found["answers"], exact["answers"], strict=True):
        assert answer["path"] == expected["path"] and abs(answer["score"] - expected["score"]) < 2e-3, (answer, expected)
    assert "faiss: 96 of 96 moments were compared" in run(*asked, "--method", "faiss")
    # Neither what it is equal to nor whether it is whole depends on it.
    before = digest(archive)
    shutil.rmtree(archive / "nearest")
    assert digest(archive) == before
    (archive / "nearest").write_bytes(b"a file where the folder should be")
    assert f"{archive}/nearest: " in run(*asked, "--method", "faiss", status=1)
    assert run_json(*asked)["method"] == "exact"
    (archive / "nearest").unlink()


def check_while_writing(folder, videos):
    """Searches go on while index writes."""
    archive = folder / "growing"
    index(videos / "ball.mkv", archive)
    process = start("index", videos, "--archive", archive, *tiny, "--jobs", "1")
    seen = set()
    while process.poll() is None:
        seen.add(run_json("search", videos / "ball.mkv@0.2", "--archive", archive)["moments"])
    assert process.returncode == 0 and seen and min(seen) >= 12, (process.stdout.read(), seen)
    assert run_json("search", videos / "ball.mkv@0.2", "--archive", archive)["moments"] == 12 * len(PATTERNS)


with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary).resolve()
    videos, archive = folder / "videos", folder / "archive"
    videos.mkdir()
    for pattern in PATTERNS:
        make_video(videos / f"{pattern}.mkv", pattern)
    index(videos, archive, "--parts", "class,mean,summary,patches")
    check_scores(archive, videos)
    print("scores", flush=True)
    check_regions(archive, videos)
    print("regions", flush=True)
    check_elsewhere(archive, videos, folder)
    print("elsewhere", flush=True)
    check_methods(archive, videos)
    print("methods", flush=True)
    check_addresses(folder, videos)
    print("addresses", flush=True)
    check_answers(folder)
    print("answers", flush=True)
    check_while_writing(folder, videos)
