#!/usr/bin/env python3
"""archive_planted.py plant ARCHIVE WORK SEED LEAST EACH: makes copies of its videos that last LEAST seconds, EACH of each kind, and films that are put together
from pieces of other ones, in WORK/planted, with the truth in WORK/truth.json. Needs ffmpeg.
archive_planted.py measure RVM-ARCHIVE ARCHIVE WORK [-- OPTION...]: of an archive of the videos and of WORK/planted, how many of the planted copies and cuts
`duplicates` and `scenes` find, and how much else they name, which is listed: it may be there. OPTIONs are those of duplicates."""
import collections
import json
import os
import pathlib
import random
import sqlite3
import subprocess
import sys

SCALE = "scale=trunc(iw*{0}/2)*2:trunc(ih*{0}/2)*2"
# Filters of the picture, encoder and its options, ending of the name, whole or a piece.
KINDS = {
    "smaller": (SCALE.format(0.6) + ",fps=30", ["libx264", "-preset", "veryfast", "-crf", "32"], "mp4", False),
    "larger": (SCALE.format(1.4) + ",fps=30", ["libvpx", "-b:v", "400k", "-deadline", "realtime", "-cpu-used", "8"], "webm", False),
    "piece": ("fps=30", ["libx264", "-preset", "veryfast", "-crf", "28"], "mp4", True),
    "mirrored": ("hflip,fps=30", ["libx264", "-preset", "veryfast", "-crf", "28"], "mp4", False),
    "piece, mirrored, smaller, other frames": ("hflip," + SCALE.format(0.7) + ",fps=12", ["libx264", "-preset", "veryfast", "-crf", "30"], "mp4", True),
}
PIECES = 4  # of a film


def durations_of(archive):
    """Path -> seconds."""
    connection = sqlite3.connect(f"file:{archive}/archive.sqlite?mode=ro", uri=True)
    return {os.fsdecode(path): duration / 1e9 for path, duration in connection.execute("SELECT path, duration FROM files WHERE state = 'done' ORDER BY path")}


def duration_of(path):
    return float(subprocess.run(["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path], check=True, capture_output=True).stdout)


def encode(source, begin, length, filters, encoder, path):
    if path.exists():  # of an earlier try
        return
    cut = ["-ss", f"{begin:.3f}", "-t", f"{length:.3f}"] if length else []
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", source, *cut, "-an", "-threads", "1", "-vf", filters, "-c:v", *encoder, path], check=True)


def plant(archive, work, seed, least, each):
    chance, planted, truth = random.Random(int(seed)), pathlib.Path(work, "planted"), {"copies": [], "cuts": []}
    planted.mkdir(parents=True, exist_ok=True)
    videos = durations_of(archive)
    usable = [(path, length) for path, length in videos.items() if length >= float(least)]
    chance.shuffle(usable)
    each = min(int(each), len(usable) // (len(KINDS) + PIECES))
    print(f"{len(usable)} of {len(videos)} videos last that long; {each} copies of each kind")
    for kind, (filters, encoder, ending, is_piece) in KINDS.items():
        for i in range(each):
            source, length = usable.pop()
            part = max(length / 2, 3) if is_piece else length
            begin = chance.uniform(0, length - part)
            path = planted / f"{kind.replace(', ', '-').replace(' ', '-')}-{i:03d}.{ending}"
            encode(source, begin, part if is_piece else None, filters, encoder, path)
            truth["copies"].append({"kind": kind, "copy": str(path), "start": 0, "original": source, "original_start": begin if is_piece else 0, "length": part})
    for i in range(each):
        path, at = planted / f"film-{i:03d}.mp4", 0
        pieces = []
        for p in range(PIECES):
            source, length = usable.pop()
            part = chance.uniform(3, min(length, 6))
            begin = chance.uniform(0, length - part)
            pieces.append(planted / f".{i}-{p}.mp4")
            encode(source, begin, part, "scale=320:240:force_original_aspect_ratio=decrease,pad=320:240:-1:-1,setsar=1,fps=25", ["libx264", "-preset", "veryfast", "-crf", "20"], pieces[-1])
            part = duration_of(pieces[-1])
            truth["copies"].append({"kind": "in a film", "copy": str(path), "start": at, "original": source, "original_start": begin, "length": part})
            at += part
            if p + 1 < PIECES:
                truth["cuts"].append({"path": str(path), "time": at})
        inputs = [word for piece in pieces for word in ("-i", piece)]
        subprocess.run(["ffmpeg", "-v", "error", "-y", *inputs, "-filter_complex", f"concat=n={PIECES}:v=1", "-threads", "1", "-c:v", "libx264", "-preset", "veryfast", "-crf", "26", path], check=True)
        for piece in pieces:
            piece.unlink()
    pathlib.Path(work, "truth.json").write_text(json.dumps(truth, indent=1))


def ask(program, *arguments):
    return json.loads(subprocess.run([program, *arguments, "--json"], check=True, capture_output=True).stdout)


def is_found(planted, answer, step):
    """Whether the answer names at least half of what was planted, at its time."""
    copy, original = (answer["a"], answer["b"]) if answer["a"]["path"] == planted["copy"] else (answer["b"], answer["a"])
    offset = (copy["start"] - original["start"]) / 1e9 - (planted["start"] - planted["original_start"])
    begin, end = max(copy["start"] / 1e9, planted["start"]), min(copy["end"] / 1e9, planted["start"] + planted["length"])
    return abs(offset) <= step and end - begin + step >= planted["length"] / 2


def measure_duplicates(program, archive, truth, step, options):
    answers = ask(program, "duplicates", "--archive", archive, *options)["duplicates"]
    pairs = collections.defaultdict(list)
    for answer in answers:
        pairs[frozenset((answer["a"]["path"], answer["b"]["path"]))].append(answer)
    known, found, named = collections.Counter(), collections.Counter(), set()
    for planted in truth["copies"]:
        pair = frozenset((planted["copy"], planted["original"]))
        known[planted["kind"]] += 1
        if any(is_found(planted, answer, step) for answer in pairs[pair]):
            found[planted["kind"]] += 1
        else:
            print(f"missed: {planted['kind']}: {planted['copy']} of {planted['original']}: {pairs[pair]}")
        named.add(pair)
    others = [answer for pair, some in pairs.items() if pair not in named for answer in some]
    for answer in sorted(others, key=lambda answer: -(answer["motion"] or 2)):
        print("other: " + "  ".join(f"{pathlib.Path(answer[side]['path']).name} {answer[side]['start'] / 1e9:.1f}-{answer[side]['end'] / 1e9:.1f}" for side in "ab")
              + f"  score {answer['score']:.4f} motion {answer['motion']}")
    for kind in known:
        print(f"duplicates: {kind}: {found[kind]} of {known[kind]} found")
    print(f"duplicates: {found.total()} of {known.total()} found; {len({frozenset((a['a']['path'], a['b']['path'])) for a in others})} other pairs of videos named")


def measure_scenes(program, archive, truth, step):
    answers = ask(program, "scenes", "--archive", archive)["scenes"]
    cuts = [(answer["path"], answer["start"] / 1e9, answer["change"]) for answer in answers if answer["scene"] > 1]
    hours = sum(answer["end"] - answer["start"] for answer in answers) / 3.6e12
    right, missed = set(), 0
    for planted in truth["cuts"]:
        near = [cut for cut in cuts if cut[0] == planted["path"] and -0.1 <= cut[1] - planted["time"] <= step + 0.1]
        right.update(near[:1])
        missed += not near
    for cut in cuts:
        if cut not in right:
            print(f"other cut: {cut[0]} at {cut[1]:.1f} s, change {cut[2]:.3f}")
    print(f"scenes: {len(truth['cuts']) - missed} of {len(truth['cuts'])} planted cuts found; {len(cuts) - len(right)} others in {hours:.2f} h")


if sys.argv[1] == "plant":
    plant(*sys.argv[2:])
else:
    options = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    program, archive, work = sys.argv[2:5]
    truth = json.loads(pathlib.Path(work, "truth.json").read_text())
    settings = ask(program, "status", "--archive", archive)
    step = settings["rate_d"] / settings["rate_n"] if settings["rate_n"] else 0.2
    measure_duplicates(program, archive, truth, step, options)
    measure_scenes(program, archive, truth, step)
