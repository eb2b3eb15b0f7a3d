#!/usr/bin/env python3
"""test_rvmexport.py DATA: the files that rvmexport writes, compared with the metadata that applications read. The .npy files load at any moment:
while the pipeline runs, after it was stopped without end of stream, after an error. A line of JSON has the documented keys and numbers
that survive the round trip. What cannot be written is an error that says why, and so are two outputs for one file."""
import json
import os
import pathlib
import sys
import tempfile

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import Gst, GstApp, GstRvm  # noqa: E402,F401

Gst.init(None)
KEYS = {"index", "pts", "duration", "generation", "frames_since_reset", "update_pts", "carried", "model_id", "rows", "columns", "dim",
        "frame_size", "analysis_size", "class_token"}
TRACK_KEYS = {"id", "kind", "x", "y", "confidence", "visible", "first_seen", "last_seen"}
ENCODE = f"rvmencode name=encode model-file=\"{sys.argv[1]}/tiny.npz\""
CAPS = "video/x-raw,format=RGB,width=64,height=48,framerate=25/1"


def locations(folder):
    return {"location": folder / "lines.jsonl", "features-location": folder / "patches.npy", "class-location": folder / "class.npy"}


def export(folder):
    return "rvmexport name=export " + " ".join(f"{name}={path}" for name, path in locations(folder).items())


def pull(pipeline, count=None):
    """The metas of @count buffers, or of all, as a consumer finds them behind rvmexport."""
    sink, metas = pipeline.get_by_name("sink"), []
    while count is None or len(metas) < count:
        sample = sink.emit("pull-sample")
        if sample is None:
            break
        buffer = sample.get_buffer()
        meta = GstRvm.buffer_get_feature_meta(buffer)
        metas.append({
            "pts": buffer.pts, "duration": buffer.duration, "generation": meta.generation, "frames_since_reset": meta.frames_since_reset,
            "update_pts": meta.update_pts, "carried": meta.carried, "model_id": meta.model_id, "rows": meta.rows, "columns": meta.columns,
            "dim": meta.dim, "frame_size": [meta.frame_width, meta.frame_height],
            "analysis_size": [meta.analysis_width, meta.analysis_height],
            "class_token": np.frombuffer(meta.get_class_token().get_data(), np.float32),
            "patches": np.frombuffer(meta.get_patches().get_data(), np.float32).reshape(meta.rows, meta.columns, meta.dim),
        })
    return metas


def compare(folder, metas, at_least=False):
    """The files against @metas; with @at_least they may hold later frames too."""
    paths = locations(folder)
    patches, tokens = np.load(paths["features-location"]), np.load(paths["class-location"])
    records = [json.loads(line) for line in paths["location"].read_text().splitlines()]
    assert patches.dtype == tokens.dtype == np.float32
    if not at_least:
        assert len(patches) == len(tokens) == len(records) == len(metas), (len(patches), len(tokens), len(records), len(metas))
    for index, (meta, record) in enumerate(zip(metas, records)):
        assert KEYS <= set(record), KEYS - set(record)
        assert record["index"] == index
        for key in KEYS - {"index", "class_token"}:
            # No time is null, never a number that looks like one.
            expected = None if meta[key] == Gst.CLOCK_TIME_NONE and key in ("pts", "duration", "update_pts") else meta[key]
            assert record[key] == expected, (key, record[key], expected)
        # Decimal and back is the same float.
        assert np.array_equal(np.array(record["class_token"], np.float32), meta["class_token"])
        assert np.array_equal(patches[index], meta["patches"]) and np.array_equal(tokens[index], meta["class_token"])
    return records


def error_of(pipeline):
    message = pipeline.get_bus().timed_pop_filtered(30 * Gst.SECOND, Gst.MessageType.ERROR | Gst.MessageType.EOS)
    assert message is not None and message.type == Gst.MessageType.ERROR
    text = message.parse_error()[0].message
    pipeline.set_state(Gst.State.NULL)
    return text


def test_whole_run(folder):
    pipeline = Gst.parse_launch(f"videotestsrc num-buffers=7 pattern=ball ! {CAPS} ! {ENCODE} interval=2 ! {export(folder)} ! appsink name=sink sync=false")
    pipeline.set_state(Gst.State.PLAYING)
    metas = pull(pipeline)
    assert pipeline.get_by_name("export").get_property("frames") == 7
    pipeline.set_state(Gst.State.NULL)
    records = compare(folder, metas)
    assert [record["carried"] for record in records] == [False, True, True] * 2 + [False]


def test_while_running_and_interrupted(folder):
    """Loaded while frames arrive, and after the pipeline was stopped with no end of stream."""
    pipeline = Gst.parse_launch(f"videotestsrc ! {CAPS} ! {ENCODE} ! {export(folder)} ! appsink name=sink sync=false max-buffers=1")
    pipeline.set_state(Gst.State.PLAYING)
    metas = pull(pipeline, 5)
    compare(folder, metas, at_least=True)
    metas += pull(pipeline, 4)
    pipeline.set_state(Gst.State.NULL)
    compare(folder, metas, at_least=True)
    patches = np.load(locations(folder)["features-location"])
    assert len(patches) >= 9 and patches.any(axis=(1, 2, 3)).all()
    assert locations(folder)["features-location"].stat().st_size == 256 + patches.nbytes


def test_no_times_and_tracks(folder):
    pipeline = Gst.parse_launch(f"appsrc name=source format=time caps={CAPS} ! {ENCODE} ! rvmtrack points=20,20 boxes=8,8,16,16 ! {export(folder)} ! appsink name=sink sync=false")
    pipeline.set_state(Gst.State.PLAYING)
    source = pipeline.get_by_name("source")
    for value in (10, 200):
        source.emit("push-buffer", Gst.Buffer.new_wrapped(bytes([value]) * (64 * 48 * 3)))
    source.emit("end-of-stream")
    metas = pull(pipeline)
    pipeline.set_state(Gst.State.NULL)
    records = compare(folder, metas)
    assert records[1]["pts"] is None and records[1]["update_pts"] is None
    point, box = records[1]["tracks"]
    assert TRACK_KEYS <= set(point) and TRACK_KEYS | {"width", "height"} <= set(box)
    assert (point["kind"], box["kind"]) == ("point", "box") and point["id"] != box["id"]


def test_empty(folder):
    """A run without a frame leaves files that load and hold nothing, and a warning that says so."""
    pipeline = Gst.parse_launch(f"videotestsrc num-buffers=3 ! {CAPS} ! {export(folder)} ! fakesink")
    pipeline.set_state(Gst.State.PLAYING)
    warning = pipeline.get_bus().timed_pop_filtered(30 * Gst.SECOND, Gst.MessageType.WARNING)
    assert warning and "no features" in warning.parse_warning()[0].message
    pipeline.get_bus().timed_pop_filtered(30 * Gst.SECOND, Gst.MessageType.EOS)
    pipeline.set_state(Gst.State.NULL)
    assert np.load(locations(folder)["features-location"]).size == 0 and locations(folder)["location"].read_text() == ""


def test_change_of_shape(folder):
    """Another grid does not fit an .npy: an error that names file and shapes, and what was written stays good."""
    pipeline = Gst.parse_launch(f"videotestsrc ! {CAPS} ! {ENCODE} ! {export(folder)} ! appsink name=sink sync=false max-buffers=1")
    pipeline.set_state(Gst.State.PLAYING)
    metas = pull(pipeline, 3)
    pipeline.get_by_name("encode").set_property("size", 16)
    metas += pull(pipeline)
    text = error_of(pipeline)
    assert "patches.npy" in text and "3, 4, 48" in text and "1, 1, 48" in text, text
    patches = np.load(locations(folder)["features-location"])
    assert len(patches) == len(metas) and all(np.array_equal(a, b["patches"]) for a, b in zip(patches, metas))


def test_errors(folder):
    for settings, encode, parts in ((f"location={folder}/none/lines.jsonl", "", ("lines.jsonl", "No such file")),
                                    (f"features-location={folder}/none/a.npy", "", ("a.npy", "No such file")),
                                    (f"class-location={folder}", "", (str(folder), "directory")),
                                    (f"features-location={folder}/b.npy", "output=class", ("features-location", "no patches")),
                                    (f"class-location={folder}/c.npy", "output=patches", ("class-location", "no class token")),
                                    ("features-location=/dev/full", "", ("/dev/full", "No space left")),
                                    ("location=/dev/full", "", ("/dev/full", "No space left"))):
        pipeline = Gst.parse_launch(f"videotestsrc num-buffers=3 ! {CAPS} ! {ENCODE} {encode} ! rvmexport {settings} ! fakesink")
        pipeline.set_state(Gst.State.PLAYING)
        text = error_of(pipeline)
        assert all(part in text for part in parts), (settings, text)


def start(pipeline):
    """What an rvmexport says when it is started: the text of its error, or None. The pipeline stays as it is."""
    pipeline.set_state(Gst.State.PAUSED)
    while message := pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR):
        if message.src.get_factory().get_name() == "rvmexport":
            return message.parse_error()[0].message
    return None


def refusal(export, *others, before="", after=""):
    """What an rvmexport with the settings @export says when it is started; @others: more elements of the pipeline."""
    pipeline = Gst.parse_launch(" ".join([f"videotestsrc num-buffers=1 ! {CAPS} ! {before} {ENCODE} ! {after} rvmexport name=export {export} ! fakesink", *others]))
    text = start(pipeline)
    pipeline.set_state(Gst.State.NULL)
    return text


def test_nothing_to_write(folder):
    for settings in ("", "location=\"\""):
        text = refusal(settings)
        assert text and "no location is set" in text and "tracks-location" in text, text


def test_one_file_for_two(folder):
    """Two outputs, or an output and what another element has, on one file, by whatever name: an error before anything is opened."""
    kept, sub = folder / "kept.txt", folder / "sub"
    sub.mkdir()
    kept.write_text("kept")
    os.link(kept, folder / "hard.txt")
    (folder / "soft.txt").symlink_to("kept.txt")
    (folder / "later.txt").symlink_to(sub / "new.txt")
    (folder / "other-sub").symlink_to(sub)
    (folder / "model.npz").write_bytes(pathlib.Path(sys.argv[1], "tiny.npz").read_bytes())
    (sub / "00003.png").write_bytes(b"kept")

    def refused(export, *names, others="", **more):
        text = refusal(export, others, **more)
        assert text and "are the same file" in text and all(name in text for name in names), (export, text)
        assert kept.read_text() == "kept" and (sub / "00003.png").read_bytes() == b"kept" and not (sub / "new.txt").exists()

    names = ("location", "features-location", "class-location", "tracks-location")
    for first in names:
        for second in names:
            if first < second:
                refused(f"{first}={folder}/a {second}={folder}/a", first, second)
    for a, b in (("a", "./a"), ("a", "sub/../a"), ("a", "/a"), ("kept.txt", "hard.txt"), ("kept.txt", "soft.txt"), ("hard.txt", "soft.txt"), ("sub/new.txt", "later.txt"),
                 ("sub/b", "other-sub/b"), ("other-sub/../sub/b", "other-sub/b")):
        refused(f"location={folder}/{a} tracks-location={folder}/{b}", "location", "tracks-location")
        refused(f"location={folder}/{b} tracks-location={folder}/{a}", "location", "tracks-location")
    for part in (".part", ".class.part"):
        refused(f"features-location={folder}/f.safetensors location={folder}/f.safetensors{part}", "unfinished features-location")
    for path in ("sub/00003.png", "other-sub/00003.png", "sub/00012.png", "sub/00012.png.part"):
        refused(f"masks-location={folder}/sub/%05d.png location={folder}/{path}", "masks-location")
    assert refusal(f"masks-location={folder}/sub/%05d.png location={folder}/sub/3.png tracks-location={folder}/sub/00003.csv") is None

    # What other elements read or write.
    refused(f"location={folder}/model.npz", "model-file of second", before=f"rvmencode name=second model-file=\"{folder}/sub/../model.npz\" !")
    refused(f"location={folder}/kept.txt", "mask-file of track", after=f"rvmtrack name=track mask-file=\"{folder}/soft.txt\" !")
    refused(f"location={folder}/kept.txt", "basis-file of draw", after=f"rvmoverlay name=draw basis-file=\"{folder}/hard.txt\" !")
    refused(f"tracks-location={folder}/kept.txt", "location of film", others=f"filesrc name=film location={folder}/kept.txt ! fakesink")
    refused(f"tracks-location={folder}/kept.txt", "uri of film", others=f"uridecodebin name=film uri=file://{folder}/kept.txt")
    refused(f"masks-location={folder}/sub/%05d.png", "location of film", others=f"multifilesrc name=film location={folder}/sub/%05d.png ! fakesink")
    refused(f"location={folder}/new", "location of first", after=f"rvmexport name=first tracks-location={folder}/new !")
    if os.environ["RVM_DEFAULT_MODEL"] == "no-such-file":
        os.environ["RVM_DEFAULT_MODEL"] = str(kept)
        refused(f"location={folder}/kept.txt", "bundled model")
        os.environ["RVM_DEFAULT_MODEL"] = "no-such-file"

    # Another pipeline of this process, as long as it runs.
    one = Gst.parse_launch(f"videotestsrc num-buffers=1 ! {CAPS} ! {ENCODE} ! rvmexport name=first location={folder}/shared ! fakesink")
    assert start(one) is None
    text = refusal(f"tracks-location={folder}/sub/../shared")
    assert text and "location of first" in text, text
    one.set_state(Gst.State.NULL)
    assert refusal(f"tracks-location={folder}/sub/../shared") is None

    # What is no file can be shared, and the same name elsewhere is another file.
    assert refusal("location=/dev/null tracks-location=/dev/null", after="rvmexport location=/dev/null !") is None
    assert refusal(f"location={folder}/a tracks-location={folder}/sub/a features-location={folder}/a.npy class-location={folder}/b.npy") is None


for name, test in [item for item in globals().items() if item[0].startswith("test_")]:
    with tempfile.TemporaryDirectory() as work:
        test(pathlib.Path(work))
    print("ok", name)
