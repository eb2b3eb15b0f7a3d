#!/usr/bin/env python3
"""test_departures.py MODEL: rvmtrack knows when it has lost an object. In rendered clips the object leaves the picture, is covered, by something or by nothing but
grey, behind which the state remembers it, or the scene is cut; it is
lost within a few frames, never visible for long with a confidence above a half while it is away, and found again in its place. As published, with
lost-threshold=0, it is visible all the time."""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import departures
from rendered_clip import overlap, write_png

model = sys.argv[1]
WIDTH, HEIGHT = departures.WIDTH, departures.HEIGHT


def box_of(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]


def follow(folder, frames, settings):
    """The lines of rvmexport, a list of tracks for each frame."""
    command = ["gst-launch-1.0", "-q", "fdsrc", "!", "rawvideoparse", "format=rgb", f"width={WIDTH}", f"height={HEIGHT}", "framerate=25/1", "!", "rvmencode",
               f"model-file={model}", "size=112", "warm-up=8", "!", "rvmtrack", *settings, "!", "rvmexport", f"location={folder}/tracks.jsonl", "!", "fakesink"]
    subprocess.run(command, input=frames.tobytes(), check=True)
    return [json.loads(line)["tracks"] for line in (folder / "tracks.jsonl").read_text().splitlines()]


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    for number, kind in enumerate(departures.KINDS):
        rng = np.random.default_rng(7 + number)
        frames, masks = departures.clip(kind, rng, departures.background(rng), departures.background(rng), departures.sprite(rng))
        write_png(folder / "mask.png", masks[0].astype(np.uint8))
        box, middle = box_of(masks[0]), np.argwhere(masks[0]).mean(0)
        settings = [f"mask-file={folder}/mask.png", "boxes=" + ",".join(map(str, box)), f"points={middle[1]:.1f},{middle[0]:.1f}"]
        away = [t for t in range(len(masks)) if not masks[t].any()]
        assert len(away) >= 20, (kind, len(away))
        lines = follow(folder, frames, settings)
        assert len(lines) == len(masks) and [track["kind"] for track in lines[0]] == ["point", "box", "mask"], lines[0]
        for i, what in enumerate(("point", "box", "mask")):
            tracks = [line[i] for line in lines]
            believed = departures.longest_run(tracks[t]["visible"] and tracks[t]["confidence"] > 0.5 for t in away)
            shown = sum(tracks[t]["visible"] for t in away)
            before = sum(track["visible"] for track in tracks[:20])
            after = sum(track["visible"] for track in tracks[-8:])
            print(f"{kind}, {what}: visible on {before} of 20 frames before, {shown} of {len(away)} while it is away, {after} of the last 8;"
                  f" confidence above a half for {believed} frames running; before {np.mean([track['confidence'] for track in tracks[1:20]]):.2f},"
                  f" away {np.mean([tracks[t]['confidence'] for t in away]):.2f}, after {np.mean([track['confidence'] for track in tracks[-8:]]):.2f}")
            # Another scene may have something that looks a little like it; it is not believed.
            assert believed <= 5 and (shown <= 8 or kind == "cut") and before >= 18 and after >= 4 and tracks[-1]["visible"], (kind, what)
            # Found again where it is, and lost where it was last.
            for track, mask in zip(tracks[-8:], masks[-8:]):
                if what == "box" and track["visible"]:
                    assert overlap([track[key] for key in ("x", "y", "width", "height")], box_of(mask)) > 0.4, (kind, what, track, box_of(mask))
            lost = [tracks[t] for t in away if not tracks[t]["visible"]]
            assert all((track["x"], track["last_seen"]) == (lost[-1]["x"], lost[-1]["last_seen"]) for track in lost[-10:]), lost
        # As published, what looks most like the object is followed, whatever it is.
        if kind == "is covered":
            published = follow(folder, frames, [*settings, "lost-threshold=0", "found-threshold=0", "colours=0", "place=0", "refine=0"])
            assert sum(published[t][1]["visible"] for t in away) > len(away) / 2, [published[t][1] for t in away]
print("ok")
