#!/usr/bin/env python3
"""test_cache_dir.py RVM-CL-TRAIN WEIGHTS: --cache-dir of every command that opens a device or looks at videos: what is kept is kept there and nowhere
else; where it cannot be, one line says so and the command works. (What PoCL compiles stays with the other tests', for the time.)"""
import os
import pathlib
import re
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
    failed = 0
    for name, (arguments, kept) in commands.items():
        for cache in f"cache of {name}", "/proc/no-such-place":
            if name in ("pretrain", "resume") and cache.startswith("/proc"):
                arguments = [argument.replace("run", "second run") if argument == "run" else argument for argument in arguments]
            result = subprocess.run([program, name, *arguments, "--cache-dir", cache], env=env, capture_output=True, text=True, timeout=500)
            notices = [line for line in result.stderr.splitlines() if line.startswith("rvm-cl-train: ") and "cache-dir" in line]
            found = set()
            if not cache.startswith("/proc"):
                entries = list((folder / cache).iterdir()) if (folder / cache).is_dir() else []
                found = {"programs" for entry in entries if re.fullmatch(r"[0-9a-f]{64}\.bin", entry.name)} | {entry.name for entry in entries if entry.name == "videos"}
                good = not notices and found == kept and not any(home.rglob("*"))
            else:
                good = len(notices) == ("programs" in kept) and all(cache in line for line in notices)
                subprocess.run(["rm", "-rf", home / ".cache"], check=True)
            good = good and result.returncode == (130 if name == "pretrain" else 0)
            failed += not good
            print(f"{'ok' if good else 'WRONG'} {name} --cache-dir '{cache}': {sorted(found)} {notices}", "" if good else (result, list(home.rglob("*"))), flush=True)
sys.exit(bool(failed))
