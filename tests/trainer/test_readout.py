#!/usr/bin/env python3
"""test_readout.py RVM-CL-TRAIN WEIGHTS: readouts of rendered videos whose classes are known by construction: a square that moves left, or right. Each
video runs as well backwards as forwards, so a still tells nothing, and a clip in reverse is of the other class. Features are computed once; bad input is
refused by name."""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

program, weights = sys.argv[1:]
WIDTH, HEIGHT, FRAMES, SIDE = 64, 48, 13, 12
folder = pathlib.Path(tempfile.mkdtemp(prefix="rvm-readout-"))
cache = folder / "cache"


def command(*args):
    return [program, "readout", *map(str, args), "--cache-dir", str(cache)]


def run(*args, status=0, model=weights):
    result = subprocess.run(command(*args, "--model", model), capture_output=True, text=True, timeout=900)
    assert result.returncode == status, (args, result)
    return result.stdout + result.stderr


def refuse(*args, status=1, expected=(), model=weights):
    message = run(*args, status=status, model=model)
    assert all(part in message for part in expected), (message, expected)


def draw(left, top, brightness):
    """A frame: a bright square on a grey ground."""
    rows = bytearray()
    for y in range(HEIGHT):
        for x in range(WIDTH):
            rows += bytes([230 if left <= x < left + SIDE and top <= y < top + SIDE else brightness] * 3)
    return bytes(rows)


def encode(path, frames):
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gst-launch-1.0", "-q", "fdsrc", "fd=0", f"blocksize={WIDTH * HEIGHT * 3}", "!", "rawvideoparse", f"width={WIDTH}", f"height={HEIGHT}",
                    "format=rgb", "framerate=10/1", "!", "videoconvert", "!", "jpegenc", "quality=95", "!", "matroskamux", "!", "filesink",
                    f"location={path}"], input=b"".join(frames), check=True, timeout=60)


def move(take, right, brightness):
    """The square goes 24 pixels through one of two places. So in one half of all clips it ends in the middle, and the last picture does not tell which
    way it came."""
    start, top = (2, 26)[take % 2], (8, 28)[take // 2]
    lefts = [start + 2 * i for i in range(FRAMES)]
    return [draw(left, top, brightness) for left in (lefts if right else reversed(lefts))]


def rows_of(output):
    """Name of a row of the table -> (accuracy, mean over classes, clips)."""
    rows = {}
    for line in output.splitlines():
        if line.count("+-") == 2 and line[42:].strip()[:1].isdigit():
            fields = line[42:].replace("+-", " ").split()
            rows[line[:42].strip()] = float(fields[0]), float(fields[2]), int(fields[4])
    return rows


def metadata_of(path):
    content = path.read_bytes()
    return json.loads(content[8:8 + int.from_bytes(content[:8], "little")])["__metadata__"]


def make_clips():
    lines = ["file,start,end,class,group"]
    for scene in range(3):
        for take in range(4):
            for label in ("left", "right"):
                encode(folder / "clips" / label / f"scene{scene}_{take}.mkv", move(take, label == "right", 40 + 30 * scene))
    # The same as parts of long videos: a clip a 1.3 seconds.
    for scene in range(3):
        frames = []
        for take in range(4):
            label = ("left", "right")[take % 2]
            lines.append(f'"scene{scene}.mkv",{take * FRAMES / 10 - 0.02:.2f},{(take + 1) * FRAMES / 10 - 0.02:.2f},{label},scene {scene}'.replace("-0.02", "0"))
            frames += move(take, label == "right", 40 + 30 * scene)
        encode(folder / f"scene{scene}.mkv", frames)
    (folder / "clips.csv").write_text("\n".join(lines) + "\n")


def check_class():
    size = ("--size", "64x48", "--window", 8, "--network", "linear")
    out = folder / "moves.safetensors"
    output = run("class", "--data", folder / "clips", "--out", out, *size, "--reversed", "--json", "--licence", "CC0")
    rows = rows_of(output)
    assert all(clips == 24 for _, _, clips in rows.values()) and len(rows) == 11, rows
    assert rows["the commonest class"] == (0.5, 0.5, 24), rows
    assert rows["grey pixels less the first, in order"][:2] == (1, 1), rows
    assert rows["the last picture, 16 x 12 grey pixels"][0] <= 0.75, rows
    forward, backward = rows["closed form: a window of states"], rows["the same, clips in reverse"]
    assert forward[0] >= 0.9 and forward[0] == forward[1] and backward[0] <= 0.1, rows
    last = json.loads(output.splitlines()[-1])
    assert abs(last["accuracy"] - forward[0]) < 1e-3 and abs(last["mean_class_accuracy"] - forward[1]) < 1e-3 and last["n"] == 24, last
    confusion = [line.split() for line in output.splitlines() if line.split()[:1] in (["left"], ["right"])]
    assert [int(row[3]) for row in confusion] == [12, 12] and int(confusion[0][1]) + int(confusion[1][2]) == round(24 * forward[0]), output
    assert "3 groups" in output and "3 folds" in output, output
    values = metadata_of(out)
    assert values["kind"] == "class" and values["classes"] == "left\nright" and values["window"] == "8" and values["stride"] == "2", values
    assert values["licence"] == "CC0" and values["measured"].splitlines()[0] in output and "12 left, 12 right" in values["material"], values
    assert abs(float(values["frame-rate"]) - 10) < 0.1 and values["reference"] == "first", values
    assert pathlib.Path(f"{out}.confusion.png").read_bytes().startswith(b"\x89PNG"), output
    assert "clips through" in output

    # Features are there: none is computed again, and the file is the same to the last byte. So is one of features that were computed again.
    again = folder / "again.safetensors"
    before = {path: path.stat().st_ino for path in (cache / "features").iterdir()}
    assert len(before) == 3 * 24, len(before)  # forwards, backwards, untrained
    output = run("class", "--data", folder / "clips", "--out", again, *size, "--reversed", "--licence", "CC0")
    assert again.read_bytes() == out.read_bytes() and "clips through" not in output, output
    assert before == {path: path.stat().st_ino for path in (cache / "features").iterdir()}
    shutil.rmtree(cache / "features")
    run("class", "--data", folder / "clips", "--out", again, *size, "--reversed", "--licence", "CC0")
    assert again.read_bytes() == out.read_bytes()

    # A clip that has changed is read again.
    victim = folder / "clips/left/scene0_0.mkv"
    os.utime(victim, (1e9, 1e9))
    assert "clips through" in run("class", "--data", folder / "clips", "--out", again, *size)

    # Few clips of each class: the same two clips of a class teach more than one, and from all of them nothing is drawn any more.
    output = run("class", "--data", folder / "clips", "--out", again, *size, "--curve", "--json")
    points = json.loads(output.splitlines()[-1])["curve"]
    assert [point["clips"] for point in points] == [1, 2, 3, 4, 6, 8] and [point["learned"] for point in points] == [1, 2, 3, 4, 6, 8], points
    assert points[0]["readout"][0] < points[-1]["readout"][0] and points[0]["readout"][1] > 0, points
    assert abs(points[-1]["readout"][0] - forward[1]) < 1e-3 and points[-1]["readout"][1] < 1e-9 and points[-1]["grey"] == [1, 0], (points, rows)
    assert all(abs(point["readout"][0] - point["grey"][0] - point["over"][0]) < 1e-5 for point in points), points
    assert "drawings of the clips" in output and "drawings of the clips" in metadata_of(again)["measured"], output

    # Features of the encoder, and other references.
    for more in (("--features", "encoder"), ("--reference", "mean"), ("--reference", "none")):
        output = run("class", "--data", folder / "clips", "--out", again, *size, *more)
        assert metadata_of(again)[more[0][2:]] == more[1], metadata_of(again)
        assert [row for row in rows_of(output) if row.startswith("closed form")], output


def check_groups():
    out, size = folder / "groups.safetensors", ("--size", "64x48", "--window", 8, "--network", "linear")
    assert "24 groups, 13 to 13 frames; measured in 10 folds" in run("class", "--data", folder / "clips", "--out", out, *size, "--groups", "clip")
    # One group: held out one by one, which is said.
    listed = folder / "groups.csv"
    files = sorted((folder / "clips").rglob("*.mkv"))
    listed.write_text("file,group\n" + "".join(f"{path},same\n" for path in files))
    output = run("class", "--data", folder / "clips", "--out", out, *size, "--groups", listed)
    assert "1 groups" in output and "all clips are of one group" in output, output
    listed.write_text("file,group\n" + "".join(f"{path},{i % 2}\n" for i, path in enumerate(files)))
    assert "2 groups" in run("class", "--data", folder / "clips", "--out", out, *size, "--groups", listed)
    listed.write_text("file,group\n" + "".join(f"{path},same\n" for path in files[1:]))
    refuse("class", "--data", folder / "clips", "--out", out, "--groups", listed, expected=(files[0].name, "no group", "groups.csv"))
    refuse("class", "--data", folder / "clips", "--out", out, "--groups", "scene", expected=("--groups", "name, column, clip"))
    refuse("class", "--data", folder / "clips", "--out", out, "--groups", "column", status=2, expected=("--groups column", "CSV"))


def check_csv():
    """Parts of videos give the frames that they say, and the readout of whole clips works on them."""
    out = folder / "csv.safetensors"
    output = run("class", "--data", folder / "clips.csv", "--groups", "column", "--out", out, "--size", "64x48", "--window", 8, "--network", "linear")
    assert "12 clips of 2 classes and 3 groups, 13 to 13 frames" in output, output
    output = run("evaluate", folder / "moves.safetensors", "--data", folder / "clips.csv", "--json")
    last = json.loads(output.splitlines()[-1])
    assert last["n"] == 12 and last["accuracy"] >= 0.75 and last["accuracy"] == last["mean_class_accuracy"], output

    # A size that is not said is one of so many patches, whatever their size.
    large = folder / "large.safetensors"
    subprocess.run([program, "init", "--recipe", "tiny", "--patch", "16", str(large)], check=True, timeout=100, capture_output=True)
    run("class", "--data", folder / "clips.csv", "--groups", "column", "--out", out, "--window", 8, "--network", "linear", model=large)
    assert (metadata_of(out)["width"], metadata_of(out)["height"]) == ("192", "144"), metadata_of(out)

    def refuse_csv(text, *expected):
        (folder / "bad.csv").write_text(text)
        refuse("class", "--data", folder / "bad.csv", "--out", out, expected=("bad.csv", *expected))

    refuse_csv("", "column names")
    refuse_csv("file,start,end\nscene0.mkv,0,1\n", "column 'class'", "file, start, end")
    refuse_csv("file,class\nscene0.mkv\n", ":2:", "1 fields, expected 2")
    refuse_csv("file,class\nscene9.mkv,left\n", ":2:", "file 'scene9.mkv'", "a video file")
    refuse_csv("file,class\nscene0.mkv,\n", ":2:", "class ''")
    refuse_csv('file,class\n"scene0.mkv,left\n', ":2:", "quote")
    refuse_csv("file,start,end,class\nscene0.mkv,0,1,left\nscene0.mkv,one,2,left\n", ":3:", "start 'one'", "seconds")
    refuse_csv("file,start,end,class\nscene0.mkv,2,1,left\n", ":2:", "end '1'", "more than its start")
    rest = "scene1.mkv,0,1,left\nscene1.mkv,1,2,right\nscene2.mkv,1,2,right\n"
    refuse_csv("file,start,end,class\nscene0.mkv,0,1,left\n" + rest.replace("right", "left"), "at least two classes", "'left'")
    (folder / "bad.csv").write_text("file,start,end,class\nscene0.mkv,50,51,left\n" + rest)
    refuse("class", "--data", folder / "bad.csv", "--out", out, "--groups", "clip", expected=("scene0.mkv (50 to 51 s)", "52", "no frame"))


def check_evaluate():
    readout = folder / "moves.safetensors"
    output = run("evaluate", readout, "--data", folder / "clips", "--json")
    assert json.loads(output.splitlines()[-1]) == {"accuracy": 1, "mean_class_accuracy": 1, "n": 24}, output  # what it was made from
    output = run("evaluate", readout, "--data", folder / "clips", "--reversed", "--json")
    assert json.loads(output.splitlines()[-1])["accuracy"] <= 0.1, output
    (folder / "up.csv").write_text("file,class\nscene0.mkv,up\n")
    refuse("evaluate", readout, "--data", folder / "up.csv", expected=("up.csv", "class 'up'", "left, right"))
    refuse("evaluate", weights, "--data", folder / "clips", expected=("not a readout",))
    other = folder / "other.safetensors"
    subprocess.run([program, "init", "--recipe", "tiny", str(other)], check=True, timeout=100, capture_output=True)
    refuse("evaluate", readout, "--data", folder / "clips", model=other, expected=("moves.safetensors", metadata_of(readout)["model"], "expected one of"))
    text = subprocess.run([program, "info", str(readout)], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "a readout" in text and "left, right" in text and "class" in text and "arrays" in text, text


def check_attention():
    """An attention readout is trained in the same folds, the better network is kept, and the file gives what was learned."""
    out, again = folder / "attention.safetensors", folder / "again.safetensors"
    args = ("class", "--data", folder / "clips", "--size", "64x48", "--window", 8)
    output = run(*args, "--out", out, "--network", "both", "--epochs", 1, "--json")
    rows = rows_of(output)
    closed, attention = rows["closed form: a window of states"], rows["attention: a window of states"]
    last = json.loads(output.splitlines()[-1])
    assert attention[2] == 24 and abs(last["mean_class_accuracy"] - max(closed[1], attention[1])) < 1e-3, (rows, last)
    assert "the better one is kept" in output and "fold 3 of 3" in output and "left" in output, output
    assert ("cells" in metadata_of(out)) == (attention[1] > closed[1]), metadata_of(out)

    output = run(*args, "--out", out, "--network", "attention", "--epochs", 200, "--reversed")
    rows = rows_of(output)
    forward, backward = rows["attention: a window of states"], rows["the same, clips in reverse"]
    assert "closed form: a window of states" not in rows and forward[0] >= 0.8 and backward[0] <= 0.2, rows
    assert metadata_of(out)["cells"] == "4", metadata_of(out)
    assert json.loads(run("evaluate", out, "--data", folder / "clips", "--json").splitlines()[-1])["accuracy"] >= 0.9
    written = []
    for seed in (3, 3, 4):
        run(*args, "--out", again, "--network", "attention", "--epochs", 1, "--seed", seed)
        written.append(again.read_bytes())
    assert written[0] == written[1] != written[2]
    # From fifty clips a class on, attention is tried by itself.
    assert "attention: a window of states" not in run(*args, "--out", again, "--epochs", 1)
    clips = [(path, path.parent.name, path.name.split("_")[0]) for path in sorted((folder / "clips").rglob("*.mkv"))]
    (folder / "many.csv").write_text("file,class,group\n" + "".join(f"{path},{label},{group}\n" for path, label, group in clips * 5))
    output = run("class", "--data", folder / "many.csv", "--groups", "column", *args[3:], "--out", again, "--epochs", 1)
    assert "120 clips" in output and "attention: a window of states" in output, output
    refuse(*args, "--out", again, "--network", "mlp", status=2, expected=("--network 'mlp'", "auto, linear, attention, both"))
    refuse(*args, "--out", again, "--epochs", 0, status=2, expected=("--epochs",))


def check_cache():
    """Features that were not used for the longest time go when there are too many: a file of 4 GiB, which is a hole, is in their folder."""
    large, foreign = cache / "features" / ("0" * 40 + ".safetensors"), cache / "features/notes.txt"
    for path in (large, foreign):
        path.write_bytes(b"")
        os.truncate(path, (4 << 30) + 1)
        os.utime(path, (1e9, 1e9))
    kept = len(list((cache / "features").iterdir()))
    run("class", "--data", folder / "clips", "--out", folder / "again.safetensors", "--size", "64x48", "--window", 8, "--network", "linear")
    assert not large.exists() and foreign.exists() and len(list((cache / "features").iterdir())) == kept - 1
    foreign.unlink()


def check_distance():
    """Normal is a ground with a square that rests; an anomaly is a ground of stripes."""
    rng = random.Random(2)
    for scene in range(2):
        for take in range(3):
            frames = [draw(10 + rng.randrange(4), 10 + rng.randrange(4), 60 + rng.randrange(4)) for _ in range(FRAMES)]
            encode(folder / "normal" / f"day{scene}_{take}.mkv", frames)
            encode(folder / "test/normal" / f"day{scene}_{take}.mkv", frames[::-1])
    stripes = b"".join(bytes([255 * (x // 4 % 2)] * 3) for x in range(WIDTH)) * HEIGHT
    for take in range(2):
        encode(folder / "test/anomaly" / f"{take}.mkv", [stripes] * FRAMES)
    out, again = folder / "normal.safetensors", folder / "normal2.safetensors"
    for path in (out, again):
        run("distance", "--data", folder / "normal", "--out", path, "--size", "64x48", "--stride", 2)
    assert out.read_bytes() == again.read_bytes() and metadata_of(out)["kind"] == "distance" and "95 % below" in metadata_of(out)["measured"]
    output = run("evaluate", out, "--data", folder / "test", "--json")
    assert json.loads(output.splitlines()[-1]) == {"auroc_frames": 1, "auroc_clips": 1, "n": 8}, output
    assert float(output.split("change of grey value")[1].split()[0]) < 0.5, output  # stripes that rest do not change
    refuse("evaluate", out, "--data", folder / "clips", expected=("class 'left'", "normal, anomaly"))


def check_bad_clips():
    out, bad = folder / "bad.safetensors", folder / "bad"
    refuse("class", "--data", folder / "nowhere", "--out", out, expected=("nowhere",))
    bad.mkdir()
    refuse("class", "--data", bad, "--out", out, expected=("bad", "a folder for each class"))
    for label in ("left", "right"):
        shutil.copytree(folder / "clips" / label, bad / label)
    (bad / "left/scene1_9.mkv").write_bytes(b"no video")
    refuse("class", "--data", bad, "--out", out, expected=("left/scene1_9.mkv",))
    (bad / "left/scene1_9.mkv").unlink()
    (bad / "once").mkdir()
    shutil.copy(bad / "left/scene1_1.mkv", bad / "once")
    refuse("class", "--data", bad, "--out", out, expected=("class 'once' has one clip", "at least two"))
    refuse("class", "--data", folder / "clips", "--out", out, "--size", "60x48", status=2, expected=("--size '60x48'", "multiples"))
    refuse("class", "--data", folder / "clips", "--out", out, "--reference", "last", status=2, expected=("--reference 'last'", "none, first, mean"))
    refuse("class", "--data", folder / "clips", "--out", out, "--window", 65, status=2, expected=("--window",))
    refuse("class", "--data", folder / "clips", status=2, expected=("--out",))
    refuse("class", "--data", folder / "clips", "--out", folder / "no/where.safetensors", expected=("where.safetensors",))
    assert not out.exists()


def check_interrupt():
    """Ctrl-C: what was computed stays, and the same command goes on from there."""
    out, features = folder / "late.safetensors", folder / "cache/features"
    shutil.rmtree(features)
    args = ("class", "--data", folder / "clips", "--out", out, "--size", "64x48", "--window", 8, "--network", "linear")
    process = subprocess.Popen(command(*args, "--model", weights), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 600
    while not features.exists() or len(list(features.glob("*.safetensors"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    text = process.communicate(timeout=100)[0]
    assert process.returncode == 130 and "are kept" in text and not out.exists(), (process.returncode, text)
    kept = {path: path.stat().st_ino for path in features.iterdir()}
    assert all(path.suffix == ".safetensors" for path in kept), kept
    run(*args)
    assert out.exists() and all(path.stat().st_ino == when for path, when in kept.items())


try:
    make_clips()
    check_class()
    check_groups()
    check_csv()
    check_evaluate()
    check_attention()
    check_cache()
    check_distance()
    check_bad_clips()
    check_interrupt()
finally:
    shutil.rmtree(folder)
