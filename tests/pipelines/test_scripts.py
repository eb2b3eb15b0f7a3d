#!/usr/bin/env python3
"""test_scripts.py BUILD DATA [SMALL16]: every script of pipelines/ on a real clip, with what it writes read back; wrong options, missing files and
Ctrl-C. With SMALL16, a large model: that several files share it."""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

import clip
from rendered_clip import read_png, write_png

build, data, *rest = sys.argv[1:]
small16 = rest[0] if rest else None
tiny = ["--model", f"{data}/tiny.npz", "--size", "48"]


def run(script, *arguments, status=0):
    begin = time.monotonic()
    said = clip.run(script, *arguments, build=build, status=status)
    if status == 0:
        print(f"{script}: {time.monotonic() - begin:.1f} s")
    return said


def difference(a, b):
    """Mean over the pixels of the frames that both have."""
    n = min(len(a), len(b))
    return np.abs(a[:n].astype(int) - b[:n]).mean()


def check_wrong_use(folder, video):
    (folder / "mask.png").touch()
    none = "no-such-file"
    for script, missing in {"features": [none, "--output", folder / "x"], "pca-video": [none], "track-points": [none, "--points", "1,1"],
                            "track-mask": [none, folder / "mask.png", "--output", folder / "x"], "several-files": [video, none, "--output", folder / "x"],
                            "network": ["send", none, "127.0.0.1:9"], "live": ["--model", none]}.items():
        usage = run(script, "--help")
        assert f"pipelines/{script}" in usage and "--" in usage, usage
        assert run(script, "--no-such-option", status=2).rstrip().endswith(f"{script}: unknown option --no-such-option"), "below the help"
        assert "--size takes a whole number" in run(script, "--size", "big", status=2)
        assert "no such file: no-such-file" in run(script, *missing, status=1)
        shutil.rmtree(folder / "x", ignore_errors=True)
    assert "--mode is" in run("pca-video", video, "--mode", "x", status=2)
    assert "--point is" in run("pca-video", video, "--point", "7", status=2)
    assert ".webm, .mp4, .mkv or .avi" in run("pca-video", video, "--output", folder / "x.png", status=2)
    assert "needs a value" in run("track-points", video, "--points", status=2)
    assert "is not x,y" in run("track-points", video, "--points", "1,2,3", "--output", folder / "bad.webm", status=1)
    assert not (folder / "bad.webm").exists() and not (folder / "bad.webm.part").exists()
    assert "a port is" in run("network", "receive", "70000", status=2)
    assert "which command" in run("with-rvm", status=2)
    assert "rvmencode" in run("with-rvm", "gst-inspect-1.0", "rvmencode")
    print("wrong use: refused")


def check_pca_video(folder, video, original):
    for mode in ("pca", "similarity", "change"):
        out = folder / f"{mode}.mkv"
        run("pca-video", video, *tiny, "--mode", mode, "--point", "0.3,0.6", "--alpha", "0.8", "--output", out)
        frames = clip.frames_of(out)
        assert frames.shape == original.shape, (frames.shape, original.shape)
        assert difference(frames, original) > 15, mode
    run("pca-video", video, *tiny, "--alpha", "0", "--output", folder / "plain.avi")
    assert difference(clip.frames_of(folder / "plain.avi"), original) < 6


def check_track_points(folder, video, original):
    out = folder / "tracks.webm"
    run("track-points", video, *tiny, "--points", "60,50;0.5,0.25", "--boxes", "90,80,30,40", "--output", out)
    lines = [json.loads(line) for line in out.with_suffix(".jsonl").read_text().splitlines()]
    assert len(lines) == len(original)
    first = [(t["id"], t["kind"], t["x"], t["y"], t.get("width", 0), t.get("height", 0)) for t in lines[0]["tracks"]]
    assert np.allclose([t[2:] for t in first], [(60, 50, 0, 0), (clip.WIDTH / 2, clip.HEIGHT / 4, 0, 0), (90, 80, 30, 40)], atol=1e-3), first
    assert [t[:2] for t in first] == [(1, "point"), (2, "point"), (3, "box")]
    assert all([t["id"] for t in line["tracks"]] == [1, 2, 3] for line in lines)
    drawn = np.abs(clip.frames_of(out)[0].astype(int) - original[0]).sum(2)
    # The point's ring and the box's edge are drawn, away from all tracks nothing is.
    assert drawn[45:56, 55:66].max() > 100 and drawn[78:83, 95:115].max() > 100 and drawn[:, 160:].mean() < 20


def check_track_mask(folder, video, original):
    mask = np.zeros((clip.HEIGHT, clip.WIDTH), np.uint8)
    mask[40:100, 30:80] = 1
    mask[60:120, 110:170] = 5
    write_png(folder / "mask.png", mask)
    run("track-mask", video, folder / "mask.png", *tiny, "--output", folder / "masks")
    names = sorted(path.name for path in (folder / "masks").glob("*.png"))
    assert names == [f"{i:05d}.png" for i in range(len(original))], names
    for name in names:
        written, _ = read_png((folder / "masks" / name).read_bytes())
        assert written.shape == mask.shape and set(np.unique(written)) <= {0, 1, 5}
        if name == "00000.png":
            assert (written == mask).all(), "the first frame has the mask as it was given"
    assert len(clip.frames_of(folder / "masks/masks.webm")) == len(original)


def check_several_files(folder, video, original):
    other = clip.make(folder / "other.avi", 7, effect=["videoflip", "method=horizontal-flip", "!"])
    run("several-files", video, other, *tiny, "--output", folder / "several")
    for name in (video, other):
        run("features", name, *tiny, "--output", folder / "alone", "--overwrite")
        together, alone = np.load(folder / f"several/{name.stem}.npy"), np.load(folder / "alone/features.npy")
        assert together.shape == alone.shape and (together == alone).all(), "features do not depend on what runs beside"
    assert "both write" in run("several-files", video, video, "--output", folder / "several", status=1)


def check_model_is_shared(folder, video):
    """Four videos need less memory beyond that of one than one more copy of the weights takes."""
    def memory():
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024

    settings = ["--model", small16, "--size", "32", "--frames", "2", "--output", folder / "shared", "--overwrite"]
    names = [folder / f"copy{i}.avi" for i in range(4)]
    for name in names:
        os.link(video, name)
    run("several-files", names[0], *settings)
    one = memory()
    run("several-files", *names, *settings)
    four = memory()
    weights = os.path.getsize(small16) / 2**20
    print(f"several-files: {one:.0f} MiB for one video, {four:.0f} MiB for four, weights {weights:.0f} MiB")
    assert one > weights and four - one < 0.5 * weights


def check_live(folder):
    out = folder / "live.mkv"
    said = run("live", "--test", *tiny, "--frames", "5", "--output", out)
    assert "the test picture" in said
    raw = clip.gst("filesrc", f"location={out}", "!", "decodebin", "!", "videoconvert", "!", "video/x-raw,format=GRAY8", "!", "fdsink",
                   stdout=subprocess.PIPE).stdout
    assert len(raw) / (640 * 480) == 5
    assert "no such camera" in run("live", "--camera", "/dev/no-such-camera", "--output", folder / "none.mkv", status=1)


def listening(port):
    return any(int(line.split()[1].split(":")[1], 16) == port and line.split()[3] == "0A" for line in open("/proc/net/tcp").readlines()[1:])


def free_ports(n):
    import socket

    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def check_network(folder, video, original):
    first, second = free_ports(2)
    out, running = folder / "received.mkv", []
    for arguments, port in ((["receive", second, "--output", out], second), (["analyse", first, f"127.0.0.1:{second}", *tiny], first)):
        running.append(subprocess.Popen([clip.PIPELINES / "network", *map(str, arguments)], env={**os.environ, "RVM_BUILD": build},
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        end = time.monotonic() + 200
        while not listening(port):
            assert time.monotonic() < end and running[-1].poll() is None, running[-1].communicate()
            time.sleep(0.05)
    run("network", "send", video, f"127.0.0.1:{first}")
    for process in running:
        said = process.communicate(timeout=200)
        assert process.returncode == 0, said
    frames = clip.frames_of(out)
    assert frames.shape == original.shape, "no frame is lost"
    assert difference(frames, original) > 15


def check_interrupt(folder, video):
    long = clip.make(folder / "long.avi", 300)
    out = folder / "interrupted.mkv"
    lines = out.with_suffix(".jsonl")
    process = subprocess.Popen([clip.PIPELINES / "track-points", long, *tiny, "--points", "50,50", "--output", out], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, env={**os.environ, "RVM_BUILD": build}, start_new_session=True)
    clip.interrupt_when(process, lambda: lines.exists() and lines.stat().st_size > 20000)
    said = process.communicate(timeout=200)[0]
    assert process.returncode == 0 and "interrupted.mkv" in said, (process.returncode, said)
    assert 0 < len(clip.frames_of(out)) < 300 and all(json.loads(line) for line in lines.read_text().splitlines())


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    video = clip.make(folder / "clip.avi")
    original = clip.frames_of(video)
    check_wrong_use(folder, video)
    check_pca_video(folder, video, original)
    check_track_points(folder, video, original)
    check_track_mask(folder, video, original)
    check_several_files(folder, video, original)
    if small16:
        check_model_is_shared(folder, video)
    check_live(folder)
    check_network(folder, video, original)
    check_interrupt(folder, video)
print("ok")
