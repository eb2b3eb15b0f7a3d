#!/usr/bin/env python3
"""test_evaluate.py RVM-CL-TRAIN WEIGHTS: evaluate on a folder laid out as DAVIS is published, made here: two objects in palette masks, one that
moves and one that rests, and marked points. The copied first mask's scores follow from the geometry, so they are known. Objects are told apart by
the numbers in a mask, whatever colours its palette gives them."""
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

program, weights = sys.argv[1:]
WIDTH, HEIGHT, FRAMES, SIDE = 160, 96, 5, 32
COLOURS = [(0, 0, 0), (128, 0, 0), (0, 128, 0)]  # as DAVIS has them


def run(*args, status=0):
    result = subprocess.run([program, "evaluate", *map(str, args)], capture_output=True, text=True, timeout=100)
    assert result.returncode == status, (args, result)
    return result.stdout + result.stderr


def write_png(path, rows, palette=None, grey=False):
    """Indexed with @palette, grey, or RGB."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    kind = 3 if palette else 0 if grey else 2
    width = len(rows[0]) if kind != 2 else len(rows[0]) // 3
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), 8, kind, 0, 0, 0))
    if palette:
        data += chunk(b"PLTE", bytes(value for colour in palette for value in colour))
    path.write_bytes(data + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))) + chunk(b"IEND", b""))


def left_of(frame):
    """Of the moving square."""
    return 16 + 8 * frame


def label_at(x, y, frame):
    if 16 <= y < 16 + SIDE and left_of(frame) <= x < left_of(frame) + SIDE:
        return 1
    return 2 if 56 <= y < 56 + SIDE and 100 <= x < 100 + SIDE else 0


def rows_of(output):
    """Kind of features -> text of its cell, for each row of the table."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in output.splitlines() if line.startswith("|")]
    return {line[0]: dict(zip(lines[0][1:], line[1:], strict=True)) for line in lines[2:]}


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    pictures, masks, points = folder / "JPEGImages/480p/squares", folder / "Annotations/480p/squares", folder / "points"
    for path in (pictures, masks, points):
        path.mkdir(parents=True)
    for frame in range(FRAMES):
        labels = [[label_at(x, y, frame) for x in range(WIDTH)] for y in range(HEIGHT)]
        write_png(masks / f"{frame:05d}.png", labels, COLOURS)
        write_png(folder / "picture.png", [[value for label in row for value in ((40, 60, 80), (220, 40, 30), (30, 200, 90))[label]] for row in labels])
        subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={folder}/picture.png", "!", "pngdec", "!", "videoconvert", "!", "jpegenc", "!",
                        "filesink", f"location={pictures}/{frame:05d}.jpg"], check=True, timeout=60)
    table = rows_of(run("--model", weights, "--untrained", "--davis", folder, "--size", f"{WIDTH}x{HEIGHT}"))
    # The square that moved by m has kept SIDE - m of its SIDE columns; the other's overlap is whole. Means over objects, then frames, of which
    # the first is given and the last left out.
    overlap = [(SIDE - 8 * t) / (SIDE + 8 * t) for t in range(1, FRAMES - 1)]
    expected = (1 + sum(overlap) / len(overlap)) / 2
    got = float(table["squares"]["first mask copied"].split()[0])
    assert abs(got - expected) < 6e-4, (got, expected, table)
    assert len(table["squares"]) == 6 and "untrained tiny.npz, core" in table["squares"] and table["squares"] == table["mean"], table
    assert "standard error" not in table, table

    # The same numbers with other colours, or as levels of grey, are the same objects. What the first mask does not have is the background, and
    # an object may leave the picture.
    every_mask = [[[label_at(x, y, frame) for x in range(WIDTH)] for y in range(HEIGHT)] for frame in range(FRAMES)]

    def write_masks(**options):
        for frame, labels in enumerate(every_mask):
            write_png(masks / f"{frame:05d}.png", labels, **options)

    def scores_of(*args):
        return rows_of(run("--model", weights, "--untrained", "--davis", folder, "--size", f"{WIDTH}x{HEIGHT}", *args))

    for options in ({"palette": [(0, 0, 0)] * 3}, {"palette": [(224, 224, 192), (0, 0, 0), (0, 0, 0)]}, {"palette": [(9, 9, 9), (5, 5, 5), (1, 1, 1)]}, {"grey": True}):
        write_masks(**options)
        assert scores_of() == table, (options, table)
    every_mask = [[[(0, 255, 7)[value] for value in row] for row in labels] for labels in every_mask]
    write_masks(grey=True)
    assert scores_of() == table
    every_mask[3] = [[0] * WIDTH] * HEIGHT
    every_mask[1] = [[value or 200 for value in row] for row in every_mask[1]]
    write_masks(grey=True)
    gone = scores_of()["squares"]["first mask copied"].split()
    assert abs(float(gone[0]) - (overlap[0] + 1 + overlap[1] + 1) / 6) < 6e-4, gone
    # The last frame of the sequence is left out, not the last that is asked for; its mask is not even read.
    assert abs(float(scores_of("--frames", 3)["squares"]["first mask copied"].split()[0]) - (overlap[0] + 1 + overlap[1] + 1) / 4) < 6e-4
    (masks / f"{FRAMES - 1:05d}.png").write_bytes(b"")
    assert scores_of()["squares"]["first mask copied"].split() == gone

    # Masks that have no numbers are refused by name.
    def refused(name, *parts):
        message = run("--model", weights, "--davis", folder, "--size", f"{WIDTH}x{HEIGHT}", status=1)
        assert all(part in message for part in (name, *parts)), message

    write_png(masks / "00001.png", [[value for label in row for value in COLOURS[label % 3]] for row in every_mask[0]])
    refused("00001.png", "expected an indexed or grey picture")
    (masks / "00001.png").write_bytes((pictures / "00001.jpg").read_bytes())
    refused("00001.png", "PNG")
    write_png(masks / "00001.png", [[0] * 8] * 8, grey=True)
    refused("00001.png", "8 x 8 pixels, expected 160 x 96")
    write_png(masks / "00000.png", [[0] * WIDTH] * HEIGHT, grey=True)
    refused("00000.png", "no object")
    every_mask = [[[label_at(x, y, frame) for x in range(WIDTH)] for y in range(HEIGHT)] for frame in range(FRAMES)]
    write_masks(palette=COLOURS)

    # Two sequences and a third that is too short: means, and their standard errors, of what is printed for each.
    for kind, suffix in (("JPEGImages/480p", "jpg"), ("Annotations/480p", "png")):
        for name, n in (("still", FRAMES), ("brief", 2)):
            (folder / kind / name).mkdir()
            for frame in range(n):
                (folder / kind / name / f"{frame:05d}.{suffix}").write_bytes((folder / kind / "squares" / f"00000.{suffix}").read_bytes())
    message = run("--model", weights, "--davis", folder, "--size", f"{WIDTH}x{HEIGHT}", "--sequence", "brief", status=1)
    assert "'brief'" in message and "1 of its 2 frames" in message, message
    for kind in ("JPEGImages/480p", "Annotations/480p"):
        shutil.rmtree(folder / kind / "brief")
    both = scores_of()
    for kind in both["mean"]:
        a, b, mean, error = ([float(part.strip("*")) for part in both[row][kind].split()] for row in ("squares", "still", "mean", "standard error"))
        for i in range(3):
            assert abs(mean[i] - (a[i] + b[i]) / 2) < 1.1e-3 and abs(error[i] - abs(a[i] - b[i]) / 2) < 1.1e-3, (kind, both)
    assert both["still"]["first mask copied"] == "1.000 1.000 **1.000**" and float(both["standard error"]["first mask copied"].split()[0]) > 0.1, both
    for kind in ("JPEGImages/480p", "Annotations/480p"):
        shutil.rmtree(folder / kind / "still")

    # Without --model: the weights that everything else runs by default.
    os.environ["RVM_DEFAULT_MODEL"] = weights
    assert table["squares"]["tiny.npz, core"] == rows_of(run("--davis", folder, "--size", f"{WIDTH}x{HEIGHT}"))["squares"]["tiny.npz, core"]
    os.environ["RVM_DEFAULT_MODEL"] = "no-such-file"
    assert "no-such-file" in run("--davis", folder, status=1)

    # A point of each square: within 0.2 times the root of both squares' area, or not.
    frames = [{"frame": t, "xy": [[left_of(t) + 16, 32], [116, 72], [0, 0]], "visible": [True, True, t == 2]} for t in (1, 2, 3)]
    (points / "squares.json").write_text(json.dumps({"seq": "squares", "size": [WIDTH, HEIGHT], "frames": frames}))
    table = rows_of(run("--model", weights, "--davis", folder, "--points", points, "--size", f"{WIDTH}x{HEIGHT}"))
    reach = 0.2 * math.sqrt(2 * SIDE * SIDE)
    right = sum((8 * t <= reach) + 1 for t in (1, 2)) / 4  # the third point is not seen where it all begins
    assert abs(float(table["squares"]["first mask copied"]) - right) < 6e-4, (table, right)

    # What is wrong with the files is told.
    frames[1]["frame"] = 0
    (points / "squares.json").write_text(json.dumps({"size": [WIDTH, HEIGHT], "frames": frames}))
    assert "rising numbers" in run("--model", weights, "--davis", folder, "--points", points, "--size", f"{WIDTH}x{HEIGHT}", status=1)
    (points / "squares.json").write_text("{")
    assert "squares.json" in run("--model", weights, "--davis", folder, "--points", points, "--size", f"{WIDTH}x{HEIGHT}", status=1)
    assert "no points" in run("--model", weights, "--davis", folder, "--points", folder, "--size", f"{WIDTH}x{HEIGHT}", status=1)
    (masks / "00003.png").unlink()
    assert "4 masks for 5 pictures" in run("--model", weights, "--davis", folder, "--size", f"{WIDTH}x{HEIGHT}", status=1)
