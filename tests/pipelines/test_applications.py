#!/usr/bin/env python3
"""test_applications.py BUILD DATA MODEL: the applications of pipelines/ on real clips. scenes (built by meson, and once more by pkg-config) finds the
cuts of a video put together here and the part that comes again, with the bundled MODEL; feature-picture and track-box agree with what rvmoverlay
and rvmexport make of the same frames."""
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import numpy as np

import clip

build, data, model = sys.argv[1:]
tiny = ["--model", f"{data}/tiny.npz", "--size", "48"]
EFFECTS = [[], ["videoflip", "method=rotate-180", "!", "videobalance", "hue=0.6", "contrast=0.6", "!"], []]
LENGTH = 12


def make_scenes(folder):
    """Three scenes of LENGTH frames, the third like the first."""
    return clip.make(folder / "scenes.avi", raw=b"".join(clip.pictures(LENGTH, effect) for effect in EFFECTS))


def check_scenes(program, video):
    def run(*arguments, status=0):
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, "RVM_DEFAULT_MODEL": model}, timeout=400)
        assert done.returncode == status, (arguments, done)
        return done.stdout + done.stderr

    said = run(video)
    print(said)
    times = [float(x) for x in re.findall(r"scene \d  ([\d.]+) s", said)]
    assert np.allclose(times, [0, LENGTH / 10, 2 * LENGTH / 10], atol=0.001), times
    assert re.search(r"scene 3 .* like scene 1 ", said) and len(re.findall("like", said)) == 1
    assert "like" not in run("--alike", 1.1, video)
    assert len(re.findall("scene", run("--cut", 2, video))) == 1
    assert "no such file: none" in run("none", status=1)
    assert "Unknown option --none" in run("--none", video, status=2)
    assert "which VIDEO" in run(status=2)
    assert "VIDEO" in run("--help") and "--cut" in run("--help")
    assert "no-such-model" in run("--model", "no-such-model", video, status=1)


def build_with_pkg_config(folder):
    """As a user would, but against the library in the build folder."""
    env = {**os.environ, "PKG_CONFIG_PATH": f"{build}/meson-uninstalled"}
    flags = shlex.split(subprocess.run(["pkg-config", "--cflags", "--libs", "gst-rvm-1.0", "gstreamer-app-1.0"], check=True, capture_output=True, text=True,
                                       env=env).stdout)
    subprocess.run(["cc", "-Wall", "-Werror", *clip.PIPELINES.glob("*.c"), "-o", folder / "scenes", *flags, "-lm"], check=True)
    help_text = subprocess.run([folder / "scenes", "--help"], check=True, capture_output=True, text=True,
                               env={**os.environ, "LD_LIBRARY_PATH": f"{build}/gst-plugin/meta"}).stdout
    assert "VIDEO" in help_text


def decode_png(path):
    raw = clip.gst("filesrc", f"location={path}", "!", "pngdec", "!", "videoconvert", "!", "video/x-raw,format=RGB", "!", "fdsink",
                   stdout=subprocess.PIPE).stdout
    return np.frombuffer(raw, np.uint8).reshape(clip.HEIGHT, -1, 3)


def check_feature_picture(folder, video):
    frames = 5
    out, basis, raw = folder / "picture.png", folder / "basis.npz", folder / "overlay.rgb"
    said = clip.run("feature-picture", video, *tiny, "--frames", frames, "--output", out, "--basis", basis, build=build)
    assert "3 x 4 patches" in said, said
    picture = decode_png(out)
    assert picture.shape == (clip.HEIGHT, 2 * clip.WIDTH, 3)
    assert np.abs(picture[:, : clip.WIDTH].astype(int) - clip.frames_of(video)[frames - 1]).mean() < 2, "the frame itself is on the left"
    # The same frame as rvmoverlay shows it with the basis that the application wrote: equal in the middle of each patch.
    clip.gst("filesrc", f"location={video}", "!", "decodebin", "!", "videoconvert", "!", "video/x-raw,format=RGB", "!", "rvmencode", "size=48",
             f"model-file={data}/tiny.npz", "!", "rvmoverlay", "alpha=1", f"basis-file={basis}", "!", "filesink", f"location={raw}")
    overlay = np.fromfile(raw, np.uint8).reshape(-1, clip.HEIGHT, clip.WIDTH, 3)[frames - 1]
    rows, columns = (np.arange(3) + 0.5) * clip.HEIGHT / 3, (np.arange(4) + 0.5) * clip.WIDTH / 4
    at = np.ix_(rows.astype(int), columns.astype(int))
    difference = np.abs(picture[:, clip.WIDTH:][at].astype(int) - overlay[at])
    print(f"feature-picture against rvmoverlay: {difference.max()} of 255")
    assert difference.max() <= 8, difference

    clip.run("feature-picture", video, *tiny, "--frames", frames, "--kind", "kmeans", "--clusters", "3", "--output", out, "--overwrite", build=build)
    colours = np.unique(decode_png(out)[:, clip.WIDTH:].reshape(-1, 3), axis=0)
    assert 2 <= len(colours) <= 3, colours
    assert "no such file" in clip.run("feature-picture", "none", build=build, status=1)
    assert "invalid choice" in clip.run("feature-picture", video, "--kind", "none", build=build, status=2)
    assert "--frames" in clip.run("feature-picture", "--help", build=build)


def check_track_box(folder, video):
    said = clip.run("track-box", video, *tiny, "--box", "40,30,50,60", build=build).splitlines()
    assert said[0] == "time,left,top,width,height,confidence,visible"
    got = np.array([[float(x) for x in line.split(",")] for line in said[1:]])
    lines = folder / "tracks.jsonl"
    clip.gst("filesrc", f"location={video}", "!", "decodebin", "!", "videoconvert", "!", "rvmencode", "size=48", "warm-up=8", f"model-file={data}/tiny.npz",
             "!", "rvmtrack", "boxes=40,30,50,60", "!", "rvmexport", f"location={lines}", "!", "fakesink")
    tracks = [(record["pts"], record["tracks"][0]) for record in map(json.loads, lines.read_text().splitlines())]
    expected = np.array([[pts / 1e9, t["x"], t["y"], t["width"], t["height"], t["confidence"], t["visible"]] for pts, t in tracks])
    assert got.shape == expected.shape == (clip.FRAMES, 7)
    assert np.abs(got - expected).max() < 0.051, "the numbers are those of rvmexport, rounded"
    assert len(clip.run("track-box", video, *tiny, "--box", "40,30,50,60", "--frames", "4", build=build).splitlines()) == 5
    assert "--box is" in clip.run("track-box", video, "--box", "1,2", build=build, status=2)
    assert "no such file" in clip.run("track-box", "none", "--box", "1,2,3,4", build=build, status=1)
    assert "not inside" in clip.run("track-box", video, *tiny, "--box", "400,30,50,60", build=build, status=1)


def check_types():
    """Classes of types that streaming threads meet are there before the pipeline runs: two threads that make one at once break it."""
    code = """
import sys
import gi
sys.path.insert(0, sys.argv[1])
gi.require_version("Gst", "1.0")
from gi.repository import Gst
import gi.module, rvm_run
Gst.init(None)
made = vars(gi.module.get_introspection_module("Gst"))
assert "Buffer" not in made and "PadProbeInfo" not in made, "made by something else: this test says nothing"
rvm_run.Job(["identity", "name=frames", "!", "fakesink"], None)
missing = [name for name in ("Buffer", "Event", "PadProbeInfo", "Sample", "Caps", "Structure") if name not in made]
assert not missing, missing
"""
    subprocess.run(["/usr/bin/python3", "-c", code, clip.PIPELINES], check=True, timeout=60)


def check_fault(video):
    """An exception in a callback does not go by unnoticed."""
    code = """
import sys
import gi
sys.path.insert(0, sys.argv[1])
gi.require_version("Gst", "1.0")
from gi.repository import Gst
import rvm_run, rvm_source
Gst.init(None)
def prepare(pipeline):
    pipeline.get_by_name("sink").connect("new-sample", lambda sink: nothing)
try:
    rvm_run.play(sys.argv[2], "appsink name=sink emit-signals=true sync=false max-buffers=1", prepare)
except rvm_source.Unusable as problem:
    print(problem)
"""
    said = subprocess.run(["/usr/bin/python3", "-c", code, clip.PIPELINES, video], check=True, capture_output=True, text=True, timeout=60)
    assert "a fault of this program, NameError" in said.stdout and "Traceback" in said.stderr, said


def check_interrupt(folder):
    """Ctrl-C: what was seen until then is printed."""
    video, out = clip.make(folder / "long.avi", 400), folder / "boxes.csv"
    with open(out, "w") as csv:
        process = subprocess.Popen([clip.PIPELINES / "track-box", video, *tiny, "--box", "40,30,50,60"], stdout=csv, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "RVM_BUILD": build}, start_new_session=True)
    clip.interrupt_when(process, lambda: out.stat().st_size > 2000)
    said = process.communicate(timeout=400)[1]
    assert process.returncode == 0 and "interrupted" in said and out.read_text().endswith("\n"), (process.returncode, said)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    video = clip.make(folder / "clip.avi")
    check_types()
    check_fault(video)
    build_with_pkg_config(folder)
    check_scenes(f"{build}/pipelines/scenes", make_scenes(folder))
    check_feature_picture(folder, video)
    check_track_box(folder, video)
    check_interrupt(folder)
print("ok")
