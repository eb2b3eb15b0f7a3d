#!/usr/bin/env python3
"""test_trouble.py RVM-CL-TRAIN: what a run does when its disk is full, when its loss becomes NaN, when it is told twice to stop, when a
video changes its size, when pictures cannot be written, and when checkpoints cannot be read."""
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

program = sys.argv[1]


def run(*args, status=0):
    result = subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=200)
    assert status is None or result.returncode == status, (args, result)
    return result.stdout + result.stderr


def launch(pipeline):
    subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True, timeout=60)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    photos = folder / "photos"
    photos.mkdir()
    launch(f"videotestsrc num-buffers=1 pattern=circular ! video/x-raw,width=200,height=150 ! pngenc ! filesink location={photos}/zone.png")
    tiny = ["--recipe", "tiny", "--set", "synthetic=1", "--set", "picture-every=0", "--photos", photos]

    # NaN: the step and its samples are named, what was learnt before is saved and can be gone on with.
    out = folder / "nan"
    text = run("pretrain", *tiny, "--set", "steps=50", "--set", "rate=1", "--set", "warmup=0", "--set", "decay=10", "--set", "clip-norm=0",
               "--set", "epsilon=1e-30", "--set", "checkpoint-every=1000", "--out", out, status=None)
    if "NaN" in text:
        assert "step " in text and "samples " in text, text
    last = max(int(path.stem.split("-")[1]) for path in out.glob("checkpoint-*.safetensors"))
    print(text.strip().splitlines()[-1], "; last checkpoint", last)
    assert "NaN or infinite" in text and last > 0, text

    # The second signal gives up the step under way at once.
    out = folder / "twice"
    process = subprocess.Popen([program, "pretrain", *map(str, tiny), "--set", "steps=100000", "--set", "accumulate=200", "--out", str(out)],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not (out / "checkpoint-00000000.safetensors").exists() or "memory" not in process.stdout.readline():
        pass
    # It trains when it catches the signal, which a busy machine or a sanitizer may make late.
    while not int(re.search(r"SigCgt:\s*(\w+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1], 16) & 1 << (signal.SIGINT - 1):
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "stopped and saved" in text, (process.returncode, text)
    assert time.monotonic() - start < 20
    run("resume", out, "--stop-at", 1, status=130)

    # A full disk: the last good checkpoint stays, nothing half written does, and with room the run goes on.
    disk, photo_list = folder / "disk", photos
    disk.mkdir()
    pretrain = " ".join(map(str, [program, "pretrain", *tiny, "--set", "steps=40", "--set", "checkpoint-every=4", "--set", "keep=10", "--out", disk / "run"]))
    script = f"""mount -t tmpfs -o size=9m none {disk} || exit 77
{pretrain}; echo "status $?"; ls {disk}/run
mount -o remount,size=60m {disk}; {program} resume {disk}/run; echo "status $?" """
    result = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, timeout=200)
    if result.returncode == 77 or "unshare failed" in result.stderr:
        print("no small disk can be made here")
    else:
        text = result.stdout + result.stderr
        before, after = result.stdout.split("status 1", 1)
        assert "No space left" in text and ".part" not in after.split("status 0")[0].split("step")[0] and "status 0" in after, text
        assert "finished" in after, text

    # Parts of a video with another size are read as well, or the video is skipped with a line.
    for i, size in enumerate(("width=128,height=96", "width=192,height=80")):
        launch(f"videotestsrc num-buffers=70 pattern=ball ! video/x-raw,{size},framerate=30/1 ! videoconvert ! theoraenc ! oggmux ! filesink location={folder}/{i}.ogv")
    videos = folder / "videos"
    videos.mkdir()
    (videos / "changes.ogv").write_bytes((folder / "0.ogv").read_bytes() + (folder / "1.ogv").read_bytes())
    (videos / "stays.ogv").write_bytes((folder / "0.ogv").read_bytes())
    text = run("pretrain", *tiny[:2], "--set", "synthetic=0", "--set", "steps=3", "--data", videos, "--out", folder / "changes")
    print([line for line in text.splitlines() if "changes.ogv" in line or "skipped" in line])
    assert "finished" in text, text

    # Pictures and curves that cannot be written cost a line, not the run; a model file that cannot costs the run, but not the checkpoint.
    out = folder / "pictures"
    settings = ["--recipe", "tiny", "--set", "synthetic=1", "--set", "steps=12", "--set", "picture-every=2", "--photos", photos, "--out", out]
    run("pretrain", *settings, "--stop-at", 3, status=130)
    (out / "loss.png").unlink()
    (out / "loss.png").mkdir()
    (out / "reconstruction-00000004.png").mkdir()
    text = run("resume", out, "--stop-at", 5, status=130)
    assert "step 5: no curve: " in text and "step 4: no picture: " in text and "reconstruction-00000004.png: cannot be written: " in text, text
    (out / "loss.png").rmdir()
    model = out / "model.safetensors"
    model.unlink()
    (model / "in the way").mkdir(parents=True)
    text = run("resume", out, "--stop-at", 8, status=1)
    assert "model.safetensors: cannot be written" in text, text
    (model / "in the way").rmdir()
    model.rmdir()
    # It is made up for, even where there is nothing else left to do.
    run("resume", out, "--stop-at", 5, status=130)
    assert b'"step":"5"' in model.read_bytes()
    run("resume", out)

    # Damaged checkpoints: while one after step 0 can be read the run goes on from there, and those that cannot are kept out of the way.
    out = folder / "damaged"
    run("pretrain", *tiny, "--set", "steps=100", "--set", "checkpoint-every=2", "--out", out, "--stop-at", 6, status=130)

    def damage(step):
        path = out / f"checkpoint-{step:08d}.safetensors"
        content = bytearray(path.read_bytes())
        content[8 + int.from_bytes(content[:8], "little") // 2] ^= 0x80
        path.write_bytes(content)
        return path

    newest = damage(6)
    text = run("resume", out, "--stop-at", 7, status=130)
    assert "passed over" in text and str(newest) in text and "set aside" in text and "step 4 of 100" in text, text
    assert sorted(path.name for path in out.glob("checkpoint-*")) == [
        f"checkpoint-{step:08d}.safetensors" for step in (0, 4, 6)] + ["checkpoint-00000006.safetensors.aside", "checkpoint-00000007.safetensors"]
    # None but that of step 0: nobody wants to begin again unasked. The error names each, and nothing is changed.
    damaged = [damage(step) for step in (4, 6, 7)]
    before = sorted((path.name, path.stat().st_size) for path in out.iterdir())
    text = run("resume", out, status=1)
    assert all(text.count(str(path)) == 1 for path in damaged) and "--from 0" in text and "weights of step 7" in text, text
    assert before == sorted((path.name, path.stat().st_size) for path in out.iterdir())
    text = run("resume", out, "--from", 0, "--stop-at", 3, status=130)
    assert "step 0 of 100" in text and text.count("set aside") == 3, text
    # What was set aside neither counts nor is deleted as the run goes on.
    run("resume", out, "--stop-at", 11, status=130)
    assert sorted(path.name for path in out.glob("checkpoint-*")) == sorted(
        [f"checkpoint-{step:08d}.safetensors" for step in (0, 8, 10, 11)] + [f"checkpoint-{step:08d}.safetensors.aside" for step in (4, 6, 7)])
    # A checkpoint that cannot be looked at now may be good: it is not passed over.
    newest = out / "checkpoint-00000011.safetensors"
    newest.rename(folder / "kept")
    newest.symlink_to("checkpoint-00000011.safetensors")
    text = run("resume", out, status=1)
    assert "cannot be read now" in text and newest.is_symlink() and "--from STEP" in text, text
    newest.unlink()
    (folder / "kept").rename(newest)
    run("resume", out, "--stop-at", 12, status=130)
    # Figures that cannot be read now are not cut off.
    (out / "metrics.jsonl").rename(folder / "kept")
    (out / "metrics.jsonl").symlink_to("metrics.jsonl")
    assert "metrics.jsonl" in run("resume", out, status=1)
