#!/usr/bin/env python3
"""test_lifetime.py DATA: features and tracks that an application keeps, as what it gets from a buffer must be: still the same when the buffer, the
pipeline and what they were made of are gone and their memory has been used for other things. And none of their fields is left out on the
way into a copy, into bytes or onto another buffer. Run with memory that is overwritten when it is freed (MALLOC_PERTURB_, G_SLICE)."""
import gc
import pathlib
import sys
import tempfile
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRvm  # noqa: E402,F401

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import numpy as np  # noqa: E402

from rendered_clip import write_png  # noqa: E402

Gst.init(None)
FRAMES = 12
# What is no field of a copy, or is read by a function there.
META, VALUES = {"meta"}, {"data", "tracks", "mask"}


def names(struct):
    return [field.get_name() for field in struct.__info__.get_fields() if not field.get_name().startswith("_")]


def snapshot(thing):
    """All that it says, as Python's own values."""
    seen = {name: getattr(thing, name) for name in names(type(thing)) if name not in META | VALUES}
    if hasattr(thing, "get_patches"):
        for part in ("data", "class_token", "patches"):
            seen[part] = getattr(thing, "get_" + part)().get_data()
    else:
        tracks = [thing.get_track(i) for i in range(thing.n_tracks)]
        seen["tracks"] = [(t.id, t.kind, t.x, t.y, t.width, t.height, t.confidence, t.visible, t.first_seen, t.last_seen, t.mask_value) for t in tracks]
        pixels, width, height = thing.get_mask()
        seen["mask"] = (pixels.get_data(), width, height)
    seen["bytes"] = thing.to_bytes().get_data()
    return seen


def make_pipeline(folder):
    mask = np.zeros((48, 64), np.uint8)
    mask[10:30, 20:50] = 4
    write_png(folder / "mask.png", mask)
    return Gst.parse_launch(
        f"videotestsrc num-buffers={FRAMES} pattern=ball ! video/x-raw,format=RGB,width=64,height=48 ! rvmencode model-file=\"{sys.argv[1]}/tiny.npz\""
        f" ! rvmtrack points=20,20 boxes=8,8,16,16 mask-file=\"{folder}/mask.png\" ! appsink name=sink sync=false")


def frames(pipeline):
    pipeline.set_state(Gst.State.PLAYING)
    while sample := pipeline.get_by_name("sink").emit("pull-sample"):
        yield sample.get_buffer()
    message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    assert message is None, message.parse_error()
    pipeline.set_state(Gst.State.NULL)


def use_memory():
    """Allocates and frees as much as the frames were, of every size."""
    kept = [GLib.Bytes.new(bytes([n % 256]) * (16 + n % 4096)) for n in range(20000)]
    buffers = [Gst.Buffer.new_allocate(None, 64 * 48 * 3, None) for _ in range(200)]
    for buffer in buffers:
        GstRvm.buffer_add_feature_meta(buffer, GstRvm.FeatureParts.PATCHES, 1, 1, 2, GLib.Bytes.new(b"\xee" * 8), "another")
    del kept, buffers
    gc.collect()


def test_kept_longer_than_the_buffer(folder):
    kept = []
    for buffer in frames(make_pipeline(folder)):
        meta = GstRvm.buffer_get_feature_meta(buffer)
        for thing, borrowed in ((GstRvm.buffer_get_features(buffer), meta), (GstRvm.buffer_get_tracks(buffer), GstRvm.buffer_get_track_meta(buffer)),
                                (meta.get_features(), meta)):
            expected = snapshot(borrowed)  # while it is there
            assert snapshot(thing) == expected
            kept.append((thing, expected))
    del buffer, meta, borrowed, thing
    gc.collect()
    use_memory()
    assert len(kept) == 3 * FRAMES
    # From another thread as well, and while references come and go.
    wrong = []

    def check():
        for thing, expected in kept:
            for copy in (thing, thing.copy()):
                if snapshot(copy) != expected:
                    wrong.append(expected)

    threads = [threading.Thread(target=check) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    # What was read off them stays, too.
    parts = [(thing.get_data() if hasattr(thing, "get_data") else thing.get_mask()[0], expected) for thing, expected in kept]
    tracks = [(thing.get_track(0), expected) for thing, expected in kept if hasattr(thing, "get_track")]
    kept.clear()
    gc.collect()
    use_memory()
    assert all(part.get_data() == (expected["data"] if "data" in expected else expected["mask"][0]) for part, expected in parts)
    assert all((track.id, track.x, track.y) == (expected["tracks"][0][0], *expected["tracks"][0][2:4]) for track, expected in tracks)


def test_no_field_is_left_out(folder):
    """Sets each field of a meta to a value of its own and looks where it gets to."""
    assert set(names(GstRvm.FeatureMeta)) - META - VALUES == set(names(GstRvm.Features))
    assert set(names(GstRvm.TrackMeta)) - META - VALUES == set(names(GstRvm.Tracks))
    buffer = next(frames(make_pipeline(folder)))
    for meta, copy_of, attach in ((GstRvm.buffer_get_feature_meta(buffer), GstRvm.buffer_get_features, GstRvm.buffer_add_features),
                                  (GstRvm.buffer_get_track_meta(buffer), GstRvm.buffer_get_tracks, GstRvm.buffer_add_tracks)):
        changed = set()
        for number, name in enumerate(names(type(meta)), 1000):
            old = getattr(meta, name)
            # The shape has to fit the values.
            if name in META | VALUES | {"rows", "columns", "dim", "n_tracks"} or not isinstance(old, (int, bool)) or type(old) not in (int, bool):
                continue
            # There are eight orientations.
            setattr(meta, name, not old if type(old) is bool else 5 if name == "orientation" else number)
            changed.add(name)
        expected = snapshot(meta)
        assert {"source", "update", "frame_width", "frame_height", "orientation"} <= changed
        assert all(getattr(meta, name) in (True, False) or getattr(meta, name) >= 1000 for name in changed - {"orientation"})
        copy = copy_of(buffer)
        assert snapshot(copy) == expected
        assert snapshot(type(copy).new_from_bytes(copy.to_bytes())) == expected
        other = buffer.copy()
        assert snapshot(copy_of(other)) == expected
        plain = Gst.Buffer.new()
        assert snapshot(attach(plain, copy)) == expected and snapshot(copy_of(plain)) == expected


def test_bytes_that_are_refused(folder):
    buffer = next(frames(make_pipeline(folder)))
    for kind, data in ((GstRvm.Features, GstRvm.buffer_get_features(buffer).to_bytes().get_data()),
                       (GstRvm.Tracks, GstRvm.buffer_get_tracks(buffer).to_bytes().get_data())):
        for wrong, parts in ((b"", ("there are none",)), (b"\x01" + data[1:], ("version 1", "expected 2")), (data[:40], ("cut off",)), (data + b"x", ("bytes",))):
            try:
                kind.new_from_bytes(GLib.Bytes.new(wrong))
            except GLib.Error as error:
                assert error.matches(Gst.StreamError.quark(), Gst.StreamError.DECODE) and all(part in error.message for part in parts), error.message
            else:
                raise AssertionError((kind, wrong[:8]))


for name, test in [item for item in globals().items() if item[0].startswith("test_")]:
    with tempfile.TemporaryDirectory() as work:
        test(pathlib.Path(work))
    print("ok", name, flush=True)
