#!/usr/bin/env python3
"""test_readme.py SOURCE BUILD SMALL16: every command of README.md is run.

Blocks of sh, Python and C, and `commands` in the text that begin with a path of this project and have an argument, run as they stand in a
folder that looks like this checkout, in which the names that the README uses exist (video.mp4, videos/, ...). Exceptions, all listed here:
benchmarks get smaller last options (SHORTER), training is interrupted once it makes steps (INTERRUPTED), and what another test or script
runs as it stands is named with it (ELSEWHERE)."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import display

source, build, small16 = map(pathlib.Path, sys.argv[1:4])

# Command -> options appended to it.
SHORTER = {
    "build/tests/bench/frame": ["--frames", "2", "--no-start"],
    "build/tests/bench/pipeline": ["--frames", "2", "--rounds", "1"],
    "rvm-cl-train evaluate": ["--frames", "3"],
}
# Command -> a file that has a line once there is progress. Then Ctrl-C, which must save and exit with 130.
INTERRUPTED = {
    "rvm-cl-train pretrain": "run/metrics.jsonl",
    "rvm-cl-train resume": "run/metrics.jsonl",
}
# Command -> what runs it.
ELSEWHERE = {
    "tests/run": "itself: this test is a part of it",
    "pipelines/viewer": "tests/pipelines/test_viewer.py",
    "tests/devices.sh": "more than ten minutes and packages from elsewhere: run before a release",
    "tests/sanitize/run": "more than ten minutes: run before a release",
    "tests/valgrind.sh": "minutes: run before a release",
    "tests/debian-package.sh": "makes systems: run before a release",
    "tests/bench/": "measurements: meson test --benchmark",
}


def commands(text):
    """(language, command) in the order of the text; shell blocks line by line, continued lines joined."""
    for language, block, code in re.findall(r"^```(\w+)\n(.*?)^```$|`([^`\n]+)`", text, re.M | re.S):
        if language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                line = re.sub(r"(^|\s+)#\s.*", "", line).strip()
                if line:
                    yield "sh", " ".join(line.split())
        elif language:
            yield language, block
        elif re.match(r"(pipelines|tests|build)/\S+ ", code):
            yield "sh", code


def launch(*elements):
    subprocess.run(["gst-launch-1.0", "-q", *" ".join(elements).split()], check=True, timeout=60)


def make_material(folder):
    """Moving pictures, photos, cut-outs and a data set like DAVIS, small and made here."""
    for name in "videos", "photos", "cut-outs", "DAVIS/masks/ball":
        (folder / name).mkdir(parents=True)
    video = "video/x-raw,width=320,height=240,framerate=30/1"
    for name, frames in ("video.mp4", 60), ("videos/ball.mp4", 90):
        launch(f"videotestsrc num-buffers={frames} pattern=ball !", video, f"! videoconvert ! avenc_mpeg4 bitrate=2000000 ! mp4mux ! filesink location={folder}/{name}")
    shutil.copy(folder / "video.mp4", folder / "other.mp4")
    launch("videotestsrc num-buffers=1 pattern=ball !", video, f"! videoconvert ! video/x-raw,format=GRAY8 ! pngenc ! filesink location={folder}/mask.png")
    for pattern in "smpte", "circular":
        launch(f"videotestsrc num-buffers=1 pattern={pattern} !", video, f"! pngenc ! filesink location={folder}/photos/{pattern}.png")
    launch("videotestsrc num-buffers=1 pattern=ball ! video/x-raw,width=96,height=96,format=BGRA ! alpha method=custom target-r=0 target-g=0 target-b=0 "
           f"! videoconvert ! pngenc ! filesink location={folder}/cut-outs/ball.png")
    (folder / "DAVIS/video").mkdir()
    launch("videotestsrc num-buffers=6 pattern=ball !", video, f"! videoconvert ! avenc_mpeg4 bitrate=2000000 ! mp4mux ! filesink location={folder}/DAVIS/video/ball.mp4")
    launch("videotestsrc num-buffers=6 pattern=ball !", video, f"! videoconvert ! video/x-raw,format=GRAY8 ! pngenc ! multifilesink location={folder}/DAVIS/masks/ball/%05d.png")
    shutil.copy(small16, folder / "small16.npz")


def run_interrupted(command, marker, folder, env):
    """Until the marker has one line more, then Ctrl-C."""
    marker = folder / marker
    before = len(marker.read_text().splitlines()) if marker.exists() else 0
    running = subprocess.Popen(["bash", "-c", "exec " + command], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 240
    while running.poll() is None and time.monotonic() < deadline:
        if marker.exists() and len(marker.read_text().splitlines()) > before:
            break
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    output = running.communicate(timeout=120)[0]
    assert running.returncode == 130, (command, running.returncode, output)


def starts(command, table):
    return next((value for name, value in table.items() if command.startswith(name)), None)


if shutil.which("Xvfb") is None:
    print("Xvfb is not installed")
    sys.exit(77)
display.start()
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for name in "pipelines", "tests", "model", "trainer", "gst-plugin", "kernels":
        (folder / name).mkdir()
        for entry in (source / name).iterdir():
            (folder / name / entry.name).symlink_to(entry)
    (folder / "build").symlink_to(build)
    make_material(folder)
    meta = build / "gst-plugin/meta"
    env = {**os.environ, "RVM_BUILD": str(build), "PATH": f"{build}/trainer:{os.environ['PATH']}", "GST_PLUGIN_PATH": f"{build}/gst-plugin",
           "LD_LIBRARY_PATH": str(meta), "GI_TYPELIB_PATH": str(meta), "RVM_DEFAULT_MODEL": str(source / "model/default/rvm-cpu.safetensors"),
           "PKG_CONFIG_PATH": f"{build}/meson-uninstalled"}
    ran = 0
    for language, command in commands((source / "README.md").read_text()):
        elsewhere = starts(command, ELSEWHERE)
        if elsewhere:
            print(f"not here: {command}: {elsewhere}")
            continue
        print(f"{language}: {command}", flush=True)
        marker = starts(command, INTERRUPTED)
        if language == "python":
            subprocess.run(["/usr/bin/python3", "-c", command], cwd=folder, env=env, check=True, timeout=240)
        elif language == "c":
            (folder / "reader.c").write_text(command)
            subprocess.run(["bash", "-c", "cc -Wall -Werror reader.c -o reader $(pkg-config --cflags --libs gst-rvm-1.0) && ./reader"], cwd=folder, env=env,
                           check=True, timeout=240)
        elif language != "sh":
            raise SystemExit(f"README.md has a block of {language}, which this test cannot run")
        elif marker:
            run_interrupted(command, marker, folder, env)
        else:
            line = " ".join([command, *(starts(command, SHORTER) or [])])
            subprocess.run(["bash", "-c", line], cwd=folder, env=env, check=True, timeout=240, stdin=subprocess.DEVNULL)
        ran += 1
    assert ran >= 10, ran
    print(json.dumps({"ran": ran}))
