#!/usr/bin/env python3
"""test_survival.py DATA: what becomes of features and tracks behind other elements, read with numpy. Elements that keep the picture keep
both, bit for bit; a scaled picture has the same features and tracks at scaled places; elements that cut the picture or put a border around
it drop both, because the grid no longer says where anything is."""
import sys

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import Gst, GstApp, GstRvm  # noqa: E402,F401

Gst.init(None)
FRAMES, POINT, BOX = 4, (20, 20), (8, 8, 16, 16)


def read(meta, tracks):
    """What a consumer sees: everything but the places, and the places apart."""
    features = np.frombuffer(meta.get_data().get_data(), np.float32)
    provenance = (meta.rows, meta.columns, meta.dim, int(meta.parts), meta.generation, meta.frames_since_reset, meta.update_pts, meta.carried,
                  meta.model_id, meta.analysis_width, meta.analysis_height)
    found = [tracks.get_track(i) for i in range(tracks.n_tracks)]
    places = np.array([(t.x, t.y, t.width, t.height) for t in found])
    return {"provenance": provenance, "features": features, "size": (meta.frame_width, meta.frame_height), "places": places,
            "tracks": [(t.id, t.kind, t.visible, t.confidence, t.first_seen, t.last_seen) for t in found]}


def run(chain):
    """Of each buffer behind @chain: its features and tracks, or None."""
    pipeline = Gst.parse_launch(
        f"videotestsrc num-buffers={FRAMES} pattern=ball ! video/x-raw,format=I420,width=64,height=48,framerate=30/1"
        f" ! rvmencode model-file=\"{sys.argv[1]}/tiny.npz\" ! rvmtrack points={POINT[0]},{POINT[1]} boxes={','.join(map(str, BOX))}"
        f" ! {chain} ! appsink name=sink sync=false")
    pipeline.set_state(Gst.State.PLAYING)
    sink, seen = pipeline.get_by_name("sink"), []
    while sample := sink.emit("pull-sample"):
        buffer = sample.get_buffer()
        if buffer.get_flags() & Gst.BufferFlags.HEADER:
            continue
        meta, tracks = GstRvm.buffer_get_feature_meta(buffer), GstRvm.buffer_get_track_meta(buffer)
        assert (meta is None) == (tracks is None), chain
        seen.append(read(meta, tracks) if meta else None)
    error = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    assert error is None, (chain, error.parse_error())
    return seen


def same(a, b, scale=(1, 1)):
    factors = np.array([scale[0], scale[1]] * 2)
    return (a["provenance"] == b["provenance"] and np.array_equal(a["features"], b["features"]) and a["tracks"] == b["tracks"]
            and np.allclose(a["places"] * factors, b["places"], atol=1e-4)
            and b["size"] == (a["size"][0] * scale[0], a["size"][1] * scale[1]))


original = run("identity")
assert len(original) == FRAMES and all(original) and np.isfinite(original[0]["features"]).all()
assert len({frame["features"].tobytes() for frame in original}) == FRAMES

# An encoder that looks ahead holds references, so its order and number of buffers are its own; these give one for one.
for chain in ("queue", "tee", "videoconvert ! video/x-raw,format=BGRA", "videobalance saturation=0.5", "gamma gamma=2", "deinterlace",
              "videoscale ! video/x-raw,width=64,height=48", "jpegenc", "videoconvert ! pngenc", "vp8enc deadline=1", "jpegenc ! jpegdec",
              "avenc_mpeg4 max-bframes=0", "rvmoverlay", "rvmexport location=/dev/null"):
    seen = run(chain)
    assert len(seen) == FRAMES and all(seen), chain
    # What an encoder asks for may change how the picture is laid out in memory, never what it shows.
    assert all(same(a, b) for a, b in zip(original, seen)), chain
    print("kept:", chain)

for chain, scale in (("videoscale ! video/x-raw,width=32,height=24", (0.5, 0.5)),
                     ("videoscale add-borders=false ! video/x-raw,width=128,height=24,pixel-aspect-ratio=1/4", (2, 0.5)),
                     ("videoconvertscale ! video/x-raw,format=RGB,width=192,height=144", (3, 3))):
    seen = run(chain)
    assert len(seen) == FRAMES and all(seen) and all(same(a, b, scale) for a, b in zip(original, seen)), chain
    print("scaled:", chain)

seen = run("videorate ! video/x-raw,framerate=60/1")
assert len(seen) > FRAMES and all(any(same(a, b) for a in original) for b in seen)
assert [frame["provenance"][5] for frame in seen] == sorted(frame["provenance"][5] for frame in seen)
seen = run("videorate ! video/x-raw,framerate=15/1")
assert 0 < len(seen) < FRAMES and all(any(same(a, b) for a in original) for b in seen)
print("kept: videorate, up and down")

for chain in ("videocrop left=8", "videobox top=8", "videobox right=-8"):
    assert run(chain) == [None] * FRAMES, chain
    print("dropped:", chain)
