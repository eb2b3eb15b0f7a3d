#!/usr/bin/env python3
"""test_watch.py BUILD DATA: pipelines/watch on clips. Its video has every frame, and the curve under each; events are where the distance that rvmexport writes
is above the threshold; normal footage is learnt from a folder; nothing is written over what is there."""
import json
import pathlib
import sys
import tempfile

import numpy as np

import clip

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "model"))
import reference_readout as reference  # noqa: E402

build, data = sys.argv[1:]
tiny = ["--model", f"{data}/tiny.npz", "--size", "48"]
rng = np.random.default_rng(6)


def distances_of(folder, video, readout):
    lines = folder / "lines.jsonl"
    clip.gst("filesrc", f"location={video}", "!", "decodebin", "!", "videoconvert", "!", "rvmencode", "size=48", f"model-file={data}/tiny.npz", "!",
             "rvmreadout", f"readout-file={readout}", "!", "rvmexport", f"location={lines}", "!", "fakesink")
    return np.array([json.loads(line)["readouts"][0]["values"][0] for line in lines.read_text().splitlines()])


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    video = clip.make(folder / "clip.avi")
    lines = folder / "id.jsonl"
    clip.gst("filesrc", f"location={video}", "!", "decodebin", "!", "videoconvert", "!", "rvmencode", "size=48", f"model-file={data}/tiny.npz", "!",
             "rvmexport", f"location={lines}", "!", "fakesink")
    first = json.loads(lines.read_text().splitlines()[0])
    readout = reference.write(folder / "far.safetensors", reference.make_distance(rng, first["dim"]), reference.metadata(
        "distance", model=first["model_id"], width=first["analysis_size"][0], height=first["analysis_size"][1]))
    distances = distances_of(folder, video, readout)
    out = folder / "watched.webm"
    # Smoothed values lie between the least and the largest.
    said = clip.run("watch", video, *tiny, "--readout", readout, "--threshold", f"{distances.min() * 0.99}", "--output", out, build=build).splitlines()
    assert said[0] == "start,end,class,confidence" and len(said) == 2 and said[1].startswith("0.000,") and ",distance," in said[1], said
    confidence = float(said[1].split(",")[3])
    assert distances.min() - 0.001 <= confidence <= distances.max() + 0.001, (confidence, distances)
    raw = clip.gst("filesrc", f"location={out}", "!", "decodebin", "!", "videoconvert", "!", "video/x-raw,format=RGB", "!", "fdsink", stdout=-1).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, clip.HEIGHT + 80, clip.WIDTH, 3).astype(int)
    assert len(frames) == clip.FRAMES, frames.shape
    assert np.abs(frames[3, :clip.HEIGHT] - clip.frames_of(video)[3]).mean() < 12, "the picture is above"
    # Above the threshold the curve is red: at the right edge, where now is.
    edge = frames[-1, clip.HEIGHT + 50:, -3:].reshape(-1, 3).mean(0)
    assert edge[0] > edge[2] + 50, edge
    assert clip.run("watch", video, *tiny, "--readout", readout, "--threshold", f"{distances.max() * 2}", "--output", folder / "calm.webm",
                    build=build).splitlines() == ["start,end,class,confidence"]
    before = out.read_bytes()
    assert "exists" in clip.run("watch", video, *tiny, "--readout", readout, "--output", out, build=build, status=1) and out.read_bytes() == before
    assert "no such file" in clip.run("watch", video, "--normal", folder / "none", build=build, status=1)
    assert "is required" in clip.run("watch", video, build=build, status=2)
    assert "--threshold" in clip.run("watch", video, "--readout", readout, "--threshold", "0", build=build, status=2)

    normal = folder / "normal"
    normal.mkdir()
    for number in range(3):
        clip.make(normal / f"n{number}.avi", raw=clip.pictures(30))
    said = clip.run("watch", video, *tiny, "--normal", normal, "--output", folder / "normal.webm", build=build)
    assert said.startswith("start,end,class,confidence") and (folder / "normal.webm").stat().st_size > 1000, said
print("ok")
