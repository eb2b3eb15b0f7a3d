#!/usr/bin/env python3
"""test_introspection.py DATA: features and tracks read off buffers in Python, as an application does, and compared with what rvmexport wrote.
Also the README's Python example."""
import json
import pathlib
import struct
import sys
import tempfile

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import Gst, GstApp, GstRvm  # noqa: E402,F401

Gst.init(None)
with tempfile.TemporaryDirectory() as folder:
    lines = pathlib.Path(folder) / "lines.jsonl"
    pipeline = Gst.parse_launch(
        f"videotestsrc num-buffers=4 pattern=ball ! video/x-raw,width=64,height=48 ! rvmencode model-file=\"{sys.argv[1]}/tiny.npz\""
        f" ! rvmtrack points=20,20 boxes=8,8,16,16 ! rvmexport location=\"{lines}\" ! appsink name=sink sync=false")
    pipeline.set_state(Gst.State.PLAYING)
    sink, frames = pipeline.get_by_name("sink"), []
    while sample := sink.emit("pull-sample"):
        meta = GstRvm.buffer_get_feature_meta(sample.get_buffer())
        assert (meta.rows, meta.columns, meta.dim) == (3, 4, 48)
        assert meta.frames_since_reset == len(frames) + 1 and meta.generation == 1 and not meta.carried
        assert len(meta.get_patches().get_data()) == 3 * 4 * 48 * 4
        assert len(meta.get_data().get_data()) == 13 * 48 * 4
        token = struct.unpack("48f", meta.get_class_token().get_data())
        tracks = GstRvm.buffer_get_track_meta(sample.get_buffer())
        first, second = (tracks.get_track(i) for i in range(tracks.n_tracks))
        assert tracks.get_track(2) is None
        assert (first.kind, second.kind) == (GstRvm.TrackKind.POINT, GstRvm.TrackKind.BOX)
        frames.append((meta.model_id, token, [(t.id, t.x, t.y, t.visible) for t in (first, second)]))
    pipeline.set_state(Gst.State.NULL)
    records = [json.loads(line) for line in lines.read_text().splitlines()]
assert len(frames) == len(records) == 4
for (model, token, tracks), record in zip(frames, records):
    assert record["model_id"] == model
    assert [struct.pack("f", x) for x in record["class_token"]] == [struct.pack("f", x) for x in token]
    for (number, x, y, visible), written in zip(tracks, record["tracks"]):
        assert (written["id"], written["visible"]) == (number, visible)
        assert abs(written["x"] - x) < 1e-6 and abs(written["y"] - y) < 1e-6

event = GstRvm.event_new_reset_state(True, 40 * Gst.MSECOND)
assert event.type == Gst.EventType.CUSTOM_UPSTREAM and GstRvm.event_parse_reset_state(event) == (True, 40 * Gst.MSECOND)
assert GstRvm.event_parse_reset_state(Gst.Event.new_eos())[0] is False
print("ok")
