#!/usr/bin/env python3
"""test_readme.py SOURCE BUILD SMALL16 DOCUMENT: every command of a document (README.md, CONTRIBUTING.md or one of docs/) is run.

Blocks of sh, Python, C and Rust, and `commands` in the text that begin with a path of this project and have an argument, run as they stand in
a folder that looks like this checkout, in which the names that the documents use exist (make_material() makes video.mp4, videos/, ...). A
line `export NAME=VALUE` holds for the commands after it. Exceptions, all listed here: benchmarks get smaller last options (SHORTER), training
is interrupted once it makes steps (INTERRUPTED), and what another test or script runs as it stands is named with it (ELSEWHERE).
A block of json is a line of rvmexport, which its schema must allow; blocks of text are output and not run. Any other language is an error."""
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

import jsonschema
import numpy as np

import display

source, build, small16 = map(pathlib.Path, sys.argv[1:4])
sys.path.insert(0, str(source / "tests/model"))
import reference_readout  # noqa: E402
document = sys.argv[4]

# Command -> options appended to it.
SHORTER = {
    "build/tests/bench/frame": ["--frames", "2", "--no-start"],
    "build/tests/bench/pipeline": ["--frames", "2", "--rounds", "1"],
    "rvm-cl-train evaluate": ["--frames", "3"],
    "rvm-cl-train bench": ["--steps", "1"],
    "rvm-cl-train pretrain": ["--set", "checkpoint-every=2"],
}
# Commands that make a run's folder, named by --out or as the last word: Ctrl-C once it has a step more. It must save and exit with 130.
INTERRUPTED = ("rvm-cl-train pretrain", "rvm-cl-train resume")
# Command -> what runs it.
ELSEWHERE = {
    "tests/run": "itself: this test is a part of it",
    "rvm-cl-train evaluate --suite": "tests/trainer/test_suite.py",
    "sudo ": "changes the system: tests/debian-package.sh tries the packages",
    "pipelines/debian-package": "tests/debian-package.sh",
    "meson setup build-prefix": "tests/install/prefix.sh",
    "ninja -C build-prefix": "tests/install/prefix.sh",
    "meson install -C build-prefix": "tests/install/prefix.sh",
    "meson setup build-docs": "tests/docs/test_reference.py",
    "ninja -C build-docs": "tests/docs/test_reference.py",
    "pipelines/fetch-weights": "tests/pipelines/test_fetch_weights.py, without the internet",
    "pipelines/fetch-material": "tests/pipelines/test_fetch_material.py, without the internet",
    "pipelines/with-rvm bash -c": "tests/pipelines/test_fetch_weights.py, without the internet",
    "mpirun ": "tests/trainer/test_parallel.py",
    "build/tests/kernels/checkcl --tune": "a measurement of minutes",
    "clinfo": "a program of its own",
    "pipelines/viewer": "tests/pipelines/test_viewer.py",
    "pipelines/teach": "tests/pipelines/test_teach.py",
    "pipelines/browse": "tests/pipelines/test_browse.py",
    "tests/devices.sh": "more than ten minutes and packages from elsewhere: run before a release",
    "tests/sanitize/run": "more than ten minutes: run before a release",
    "tests/valgrind.sh": "minutes: run before a release",
    "tests/debian.sh": "makes a system: once a month",
    "tests/gpu/bare": "makes a system: run before a release",
    "tests/debian-package.sh": "makes systems: run before a release",
    "tests/bench/": "measurements: meson test --benchmark",
}


def commands(text):
    """(language, command) in the order of the text; shell blocks line by line, continued lines joined."""
    for language, block, code in re.findall(r"^ *```(\w+)\n(.*?)^ *```$|`([^`\n]+)`", text, re.M | re.S):
        if language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                line = re.sub(r"(^|\s+)#\s.*", "", line).strip()
                if line:
                    yield "sh", " ".join(line.split())
        elif language:
            yield language, block
        elif re.match(r"(pipelines|tests|build)/\S+ ", code):
            yield "sh", code


# Not avenc_mpeg4, whose frames have no times: all of them would be shown at once.
MP4 = "! videoconvert ! video/x-raw,format=I420 ! x264enc speed-preset=ultrafast ! h264parse ! mp4mux"


def launch(*elements):
    subprocess.run(["gst-launch-1.0", "-q", *" ".join(elements).split()], check=True, timeout=60)


def make_material(folder):
    """Moving pictures, photos, cut-outs and a data set like DAVIS, small and made here."""
    for name in "videos", "photos", "cut-outs", "DAVIS/masks/ball":
        (folder / name).mkdir(parents=True)
    video = "video/x-raw,width=320,height=240,framerate=30/1"
    for name, frames in ("video.mp4", 30), ("videos/ball.mp4", 90):
        launch(f"videotestsrc num-buffers={frames} pattern=ball !", video, f"{MP4} ! filesink location={folder}/{name}")
    shutil.copy(folder / "video.mp4", folder / "other.mp4")
    launch("videotestsrc num-buffers=1 pattern=ball !", video, f"! videoconvert ! video/x-raw,format=GRAY8 ! pngenc ! filesink location={folder}/mask.png")
    for pattern in "smpte", "circular":
        launch(f"videotestsrc num-buffers=1 pattern={pattern} !", video, f"! pngenc ! filesink location={folder}/photos/{pattern}.png")
    launch("videotestsrc num-buffers=1 pattern=ball ! video/x-raw,width=96,height=96,format=BGRA ! alpha method=custom target-r=0 target-g=0 target-b=0 "
           f"! videoconvert ! pngenc ! filesink location={folder}/cut-outs/ball.png")
    (folder / "DAVIS/video").mkdir()
    launch("videotestsrc num-buffers=6 pattern=ball !", video, f"{MP4} ! filesink location={folder}/DAVIS/video/ball.mp4")
    launch("videotestsrc num-buffers=6 pattern=ball !", video, f"! videoconvert ! video/x-raw,format=GRAY8 ! pngenc ! multifilesink location={folder}/DAVIS/masks/ball/%05d.png")
    (folder / "DAVIS/points").mkdir()
    marked = [{"frame": frame, "xy": [[160, 120], [150, 110]], "visible": [True, True]} for frame in (0, 2, 4)]
    (folder / "DAVIS/points/ball.json").write_text(json.dumps({"size": [320, 240], "frames": marked}))
    (folder / "material").mkdir()
    for name, other in ("clips", "videos"), ("sprites", "cut-outs"), ("material/photos", "photos"), ("material/textures", "photos"), ("material/sprites", "cut-outs"):
        (folder / name).symlink_to(folder / other)
    # As if fetch-weights had downloaded it: a file of the name that --model takes.
    for name in "small16.npz", "small16":
        (folder / name).symlink_to(small16.resolve())


def make_readout(folder, env):
    """One of the bundled model, untrained: for what is shown, not for what it says."""
    line = folder / "model.jsonl"
    subprocess.run(["gst-launch-1.0", "-q", *f"videotestsrc num-buffers=1 ! rvmencode size=64 ! rvmexport location={line} ! fakesink".split()],
                   env=env, check=True, timeout=120)
    frame = json.loads(line.read_text())
    arrays = reference_readout.make_arrays(np.random.default_rng(0), frame["dim"], 64, 2, 4, 3)
    reference_readout.write(folder / "gestures.safetensors", arrays, reference_readout.metadata(
        "class", model=frame["model_id"], width=128, height=96, classes="wave\nclap\nnothing"))


def make_labelled(folder):
    """Two clips of each of three gestures, in folders and as a list; what else readouts.md names."""
    video = "video/x-raw,width=160,height=120,framerate=25/1"
    lines = ["file,start,end,class,group"]
    for name, pattern in ("wave", "ball"), ("clap", "blink"), ("nothing", "smpte"):
        (folder / "gestures" / name).mkdir(parents=True)
        for group in "kitchen", "garden":
            clip = f"gestures/{name}/{group}_01.mp4"
            launch(f"videotestsrc num-buffers=30 pattern={pattern} !", video, f"{MP4} ! filesink location={folder / clip}")
            lines.append(f"{clip},0,1.2,{name},{group}")
    (folder / "gestures.csv").write_text("\n".join(lines) + "\n")
    (folder / "other-gestures").symlink_to(folder / "gestures")
    (folder / "normal").symlink_to(folder / "gestures" / "nothing")


def run_interrupted(command, folder, env):
    """Until the run has one step more, then Ctrl-C."""
    named = re.search(r"--out (\S+)", command)
    marker = folder / (named.group(1) if named else command.split()[-1]) / "metrics.jsonl"
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


def shortened(command):
    return " ".join([command, *(starts(command, SHORTER) or [])])


def has_display():
    """For windows that the commands open; without Xvfb they are left out, and this is said."""
    if shutil.which("Xvfb") is None:
        return False
    display.start()
    return True


def make_checkout(folder):
    """What the commands of a checkout use, without what they write in it."""
    for name in "pipelines", "tests", "model", "trainer", "gst-plugin", "kernels", "docs":
        (folder / name).mkdir()
        for entry in (source / name).iterdir():
            (folder / name / entry.name).symlink_to(entry)
    (folder / "build").symlink_to(build)


def environment(folder):
    """A home of its own, so that nothing of the user's is touched, but the user's cache of compiled kernels."""
    meta = build / "gst-plugin/meta"
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    rustup = os.environ.get("RUSTUP_HOME") or os.path.expanduser("~/.rustup")
    (folder / "home").mkdir()
    return {**os.environ, "RUSTUP_HOME": rustup, "HOME": str(folder / "home"), "XDG_CACHE_HOME": cache, "RVM_BUILD": str(build), "PATH": f"{build}/trainer:{os.environ['PATH']}", "GST_PLUGIN_PATH": f"{build}/gst-plugin",
            "LD_LIBRARY_PATH": str(meta), "GI_TYPELIB_PATH": str(meta), "RVM_DEFAULT_MODEL": str(source / "model/default/rvm-cpu.safetensors")}


def run_program(language, code, folder, env):
    """A whole program; C and Rust by the command in a comment of it, as it stands, in the environment of a new terminal."""
    if language == "python":
        subprocess.run(["/usr/bin/python3", "-c", code], cwd=folder, env=env, check=True, timeout=240)
        return
    (folder / ("reader.c" if language == "c" else "reader.rs")).write_text(code)
    command = re.search(r"^(?:/\*|//) (pipelines/with-rvm .*?)(?: \*/)?$", code, re.M).group(1)
    # The shell splits what pkg-config prints at the spaces of a path, too.
    command = command.replace("-c '", "-c 'eval ") if " " in str(build) else command
    print(command, flush=True)
    new = {name: value for name, value in env.items() if name not in ("GST_PLUGIN_PATH", "LD_LIBRARY_PATH", "GI_TYPELIB_PATH", "RVM_PREPARED")}
    subprocess.run(["bash", "-c", command], cwd=folder, env=new, check=True, timeout=240)


def run_line(command, folder, env):
    """Returns the environment for the next ones."""
    subprocess.run(["bash", "-c", command], cwd=folder, env=env, check=True, timeout=240, stdin=subprocess.DEVNULL)
    if not command.startswith("export "):
        return env
    printed = subprocess.run(["bash", "-c", f"{command} && env -0"], cwd=folder, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(entry.split("=", 1) for entry in printed.split("\0") if entry)


def why_not(language, command, display_there):
    """The reason that a command is not run here, or None."""
    if language == "rust" and (shutil.which("rustc") is None or subprocess.run(["rustc", "--version"], stdout=subprocess.DEVNULL).returncode):
        return "rustc is not installed"
    if language == "sh" and "autovideosink" in command and not display_there:
        return "Xvfb is not installed"
    return starts(command, ELSEWHERE) if language == "sh" else None


display_there = has_display()
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    make_checkout(folder)
    make_material(folder)
    env, ran = environment(folder), 0
    if document == "docs/readouts.md":
        make_labelled(folder)
    if "gestures.safetensors" in (source / document).read_text():
        make_readout(folder, env)
    for language, command in commands((source / document).read_text()):
        if language == "text":
            continue
        reason = why_not(language, command, display_there)
        if reason:
            print(f"not here: {command}: {reason}")
            continue
        begin = time.monotonic()
        if language == "json":
            jsonschema.validate(json.loads(command), json.loads((source / "gst-plugin/export/rvmexport.schema.json").read_text()))
        elif language in ("python", "c", "rust"):
            run_program(language, command, folder, env)
        elif language != "sh":
            raise SystemExit(f"{document} has a block of {language}, which this test cannot run")
        elif command.startswith(INTERRUPTED) and "steps=10" not in command:
            run_interrupted(shortened(command), folder, env)
        else:
            env = run_line(shortened(command), folder, env)
        print(f"{language}, {time.monotonic() - begin:.1f} s: {command}", flush=True)
        ran += 1
    assert ran, "no command was found"
    print(json.dumps({"ran": ran}))
