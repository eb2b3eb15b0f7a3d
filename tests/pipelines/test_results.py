#!/usr/bin/env python3
"""test_results.py BUILD DATA: what the scripts of pipelines/ do to files. A result never goes over a file that the run reads, by whatever name; an
earlier result is only replaced by a complete one; and a pipeline that does not stop is a failure."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap

import clip

build, data = sys.argv[1:]
tiny = ["--model", f"{data}/tiny.npz", "--size", "48"]
SAME = "is what this run reads"


def refused(why, script, *arguments, **options):
    said = clip.run(script, *arguments, build=build, status=1, **options)
    assert why in said, (script, arguments, said)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def check_inputs_are_kept(folder, video, picture):
    here = folder / "same"
    (here / "frames").mkdir(parents=True)
    copy = shutil.copy(video, here / "video.avi")
    (here / "link.avi").symlink_to("video.avi")
    os.link(copy, here / "hard.avi")
    os.link(copy, here / "out.avi.part")
    shutil.copy(f"{data}/tiny.npz", here / "features.npy")
    for i in range(3):
        (here / f"frames/{i:05d}.png").write_bytes(picture)
    before = contents(here)
    for name in ("video.avi", "link.avi", "hard.avi", "out.avi"):
        refused(SAME, "pca-video", copy, *tiny, "--output", here / name, "--overwrite")
    refused(SAME, "pca-video", pathlib.Path(copy).as_uri(), *tiny, "--output", here / "link.avi", "--overwrite")
    refused(SAME, "pca-video", here, *tiny, "--output", here / "video.avi", "--overwrite")
    refused(SAME, "track-points", copy, *tiny, "--points", "9,9", "--output", here / "video.avi", "--overwrite")
    with open(copy) as stdin:
        refused(SAME, "pca-video", "-", *tiny, "--output", here / "hard.avi", "--overwrite", stdin=stdin)
    # Weights in the place of a result; pictures and a mask in that of masks.
    refused(SAME, "features", copy, "--model", here / "features.npy", "--output", here, "--overwrite")
    for pictures in (here / "frames", f"{here}/frames/%05d.png", f"{here}/frames/*.png"):
        refused(SAME, "track-mask", pictures, here / "frames/00000.png", *tiny, "--output", here / "frames", "--overwrite")
    refused(SAME, "track-mask", copy, here / "frames/00002.png", *tiny, "--output", here / "frames", "--overwrite")
    for option in ("--output", "--basis"):
        refused(SAME, "feature-picture", here / "frames/00001.png", *tiny, option, here / "frames/00001.png", "--overwrite",
                *([] if option == "--output" else ["--output", here / "new.png"]))
    assert contents(here) == before
    print("what a run reads is never written over")


def check_earlier_results_are_kept(folder, video):
    here = folder / "earlier"
    here.mkdir()
    # A video, and a file that is none.
    shutil.copy(video, here / "good.avi")
    (here / "none.avi").write_text("no video")
    clip.run("features", here / "good.avi", *tiny, "--output", here / "out", build=build)
    before = contents(here / "out")
    refused("", "features", here / "none.avi", *tiny, "--output", here / "out", "--overwrite")
    assert contents(here / "out") == before
    # As features has it, with an element that fails on the way.
    script = here / "broken"
    script.write_text((clip.PIPELINES / "features").read_text().replace('--input "$video" videoconvert', '--input "$video" identity error-after=8 ! videoconvert')
                      .replace('"$(dirname "$(realpath "$0")")/common.sh"', f'"{clip.PIPELINES}/common.sh"'))
    script.chmod(0o755)
    refused("frames of the new one are in", script, here / "good.avi", *tiny, "--output", here / "out", "--overwrite")
    after = contents(here / "out")
    assert before.items() <= after.items() and {path.name for path in after} == {"features.npy", "features.jsonl", "features.npy.part", "features.jsonl.part"}, list(after)
    assert 0 < len((here / "out/features.jsonl.part").read_text().splitlines()) < clip.FRAMES
    # A complete one replaces them, and what was left of the broken one; behind a link, too.
    (here / "out/features.jsonl").rename(here / "elsewhere.jsonl")
    (here / "out/features.jsonl").symlink_to(here / "elsewhere.jsonl")
    clip.run("features", here / "good.avi", *tiny, "--frames", "5", "--output", here / "out", "--overwrite", build=build)
    assert (here / "out/features.jsonl").is_symlink() and len((here / "elsewhere.jsonl").read_text().splitlines()) == 5
    assert sorted(path.name for path in (here / "out").iterdir()) == ["features.jsonl", "features.npy"]
    print("earlier results are replaced by complete ones only")


def check_hang(folder):
    """An element that never stops: the exit status and the sentence say so."""
    program = textwrap.dedent("""
        import sys, time
        sys.path.insert(0, sys.argv[1])
        import gi
        gi.require_version("Gst", "1.0")
        from gi.repository import Gst
        Gst.init(None)

        class Hang(Gst.Bin):
            def do_change_state(self, change):
                if change == Gst.StateChange.PAUSED_TO_READY:
                    time.sleep(1000)
                return Gst.Bin.do_change_state(self, change)

        Gst.Element.register(None, "hangs", 0, Hang)
        import rvm_run
        rvm_run.STOPPING = 1, 1
        if sys.argv[2] == "main":
            sys.exit(rvm_run.main("videotestsrc num-buffers=3 ! identity name=frames ! fakesink hangs".split()))
        videos = sys.argv[3:]
        sys.exit(rvm_run.each(videos, lambda name: rvm_run.play(name, "fakesink hangs" if name == videos[0] else "fakesink")))
    """)
    for words in (["main"], ["each", folder / "clip.avi", folder / "again.avi"]):
        done = subprocess.run(["/usr/bin/python3", "-c", program, clip.PIPELINES, *words], capture_output=True, text=True, timeout=120)
        assert done.returncode == 1 and "did not stop" in done.stderr, done
        if words[0] == "each":  # the other video was still played
            assert done.stderr.count("frames in") == 1 and "1 of 2 videos failed" in done.stderr, done
    print("a pipeline that does not stop is a failure")


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    video = clip.make(folder / "clip.avi")
    shutil.copy(video, folder / "again.avi")
    clip.gst("videotestsrc", "num-buffers=1", "!", "video/x-raw,width=48,height=48", "!", "videoconvert", "!", "pngenc", "!", "filesink", f"location={folder}/p.png")
    check_inputs_are_kept(folder, video, (folder / "p.png").read_bytes())
    check_earlier_results_are_kept(folder, video)
    check_hang(folder)
print("ok")
