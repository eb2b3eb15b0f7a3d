#!/usr/bin/env python3
"""test_classify.py BUILD DATA: pipelines/classify and pipelines/on-event on a clip, with readouts whose answers are known: what --all prints is what numpy makes of the features that
rvmexport writes; events have their times; what is no readout is refused before anything runs."""
import json
import pathlib
import sys
import tempfile
import time

import numpy as np

import clip

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "model"))
import reference_readout as reference  # noqa: E402

build, data = sys.argv[1:]
tiny = ["--model", f"{data}/tiny.npz", "--size", "48"]
rng = np.random.default_rng(4)


def features_of(folder, video):
    """(frames, tokens, dim), and the lines."""
    out, tokens, lines = (folder / name for name in ("f.npy", "c.npy", "f.jsonl"))
    clip.gst("filesrc", f"location={video}", "!", "decodebin", "!", "videoconvert", "!", "rvmencode", "size=48", f"model-file={data}/tiny.npz", "!",
             "rvmexport", f"features-location={out}", f"class-location={tokens}", f"location={lines}", "!", "fakesink")
    patches = np.load(out)
    return (np.concatenate([np.load(tokens)[:, None], patches.reshape(len(patches), -1, patches.shape[-1])], 1),
            [json.loads(line) for line in lines.read_text().splitlines()])


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    video = clip.make(folder / "clip.avi")
    features, lines = features_of(folder, video)
    common = {"model": lines[0]["model_id"], "width": lines[0]["analysis_size"][0], "height": lines[0]["analysis_size"][1]}
    arrays = reference.make_arrays(rng, features.shape[2], 32, 2, 4, 3)
    path = reference.write(folder / "three.safetensors", arrays, reference.metadata("class", classes="one\ntwo, and a half\nthree", **common))
    said = clip.run("classify", video, *tiny, "--readout", path, "--all", build=build).splitlines()
    assert said[0] == 'time,one,"two, and a half",three', said[0]
    got = np.array([[float(x) for x in line.split(",")] for line in said[1:]])
    expected = [reference.softmax(reference.attention_readout(arrays, features[max(0, t - 3):t + 1]))[0] for t in range(len(features))]
    assert got.shape == (clip.FRAMES, 4) and np.abs(got[:, 1:] - expected).max() < 0.0006, "the probabilities are those of numpy, rounded"
    assert np.abs(got[:, 0] - [line["pts"] / 1e9 for line in lines]).max() < 0.0006

    arrays["Dense_1/kernel"][:], arrays["Dense_1/bias"][:] = 0, [0, 5, 0]
    path = reference.write(folder / "always.safetensors", arrays, reference.metadata("class", classes="one\ntwo\nthree", **common))
    said = clip.run("classify", video, *tiny, "--readout", path, build=build).splitlines()
    end = f"{lines[-1]['pts'] / 1e9:.3f}"
    probability = reference.softmax(np.array([0, 5.0, 0]))[1]
    assert said == ["start,end,class,confidence", f"0.000,{end},two,{probability:.3f}"], said
    assert clip.run("classify", video, *tiny, "--readout", path, "--background", "two", build=build).splitlines() == ["start,end,class,confidence"]
    said = clip.run("on-event", video, *tiny, "--readout", path, "--run", f"echo $RVM_START $RVM_CLASS > {folder}/command", build=build)
    assert said == f"0.000 to {end}: two, {probability:.3f} on average\n", said
    wait = time.monotonic() + 20
    while not (folder / "command").exists() or not (folder / "command").read_text():
        assert time.monotonic() < wait, "the command of an event that begins"
        time.sleep(0.1)
    assert (folder / "command").read_text() == "0.000 two\n"
    assert clip.run("on-event", video, *tiny, "--readout", path, "--background", "two", build=build) == ""
    assert "is no readout" in clip.run("on-event", video, "--readout", video, build=build, status=1)
    assert "no such file" in clip.run("on-event", folder / "none.avi", *tiny, "--readout", path, build=build, status=1)
    assert "--background is one of one, two, three" in clip.run("classify", video, "--readout", path, "--background", "four", build=build, status=2)
    assert "is no readout" in clip.run("classify", video, "--readout", video, build=build, status=1)
    assert "--frames is 0 or more" in clip.run("classify", video, "--readout", path, "--frames", "-1", build=build, status=2)
    assert "No such file" in clip.run("classify", video, "--readout", folder / "none", build=build, status=1)
    depth = reference.make_arrays(rng, features.shape[2], 32, 2, 4, 1, code=16)
    path = reference.write(folder / "depth.safetensors", depth, reference.metadata("dense", target="depth", **common))
    assert "of kind dense" in clip.run("classify", video, "--readout", path, build=build, status=1)
print("ok")
