#!/usr/bin/env python3
"""test_suite.py RVM-CL-TRAIN: evaluate --suite on videos made here, of which the answers are known."""
import json
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import zlib

from training import program

WIDTH, HEIGHT, FRAMES, SIDE = 208, 112, 24, 32


def evaluate(*args, status=0):
    result = subprocess.run([program, "evaluate", *map(str, args)], capture_output=True, text=True, timeout=250)
    assert result.returncode == status, (args, result)
    return result.stdout if status == 0 else result.stderr


def write_mask(path, left):
    rows = b"".join(b"\0" + bytes(255 if 40 <= y < 40 + SIDE and left <= x < left + SIDE else 0 for x in range(WIDTH)) for y in range(HEIGHT))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows))
                     + chunk(b"IEND", b""))


def write_video(path, frames):
    """@frames: RGB bytes of WIDTH x HEIGHT."""
    raw = path.with_suffix(".rgb")
    raw.write_bytes(b"".join(frames))
    subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={raw}", "!", "rawvideoparse", "format=rgb", f"width={WIDTH}", f"height={HEIGHT}",
                    "framerate=25/1", "!", "videoconvert", "!", "jpegenc", "quality=100", "!", "matroskamux", "!", "filesink", f"location={path}"], check=True, timeout=60)
    raw.unlink()


def plain(colour):
    return bytes(colour) * (WIDTH * HEIGHT)


def square(left):
    frame = bytearray(plain((40, 60, 80)))
    for y in range(40, 40 + SIDE):
        frame[(y * WIDTH + left) * 3 : (y * WIDTH + left + SIDE) * 3] = bytes((220, 40, 30)) * SIDE
    return bytes(frame)


def make_davis(folder, frames=FRAMES):
    """Seven sequences, of which every third is used: one with a square that moves, one at rest, and one of a single colour."""
    (folder / "video").mkdir(parents=True)
    for i, name in enumerate("abcdefg"):
        (folder / "masks" / name).mkdir(parents=True)
        step = 2 if name == "a" else 0
        for frame in range(frames):
            write_mask(folder / "masks" / name / f"{frame:05d}.png", 16 + step * frame)
        if i % 3 == 0:
            write_video(folder / "video" / f"{name}.mp4", [plain((90, 120, 60)) if name == "g" else square(16 + step * frame) for frame in range(frames)])


def make_actions(folder):
    """Brighter and darker: a still picture does not tell them apart, differences from the first do, in every scene."""
    for verb, sign in ("brighten", 1), ("darken", -1):
        (folder / verb).mkdir(parents=True)
        for scene in (1, 2, 3, 4):
            for clip in (1, 2):
                start = 100 + 8 * scene + 4 * clip
                write_video(folder / verb / f"scene{scene}_{clip:02d}.mkv", [plain([start + sign * 6 * frame] * 3) for frame in range(12)])
    for path in (folder / "brighten").glob("scene4_*"):  # not of the suite: not even read
        path.write_text("no video")


def make_clips(folder):
    folder.mkdir()
    for i, colour in enumerate(((200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (30, 200, 200))):
        write_video(folder / f"{i}.mkv", [plain(colour)] * 8)
    (folder / "labels.csv").write_text("file,label\n")


def values_of(results, part, measure=None):
    return {entry["answer"]: entry for entry in results["results"] if entry["part"] == part and (measure is None or measure in entry["measure"])}


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    davis, actions, clips, weights, half = folder / "davis", folder / "actions", folder / "clips", folder / "tiny.npz", folder / "half.npz"
    subprocess.run([program, "init", "--config", "tiny", weights], check=True, capture_output=True)
    subprocess.run([program, "init", "--config", "tiny", "--no-decoder", half], check=True, capture_output=True)
    make_davis(davis)
    make_actions(actions)
    make_clips(clips)

    text = evaluate("--suite", "--json", "--davis", davis, "--actions", actions, "--clips", clips, "--model", weights, "--model", half)
    assert text.count("\n") == 1, text
    results = json.loads(text)
    assert results["suite"] == 1 and all(entry["error"] >= 0 and entry["n"] > 0 for entry in results["results"])

    # The copied mask: every third sequence, means over frames but the first, which is given, and the last. One square moves and two rest.
    overlap = [(SIDE - 2 * t) / (SIDE + 2 * t) if 2 * t < SIDE else 0 for t in range(1, FRAMES - 1)]
    tracking = values_of(results, "tracking")
    assert set(tracking) == {"first mask copied", "raw colours", *(f"{name}, {kind}" for name in ("tiny.npz", "half.npz") for kind in ("core", "encoder"))}
    copied = tracking["first mask copied"]
    single = 3 * copied["value"] - 2  # J&F of the moving one; J is known and F is at most 1
    low, high = sum(overlap) / len(overlap) / 2, (sum(overlap) / len(overlap) + 1) / 2
    assert copied["n"] == 3 and low < single < high, (copied, low, high)
    assert abs(copied["error"] - (1 - single) / 3) < 1e-6, copied  # of 1, 1 and single

    # Reconstruction: what has no decoder is left out. Where nothing moves a copy is nearly right, and with one colour so is the mean of what is visible.
    clear = values_of(results, "reconstruction", "loss, last frame clear")
    grey = values_of(results, "reconstruction", "loss, last frame grey")
    assert set(clear) == {"mean colour of the visible patches", "copy of the last clear frame", "tiny.npz, that frame alone", "tiny.npz, after 3 clear frames"}
    for answer in clear:  # covering the frame changes what a model makes of it, not what the simple answers are measured on
        assert (clear[answer]["value"] != grey[answer]["value"]) == (answer.startswith("tiny.npz")), (clear, grey)
    assert 0 < clear["copy of the last clear frame"]["value"] < clear["mean colour of the visible patches"]["value"]
    assert len(values_of(results, "reconstruction", "share of the loss that memory saves, last frame grey")) == 1
    left_out = {entry["part"]: entry["reason"] for entry in results["left_out"]}
    assert set(left_out) == {"reconstruction", "retrieval"} and "half.npz" in left_out["reconstruction"], left_out

    # Covered cells: of every model and length, core, encoder and colours.
    for length in (4, 16):
        found = values_of(results, "occlusion", f"after {length} frames")
        assert len(found) == 8 and all(0 <= entry["value"] <= 1 and entry["n"] == 3 for entry in found.values()), found

    # Differences of grey tell the actions apart, in scenes 1 to 3.
    accuracy = values_of(results, "actions")
    assert accuracy["16 x 12 grey pixels"]["value"] == 1 and accuracy["16 x 12 grey pixels"]["n"] == 12 and len(accuracy) == 5, accuracy

    # Every video has a colour of its own; the CSV file is no video, and this is said.
    retrieval = values_of(results, "retrieval")
    assert retrieval["histogram of 512 colours"]["value"] == 1 and retrieval["histogram of 512 colours"]["n"] == 5 and len(retrieval) == 5, retrieval
    assert "labels.csv" in left_out["retrieval"], left_out
    cost = values_of(results, "cost")
    assert len(cost) == 2 and all(entry["value"] > 0 for entry in cost.values()), cost

    # The same again but for the clock; and as text, with the parts that were not asked for.
    again = json.loads(evaluate("--suite", "--json", "--davis", davis, "--model", weights))
    for entry in again["results"]:
        if entry["part"] != "cost":
            assert entry in results["results"], entry
    text = evaluate("--suite", "--model", weights, "--untrained")
    assert "left out: tracking: --davis is not given" in text and "left out: actions: --actions is not given" in text, text
    assert re.search(r"^  untrained tiny.npz +[0-9.]+ \+- [0-9.]+$", text, re.M), text

    # What is wrong is told with the folder, the file and what was expected.
    assert "expected --suite" in evaluate("--davis", davis, "--json", status=2)
    assert "the suite is fixed" in evaluate("--suite", "--davis", davis, "--size", "64x64", status=2)
    message = evaluate("--suite", "--model", weights, "--davis", clips, status=1)
    assert message.startswith("rvm-cl-train: tracking: ") and str(clips) in message and "no sequences" in message, message
    message = evaluate("--suite", "--model", weights, "--actions", clips, status=1)
    assert str(clips) in message and "expected folders of at least two actions" in message, message
    shutil.copy(actions / "darken" / "scene1_01.mkv", actions / "darken" / "first.mkv")
    message = evaluate("--suite", "--model", weights, "--actions", actions, status=1)
    assert "darken/first.mkv" in message and "scene1_01.mp4" in message, message
    (actions / "darken" / "first.mkv").unlink()
    (actions / "darken" / "scene2_01.mkv").write_text("no video")
    assert "darken/scene2_01.mkv" in evaluate("--suite", "--model", weights, "--actions", actions, status=1)
    for path in clips.glob("[1-9].mkv"):
        path.unlink()
    message = evaluate("--suite", "--model", weights, "--clips", clips, status=1)
    assert str(clips) in message and "1 videos that can be read, expected at least 2" in message, message
    shutil.rmtree(davis)
    make_davis(davis, frames=8)
    message = evaluate("--suite", "--model", weights, "--davis", davis, status=1)
    assert "reconstruction: sequence 'a' has 8 frames, expected at least 23" in message, message
