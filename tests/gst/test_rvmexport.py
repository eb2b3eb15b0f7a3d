#!/usr/bin/env python3
"""test_rvmexport.py DATA: the files rvmexport writes, held against the metadata that applications read. The .npy files load at any moment:
while the pipeline runs, after it was stopped without end of stream, after an error. A line of JSON has the documented keys and numbers
that survive the round trip. What cannot be written is an error that says why."""
import json
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
ENCODE = f"rvmencode name=encode model-file={sys.argv[1]}/tiny.npz"
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


for name, test in [item for item in globals().items() if item[0].startswith("test_")]:
    with tempfile.TemporaryDirectory() as work:
        test(pathlib.Path(work))
    print("ok", name)
