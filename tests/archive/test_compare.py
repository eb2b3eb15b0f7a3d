#!/usr/bin/env python3
"""test_compare.py RVM-ARCHIVE DATA: scenes finds planted cuts and no others; duplicates finds planted copies (re-encoded at another size, a piece cut out of
the middle, mirrored, a piece within a film), with their times, and no clips that only look alike."""
import pathlib
import subprocess
import sys
import tempfile

import numpy

from archive import call, run, run_json, tiny

RATE = 12.5  # frames a second
MODEL = tiny[:2]


def make_frames(room, motion, seconds=6, width=64, height=48):
    """Coloured discs that move and grow before a background. @room: its colours and those of the discs; @motion: how they go."""
    colours, paths = numpy.random.default_rng(room), numpy.random.default_rng(1000 + motion)
    y, x = numpy.mgrid[0:height, 0:width]
    corners = colours.uniform(0, 255, (2, 3))
    discs = [(colours.uniform(0, 255, 3), paths.uniform(0, 1, 2), paths.uniform(0.2, 0.7, 3), paths.uniform(0, 6.3, 3)) for _ in range(4)]
    # Flat colours do not survive an encoder: a little more or less of one is another bin of the histogram. Real pictures have none.
    texture = colours.normal(0, 24, (height, width, 3))
    background = corners[0] + (corners[1] - corners[0]) * (x / width)[..., None] + texture
    frames = []
    for i in range(round(seconds * RATE)):
        frame = background.copy()
        for colour, centre, speed, phase in discs:
            wave = numpy.sin(speed * 2 * i / RATE + phase)
            radius = 6 + 10 * abs(wave[2])
            inside = (x - width * (centre[0] + 0.3 * wave[0])) ** 2 + (y - height * (centre[1] + 0.3 * wave[1])) ** 2 < radius**2
            frame[inside] = colour + texture[inside]
        frames.append(frame.clip(0, 255).astype("u1"))
    return numpy.stack(frames)


def write_video(path, frames, encoder="jpegenc quality=90 ! matroskamux", size=None):
    height, width = frames.shape[1:3]
    scale = f"! videoscale ! video/x-raw,width={size[0]},height={size[1]}" if size else ""
    subprocess.run(f"gst-launch-1.0 -q fdsrc fd=0 ! rawvideoparse width={width} height={height} format=rgb framerate=25/2 ! videoconvert {scale} ! {encoder} !"
                   f" filesink location={path}".split(), input=frames.tobytes(), check=True, timeout=120)


def seconds_of(piece):
    return piece["start"] / 1e9, piece["end"] / 1e9


def check_duplicates(videos, archive):
    originals = {name: make_frames(room, room) for room, name in enumerate(("a", "b", "c", "d"), 1)}
    for name, frames in originals.items():
        write_video(videos / f"{name}.mkv", frames)
    write_video(videos / "smaller.webm", originals["a"], "vp8enc target-bitrate=60000 ! webmmux", (48, 36))
    write_video(videos / "larger.webm", originals["a"], "vp8enc target-bitrate=200000 ! webmmux", (128, 96))
    write_video(videos / "middle.mkv", originals["b"][17:62], "jpegenc quality=50 ! matroskamux")
    write_video(videos / "mirrored.mkv", originals["c"][:, :, ::-1], "jpegenc quality=60 ! matroskamux")
    write_video(videos / "film.mkv", numpy.concatenate([make_frames(20, 20, 3), originals["d"][20:60], make_frames(21, 21, 3)]))
    # The same rooms at other times: alike, but no copies. And one that stands still.
    for i in range(3):
        write_video(videos / f"room{i}.mkv", make_frames(30, 30 + i))
    write_video(videos / "other-a.mkv", make_frames(1, 77))
    write_video(videos / "still.mkv", numpy.repeat(make_frames(40, 40, 1)[:1], 60, axis=0))
    write_video(videos / "still-copy.mkv", numpy.repeat(make_frames(40, 40, 1)[:1], 40, axis=0), "jpegenc quality=95 ! matroskamux")
    run("index", videos, "--archive", archive, *MODEL, "--size", "32", "--rate", "5")
    found = run_json("duplicates", "--archive", archive)["duplicates"]
    # Pair, in the order of paths -> offset of the second, and the least that must be found, seconds.
    expected = {("a", "larger"): (0, 5), ("a", "smaller"): (0, 5), ("larger", "smaller"): (0, 5), ("b", "middle"): (-17 / RATE, 3), ("c", "mirrored"): (0, 5),
                ("d", "film"): (38 / RATE - 20 / RATE, 2.4), ("still-copy", "still"): (None, 2.5)}
    names = [(pathlib.Path(each["a"]["path"]).stem, pathlib.Path(each["b"]["path"]).stem) for each in found]
    assert sorted(names) == sorted(expected), found
    assert [(each["a"]["path"], each["b"]["path"]) for each in found] == sorted((each["a"]["path"], each["b"]["path"]) for each in found)
    for pair, each in zip(names, found):
        (a, a_end), (b, b_end) = seconds_of(each["a"]), seconds_of(each["b"])
        offset, least = expected[pair]
        assert a_end - a >= least and b_end - b >= least - 0.3, (pair, each)
        assert offset is None or (abs(b - a - offset) < 0.21 and abs(b_end - a_end - offset) < 0.21), (pair, each)
        assert 0.9 <= each["score"] <= 1 and (each["motion"] is None) == (pair[0] == "still-copy"), (pair, each)
    return found


def check_options(videos, archive, found):
    """Names, limits and output."""
    some = run_json("duplicates", videos / "film.mkv", "--archive", archive)["duplicates"]
    assert some == [each for each in found if "film.mkv" in each["b"]["path"]] and len(some) == 1, some
    assert run_json("duplicates", "--archive", archive, "--least", "100")["duplicates"] == []
    assert len(run_json("duplicates", "--archive", archive, "--alike", "0", "--motion", "-1", "--evidence", "-10")["duplicates"]) > len(found)
    text = run("duplicates", "--archive", archive)
    assert text.count(" s  /") == 2 * len(found) and f"{videos}/mirrored.mkv" in text, text
    assert "no duplicates among" in run("duplicates", "--archive", archive, "--least", "100")
    assert "is not in the archive" in run("duplicates", videos / "none.mkv", "--archive", archive, status=2)
    assert "is not in the archive" in run("scenes", videos / "none.mkv", "--archive", archive, status=2)
    for command, *wrong in (("duplicates", "--alike", "2"), ("duplicates", "--motion", "-3"), ("duplicates", "--still", "nan"), ("duplicates", "--evidence", "nan"), ("duplicates", "--least", "-2"),
                            ("scenes", "--cut", "2"), ("scenes", "--stands", "nan"), ("scenes", "--least", "-2")):
        assert call(command, "--archive", archive, *wrong).returncode == 2, (command, wrong)


def check_scenes(videos, archive):
    scenes = run_json("scenes", "--archive", archive)["scenes"]
    of = {}
    for scene in scenes:
        of.setdefault(pathlib.Path(scene["path"]).name, []).append(scene)
    for name, each in of.items():
        assert [scene["scene"] for scene in each] == list(range(1, len(each) + 1)) and each[0]["start"] == 0 and each[0]["change"] == 0, each
        assert all(a["end"] == b["start"] and b["change"] > 0 for a, b in zip(each, each[1:])), each
        assert len(each) == (3 if name == "film.mkv" else 1), (name, each)
    cuts = [scene["start"] / 1e9 for scene in of["film.mkv"][1:]]
    # The first moment that is not before the cut; three seconds are 38 frames.
    assert all(-0.01 <= cut - planted <= 0.2 for cut, planted in zip(cuts, (38 / RATE, 78 / RATE))), cuts
    assert abs(of["film.mkv"][-1]["end"] / 1e9 - len(make_frames(20, 20, 3)) / RATE * 2 - 40 / RATE) < 0.1, of["film.mkv"]
    one = run_json("scenes", videos / "film.mkv", "--archive", archive)["scenes"]
    assert one == of["film.mkv"]
    text = run("scenes", videos / "film.mkv", "--archive", archive)
    assert text.splitlines()[0] == str(videos / "film.mkv") and len(text.splitlines()) == 4, text
    assert len(run_json("scenes", videos / "film.mkv", "--archive", archive, "--cut", "1")["scenes"]) == 1
    assert len(run_json("scenes", videos / "film.mkv", "--archive", archive, "--cut", "0", "--stands", "0", "--least", "0")["scenes"]) > 3


with tempfile.TemporaryDirectory() as temporary:
    videos, archive = pathlib.Path(temporary).resolve() / "videos", pathlib.Path(temporary).resolve() / "archive"
    videos.mkdir()
    found = check_duplicates(videos, archive)
    print("duplicates", flush=True)
    check_options(videos, archive, found)
    print("options", flush=True)
    check_scenes(videos, archive)
    print("scenes", flush=True)
