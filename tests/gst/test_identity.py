#!/usr/bin/env python3
"""test_identity.py DATA SCHEMA: pipelines in which frames are repeated and dropped, streams switched, and several encoders and trackers are in a
row or side by side: what rvmexport writes of each, and what the bus says where there is a choice."""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import gi
import jsonschema

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRvm  # noqa: E402,F401

Gst.init(None)
ENCODE = f"rvmencode model-file=\"{sys.argv[1]}/tiny.npz\""
VALIDATOR = jsonschema.Draft202012Validator(json.loads(pathlib.Path(sys.argv[2]).read_text()))
CAPS = "video/x-raw,format=RGB,width=64,height=48,framerate=30/1"


def source(frames, pattern="ball"):
    return f"videotestsrc num-buffers={frames} pattern={pattern} ! {CAPS}"


def read_lines(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        VALIDATOR.validate(line)
    return lines


def play(launch):
    """To the end; the warnings that came up."""
    pipeline, warnings = Gst.parse_launch(launch), []
    pipeline.set_state(Gst.State.PLAYING)
    while True:
        message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.ERROR | Gst.MessageType.EOS | Gst.MessageType.WARNING)
        assert message is not None, "no end"
        assert message.type != Gst.MessageType.ERROR, message.parse_error()
        if message.type == Gst.MessageType.EOS:
            break
        warnings.append((message.src.get_name(), message.parse_warning()[0].message))
    pipeline.set_state(Gst.State.NULL)
    return warnings


def ids(lines):
    return [[track["id"] for track in line["tracks"]] for line in lines]


def test_videorate(folder):
    """Repeated and dropped frames, before and behind rvmtrack: the tracks stay, and each line says which analysed frame it is of."""
    for rate, count in ((60, 12), (15, 3), (45, 9), (30, 6)):
        lines = {}
        for name, chain in (("before", "videorate ! video/x-raw,framerate={}/1 ! rvmtrack points=0.5,0.5"),
                            ("behind", "rvmtrack points=0.5,0.5 ! videorate ! video/x-raw,framerate={}/1")):
            path = folder / f"{name}{rate}.jsonl"
            assert not play(f"{source(6)} ! {ENCODE} ! {chain.format(rate)} ! rvmexport location=\"{path}\" ! fakesink")
            lines[name] = read_lines(path)
            # How many frames videorate makes at the end is its own affair.
            assert count - 3 <= len(lines[name]) <= count + 1, (rate, len(lines[name]))
            assert ids(lines[name]) == [[1]] * len(lines[name]), (rate, name, ids(lines[name]))
            places = {}
            for line in lines[name]:
                assert line["tracks_update"] == line["update"] and line["tracks_source"] == line["source"]
                key, place = line["update"], (line["tracks"][0]["x"], line["tracks"][0]["y"], line["class_token"])
                assert places.setdefault(key, place) == place, (rate, name, key)
            updates = [line["update"] for line in lines[name]]
            assert updates == sorted(updates) and (rate <= 30 or len(set(updates)) < len(updates))


def test_interval_and_leaky_queue(folder):
    """Carried frames, and a queue that loses most of what comes: the tracks go on."""
    for chain in ("interval=2 ! identity", "interval=1 ! identity drop-probability=0.6"):
        path = folder / "lines.jsonl"
        assert not play(f"{source(24)} ! {ENCODE} {chain} ! rvmtrack points=0.5,0.5 ! rvmexport location=\"{path}\" ! fakesink")
        lines = read_lines(path)
        assert len(lines) >= 2 and set(map(tuple, ids(lines))) == {(1,)}
        assert all(line["tracks_update"] == line["update"] for line in lines)


def test_encoders_in_series(folder):
    """The second's features and tracks unless a property says otherwise; one warning where none does."""
    chain = f"{source(3)} ! {ENCODE} name=a ! rvmtrack name=x points=0.2,0.2 ! {ENCODE} name=b size=96 ! rvmtrack name=y {{}} points=0.8,0.8"
    for follow, settings, encoder, tracker, rows, place, warned in (
            ("", "", "b", "y", 6, 0.8, ["y", "export", "export"]),
            ("encoder=b", "encoder=b", "b", "y", 6, 0.8, []),
            ("encoder=b", "encoder=a", "a", "x", 3, 0.2, []),
            ("encoder=b", "encoder=b tracker=x", "b", "x", 6, 0.2, []),
            ("encoder=a", "encoder=a tracker=y", "a", "y", 3, 0.8, []),
            ("encoder=a", "encoder=a", "a", "y", 3, 0.8, ["export"])):
        path = folder / "lines.jsonl"
        warnings = play(f"{chain.format(follow)} ! rvmexport name=export location=\"{path}\" {settings} ! fakesink")
        assert sorted(name for name, _ in warnings) == sorted(warned), (follow, settings, warnings)
        for name, text in warnings:
            assert ("a, b" in text and "encoder" in text) or ("x after a" in text and "y after" in text and "tracker" in text), text
        lines = read_lines(path)
        assert len(lines) == 3
        for line in lines:
            assert (line["encoder"], line["tracker"], line["rows"]) == (encoder, tracker, rows), (settings, line)
            assert (line["tracks_source"] == line["source"]) == (line["tracks_encoder"] == line["encoder"])
            assert line["tracks_frame_size"] == line["frame_size"] == [64, 48]
        track = lines[0]["tracks"][0]
        assert abs(track["x"] - 64 * place) < 1e-6 and abs(track["y"] - 48 * place) < 1e-6


def test_encoder_that_is_not_there(folder):
    path = folder / "lines.jsonl"
    warnings = play(f"{source(3)} ! {ENCODE} name=a ! rvmtrack name=x encoder=c points=0.5,0.5 ! rvmexport location=\"{path}\" ! fakesink")
    assert [name for name, _ in warnings] == ["x"] and "'c'" in warnings[0][1] and "(a)" in warnings[0][1], warnings
    assert not any("tracks" in line for line in read_lines(path))


def test_tee(folder):
    """Two branches, an encoder each: each writes its own, and nobody has to choose."""
    warnings = play(f"{source(4)} ! tee name=t"
                    + "".join(f" t. ! queue ! {ENCODE} name={name} size={size} ! rvmtrack points=0.5,0.5 ! rvmexport location=\"{folder}/{name}.jsonl\" ! fakesink"
                              for name, size in (("a", 48), ("b", 96))))
    assert not warnings, warnings
    lines = {name: read_lines(folder / f"{name}.jsonl") for name in "ab"}
    for name, rows in (("a", 3), ("b", 6)):
        assert {(line["encoder"], line["tracks_encoder"], line["rows"]) for line in lines[name]} == {(name, name, rows)}
        assert [line["update"] for line in lines[name]] == [1, 2, 3, 4]
        assert len({line["source"] for line in lines[name]}) == 1
    assert lines["a"][0]["source"] != lines["b"][0]["source"] and lines["a"][0]["stream_id"] == lines["b"][0]["stream_id"]


def test_selector(folder):
    """Two cameras with an encoder each and counters that are alike; a third time back to the first."""
    path = folder / "lines.jsonl"
    pipeline = Gst.parse_launch(
        f"input-selector name=select sync-streams=false ! rvmtrack points=0.5,0.5 ! rvmexport location=\"{path}\" ! appsink name=sink sync=false"
        + "".join(f" appsrc name=camera{i} format=time caps={CAPS} ! {ENCODE} name=encoder{i} ! select.sink_{i}" for i in range(2)))
    select, sink = pipeline.get_by_name("select"), pipeline.get_by_name("sink")
    cameras = [pipeline.get_by_name(f"camera{i}") for i in range(2)]
    pipeline.set_state(Gst.State.PLAYING)
    turns = [0] * 3 + [1] * 3 + [0] * 3
    for frame, camera in enumerate(turns):
        select.set_property("active-pad", select.get_static_pad(f"sink_{camera}"))
        buffer = Gst.Buffer.new_wrapped(bytes([10 * frame]) * (64 * 48 * 3))
        buffer.pts, buffer.duration = frame * Gst.SECOND // 30, Gst.SECOND // 30
        cameras[camera].emit("push-buffer", buffer)
        assert sink.emit("try-pull-sample", 30 * Gst.SECOND) is not None
    pipeline.set_state(Gst.State.NULL)
    lines = read_lines(path)
    assert [line["encoder"] for line in lines] == [f"encoder{camera}" for camera in turns]
    assert [line["generation"] for line in lines] == [1] * 9
    assert [line["update"] for line in lines] == [1, 2, 3, 1, 2, 3, 4, 5, 6]
    assert ids(lines) == [[1]] * 3 + [[2]] * 3 + [[3]] * 3, ids(lines)
    assert len({line["source"] for line in lines}) == 2 and len({line["stream_id"] for line in lines}) == 2


def test_frame_rate(folder):
    """Another frame rate is neither another picture nor another track."""
    path = folder / "lines.jsonl"
    pipeline = Gst.parse_launch(f"appsrc name=source format=time ! {ENCODE} ! rvmtrack boxes=10,10,20,20 ! rvmexport location=\"{path}\" ! fakesink sync=false")
    appsrc = pipeline.get_by_name("source")
    pipeline.set_state(Gst.State.PLAYING)
    for i, rate in enumerate(("25/1", "0/1", "30000/1001", "25/1")):
        appsrc.set_property("caps", Gst.Caps.from_string(f"video/x-raw,format=RGB,width=64,height=48,framerate={rate}"))
        buffer = Gst.Buffer.new_wrapped(bytes([100]) * (64 * 48 * 3))
        buffer.pts = i * 40 * Gst.MSECOND
        appsrc.emit("push-buffer", buffer)
    appsrc.emit("end-of-stream")
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.ERROR | Gst.MessageType.EOS)
    assert message and message.type == Gst.MessageType.EOS
    pipeline.set_state(Gst.State.NULL)
    lines = read_lines(path)
    assert [(line["generation"], line["tracks"][0]["id"]) for line in lines] == [(1, 1)] * 4


def test_safetensors(folder):
    """The columns of the file say the same as the lines."""
    play(f"{source(4)} ! {ENCODE} name=c\u00e9 interval=1 ! rvmexport location=\"{folder}/lines.jsonl\" features-location=\"{folder}/f.safetensors\" ! fakesink")
    lines = read_lines(folder / "lines.jsonl")
    content = (folder / "f.safetensors").read_bytes()
    size, = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + size])
    columns = {}
    for name in ("generation", "frames_since_reset", "update_pts", "source", "update"):
        begin, end = (8 + size + offset for offset in header[name]["data_offsets"])
        columns[name] = list(struct.unpack("<4q", content[begin:end]))
    for name in ("generation", "frames_since_reset", "update_pts", "update"):
        assert columns[name] == [line[name] for line in lines], name
    assert columns["source"] == [int(line["source"], 16) for line in lines]
    assert header["__metadata__"]["encoder"] == "c\u00e9" == lines[0]["encoder"]
    assert header["__metadata__"]["stream_id"] == lines[0]["stream_id"]


# Frames of a camera with the bytes of their features, as one process hands them to another: length and bytes, on standard output.
SENDER = """
import struct, sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstApp", "1.0"); gi.require_version("GstRvm", "1.0")
from gi.repository import Gst, GstApp, GstRvm
Gst.init(None)
pipeline = Gst.parse_launch(sys.argv[1] + " ! appsink name=sink sync=false")
pipeline.set_state(Gst.State.PLAYING)
while sample := pipeline.get_by_name("sink").emit("pull-sample"):
    data = GstRvm.buffer_get_features(sample.get_buffer()).to_bytes().get_data()
    sys.stdout.buffer.write(struct.pack("<Q", len(data)) + data)
pipeline.set_state(Gst.State.NULL)
"""


def send(frames):
    """The messages of a process of its own."""
    environment = {**os.environ, "GST_REGISTRY_UPDATE": "no"}
    out = subprocess.run([sys.executable, "-c", SENDER, f"{source(frames)} ! {ENCODE}"], stdout=subprocess.PIPE, check=True, timeout=120, env=environment).stdout
    messages = []
    while out:
        size, = struct.unpack("<Q", out[:8])
        messages.append(out[8:8 + size])
        out = out[8 + size:]
    return messages


def test_other_processes(folder):
    """Two senders with the same elements, names and counters: a receiver tells them apart, and knows what it has seen already."""
    one, two = send(4), send(4)
    features = [[GstRvm.Features.new_from_bytes(GLib.Bytes.new(data)) for data in messages] for messages in (one, two)]
    assert [f.update for f in features[0]] == [f.update for f in features[1]] == [1, 2, 3, 4]
    assert {f.encoder for f in features[0] + features[1]} == {"rvmencode0"}
    assert len({f.source for f in features[0]}) == len({f.source for f in features[1]}) == 1 and features[0][0].source != features[1][0].source
    path = folder / "lines.jsonl"
    pipeline = Gst.parse_launch(f"appsrc name=source format=time caps={CAPS} ! rvmtrack points=0.5,0.5 ! rvmexport location=\"{path}\" ! fakesink sync=false")
    pipeline.set_state(Gst.State.PLAYING)
    for i, data in enumerate(one[:2] + [one[1]] * 2 + one[2:3] + two[3:] + one[3:]):
        buffer = Gst.Buffer.new_wrapped(bytes(64 * 48 * 3))
        buffer.pts = i * 40 * Gst.MSECOND
        assert GstRvm.buffer_add_feature_meta_from_bytes(buffer, GLib.Bytes.new(data)) is not None
        pipeline.get_by_name("source").emit("push-buffer", buffer)
    pipeline.get_by_name("source").emit("end-of-stream")
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.ERROR | Gst.MessageType.EOS)
    assert message and message.type == Gst.MessageType.EOS
    pipeline.set_state(Gst.State.NULL)
    lines = read_lines(path)
    assert [line["update"] for line in lines] == [1, 2, 2, 2, 3, 4, 4]
    assert ids(lines) == [[1]] * 5 + [[2]] + [[3]], ids(lines)


for name, test in [item for item in globals().items() if item[0].startswith("test_")]:
    with tempfile.TemporaryDirectory() as work:
        test(pathlib.Path(work))
    print("ok", name, flush=True)
