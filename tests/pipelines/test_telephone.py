#!/usr/bin/env python3
"""test_telephone.py BUILD DATA: a telephone's video, stored on its side with a matrix that says how to turn it. Every script and application takes and
gives places, masks and pictures as a player shows the video: the same as of the video stored upright."""
import json
import pathlib
import re
import struct
import sys
import tempfile

import numpy as np

import clip
from rendered_clip import read_png, write_png

build, data = sys.argv[1:]
tiny = ["--model", f"{data}/tiny.npz", "--size", "48"]
WIDTH, HEIGHT, FRAMES = clip.HEIGHT, clip.WIDTH, 8  # upright: a telephone held upright


def make(path, pictures, orientation):
    """Motion JPEG in QuickTime of RGB @pictures. A telephone writes the matrix that turns them; qtmux (1.22) does not."""
    height, width = pictures.shape[1:3]
    clip.gst(*clip.raw_source(width, height), "!", "videoconvert", "!", "jpegenc", "quality=95", "!", "qtmux", "!", "filesink", f"location={path}",
             input=np.ascontiguousarray(pictures).tobytes())
    if orientation == "90r":
        content = bytearray(path.read_bytes())
        at = content.index(b"tkhd") + 44
        content[at:at + 16] = struct.pack(">iiii", 0, 65536, 0, -65536)
        content[at + 16:at + 20] = struct.pack(">i", 0)
        path.write_bytes(content)
    return path


def run(script, *arguments, **options):
    said = clip.run(script, *arguments, build=build, **options)
    print(f"{script}: done")
    return said


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def frames_of(path):
    raw = clip.gst("filesrc", f"location={path}", "!", "decodebin", "!", "videoconvert", "!", f"video/x-raw,format=RGB,width={WIDTH},height={HEIGHT}", "!",
                   "fdsink", stdout=clip.subprocess.PIPE).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH, 3).astype(int)


def check_no_tag(path):
    """Nothing is left for a player to turn."""
    found = clip.subprocess.run(["gst-launch-1.0", "-t", "filesrc", f"location={path}", "!", "decodebin", "!", "fakesink"], capture_output=True, text=True,
                                check=True).stdout
    assert not re.search("image.orientation: *(flip|rotate-[1-9])", found), found


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    lying = np.frombuffer(clip.pictures(FRAMES), np.uint8).reshape(FRAMES, clip.HEIGHT, clip.WIDTH, 3)
    shown = np.rot90(lying, -1, (1, 2))
    assert shown.shape == (FRAMES, HEIGHT, WIDTH, 3)
    videos = {"plain": make(folder / "plain.mov", shown, "identity"), "telephone": make(folder / "telephone.mov", lying, "90r")}
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[30:90, 20:70] = 3
    write_png(folder / "mask.png", mask)
    results = {}
    for kind, video in videos.items():
        out = folder / kind
        out.mkdir()
        run("features", video, *tiny, "--output", out / "features")
        run("several-files", video, *tiny, "--output", out / "several")
        run("pca-video", video, *tiny, "--mode", "similarity", "--point", "0.3,0.7", "--output", out / "pca.webm")
        run("track-points", video, *tiny, "--points", "30,150;0.5,0.25", "--boxes", "60,100,40,50", "--output", out / "tracks.mkv")
        run("track-mask", video, folder / "mask.png", *tiny, "--output", out / "masks")
        said = run("track-box", video, *tiny, "--box", "40,90,50,60").splitlines()
        run("feature-picture", video, *tiny, "--frames", FRAMES, "--output", out / "features.png")
        picture = clip.gst("filesrc", f"location={out / 'features.png'}", "!", "pngdec", "!", "videoconvert", "!", "video/x-raw,format=RGB", "!", "fdsink",
                           stdout=clip.subprocess.PIPE).stdout
        for written in ("pca.webm", "tracks.mkv", "masks/masks.webm"):
            check_no_tag(out / written)
        results[kind] = {
            "features": np.load(out / "features/features.npy"), "several": np.load(out / f"several/{video.stem}.npy"),
            "lines": lines_of(out / "features/features.jsonl"), "tracks": lines_of(out / "tracks.jsonl"), "mask": lines_of(out / "masks/masks.jsonl"),
            "box": np.array([[float(number) for number in line.split(",")] for line in said[1:]]),
            "pca": frames_of(out / "pca.webm"), "drawn": frames_of(out / "tracks.mkv"), "masked": frames_of(out / "masks/masks.webm"),
            "png": read_png((out / "masks/00000.png").read_bytes())[0], "last_png": read_png((out / f"masks/{FRAMES - 1:05d}.png").read_bytes())[0],
            "picture": np.frombuffer(picture, np.uint8).reshape(HEIGHT, 2 * WIDTH, 3).astype(int)}

plain, telephone = results["plain"], results["telephone"]
for key in ("features", "several"):
    assert telephone[key].shape == plain[key].shape == (FRAMES, 4, 3, plain[key].shape[3]), (telephone[key].shape, plain[key].shape)
    worst = np.abs(telephone[key] - plain[key]).max() / np.abs(plain[key]).max()
    # Compressed lying and compressed standing are not the same picture.
    assert worst < 0.1, (key, worst)
assert all(line["frame_size"] == [WIDTH, HEIGHT] for line in telephone["lines"] + plain["lines"])
assert telephone["lines"][0]["orientation"] == "90r" and plain["lines"][0]["orientation"] == "identity"
for key in ("tracks", "mask"):
    for line, right in zip(telephone[key], plain[key], strict=True):
        assert line["tracks_frame_size"] == [WIDTH, HEIGHT]
        for track, truth in zip(line["tracks"], right["tracks"], strict=True):
            assert (track["id"], track["kind"]) == (truth["id"], truth["kind"])
    first = [(t["x"], t["y"], t.get("width", 0), t.get("height", 0)) for t in telephone[key][0]["tracks"]]
    given = [(30, 150, 0, 0), (WIDTH / 2, HEIGHT / 4, 0, 0), (60, 100, 40, 50)] if key == "tracks" else [(20, 30, 50, 60)]
    assert np.allclose(first, given, atol=1e-3), first
assert np.allclose(telephone["box"][0, 1:5], [40, 90, 50, 60], atol=0.06) and telephone["box"].shape == plain["box"].shape
assert np.array_equal(telephone["png"], mask) and telephone["last_png"].shape == mask.shape
for key in ("pca", "drawn", "masked"):
    assert telephone[key].shape == plain[key].shape, key
    near, far = (np.abs(pictures - plain[key]).mean() for pictures in (telephone[key], telephone[key][:, ::-1, ::-1]))
    # Lossy both ways; a turned picture is told apart all the same.
    assert near < 6 and far > 3 * near, (key, near, far)
assert np.abs(telephone["picture"][:, :WIDTH] - shown[-1]).mean() < 6
print("a telephone's video: as the same video stored upright")
