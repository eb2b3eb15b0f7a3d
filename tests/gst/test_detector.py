#!/usr/bin/env python3
"""test_detector.py MODEL SCHEMA: what a detector saw on the first frame (regions of interest) and a mask are followed through a clip whose
truth is known; ids stay; JSON lines (validated against the schema), CSV, masks, .safetensors, regions and, with GStreamer 1.24,
the analytics entries say the same as the metadata."""
import json
import pathlib
import struct
import sys
import tempfile

import gi
import jsonschema
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstVideo", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRvm, GstVideo  # noqa: E402,F401

import rendered_clip as clip  # noqa: E402

Gst.init(None)
try:
    gi.require_version("GstAnalytics", "1.0")
    from gi.repository import GstAnalytics
except (ValueError, ImportError):
    GstAnalytics = None
NAMES = ["car", "cat", "kite"]


def detected(t, frame):
    """Frame @t as a detector would hand it on, one that runs on one frame in ten: rvmtrack's default takes what the first one saw."""
    buffer = Gst.Buffer.new_wrapped(frame.tobytes())
    buffer.pts, buffer.duration = t * 40 * Gst.MSECOND, 40 * Gst.MSECOND
    if t % 10 == 0:
        for name, (x, y, w, h) in zip(NAMES, clip.boxes(t)):
            GstVideo.buffer_add_video_region_of_interest_meta(buffer, name, round(x), round(y), w, h)
    return buffer


def read_analytics(buffer):
    """{track id: (box, label, confidence)} of the object detections with a tracking entry, and the segmentation's pixels."""
    meta = GstAnalytics.buffer_get_analytics_relation_meta(buffer)
    found, masks, ids = {}, None, None
    for index in range(GstAnalytics.relation_get_length(meta)):
        good, entry = meta.get_od_mtd(index)
        if good:
            _, x, y, w, h, confidence = entry.get_location()
            label = GLib.quark_to_string(entry.get_obj_type())
            for other in range(GstAnalytics.relation_get_length(meta)):
                tracked, tracking = meta.get_tracking_mtd(other)
                if tracked and meta.get_relation(index, other) & GstAnalytics.RelTypes.RELATE_TO:
                    found[tracking.get_info()[1]] = ((x, y, w, h), label, confidence)
        if hasattr(meta, "get_segmentation_mtd"):
            good, entry = meta.get_segmentation_mtd(index)
            if good:
                mask, *place = entry.get_mask()
                ids = {entry.get_region_id(i): i for i in range(entry.get_region_count())}
                masks = np.frombuffer(mask.extract_dup(0, mask.get_size()), np.uint8).reshape(clip.HEIGHT, clip.WIDTH)
                assert place == [0, 0, clip.WIDTH, clip.HEIGHT], place
    return found, masks, ids


def run(folder, frames, first_mask):
    """What the metadata said of each frame."""
    mask = folder / "first.png"
    clip.write_png(mask, first_mask)
    pipeline = Gst.parse_launch(
        f"appsrc name=source format=time caps=video/x-raw,format=RGB,width={clip.WIDTH},height={clip.HEIGHT},framerate=25/1 ! rvmencode model-file=\"{sys.argv[1]}\" size=192 warm-up=8"
        f" ! rvmtrack mask-file=\"{mask}\" points=60,60 name=track ! rvmexport location=\"{folder}/lines.jsonl\" tracks-location=\"{folder}/tracks.csv\""
        f" masks-location=\"{folder}/%04d.png\" features-location=\"{folder}/features.safetensors\" ! appsink name=sink sync=false")
    pipeline.set_state(Gst.State.PLAYING)
    for t, frame in enumerate(frames):
        pipeline.get_by_name("source").emit("push-buffer", detected(t, frame))
    pipeline.get_by_name("source").emit("end-of-stream")
    sink, seen = pipeline.get_by_name("sink"), []
    while sample := sink.emit("pull-sample"):
        buffer = sample.get_buffer()
        meta = GstRvm.buffer_get_track_meta(buffer)
        tracks = [meta.get_track(i) for i in range(meta.n_tracks)]
        pixels, width, height = meta.get_mask()
        regions = {}
        for track in tracks:
            roi = GstVideo.buffer_get_video_region_of_interest_meta_id(buffer, track.id)
            if roi:
                regions[track.id] = (roi.x, roi.y, roi.w, roi.h)
        features = GstRvm.buffer_get_feature_meta(buffer)
        seen.append({
            "pts": buffer.pts, "regions": regions, "grid": (features.rows, features.columns),
            "tracks": [(t.id, t.kind.value_nick, t.x, t.y, t.width, t.height, t.confidence, bool(t.visible), t.mask_value,
                        GLib.quark_to_string(t.label) if t.label else None) for t in tracks],
            "mask": np.frombuffer(pixels.get_data(), np.uint8).reshape(height, width),
            "features": np.frombuffer(features.get_data().get_data(), np.float32).reshape(-1, features.dim),
            "analytics": read_analytics(buffer) if GstAnalytics and WITH_ANALYTICS else None})
    message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    assert message is None, message.parse_error()
    pipeline.set_state(Gst.State.NULL)
    return seen


def check_followed(seen, masks):
    """Against the truth. Places are found from patches of 16 pixels."""
    lowest = {}
    for t, frame in enumerate(seen):
        ids = [track[0] for track in frame["tracks"]]
        assert ids == [1, 2, 3, 4, 5, 6, 7], ids
        assert [track[1] for track in frame["tracks"]] == ["point"] + ["mask"] * 3 + ["box"] * 3
        assert [track[9] for track in frame["tracks"]] == [None] * 4 + NAMES
        for track, truth in zip(frame["tracks"][4:], clip.boxes(t)):
            assert track[7], (t, track)
            lowest[track[9]] = min(lowest.get(track[9], 1), clip.overlap(track[2:6], truth))
        for i, track in enumerate(frame["tracks"][1:4]):
            found, truth = frame["mask"] == track[8], masks[t] == 1 + i
            lowest[f"mask {track[8]}"] = min(lowest.get(f"mask {track[8]}", 1), (found & truth).sum() / (found | truth).sum())
    print("least overlap with the truth on any frame:", {name: round(float(value), 3) for name, value in lowest.items()})
    # Standing still would be 0 at the end for each of them.
    assert min(lowest.values()) > LEAST, lowest


def check_json(seen, folder, schema):
    validator = jsonschema.Draft202012Validator(schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    records = [json.loads(line) for line in (folder / "lines.jsonl").read_text().splitlines()]
    assert len(records) == len(seen)
    for index, (record, frame) in enumerate(zip(records, seen)):
        validator.validate(record)
        assert record["index"] == index and record["pts"] == frame["pts"]
        for written, track in zip(record["tracks"], frame["tracks"], strict=True):
            number, kind, x, y, width, height, confidence, visible, value, label = track
            assert (written["id"], written["kind"], written["visible"]) == (number, kind, visible)
            # The same numbers, to the last bit.
            assert (written["x"], written["y"], written["confidence"]) == (x, y, confidence)
            assert (written.get("width", 0), written.get("height", 0)) == (width, height)
            assert (written.get("mask_value", 0), written.get("label")) == (value, label)
    # The schema can refuse.
    for break_it in (lambda r: r.pop("pts"), lambda r: r.update(extra=1), lambda r: r["tracks"][0].update(width=3),
                     lambda r: r["tracks"][1].pop("mask_value"), lambda r: r["tracks"][4].update(id="5"), lambda r: r.pop("model_id")):
        record = json.loads(json.dumps(records[0]))
        break_it(record)
        assert not validator.is_valid(record)


def check_csv(seen, folder):
    lines = [line.split(",") for line in (folder / "tracks.csv").read_text().splitlines()]
    expected = [(t + 1, track) for t, frame in enumerate(seen) for track in frame["tracks"] if track[7]]
    assert len(lines) == len(expected)
    for line, (frame, track) in zip(lines, expected):
        assert len(line) == 10 and line[7:] == ["-1"] * 3
        assert (int(line[0]), int(line[1])) == (frame, track[0])
        numbers = [float(number) for number in line[2:7]]
        assert numbers == [track[2] + 1, track[3] + 1, track[4], track[5], track[6]], (line, track)


def check_masks(seen, folder):
    for t, frame in enumerate(seen):
        pixels, palette = clip.read_png((folder / f"{t:04d}.png").read_bytes())
        assert np.array_equal(pixels, frame["mask"])
    # DAVIS: dark red, dark green, dark yellow, dark blue for the first objects.
    assert palette[:5].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert not list(folder.glob("*.part"))


def check_safetensors(seen, folder):
    data = (folder / "features.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    types = {"F32": np.float32, "I64": np.int64, "U8": np.uint8}
    arrays, end = {}, 0
    for name, entry in header.items():
        if name != "__metadata__":
            start, stop = entry["data_offsets"]
            assert start == end
            end = stop
            arrays[name] = np.frombuffer(data[8 + size + start:8 + size + stop], types[entry["dtype"]]).reshape(entry["shape"])
    assert 8 + size + end == len(data)
    features = np.stack([frame["features"] for frame in seen])
    assert np.array_equal(arrays["class_tokens"], features[:, 0])
    assert np.array_equal(arrays["features"].reshape(len(seen), -1, features.shape[2]), features[:, 1:])
    assert arrays["features"].shape[1:3] == seen[0]["grid"]
    assert arrays["pts"].tolist() == [frame["pts"] for frame in seen] == arrays["update_pts"].tolist()
    assert arrays["frames_since_reset"].tolist() == list(range(1, len(seen) + 1))
    assert not arrays["carried"].any() and header["__metadata__"]["format"] == "gst-rvm features 1"


def inside(track):
    """The part of a box that is in the picture, as whole pixels: what integers can say of it."""
    left, top = min(max(track[2], 0), clip.WIDTH), min(max(track[3], 0), clip.HEIGHT)
    right, bottom = min(max(track[2] + track[4], left), clip.WIDTH), min(max(track[3] + track[5], top), clip.HEIGHT)
    return int(left), int(top), int(right - left), int(bottom - top)


def check_entries(seen):
    for frame in seen:
        visible = {track[0]: track for track in frame["tracks"] if track[7] and track[1] != "point"}
        assert frame["regions"] == {number: inside(track) for number, track in visible.items()}
        if frame["analytics"] is None:
            continue
        found, pixels, ids = frame["analytics"]
        assert set(found) == set(visible)
        for number, (box, label, confidence) in found.items():
            assert box == inside(visible[number]) and label == (visible[number][9] or "rvm-track")
            assert abs(confidence - visible[number][6]) < 1e-6
        if pixels is not None:
            assert np.array_equal(pixels, frame["mask"])
            assert set(ids) - {0} == {track[8] for track in frame["tracks"] if track[8]}


LEAST = 0.5
WITH_ANALYTICS = "--analytics" in sys.argv
clip_frames, clip_masks = clip.render()
# The values of a file are kept.
values = np.array([0, 3, 5, 200], np.uint8)
with tempfile.TemporaryDirectory() as name:
    out = pathlib.Path(name)
    result = run(out, clip_frames, values[clip_masks[0]])
    assert len(result) == clip.FRAMES
    check_followed(result, clip_masks)
    check_json(result, out, json.loads(pathlib.Path(sys.argv[2]).read_text()))
    check_csv(result, out)
    check_masks(result, out)
    check_safetensors(result, out)
    check_entries(result)
print("ok" + (", analytics too" if WITH_ANALYTICS else ""))
