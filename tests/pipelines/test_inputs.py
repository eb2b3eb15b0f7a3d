#!/usr/bin/env python3
"""test_inputs.py BUILD DATA: what a VIDEO may be for the scripts and applications of pipelines/ (a file, an address, standard input, pictures, an animated
GIF, a folder), and what is wrong with one: each is a sentence and an exit, none hangs. Exactly --frames frames; results that are there already."""
import functools
import http.server
import json
import os
import pathlib
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

import numpy as np

import clip

build, data = sys.argv[1:]
tiny = ["--model", f"{data}/tiny.npz", "--size", "48"]
env = {**os.environ, "RVM_BUILD": build, "RVM_DEFAULT_MODEL": f"{data}/tiny.npz"}
LIMIT = 200  # seconds, of a machine with much else to do; what these tests are about took for ever


def run(script, *arguments, status=0, **options):
    """(standard output, standard error) of a script, or of the application in C."""
    program = f"{build}/pipelines/scenes" if script == "scenes" else clip.PIPELINES / script
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=LIMIT, **options)
    said = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, (script, arguments, done.returncode, *said)
    assert "Traceback" not in said[1], said[1]
    return said


def refused(expected, script, *arguments, status=1, **options):
    said = run(script, *arguments, status=status, **options)[1]
    assert re.search(expected, said), (script, arguments, said)


def is_one_sentence(text):
    """Whether one thing was said. A script may also have waited for another test's, which builds in the same folder."""
    return len([line for line in text.splitlines() if "waiting for it" not in line]) == 1


def gst(*elements, **options):
    """Elements as words; the name of a file may have spaces."""
    return clip.gst(*(word for part in elements for word in ([part] if part.startswith("location=") else part.split())), **options)


def make_gif(path, frames, delay):
    """An animated GIF of the grey pictures @frames, which repeats for ever. Codes of 8 bits that are never joined: 120 pixels after each clear code."""
    height, width = frames[0].shape
    out = b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF6, 0, 0) + bytes(level for i in range(128) for level in (2 * i,) * 3)
    out += b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    for frame in frames:
        pixels = (frame // 2).astype(np.uint8).tobytes()
        codes = b"".join(b"\x80" + pixels[i:i + 120] for i in range(0, len(pixels), 120)) + b"\x81"
        out += b"\x21\xf9\x04\x00" + struct.pack("<H", delay) + b"\x00\x00\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x07"
        out += b"".join(bytes((len(codes[i:i + 255]),)) + codes[i:i + 255] for i in range(0, len(codes), 255)) + b"\x00"
    path.write_bytes(out + b"\x3b")


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def check_kinds(folder, video):
    """The same twelve frames in every form; features of all are those of the file."""
    expected = folder / "file"
    run("features", video, *tiny, "--output", expected)
    features = np.load(expected / "features.npy")
    pictures = folder / "pictures of ö"
    pictures.mkdir()
    gst("filesrc", f"location={video}", "! decodebin ! videoconvert ! pngenc ! multifilesink", "location=frame.%d.png", cwd=pictures)
    for number, name in enumerate(sorted(pictures.iterdir(), key=lambda path: int(path.name.split(".")[1]))):
        name.rename(pictures / f"frame_{number + 7}.png")  # frame_7 to frame_18: neither from 0 nor in the order of the alphabet
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"

    def same(name, *arguments, **options):
        run("features", *arguments, *tiny, "--output", folder / "again", "--overwrite", **options)
        got = np.load(folder / "again/features.npy")
        assert got.shape == features.shape and np.abs(got - features).max() < 1e-4, (name, got.shape, np.abs(got - features).max())
        print(f"{name}: the same features")

    same("an address", f"{address}/{video.name}")
    same("file://", video.as_uri())
    same("a pipe", "-", input=video.read_bytes())
    with open(video, "rb") as file:
        same("standard input from a file", "-", stdin=file)
    for name, argument in ("a folder of pictures", pictures), ("a number", pictures / "frame_%d.png"), ("a glob", pictures / "frame_*.png"):
        same(name, argument, "--rate", "10")
    assert [line["pts"] for line in lines_of(folder / "again/features.jsonl")] == [i * 100_000_000 for i in range(clip.FRAMES)], "--rate 10"
    refused(f"{address}/none.mp4: ", "features", f"{address}/none.mp4", "--output", folder / "x")
    refused("there is no element", "features", "foo://somewhere/a", "--output", folder / "x")

    # In the other scripts and applications.
    for argument, options in (pictures / "frame_%d.png", {}), ("-", {"input": video.read_bytes()}), (f"{address}/{video.name}", {}):
        out = folder / "kinds"
        run("pca-video", argument, *tiny, "--output", out / "pca.mkv", **options)
        assert len(clip.frames_of(out / "pca.mkv")) == clip.FRAMES
        run("track-points", argument, *tiny, "--points", "60,50", "--output", out / "points.mkv", **options)
        assert len(lines_of(out / "points.jsonl")) == clip.FRAMES
        run("several-files", argument, *tiny, "--output", out / "several", **options)
        assert [len(np.load(path)) for path in (out / "several").glob("*.npy")] == [clip.FRAMES]
        assert len(run("track-box", argument, *tiny, "--box", "40,30,50,60", **options)[0].splitlines()) == clip.FRAMES + 1
        run("feature-picture", argument, *tiny, "--output", out / "picture.png", **options)
        assert "scene 1  0.000 s" in run("scenes", argument, *tiny, **options)[0]
        shutil.rmtree(out)
    mask = folder / "mask.png"
    gst("videotestsrc num-buffers=1 pattern=ball ! videoconvert !", f"video/x-raw,format=GRAY8,width={clip.WIDTH},height={clip.HEIGHT}", "! pngenc ! filesink",
        f"location={mask}")
    run("track-mask", pictures, mask, *tiny, "--output", folder / "kinds/masks")
    assert len(list((folder / "kinds/masks").glob("*.png"))) == clip.FRAMES
    server.shutdown()


def check_gif(folder):
    frames = [np.full((48, 64), 20 * i, np.uint8) for i in range(6)]
    for i, frame in enumerate(frames):
        frame[10:30, 8 * i:8 * i + 12] = 250
    make_gif(folder / "moves.gif", frames, 20)
    run("features", folder / "moves.gif", *tiny, "--output", folder / "gif")
    assert [line["pts"] for line in lines_of(folder / "gif/features.jsonl")] == [i * 200_000_000 for i in range(6)], "a time for each frame, and an end"
    run("pca-video", folder / "moves.gif", *tiny, "--alpha", "0", "--output", folder / "gif.avi")
    raw = gst("filesrc", f"location={folder}/gif.avi", "! decodebin ! videoconvert ! video/x-raw,format=RGB ! fdsink", stdout=subprocess.PIPE).stdout
    assert np.abs(np.frombuffer(raw, np.uint8).reshape(6, 48, 64, 3)[..., 1].astype(int) - frames).mean() < 6, "the pictures of the GIF"
    assert "0.000 s to 1.200 s" in run("scenes", folder / "moves.gif", *tiny, "--cut", "2")[0]
    whole = (folder / "moves.gif").read_bytes()
    (folder / "cut.gif").write_bytes(whole[:len(whole) // 2])
    run("features", folder / "cut.gif", *tiny, "--output", folder / "cut-gif")
    assert 1 <= len(lines_of(folder / "cut-gif/features.jsonl")) <= 4
    (folder / "head.gif").write_bytes(whole[:20])
    refused("cut short or damaged", "features", folder / "head.gif", *tiny, "--output", folder / "x")
    refused("there is no picture in it", "scenes", folder / "head.gif", *tiny)
    print("GIF: ends")


def check_bad(folder, video):
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("no video\n" * 30)
    gst("audiotestsrc num-buffers=40 ! avenc_aac ! mp4mux ! filesink", f"location={folder}/sound.mp4")
    long = clip.make(folder / "long.avi", 40)
    gst("filesrc", f"location={long}", "! decodebin ! videoconvert ! x264enc key-int-max=5 ! mp4mux faststart=true ! filesink", f"location={folder}/whole.mp4")
    whole = (folder / "whole.mp4").read_bytes()
    (folder / "short.mp4").write_bytes(whole[:len(whole) * 6 // 10])
    (folder / "nothing").mkdir()
    (folder / "gap").mkdir()
    for i, content in (0, None), (1, b""), (2, None):
        (folder / f"gap/{i}.png").write_bytes(content if content is not None else (folder / "mask.png").read_bytes())
    wrong = {"empty.mp4": "is empty|file is empty", "text.mp4": "no format of video|text file|type of stream", "sound.mp4": "no video in .*sound.mp4$",
             "nothing": "no videos or pictures in", "none.mp4": "no such file", "none_%05d.png": "no such file", "none*.png": "no such file", "gap": "gap/1.png is empty"}
    rest = {"features": [], "pca-video": [], "track-points": ["--points", "1,1"], "track-mask": [folder / "mask.png"], "several-files": [],
            "track-box": ["--box", "1,1,9,9"], "feature-picture": [], "scenes": []}
    for script, options in rest.items():
        # All of it where the code differs: the scripts have one way to read a video, the applications another, and that in C a third.
        for name in wrong if script in ("features", "track-box", "scenes") else ("text.mp4", "sound.mp4", "gap"):
            expected = wrong[name]
            out = [] if script in ("track-box", "scenes") else ["--output", folder / {"pca-video": "x.mkv", "track-points": "x.mkv"}.get(script, "x"), "--overwrite"]
            said = run(script, folder / name, *options, *tiny, *out, status=1)[1].strip()
            assert re.search(expected, said), (script, name, said)
            last = said.splitlines()[-1]
            assert last.startswith(script) and str(folder) in last and len(last) < 250, (script, name, said)
        print(f"{script}: what is wrong is said in a sentence")
    for script in "features", "scenes":
        output = [] if script == "scenes" else ["--output", folder / "short"]
        said = run(script, folder / "short.mp4", *tiny, *output)[1]
        ended = re.search(r"warning: .*short.mp4 ended after (\d+) frames \(([\d.]+) s\) but should last 4.0 s", said)
        assert ended and 10 <= int(ended[1]) < 40 and int(ended[1]) / 10 <= float(ended[2]) < 3.5, said
    assert "warning" not in run("features", folder / "whole.mp4", *tiny, "--output", folder / "whole")[1]
    # One bad file among several costs none of the others.
    names = [folder / name for name in ("empty.mp4", "whole.mp4", "none.mp4", "sound.mp4", "short.mp4")]
    said = run("several-files", *names, *tiny, "--output", folder / "some", status=3)
    assert "3 of 5 videos failed" in said[1] and all(str(name) in said[1].splitlines()[-1] for name in (names[0], names[2], names[3])), said[1]
    assert sorted(path.name for path in (folder / "some").iterdir()) == ["short.jsonl", "short.npy", "whole.jsonl", "whole.npy"]
    assert len(np.load(folder / "some/whole.npy")) == 40


def check_stalled(folder):
    """A writer that sends the beginning of a video and then nothing, for ever."""
    whole = gst("videotestsrc num-buffers=20 ! video/x-raw,width=96,height=72 ! vp8enc ! webmmux streamable=true ! fdsink", stdout=subprocess.PIPE).stdout
    for size, expected in (0, "no picture for 3 s"), (len(whole) * 2 // 3, "no more pictures for 3 s after"):
        reading, writing = os.pipe()
        os.write(writing, whole[:size])
        said = run("features", "-", *tiny, "--timeout", "3", "--output", folder / "stalled", "--overwrite", status=1, stdin=reading)[1]
        assert expected in said, said
        if size == 0:
            refused("no picture for 3 s", "scenes", "-", *tiny, "--timeout", "3", stdin=reading)
        os.close(reading)
        os.close(writing)
    print("a source that stalls is given up")


def check_frames(folder):
    """Exactly as many, whatever a decoder still holds; more than there are is all."""
    video = folder / "whole.mp4"
    for frames, expected in (10, 10), (1, 1), (99, 40):
        out = folder / f"frames {frames}"
        limit = ["--frames", frames, *tiny]
        run("features", video, *limit, "--output", out)
        assert len(np.load(out / "features.npy")) == expected
        run("pca-video", video, *limit, "--output", out / "pca.mp4")
        assert len(clip.frames_of(out / "pca.mp4")) == expected
        run("track-points", video, *limit, "--points", "60,50", "--output", out / "points.mkv")
        assert len(lines_of(out / "points.jsonl")) == expected
        run("track-mask", video, folder / "mask.png", *limit, "--output", out / "masks")
        assert len(list((out / "masks").glob("*.png"))) == expected
        run("several-files", video, *limit, "--output", out / "several")
        assert len(np.load(out / "several/whole.npy")) == expected
        assert len(run("track-box", video, *limit, "--box", "40,30,50,60")[0].splitlines()) == expected + 1
    print("--frames: exactly")
    # The levels of the picture are the video's own in each kind of file.
    original = clip.frames_of(video).astype(int)
    for kind in "avi", "webm", "mkv", "mp4":
        run("pca-video", video, *tiny, "--alpha", "0", "--output", folder / f"plain.{kind}")
        difference = (clip.frames_of(folder / f"plain.{kind}") - original).mean()
        print(f"{kind}: {difference:+.2f} of 255")
        assert abs(difference) < 2, (kind, difference)


def check_folder_of_videos(folder, video):
    videos = folder / "some videos"
    videos.mkdir()
    for name in "b 10.avi", "b 9.avi", "ä.avi":
        shutil.copy(video, videos / name)
    (videos / "c.mp4").touch()
    (videos / "notes.txt").touch()
    names = ["b 10", "b 9", "ä"]
    said = run("features", videos, *tiny, "--frames", "3", "--output", folder / "all", status=1)
    assert "1 of 4 videos failed" in said[1] and said[0].index("b 9") < said[0].index("b 10"), said
    assert sorted(path.name for path in (folder / "all").iterdir()) == names
    run("pca-video", videos, *tiny, "--frames", "3", "--output", folder / "all.webm", status=1)
    assert all((folder / f"all-{name}.webm").exists() for name in names)
    run("track-mask", videos, folder / "mask.png", *tiny, "--frames", "2", "--output", folder / "all masks", status=1)
    assert all((folder / "all masks" / name / "00001.png").exists() for name in names)
    run("several-files", videos, *tiny, "--output", folder / "all at once", status=1)
    assert sorted(path.stem for path in (folder / "all at once").glob("*.npy")) == names
    said = run("track-box", videos, *tiny, "--frames", "2", "--box", "40,30,50,60", status=1)[0].splitlines()
    assert said[0].startswith("video,time,left") and len(said) == 7 and said[1].startswith(f"{videos}/b 9.avi,0.000,"), said
    run("feature-picture", videos, *tiny, "--frames", "2", "--output", folder / "all.png", status=1)
    assert all((folder / f"all-{name}.png").exists() for name in names)
    said = run("scenes", videos, *tiny, status=1)
    assert said[0].count("scene 1 ") == 3 and "1 of 4 videos failed" in said[1], said
    print("a folder of videos: a run for each")


def check_results(folder, video):
    """Into the folder where the command was given; never over what is there."""
    here = folder / "where it was called"
    here.mkdir()
    run("features", video, *tiny, "--frames", "2", cwd=here)
    run("pca-video", video, *tiny, "--frames", "2", cwd=here)
    run("track-points", video, *tiny, "--frames", "2", "--points", "9,9", cwd=here)
    run("track-mask", video, folder / "mask.png", *tiny, "--frames", "2", cwd=here)
    run("feature-picture", video, *tiny, "--frames", "2", cwd=here)
    assert sorted(path.name for path in here.iterdir()) == ["features", "features.png", "masks", "pca.webm", "tracks.jsonl", "tracks.webm"]
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    for script, rest in ("features", []), ("pca-video", []), ("track-points", ["--points", "9,9"]), ("track-mask", [folder / "mask.png"]), ("feature-picture", []):
        refused("exists: --overwrite replaces it", script, video, *rest, *tiny, "--frames", "4", cwd=here)
    assert before == {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    # What fails leaves the earlier result; of an earlier, longer video no masks stay.
    run("pca-video", folder / "text.mp4", *tiny, "--overwrite", cwd=here, status=1)
    assert before[here / "pca.webm"] == (here / "pca.webm").read_bytes()
    run("track-mask", video, folder / "mask.png", *tiny, "--frames", "1", "--overwrite", cwd=here)
    assert [path.name for path in here.glob("masks/*.png")] == ["00000.png"]
    readonly = folder / "a file"
    readonly.touch()
    refused("cannot be written", "features", video, "--output", readonly / "x")
    print("results: where the command was given, never over others")
    # No encoder for MP4: a sentence with the packages that have one.
    tools = folder / "no encoders"
    tools.mkdir()
    (tools / "gst-inspect-1.0").write_text("#!/bin/sh\nexit 1\n")
    (tools / "gst-inspect-1.0").chmod(0o755)
    done = subprocess.run([clip.PIPELINES / "pca-video", video, "--output", folder / "none.mp4"], capture_output=True, text=True, timeout=LIMIT,
                          env={**env, "PATH": f"{tools}:{env['PATH']}"})
    assert done.returncode == 1 and "gstreamer1.0-plugins-ugly" in done.stderr and is_one_sentence(done.stderr) and not (folder / "none.mp4").exists(), done


def check_latin1(folder, video):
    """A name that is not UTF-8 is read; where a result would have it, that video is refused and no other."""
    names = folder / "names"
    names.mkdir()
    shutil.copy(video, os.fsencode(names) + b"/caf\xe9.avi")
    shutil.copy(video, names / "tea.avi")
    latin1 = os.fsdecode(os.fsencode(names) + b"/caf\xe9.avi")
    run("features", latin1, *tiny, "--output", folder / "latin1")
    assert len(np.load(folder / "latin1/features.npy")) == clip.FRAMES
    done = subprocess.run([clip.PIPELINES / "several-files", names, *tiny, "--output", folder / "latin1 several"], capture_output=True, env=env, timeout=LIMIT)
    assert done.returncode == 1 and b"not valid UTF-8" in done.stderr and b"1 of 2 videos failed" in done.stderr, done
    assert [path.name for path in (folder / "latin1 several").glob("*.npy")] == ["tea.npy"]
    said = subprocess.run([clip.PIPELINES / "track-box", names, *tiny, "--box", "9,9,20,20"], stdout=subprocess.PIPE, env=env, timeout=LIMIT, check=True).stdout
    assert said.count(b"caf\xe9.avi,") == clip.FRAMES
    done = subprocess.run([f"{build}/pipelines/scenes", names, *tiny], stdout=subprocess.PIPE, env={**env, "G_DEBUG": "fatal-criticals"}, timeout=LIMIT, check=True).stdout
    assert b"caf\xe9.avi\nscene 1" in done, done
    print("names that are not UTF-8")


def check_progress(folder):
    """On a terminal, a line that is written over; elsewhere lines. No display: a sentence before anything starts."""
    main, end = pty.openpty()
    said = b""

    def read():
        nonlocal said
        try:
            while part := os.read(main, 4096):
                said += part
        except OSError:
            pass

    reader = threading.Thread(target=read)
    reader.start()
    video = gst_long(folder)
    # Of a size at which the fastest machine needs seconds: in less time there is nothing to say of what is left.
    subprocess.run([clip.PIPELINES / "features", video, *tiny, "--size", "160", "--output", folder / "terminal"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=end, env=env, timeout=LIMIT, check=True)
    os.close(end)
    reader.join()
    text = said.decode()
    assert re.search(r"analysing .*: about 900 frames of 96 x 72", text) and "\r\033[K" in text, text
    assert re.search(r"\r\033\[K\d+ of 900 frames, [\d.]+ a second, [\d.]+ (s|min) left", text), text
    assert re.search(r"features: 900 frames in ", text), text
    plain = run("features", video, *tiny, "--output", folder / "plain")[1]
    assert "\r" not in plain and "analysing" in plain and plain.splitlines()[-1].startswith("features: 900 frames in "), plain
    for script, rest in ("viewer", [video]), ("teach", [video]), ("track-box", [video]), ("live", ["--test"]), ("with-rvm", ["gst-launch-1.0", "videotestsrc", "!", "autovideosink"]):
        dark = {name: value for name, value in env.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        done = subprocess.run([clip.PIPELINES / script, *map(str, rest)], capture_output=True, text=True, env=dark, timeout=LIMIT)
        assert done.returncode == 1 and "there is no display for" in done.stderr and is_one_sentence(done.stderr), (script, done)
    print("progress and displays")


def gst_long(folder):
    path = folder / "900.avi"
    gst("videotestsrc num-buffers=900 pattern=ball ! video/x-raw,width=96,height=72,framerate=30/1 ! jpegenc ! avimux ! filesink", f"location={path}")
    return path


def check_first_kernels(folder):
    """With empty caches: what takes so long is said, and the compiler says nothing."""
    caches = folder / "caches"
    fresh = {**env, "XDG_CACHE_HOME": str(caches), "POCL_CACHE_DIR": str(caches / "pocl"), "GST_REGISTRY": str(caches / "registry")}
    done = subprocess.run([clip.PIPELINES / "features", folder / "whole.mp4", *tiny, "--frames", "3", "--output", folder / "fresh"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, env=fresh, timeout=LIMIT)
    assert done.returncode == 0 and any(caches.glob("gst-rvm/*.bin")), done
    assert "warning" not in done.stderr and all(re.match(r"features: |\d+ of 3 frames", line) for line in done.stderr.splitlines()), done.stderr
    assert "compiling kernels for this computer, which is done once" in done.stderr, done.stderr
    print("first kernels: no word of the compiler")


with tempfile.TemporaryDirectory(prefix="rvm inputs ü") as name:
    folder = pathlib.Path(name)
    video = clip.make(folder / "clip.avi")
    check_kinds(folder, video)
    check_gif(folder)
    check_bad(folder, video)
    check_stalled(folder)
    check_frames(folder)
    check_folder_of_videos(folder, video)
    check_results(folder, video)
    check_latin1(folder, video)
    check_progress(folder)
    check_first_kernels(folder)
print("ok")
