#!/usr/bin/env python3
"""test_readout_dense.py RVM-CL-TRAIN WEIGHTS: readouts of labels and of depth, in closed form and with attention, from rendered pictures of a square that is
somewhere else in each: what is where cannot be known without looking. The better of the two is kept, and attention ends where it is best for pictures that
are held out. Pictures and videos, other pictures to measure on, the same bytes twice, and bad input, which is refused by name."""
import json
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

program, weights = sys.argv[1:]
WIDTH, HEIGHT, SIDE = 64, 48, 24
folder = pathlib.Path(tempfile.mkdtemp(prefix="rvm-dense-"))
cache = folder / "cache"
SIZE = ("--size", "64x48")


def run(*args, status=0, model=weights):
    result = subprocess.run([program, "readout", *map(str, args), "--cache-dir", str(cache), "--model", str(model)], capture_output=True, text=True, timeout=900)
    assert result.returncode == status, (args, result)
    return result.stdout + result.stderr


def refuse(*args, expected, status=1, model=weights):
    message = run(*args, status=status, model=model)
    assert all(part in message for part in expected), (message, expected)


def write_png(path, rows, kind, depth):
    """@rows: bytes of each row. @kind: 0 grey, 2 RGB."""
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    width = len(rows[0]) // ((depth // 8) * (3 if kind == 2 else 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), depth, kind, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(b"IEND", b""))


def scene(rng):
    """Left and top of a square, and how bright the ground is."""
    return 8 * rng.randrange((WIDTH - SIDE) // 8 + 1), 8 * rng.randrange((HEIGHT - SIDE) // 8 + 1), 40 + rng.randrange(30)


def rows_of(place, square, ground):
    left, top, _ = place
    return [[square if left <= x < left + SIDE and top <= y < top + SIDE else ground for x in range(WIDTH)] for y in range(HEIGHT)]


def picture(place):
    return [b"".join(bytes([v] * 3) for v in row) for row in rows_of(place, 230, place[2])]


def labels(place):
    """The lowest rows do not count."""
    return [bytes([255] * WIDTH if y >= HEIGHT - 4 else row) for y, row in enumerate(rows_of(place, 1, 0))]


def depths(place):
    """Millimetres, of half the size; the first column is unknown."""
    return [b"".join(struct.pack(">H", 0 if x == 0 else v) for x, v in enumerate(row[::2])) for row in rows_of(place, 1000, 3000)[::2]]


def make(name, n, seed):
    rng = random.Random(seed)
    for i in range(n):
        place = scene(rng)
        write_png(folder / name / "images" / f"{i:02d}.png", picture(place), 2, 8)
        write_png(folder / name / "labels" / f"{i:02d}.png", labels(place), 0, 8)
        write_png(folder / name / "depth" / f"{i:02d}.png", depths(place), 0, 16)


def make_video(name, n, seed):
    rng = random.Random(seed)
    frames = []
    for i in range(n):
        place = scene(rng)
        frames.append(b"".join(picture(place)))
        if i % 2 == 0:
            write_png(folder / name / "depth" / f"{i:06d}.png", depths(place), 0, 16)
    subprocess.run(["gst-launch-1.0", "-q", "fdsrc", "fd=0", f"blocksize={WIDTH * HEIGHT * 3}", "!", "rawvideoparse", f"width={WIDTH}", f"height={HEIGHT}",
                    "format=rgb", "framerate=10/1", "!", "videoconvert", "!", "jpegenc", "quality=95", "!", "matroskamux", "!", "filesink",
                    f"location={folder / name / 'video.mkv'}"], input=b"".join(frames), check=True, timeout=60)


def table_of(output):
    """Name of a row -> the two measures and the number of pictures."""
    rows = {}
    for line in output.splitlines():
        fields = line[44:].replace("+-", " ").split()
        if len(fields) == 5 and fields[4].isdigit():
            rows[line[:44].strip()] = float(fields[0]), float(fields[2]), int(fields[4])
    return rows


def metadata_of(path):
    content = path.read_bytes()
    return json.loads(content[8:8 + int.from_bytes(content[:8], "little")])["__metadata__"]


ATTENTION, CLOSED = "the readout: attention to states", "the readout: closed form of states"
CONSTANT, MEAN_MAP = "the commonest label everywhere", "the mean map of the training pictures"


def shapes_of(path):
    content = path.read_bytes()
    header = json.loads(content[8:8 + int.from_bytes(content[:8], "little")])
    return {name: array["shape"] for name, array in header.items() if name != "__metadata__"}


def check_labels():
    """Attention."""
    out, again = folder / "labels.safetensors", folder / "again.safetensors"
    args = ("labels", "--data", folder / "pictures", *SIZE, "--groups", "clip", "--classes", "ground,square", "--void", 255, "--network", "attention", "--steps", 120)
    output = run(*args, "--out", out, "--json", "--licence", "CC0")
    rows = table_of(output)
    assert len(rows) == 5 and all(n == 8 for _, _, n in rows.values()), rows
    readout, constant, mean_map = rows[ATTENTION], rows[CONSTANT], rows[MEAN_MAP]
    assert constant[0] < 0.5 and readout[0] > mean_map[0] + 0.1, rows
    gain = [line.split() for line in output.splitlines() if line.startswith(f"  {MEAN_MAP}")]
    assert len(gain) == 1 and abs(float(gain[0][-3]) - (readout[0] - mean_map[0])) < 2e-3 and 0 < float(gain[0][-1]) < 0.5, output
    last = json.loads(output.splitlines()[-1])
    assert abs(last["mean_iou"] - readout[0]) < 1e-3 and abs(last["accuracy"] - readout[1]) < 1e-3 and last["n"] == 8, last
    assert "square" in output and "how many steps are enough" in output and "left" in output, output
    values = metadata_of(out)
    assert values["kind"] == "dense" and values["target"] == "labels" and values["classes"] == "ground\nsquare" and values["licence"] == "CC0", values
    assert "40 pictures" in values["material"] and "the mean map" in values["measured"] and "attention," in values["measured"], values

    short, written = (*args[:-1], 5), []
    for more in ((), (), ("--seed", 1)):
        assert "through" not in run(*short, "--out", again, *more)  # features are kept
        written.append(again.read_bytes())
    assert written[0] == written[1] != written[2]

    evaluate = ("evaluate", out, "--groups", "clip", "--void", 255, "--json")
    last = json.loads(run(*evaluate, "--data", folder / "others").splitlines()[-1])
    assert last["mean_iou"] > mean_map[0] + 0.05 and last["n"] == 12, last
    output = run("labels", "--data", folder / "pictures", "--test", folder / "others", *SIZE, "--groups", "clip", "--void", 255, "--network", "attention",
                 "--steps", 5, "--out", again)
    assert table_of(output)[ATTENTION][2] == 12 and "40 pictures to learn from" in output and "attention, 5 steps" in output, output
    assert metadata_of(again)["classes"] == "0\n1", metadata_of(again)
    text = subprocess.run([program, "info", str(out)], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "dense" in text and "ground, square" in text and "labels" in text, text

    other = folder / "other.safetensors"
    subprocess.run([program, "init", "--recipe", "tiny", str(other)], check=True, timeout=100, capture_output=True)
    refuse(*evaluate, "--data", folder / "others", model=other, expected=("labels.safetensors", "expected one of"))


def check_closed():
    """The default: few pictures are learned from in closed form, with what is measured being what the file does; of many, attention is tried, too."""
    out, again = folder / "closed.safetensors", folder / "again.safetensors"
    args = ("labels", "--data", folder / "pictures", "--test", folder / "others", *SIZE, "--groups", "clip", "--void", 255)
    output = run(*args, "--out", out, "--window", 4, "--reference", "mean")
    rows = table_of(output)
    assert list(rows)[2:] == ["closed form of the untrained network", "closed form of encoder features", CLOSED], rows
    assert rows[CLOSED][0] > rows[MEAN_MAP][0] + 0.2 and rows[CLOSED][2] == 12, rows
    assert set(shapes_of(out)) == {"patches/kernel", "patches/bias", "places/kernel"}, shapes_of(out)
    values = metadata_of(out)  # it looks at the newest state only
    assert values["window"] == "1" and values["reference"] == "none" and "closed form, penalty" in values["measured"], values
    last = json.loads(run("evaluate", out, "--data", folder / "others", "--groups", "clip", "--void", 255, "--json").splitlines()[-1])
    assert abs(last["mean_iou"] - rows[CLOSED][0]) < 2e-3 and abs(last["accuracy"] - rows[CLOSED][1]) < 2e-3, (last, rows)
    run(*args, "--out", again)
    assert shapes_of(again) == shapes_of(out) and again.read_bytes()[-1000:] == out.read_bytes()[-1000:]

    make("many", 60, 5)
    args = ("labels", "--data", folder / "many", "--test", folder / "others", *SIZE, "--groups", "clip", "--void", 255, "--out", out)
    output = run(*args, "--steps", 25)
    rows = table_of(output)
    assert "attention to states" in rows and CLOSED in rows and len(rows) == 6 and "the closed form is kept" in output, output
    assert "attention, 25 steps" in output and "patches/kernel" in shapes_of(out), output
    output = run("labels", "--data", folder / "pictures", *SIZE, "--groups", "clip", "--void", 255, "--network", "linear", "--out", out)
    assert "40 pictures" in metadata_of(out)["material"] and table_of(output)[CLOSED][2] == 8, output
    # A picture in each of two groups is enough to learn, but not to choose much.
    output = run("labels", "--data", folder / "two", *SIZE, "--groups", "clip", "--void", 255, "--out", out)
    assert table_of(output)[CLOSED][2] == 1, output


def check_early_end():
    """Attention that is trained for long on few pictures learns them by heart: it stops long before."""
    output = run("labels", "--data", folder / "random", "--test", folder / "others", *SIZE, "--groups", "clip", "--void", 255, "--network", "attention",
                 "--steps", 400, "--out", folder / "early.safetensors")
    steps = int(output.split("attention, ")[1].split(" steps")[0])
    assert 25 <= steps <= 175, output  # 2 x 175 + 25 is less than 400


def check_windows():
    """A window of several states, less their mean or not, of features of the encoder."""
    out = folder / "window.safetensors"
    for more in (("--reference", "mean"), ("--features", "encoder", "--stride", 2)):
        output = run("labels", "--data", folder / "pictures", *SIZE, "--groups", "name", "--void", 255, "--network", "attention", "--steps", 5, "--window", 4,
                     "--out", out, *more)
        assert metadata_of(out)[more[0][2:]] == more[1] and len(table_of(output)) == 5, output


def check_depth():
    out = folder / "depth.safetensors"
    args = ("depth", "--data", folder / "film", "--test", folder / "film2", *SIZE, "--out", out)
    output = run(*args, "--json")
    rows = table_of(output)
    readout, mean_map = rows[CLOSED], rows[MEAN_MAP]
    assert len(rows) == 5 and readout[0] < mean_map[0] - 0.05 and readout[1] > mean_map[1] and readout[2] == 8, rows
    values = metadata_of(out)
    assert values["target"] == "depth" and values["unit"] == "m" and "classes" not in values and abs(float(values["frame-rate"]) - 10) < 0.1, values
    last = json.loads(run("evaluate", out, "--data", folder / "film2", "--json").splitlines()[-1])
    assert abs(last["abs_rel"] - readout[0]) < 0.01 and abs(last["delta1"] - readout[1]) < 0.01 and last["n"] == 8, (last, rows)
    rows = table_of(run(*args, "--network", "attention", "--steps", 25))
    assert rows[ATTENTION][2] == 8 and rows[ATTENTION][0] < rows["the mean depth everywhere"][0] + 0.05, rows

    # Pictures beside depth, in other units: the same scale gives the same depth.
    run("depth", "--data", folder / "pictures", *SIZE, "--groups", "clip", "--unit", 0.1, "--out", out)
    last = json.loads(run("evaluate", out, "--data", folder / "others", "--groups", "clip", "--unit", 0.1, "--json").splitlines()[-1])
    wrong = json.loads(run("evaluate", out, "--data", folder / "others", "--groups", "clip", "--json").splitlines()[-1])
    assert last["abs_rel"] < 0.3 and wrong["abs_rel"] > 50, (last, wrong)


def check_bad_input():
    out, bad = folder / "bad.safetensors", folder / "bad"
    labels_of_bad = ("labels", "--data", bad, *SIZE, "--out", out, "--void", 255, "--steps", 2)
    depth_of_bad = ("depth", "--data", bad, *SIZE, "--out", out, "--steps", 2)
    refuse("labels", "--data", folder / "nowhere", "--out", out, expected=("nowhere", "a folder 'labels'"))
    refuse("labels", "--data", folder / "pictures", *SIZE, "--out", out, "--classes", "ground,square", "--steps", 2,
           expected=("labels/00.png", "label 255", "expected 0 to 1"))
    shutil.copytree(folder / "pictures", bad)
    victim = bad / "labels/07.png"
    content = victim.read_bytes()
    for place, kind, depth, expected in (([b"\0" * 32] * 24, 0, 8, ("32 x 24", "expected 64 x 48", "images/07.png")),
                                         ([b"\0" * 2 * WIDTH] * HEIGHT, 0, 16, ("8 bits", "16"))):
        write_png(victim, place, kind, depth)
        refuse(*labels_of_bad, expected=("labels/07.png", *expected))
    write_png(victim, [bytes([7] * WIDTH)] * HEIGHT, 0, 8)
    refuse(*labels_of_bad, "--classes", "ground,square", expected=("labels/07.png", "label 7", "expected 0 to 1", "255"))
    victim.write_bytes(b"no picture")
    refuse(*labels_of_bad, expected=("labels/07.png",))
    victim.write_bytes(content)
    (bad / "labels/notes.txt").write_text("")
    refuse(*labels_of_bad, expected=("notes.txt", ".png"))
    (bad / "labels/notes.txt").unlink()
    (bad / "images/07.png").write_bytes(b"no picture")
    refuse(*labels_of_bad, expected=("images/07.png",))
    (bad / "images/07.png").unlink()
    refuse(*labels_of_bad, expected=("labels/07.png", "a picture of the same name"))
    refuse(*depth_of_bad, expected=("depth/07.png", "a picture of the same name"))
    for part in ("labels", "depth"):
        (bad / part / "07.png").unlink()
    write_png(bad / "depth/06.png", [bytes(WIDTH)] * HEIGHT, 0, 8)
    refuse(*depth_of_bad, expected=("depth/06.png", "16 bits"))
    write_png(bad / "depth/06.png", [bytes(2 * 40)] * 40, 0, 16)
    refuse(*depth_of_bad, expected=("depth/06.png", "40 x 40", "64 x 48"))
    shutil.rmtree(bad)
    shutil.copytree(folder / "film", bad)
    shutil.copy(bad / "depth/000000.png", bad / "depth/000099.png")
    refuse(*depth_of_bad, expected=("depth/000099.png", "frame 99", "at most 39"))
    (bad / "depth/000099.png").rename(bad / "depth/last.png")
    refuse(*depth_of_bad, expected=("depth/last.png", "the number of a frame"))
    (bad / "depth/last.png").rename(bad / "depth/0000.png")
    refuse(*depth_of_bad, expected=("frame 0 has another picture",))
    (bad / "depth/0000.png").unlink()
    shutil.copy(bad / "video.mkv", bad / "video2.mkv")
    refuse(*depth_of_bad, expected=("bad", "one video", "found 2"))
    for option in (("--void", 300), ("--classes", "a,a"), ("--classes", "a"), ("--window", 65), ("--steps", 0)):
        refuse("labels", "--data", folder / "pictures", "--out", out, *option, status=2, expected=("expected",))
    refuse("labels", "--data", folder / "pictures", "--out", out, "--network", "both", status=2, expected=("--network 'both'", "auto, linear, attention"))
    refuse("depth", "--data", folder / "film", "--out", out, "--unit", 0, status=2, expected=("--unit",))
    refuse("depth", "--data", folder / "film", "--out", out, "--size", "60x48", status=2, expected=("--size '60x48'",))
    refuse("labels", "--data", folder / "pictures", "--out", out, "--groups", "day", status=2, expected=("--groups 'day'", "name or clip"))
    assert not out.exists()


def check_links():
    """Pictures that look alike may share one painted picture by links, or be links themselves: each counts."""
    linked = folder / "linked"
    shutil.copytree(folder / "pictures", linked)
    for part in ("images", "labels"):
        for number in range(1, 7):
            (linked / part / f"{number:02d}.png").unlink()
        for number in range(1, 4):
            (linked / part / f"{number:02d}.png").symlink_to("00.png")
        for number in range(4, 7):
            (linked / part / f"{number:02d}.png").hardlink_to(linked / part / "00.png")
    output = run("labels", "--data", linked, *SIZE, "--groups", "clip", "--void", 255, "--network", "linear", "--out", folder / "linked.safetensors")
    assert "32 pictures to learn from; measured on 8 " in output, output


def check_interrupt():
    """Ctrl-C while it trains: nothing is left but the features."""
    out, home = folder / "late.safetensors", folder / "temporary"
    home.mkdir()
    process = subprocess.Popen([program, "readout", "labels", "--data", str(folder / "pictures"), *SIZE, "--groups", "clip", "--void", "255", "--network",
                                "attention", "--steps", "100000",
                                "--out", str(out), "--cache-dir", str(cache), "--model", weights], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env={**__import__("os").environ, "TMPDIR": str(home)})
    deadline = time.monotonic() + 600
    while "step 1/" not in process.stdout.readline():
        assert process.poll() is None and time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    text = process.communicate(timeout=300)[0]
    assert process.returncode == 130 and "no readout was written" in text and not out.exists(), (process.returncode, text)
    assert not [path for path in home.iterdir() if path.name.startswith("rvm-")], list(home.iterdir())


try:
    make("pictures", 40, 1)
    make("others", 12, 2)
    make("two", 2, 6)
    make("random", 20, 7)
    for path in (folder / "random/labels").iterdir():  # nothing to be seen in the pictures tells them
        place = scene(random.Random(path.name))
        write_png(path, labels(place), 0, 8)
    make_video("film", 40, 3)
    make_video("film2", 16, 4)
    check_bad_input()
    check_labels()
    check_closed()
    check_early_end()
    check_windows()
    check_depth()
    check_links()
    check_interrupt()
finally:
    shutil.rmtree(folder)
