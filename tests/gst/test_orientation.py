#!/usr/bin/env python3
"""test_orientation.py MODEL SCHEMA: a video that is stored in each of the eight orientations, with a tag that says so, is analysed, tracked,
written and drawn on as the upright video is. numpy turns the pictures, so that videoflip is not asked whether videoflip is right; behind
videoflip, which is asked too, nothing is turned twice."""
import json
import pathlib
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
FRAMES, OBJECT = 4, 1
SCHEMA = json.loads(pathlib.Path(sys.argv[2]).read_text())
# GStreamer's name of what makes it upright, the tag that asks for it, and what undoes it, of arrays (rows, columns, ...).
ORIENTATIONS = [
    ("identity", "rotate-0", lambda a: a),
    ("90r", "rotate-90", lambda a: np.rot90(a, 1)),
    ("180", "rotate-180", lambda a: a[::-1, ::-1]),
    ("90l", "rotate-270", lambda a: np.rot90(a, -1)),
    ("horiz", "flip-rotate-0", lambda a: a[:, ::-1]),
    ("vert", "flip-rotate-180", lambda a: a[::-1]),
    ("ul-lr", "flip-rotate-270", lambda a: a.swapaxes(0, 1)),
    ("ur-ll", "flip-rotate-90", lambda a: a[::-1, ::-1].swapaxes(0, 1)),
]
BACK = {"90r": 3, "90l": 1}


def upright_again(name, stored):
    """What makes @stored upright."""
    names = [entry[0] for entry in ORIENTATIONS]
    return ORIENTATIONS[BACK.get(name, names.index(name))][2](stored)


def box_of(mask):
    ys, xs = np.nonzero(mask)
    return int(xs.min()), int(ys.min()), int(xs.max() - xs.min() + 1), int(ys.max() - ys.min() + 1)


def run(frames, masks, chain, folder, turn=lambda a: a, par="1/1"):
    """Pushes @frames, upright, as @turn stores them; what comes out."""
    height, width = turn(frames[0]).shape[:2]
    pipeline = Gst.parse_launch(f"appsrc name=source format=time caps=video/x-raw,format=RGB,width={width},height={height},framerate=25/1,"
                                f"pixel-aspect-ratio={par} ! {chain} ! appsink name=sink sync=false")
    pipeline.set_state(Gst.State.PLAYING)
    for t, frame in enumerate(frames):
        buffer = Gst.Buffer.new_wrapped(np.ascontiguousarray(turn(frame)).tobytes())
        buffer.pts, buffer.duration = t * 40 * Gst.MSECOND, 40 * Gst.MSECOND
        if t == 0 and masks is not None:
            # What a detector finds on the stored picture.
            GstVideo.buffer_add_video_region_of_interest_meta(buffer, "thing", *box_of(turn(masks[0] == OBJECT)))
        pipeline.get_by_name("source").emit("push-buffer", buffer)
    pipeline.get_by_name("source").emit("end-of-stream")
    sink, seen = pipeline.get_by_name("sink"), []
    while sample := sink.emit("pull-sample"):
        buffer, caps = sample.get_buffer(), sample.get_caps().get_structure(0)
        features, tracks = GstRvm.buffer_get_features(buffer, None), GstRvm.buffer_get_tracks(buffer, None, None)
        shape = caps.get_value("height"), caps.get_value("width"), 3
        regions = {}
        for track in [tracks.get_track(i) for i in range(tracks.n_tracks)] if tracks else []:
            region = GstVideo.buffer_get_video_region_of_interest_meta_id(buffer, track.id)
            if region:
                regions[track.id] = region.x, region.y, region.w, region.h
        seen.append({
            "picture": np.frombuffer(buffer.extract_dup(0, buffer.get_size()), np.uint8).reshape(shape), "regions": regions,
            "features": np.frombuffer(features.get_data().get_data(), np.float32) if features else None,
            "size": features and (features.frame_width, features.frame_height, features.rows, features.columns),
            "orientation": features and features.orientation, "aspect": features and (features.pixel_aspect_n, features.pixel_aspect_d),
            "tracks": tracks and (tracks.frame_width, tracks.frame_height, tracks.orientation)})
    message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    assert message is None, (chain, message.parse_error())
    assert len(seen) == len(frames), chain
    lines = folder / "lines.jsonl"
    if lines.exists():
        for index, line in enumerate(lines.read_text().splitlines()):
            record = json.loads(line)
            jsonschema.Draft202012Validator(SCHEMA).validate(record)
            seen[index]["line"] = record
        lines.unlink()
    for index, entry in enumerate(seen):
        png = folder / f"{index:02d}.png"
        if png.exists():
            entry["mask"] = clip.read_png(png.read_bytes())[0]
            png.unlink()
    return seen


def difference(a, b):
    return np.abs(a - b).max() / np.abs(a).max()


def mean_difference(a, b):
    """Root mean square, as a part of that of @a. A turned picture is scaled a little differently, and the update gate of the bundled model is steep: where a
    patch is nearly covered, that may decide whether its state stays. So single patches say little."""
    return np.linalg.norm(a - b) / np.linalg.norm(a)


def places(line):
    return np.array([(t["x"], t["y"], t.get("width", 0), t.get("height", 0)) for t in line["tracks"]])


def check_tracks(name, seen, expected, turn):
    """Places, masks and the drawing are those of the upright video; regions lie where they are stored."""
    height, width = expected[0]["picture"].shape[:2]
    for t, (frame, right) in enumerate(zip(seen, expected)):
        line, truth = frame["line"], right["line"]
        assert line["frame_size"] == line["tracks_frame_size"] == [width, height] and line["orientation"] == line["tracks_orientation"] == name
        assert [(k["id"], k["kind"], k["visible"], k.get("label")) for k in line["tracks"]] == [
            (k["id"], k["kind"], k["visible"], k.get("label")) for k in truth["tracks"]]
        # A quarter of a patch, of 16 pixels; wrongly turned ones are many patches away.
        assert np.abs(places(line) - places(truth)).max() < 4, (name, t, places(line), places(truth))
        assert frame["mask"].shape == right["mask"].shape and (frame["mask"] != right["mask"]).mean() < 0.01
        assert set(frame["regions"]) == set(right["regions"]) and len(frame["regions"]) == 3
        for number, region in frame["regions"].items():
            upright = np.zeros((height, width), bool)
            x, y, w, h = right["regions"][number]
            upright[y:y + h, x:x + w] = True
            assert np.abs(np.subtract(region, box_of(turn(upright)))).max() <= 2, (name, t, region, box_of(turn(upright)))
        shown = upright_again(name, frame["picture"]).astype(int)
        assert shown.shape == right["picture"].shape
        wrong = np.abs(shown - right["picture"]).max(2) > 50
        assert wrong.mean() < 0.02, (name, t, wrong.mean())


def check_all(folder, frames, masks):
    encode = f'rvmencode model-file="{sys.argv[1]}" size=96 warm-up=4'
    mask = folder / "mask.png"
    clip.write_png(mask, masks[0] * (masks[0] == 2))
    follow = (f"{encode} ! rvmtrack points=60,60 boxes=60,128,64,48 mask-file=\"{mask}\" ! rvmexport location=\"{folder}/lines.jsonl\""
              f" masks-location=\"{folder}/%02d.png\" ! rvmoverlay mode=similarity x=0.15 y=0.3 alpha=0.5")
    expected = run(frames, masks, follow, folder)
    height, width = frames[0].shape[:2]
    # That the measures tell a turned picture apart.
    assert (np.abs(expected[0]["picture"].astype(int) - expected[0]["picture"][::-1, ::-1]).max(2) > 50).mean() > 0.1
    for index, (name, tag, turn) in enumerate(ORIENTATIONS):
        tagged = f"taginject tags=image-orientation={tag} ! "
        seen = run(frames, masks, tagged + follow, folder, turn)
        assert all(frame["orientation"] == index and frame["tracks"] == (width, height, index) for frame in seen)
        check_tracks(name, seen, expected, turn)
        worst = max(mean_difference(right["features"], frame["features"]) for frame, right in zip(seen, expected))
        # The picture passes as it was, and the property says the same as the tag.
        plain = run(frames, None, f"{encode} video-direction={name}", folder, turn)
        assert all(np.array_equal(frame["picture"], turn(picture)) for frame, picture in zip(plain, frames))
        assert all(np.array_equal(frame["features"], other["features"]) for frame, other in zip(plain, seen))
        # It overrules the tag.
        if name != "identity":
            stored = run(frames, None, f"{tagged}{encode} video-direction=identity", folder, turn)
            assert stored[0]["size"][:2] == turn(frames[0]).shape[1::-1] and stored[0]["orientation"] == 0
        # Behind an element that has turned the picture by the tag nothing is left to do, in whatever bins the two are.
        for chain in (f"{tagged}videoflip video-direction=auto ! queue ! {encode}",
                      f"( {tagged}queue ! videoflip video-direction=auto ! queue ) ! ( queue ! {encode} )"):
            flipped = run(frames, None, chain.replace("( ", "bin.( "), folder, turn)
            assert all(frame["orientation"] == 0 and frame["size"] == right["size"] for frame, right in zip(flipped, expected)), (name, chain)
            assert max(difference(right["features"], frame["features"]) for frame, right in zip(flipped, expected)) < 1e-6, (name, chain)
        assert worst < 0.02, (name, worst)
        print(f"{name}: features differ from the upright video's by {worst:.2g}")


def check_shapes(folder):
    """Pixels twice as wide as high: analysed as shown; turned by a quarter they are twice as high as wide."""
    encode = f'rvmencode model-file="{sys.argv[1]}" size=64'
    frames = clip.render()[0][:1]
    halved = frames.reshape(1, 192, 160, 2, 3).mean(3).round().astype(np.uint8)
    wide = run(halved, None, encode, folder, par="2/1")[0]
    square = run(frames, None, encode, folder)[0]
    assert wide["size"] == (160, 192, *square["size"][2:]) and wide["aspect"] == (2, 1)
    near = np.linalg.norm(square["features"] - wide["features"]) / np.linalg.norm(square["features"])
    far = np.linalg.norm(square["features"] - run(frames[:, ::-1], None, encode, folder)[0]["features"]) / np.linalg.norm(square["features"])
    assert near < 0.05 and far > 10 * near, (near, far)
    turned = run(halved, None, f"taginject tags=image-orientation=rotate-90 ! {encode}", folder, ORIENTATIONS[1][2], "1/2")[0]
    assert turned["size"] == wide["size"] and turned["aspect"] == (2, 1)
    assert difference(wide["features"], turned["features"]) < 0.02
    # A point is a circle when it is shown: half as wide in pixels as it is high.
    for par, ratio in (("1/1", 1), ("2/1", 0.5), ("1/2", 2)):
        black = np.zeros((1, 192, 192, 3), np.uint8)
        drawn = run(black, None, f"{encode} ! rvmtrack points=0.5,0.5 ! rvmoverlay mode=none", folder, par=par)[0]["picture"].max(2) > 30
        left, above = 96 - np.nonzero(drawn[96])[0].min(), 96 - np.nonzero(drawn[:, 96])[0].min()
        assert above > 3 and abs(left - above * ratio) <= 1, (par, left, above)
    print("pixels that are not square: as they are shown")


with tempfile.TemporaryDirectory() as path:
    pictures, shapes = clip.render()
    check_all(pathlib.Path(path), pictures[:FRAMES], shapes[:FRAMES])
    check_shapes(pathlib.Path(path))
