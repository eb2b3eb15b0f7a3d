#!/usr/bin/env python3
"""test_cache_dir.py RVM-CL-TRAIN WEIGHTS: --cache-dir of every command that opens a device or looks at videos: what is kept is kept there and nowhere
else; where it cannot be, one line says so and the command works. (What PoCL compiles stays with the other tests', for the time.)"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

program, weights = map(os.path.abspath, sys.argv[1:])
usual = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ["HOME"], ".cache")


def launch(*elements):
    subprocess.run(["gst-launch-1.0", "-q", *" ".join(elements).split()], check=True, timeout=60)


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    home = folder / "home"
    for name in "home", "DAVIS/video", "DAVIS/masks/ball":
        (folder / name).mkdir(parents=True)
    os.chdir(folder)
    video = "video/x-raw,width=128,height=96,framerate=30/1"
    launch("videotestsrc num-buffers=70 pattern=ball !", video, "! jpegenc ! matroskamux ! filesink location=ball.mkv")
    launch("videotestsrc num-buffers=3 pattern=ball !", video, "! videoconvert ! avenc_mpeg4 ! mp4mux ! filesink location=DAVIS/video/ball.mp4")
    launch("videotestsrc num-buffers=3 pattern=ball !", video, "! videoconvert ! video/x-raw,format=GRAY8 ! pngenc ! multifilesink location=DAVIS/masks/ball/%05d.png")
    env = {**os.environ, "HOME": str(home), "GST_REGISTRY": str(folder / "registry"), "POCL_CACHE_DIR": os.environ.get("POCL_CACHE_DIR") or f"{usual}/pocl/kcache"}
    env.pop("XDG_CACHE_HOME", None)
    tiny = ["--recipe", "tiny", "-s", "synthetic=0", "-s", "picture-every=0"]
    commands = {
        "preview": ([*tiny, "--data", "ball.mkv", "samples.png"], {"videos"}),
        "pretrain": ([*tiny, "-s", "steps=2", "--data", "ball.mkv", "--out", "run", "--stop-at", "1"], {"programs", "videos"}),
        "resume": (["run"], {"programs", "videos"}),
        "reconstruct": (["run/model.safetensors", "ball.mkv", "r.png"], {"programs", "videos"}),
        "evaluate": (["--model", weights, "--davis", "DAVIS", "--size", "96x64"], {"programs"}),
        "bench": (["--recipe", "tiny", "-n", "1"], {"programs"}),
    }
    # One folder for all commands, since to build kernels for each would take long: those that a command reads have a new time.
    cache, failed = folder / "a cache", 0
    for name, (arguments, kept) in commands.items():
        for program_file in cache.glob("*.bin"):
            os.utime(program_file, (0, 0))
        shutil.rmtree(cache / "videos", ignore_errors=True)
        for named in str(cache), "/proc/no-such-place":
            if named.startswith("/proc"):
                shutil.copytree(cache, home / ".cache/gst-rvm")  # the next choice
                arguments = ["second run" if argument == "run" else argument for argument in arguments]
            result = subprocess.run([program, name, *arguments, "--cache-dir", named], env=env, capture_output=True, text=True, timeout=500)
            notices = [line for line in result.stderr.splitlines() if line.startswith("rvm-cl-train: ") and "cache-dir" in line]
            found = {"programs" for entry in cache.glob("*.bin") if entry.stat().st_mtime > 0} | {entry.name for entry in cache.iterdir() if entry.name == "videos"}
            if named.startswith("/proc"):
                good = len(notices) == ("programs" in kept) and all(named in line and "they are in " in line for line in notices)
                shutil.rmtree(home / ".cache")
            else:
                good = not notices and found == kept and not any(home.rglob("*"))
            good = good and result.returncode == (130 if name == "pretrain" else 0)
            failed += not good
            print(f"{'ok' if good else 'WRONG'} {name} --cache-dir '{named}': {sorted(found)} {notices}", "" if good else (result, list(home.rglob("*"))), flush=True)
sys.exit(bool(failed))
