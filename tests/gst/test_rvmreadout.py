#!/usr/bin/env python3
"""test_rvmreadout.py DATA SCHEMA: rvmreadout in pipelines. Its answers are those of a numpy implementation on the features that come with them; the window
follows resets and carried frames; events are posted and end; files change while playing; readouts follow each other; what is wrong is said."""
import json
import pathlib
import sys
import tempfile
import time

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRvm  # noqa: E402, F401

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "model"))
import reference_readout as reference  # noqa: E402

DATA, SCHEMA = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
WIDTH, HEIGHT, STEP = 64, 48, 40 * Gst.MSECOND
Gst.init(None)
folder = pathlib.Path(tempfile.mkdtemp(prefix="rvm-readout-"))
failed = 0
rng = np.random.default_rng(5)


def report(good, text):
    global failed
    failed += not good
    print("ok  " if good else "FAILED", text)


class Run:
    """Frames of noise through rvmencode and what follows; frame numbers in `before` are functions to call before they are pushed."""

    def __init__(self, elements, frames, before={}, encode=""):
        self.answers, self.features, self.messages, self.error, self.warnings = [], [], [], None, []
        self.pipeline = Gst.parse_launch(
            f"appsrc name=source format=time caps=video/x-raw,format=RGB,width={WIDTH},height={HEIGHT},framerate=25/1 "
            f"! rvmencode model-file=\"{DATA / 'tiny.npz'}\" {encode} ! {elements} ! appsink name=sink sync=false")
        source, sink = (self.pipeline.get_by_name(name) for name in ("source", "sink"))
        noise = np.random.default_rng(1)
        pixels = None
        if self.pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
            frames = 0
        for i in range(frames):
            if i in before:
                before[i](self)
            pixels = noise.integers(0, 256, (HEIGHT, WIDTH, 3), "u1").tobytes()
            buffer = Gst.Buffer.new_wrapped(pixels)
            buffer.pts, buffer.duration = i * STEP, STEP
            source.emit("push-buffer", buffer)
            sample = sink.emit("try-pull-sample", 20 * Gst.SECOND)
            if sample is None:
                break
            self.features.append(GstRvm.buffer_get_features(sample.get_buffer(), None))
            self.answers.append(GstRvm.buffer_get_readout(sample.get_buffer(), None))
            self.buffer = sample.get_buffer()
        self.pushed = pixels
        source.emit("end-of-stream")
        bus = self.pipeline.get_bus()
        wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.WARNING | Gst.MessageType.ELEMENT
        while message := bus.timed_pop_filtered(20 * Gst.SECOND, wanted):
            if message.type == Gst.MessageType.ELEMENT and message.get_structure().get_name() == "rvm-event":
                self.messages.append(message.get_structure().copy())
            elif message.type == Gst.MessageType.WARNING:
                self.warnings.append(message.parse_warning()[0].message)
            elif message.type == Gst.MessageType.ERROR:
                self.error = message.parse_error()[0].message
            if message.type in (Gst.MessageType.ERROR, Gst.MessageType.EOS):
                break
        self.pipeline.set_state(Gst.State.NULL)


def tokens_of(features):
    token, patches = (np.frombuffer(get().get_data(), "f4").reshape(-1, features.dim) for get in (features.get_class_token, features.get_patches))
    return np.concatenate([token, patches])


def values_of(answer):
    return np.frombuffer(answer.get_values().get_data(), "f4").reshape(answer.rows, answer.columns, answer.channels)


def write(name, arrays, kind, **values):
    return reference.write(folder / name, arrays, reference.metadata(kind, model=MODEL, width=WIDTH, height=HEIGHT, **values))


first = Run("identity", 1).features[0]
MODEL, DIM, GRID = first.model_id, first.dim, (first.rows, first.columns)
classes = reference.make_arrays(rng, DIM, 32, 2, 4, 3)
plain = write("plain.safetensors", classes, "class", classes="wave\nclap\nnothing", window=4)


def check_answers():
    for window, stride, of in ((4, 1, "none"), (3, 2, "first"), (4, 3, "mean")):
        path = write("answers.safetensors", classes, "class", classes="wave\nclap\nnothing", window=window, stride=stride, reference=of)
        run = Run(f"rvmreadout name=r readout-file={path}", 9)
        worst, kept = 0, []
        for i, (features, answer) in enumerate(zip(run.features, run.answers)):
            if i % stride == 0:
                kept = (kept + [tokens_of(features)])[-window:]
                logits = reference.attention_readout(classes, reference.take_reference(np.stack(kept), of))[0]
                newest = features.update
            worst = max(worst, np.abs(values_of(answer)[0, 0] - reference.softmax(logits)).max())
            got = np.frombuffer(answer.get_logits().get_data(), "f4")
            worst = max(worst, np.abs(got - logits).max() / np.abs(logits).max())
            assert (answer.states, answer.window, answer.update, answer.source) == (len(kept), window, newest, features.source), i
            assert answer.get_best(0, 0)[0] == logits.argmax() and answer.get_classes() == ["wave", "clap", "nothing"]
            assert (answer.readout, answer.encoder, answer.kind) == ("r", features.encoder, GstRvm.ReadoutKind.CLASS)
        report(worst < 1e-4 and len(run.answers) == 9, f"window {window}, stride {stride}, reference {of}: error {worst:.1e}")


def check_precision():
    """16 bits are close, and not the same: they were used."""
    for precision, limit in (("f16", 2e-3), ("bf16", 3e-2)):
        run = Run(f"rvmreadout readout-file={plain} precision={precision}", 5)
        kept = [tokens_of(features) for features in run.features][-4:]
        logits = reference.attention_readout(classes, np.stack(kept))[0]
        error = np.abs(np.frombuffer(run.answers[-1].get_logits().get_data(), "f4") - logits).max() / np.abs(logits).max()
        report(1e-6 < error < limit, f"weights of {precision}: error {error:.1e}")


def check_reset_and_carried():
    def reset(run):
        run.pipeline.get_by_name("source").send_event(GstRvm.event_new_reset_state(False, Gst.CLOCK_TIME_NONE))

    run = Run(f"rvmreadout readout-file={plain}", 8, {5: reset})
    report([answer.states for answer in run.answers] == [1, 2, 3, 4, 4, 1, 2, 3], "a reset empties the window")
    run = Run(f"rvmreadout readout-file={plain}", 7, encode="interval=2")
    same = [run.answers[i].get_values().get_data() == run.answers[i - i % 3].get_values().get_data() for i in range(7)]
    report(all(same) and [a.states for a in run.answers] == [1, 1, 1, 2, 2, 2, 3], "carried frames have the answer of the frame before")


def steady(bias):
    """A readout that always gives the same probabilities."""
    arrays = {name: array.copy() for name, array in classes.items()}
    arrays["Dense_1/kernel"][:] = 0
    arrays["Dense_1/bias"][:] = bias
    return arrays


def check_events():
    path = write("steady.safetensors", steady([0, 4, 0]), "class", classes="wave\nclap\nnothing")

    def reset(run):
        run.pipeline.get_by_name("source").send_event(GstRvm.event_new_reset_state(False, Gst.CLOCK_TIME_NONE))

    run = Run(f"rvmreadout name=r readout-file={path} min-duration={2 * STEP}", 8, {5: reset})
    probability = reference.softmax(np.array([0, 4, 0.0]))[1]
    got = [(m.get_string("state"), m.get_string("readout"), m.get_string("class"), m.get_uint("index")[1], m.get_uint64("start")[1] // STEP,
            m.get_uint64("end")[1] // STEP if m.has_field("end") else None) for m in run.messages]
    report(got == [("begin", "r", "clap", 1, 0, None), ("end", "r", "clap", 1, 0, 4), ("begin", "r", "clap", 1, 5, None), ("end", "r", "clap", 1, 5, 7)],
           f"events begin, end with a reset and with the stream: {got}")
    report(all(abs(m.get_double("confidence")[1] - probability) < 1e-5 for m in run.messages), "their confidence")
    marks = [(a.event_class, a.event_start // STEP if a.event_class else None) for a in run.answers]
    report(marks == [(0, None)] * 2 + [(2, 0)] * 3 + [(0, None)] * 2 + [(2, 5)], f"the event is in the metadata: {marks}")
    report(not Run(f"rvmreadout readout-file={path} background=clap min-duration=0", 3).messages, "the background is no event")
    report(not Run(f"rvmreadout readout-file={path} events=false min-duration=0", 3).messages, "events=false finds none")


def check_kinds():
    far = reference.make_distance(rng, DIM)
    run = Run(f"rvmreadout readout-file={write('far.safetensors', far, 'distance', window=2)} min-duration=0 event-on=0", 3)
    expected = reference.distance(far, np.stack([tokens_of(f) for f in run.features[-2:]]))
    got = values_of(run.answers[-1]).item()
    report(abs(got / expected - 1) < 1e-4 and run.messages[0].get_string("class") == "distance", f"distance {got:.4f}, expected {expected:.4f}")
    arrays = reference.make_arrays(rng, DIM, 32, 2, 4, 4, code=16)
    run = Run(f"rvmreadout readout-file={write('depth.safetensors', arrays, 'dense', target='depth', unit='m')}", 2)
    states = np.stack([tokens_of(f) for f in run.features])
    expected = np.exp(reference.rearrange(reference.attention_readout(arrays, states, GRID), GRID, 1))
    got = values_of(run.answers[-1])
    report(got.shape == expected.shape and np.abs(got / expected - 1).max() < 1e-3 and run.answers[-1].unit == "m", f"depth, a map of {got.shape}")


def check_patches():
    """The linear network of dense readouts, at each frame, of the newest state: places are in the order of the picture."""
    names, block = ["sky", "road", "car"], 2
    for target, channels, rings in (("labels", len(names), 2), ("depth", 1, 3)):
        arrays = reference.make_patches(rng, DIM, rings, 8, block * block * channels)
        more = {"classes": "\n".join(names)} if target == "labels" else {"unit": "m"}
        path = write(f"near-{target}.safetensors", arrays, "dense", target=target, window=1, **more)
        run = Run(f"rvmreadout readout-file={path}", 3)
        worst = 0
        for features, answer in zip(run.features, run.answers):
            outputs = reference.rearrange(reference.patches(arrays, tokens_of(features), GRID), GRID, channels)
            got, expected = values_of(answer), reference.softmax(outputs) if target == "labels" else np.exp(outputs)
            assert got.shape == expected.shape == (block * GRID[0], block * GRID[1], channels), (got.shape, expected.shape)
            assert (answer.states, answer.window, answer.update) == (1, 1, features.update)
            worst = max(worst, np.abs(got - expected).max() / np.abs(expected).max())
            if target == "labels":
                logits = np.frombuffer(answer.get_logits().get_data(), "f4").reshape(outputs.shape)
                worst = max(worst, np.abs(logits - outputs).max() / np.abs(outputs).max())
                assert answer.get_classes() == names
        report(worst < 1e-4 and len(run.answers) == 3, f"{target} by the linear network, {rings} surroundings: error {worst:.1e}")


def check_files():
    other = write("other.safetensors", steady([0, 0, 3]), "class", classes="a\nb\nc")
    bad = folder / "bad.safetensors"
    bad.write_bytes(b"no readout")

    def use(path):
        return lambda run: run.pipeline.get_by_name("r").set_property("readout-file", str(path))

    run = Run(f"rvmreadout name=r readout-file={plain}", 7, {2: use(other), 4: use(bad), 6: use(plain)})
    names = [answer.get_classes()[0] for answer in run.answers]
    report(names == ["wave"] * 2 + ["a"] * 4 + ["wave"] and run.error is None, f"files change while playing: {names}")
    report(len(run.warnings) == 1 and "bad.safetensors" in run.warnings[0] and "the readout before stays" in run.warnings[0],
           f"one that cannot be used: {run.warnings}")
    foreign = reference.write(folder / "foreign.safetensors", classes, reference.metadata("class", classes="a\nb\nc", width=WIDTH, height=HEIGHT))
    run = Run(f"rvmreadout readout-file={foreign}", 2)
    report(run.error is not None and all(word in run.error for word in ("foreign.safetensors", MODEL, reference.MODEL)), f"another model: {run.error}")
    run = Run(f"rvmreadout readout-file={foreign} force-model=true", 2)
    report(run.error is None and len(run.answers) == 2, "force-model=true reads it")
    for elements, encode, words in (
            ("rvmreadout", "", ["readout-file"]), (f"rvmreadout readout-file={folder / 'none'}", "", ["none"]),
            (f"rvmreadout readout-file={plain}", "output=patches", ["class token", "output"]),
            (f"rvmreadout readout-file={plain}", "output=class", ["patches", "output"]),
            (f"rvmreadout readout-file={write('encoder.safetensors', classes, 'class', classes=chr(10).join('abc'), features='encoder')}", "", ["encoder"])):
        error = Run(elements, 1, encode=encode).error or ""
        report(all(word in error for word in words), f"{elements.split('/')[-1]} {encode}: {error}")
    small = reference.write(folder / "size.safetensors", classes, reference.metadata("class", classes="a\nb\nc", model=MODEL, width=32, height=32,
                                                                                     frame_rate=5))
    run = Run(f"rvmreadout readout-file={small}", 20)
    report(len(run.warnings) == 2 and "32 x 32" in run.warnings[0] and "25" in run.warnings[1], f"another size and rate: {run.warnings}")


def check_model():
    """Other weights take over while playing: the readout is of the weights before, which is an error, or is forced to read them, with an empty window, whether
    the state stays or not."""
    arrays = dict(np.load(DATA / "tiny.npz"))
    name = next(name for name, array in arrays.items() if array.dtype == np.float32 and array.size > 1)
    arrays[name] = arrays[name] * np.float32(1.001)
    np.savez(folder / "changed.npz", **arrays)

    def change(run):
        run.pipeline.get_by_name("encode").set_property("model-file", str(folder / "changed.npz"))

    def wait(run):
        """Loading has a thread of its own."""
        time.sleep(0.1 if run.features[-1].model_id == MODEL else 0)

    before = {3: change, **{i: wait for i in range(4, 120)}}
    for on_change in ("reset-state", "keep-state"):
        run = Run(f"rvmreadout readout-file={plain} force-model=true", 120, before, f"name=encode on-model-change={on_change}")
        ids = [features.model_id for features in run.features]
        at = next((i for i, model in enumerate(ids) if model != MODEL), None)
        states = [answer.states for answer in run.answers]
        report(run.error is None and at is not None and states[at - 1:at + 5] == [4, 1, 2, 3, 4, 4], f"other weights, {on_change}: from frame {at} on, {states[at - 1:at + 5] if at else states}")
    run = Run(f"rvmreadout readout-file={plain}", 120, before, "name=encode")
    report(run.error is not None and MODEL in run.error and ids[-1] in run.error and len(run.answers) < 120, f"other weights, not forced: {run.error}")


def check_row():
    lines = folder / "lines.jsonl"
    far = write("far.safetensors", reference.make_distance(rng, DIM), "distance")
    labels = write("labels.safetensors", reference.make_arrays(rng, DIM, 32, 2, 4, 3, code=16), "dense", target="labels", classes="x\ny\nz")
    run = Run(f"rvmreadout name=one readout-file={plain} ! rvmreadout name=two readout-file={far} ! rvmreadout name=three readout-file={labels} "
              f"! rvmoverlay ! rvmexport location={lines}", 3)
    report(run.error is None and [GstRvm.buffer_get_readout(run.buffer, name).kind.value_nick for name in ("one", "two", "three")]
           == ["class", "distance", "labels"] and GstRvm.buffer_get_readout(run.buffer, "four") is None, "readouts in a row")
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    kinds = [[readout["kind"] for readout in record["readouts"]] for record in records]
    values = np.array(records[-1]["readouts"][0]["values"], "f4")
    answer = GstRvm.buffer_get_readout(run.buffer, "one")
    report(kinds == [["class", "distance", "labels"]] * 3 and np.array_equal(values, values_of(answer)[0, 0])
           and "values" not in records[0]["readouts"][2], "lines of JSON have all of them")
    schema = json.loads(SCHEMA.read_text())["$defs"]["readout"]
    keys = [set(readout) for record in records for readout in record["readouts"]]
    report(all(set(schema["required"]) <= k <= set(schema["properties"]) for k in keys), "their keys are those of the schema")


def check_overlay():
    def shown(elements):
        run = Run(f"{elements} ! videoconvert ! video/x-raw,format=RGB", 2)
        got, pushed = (np.frombuffer(data, "u1").reshape(HEIGHT, WIDTH, 3) for data in (run.buffer.extract_dup(0, run.buffer.get_size()), run.pushed))
        return np.abs(got.astype(int) - pushed).max(-1) > 0

    changed = shown(f"rvmreadout readout-file={plain} ! rvmoverlay mode=none")
    report(changed[-20:, :30].mean() > 0.5 and not changed[:4].any(), "a list is drawn in the lower left corner")
    report(shown(f"rvmreadout readout-file={folder / 'labels.safetensors'} ! rvmoverlay mode=none").mean() > 0.9, "a map is drawn over the picture")
    report(not shown(f"rvmreadout readout-file={plain} ! rvmoverlay mode=none readouts=false").any(), "readouts=false draws nothing")


def decode(png, form, dtype):
    """The pixels of a PNG as GStreamer reads it."""
    raw = folder / "pixels.raw"
    pipeline = Gst.parse_launch(f"filesrc location={png} ! pngdec ! videoconvert ! video/x-raw,format={form} ! filesink location={raw}")
    pipeline.set_state(Gst.State.PLAYING)
    pipeline.get_bus().timed_pop_filtered(20 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    return np.fromfile(raw, dtype)


def check_export():
    """Columns of 8 patches are rows of 8, 16 or 24 bytes: no padding."""
    events = folder / "events.csv"

    def reset(run):
        run.pipeline.get_by_name("source").send_event(GstRvm.event_new_reset_state(False, Gst.CLOCK_TIME_NONE))

    path = write("steady.safetensors", steady([0, 4, 0]), "class", classes='wave\n"clap", twice\nnothing')
    Run(f"rvmreadout name=r readout-file={path} min-duration={2 * STEP} ! rvmexport events-location={events}", 8, {5: reset})
    probability = f"{reference.softmax(np.array([0, 4, 0.0]))[1]:.6g}"
    lines = events.read_text().splitlines()
    expected = ["readout,class,start,end,confidence"] + [f'r,"""clap"", twice",{start:.9f},{end:.9f}' for start, end in ((0, 0.16), (0.2, 0.28))]
    report([line.rsplit(",", 1)[0] for line in lines[1:]] == expected[1:] and lines[0] == expected[0]
           and all(abs(float(line.rsplit(",", 1)[1]) - float(probability)) < 1e-5 for line in lines[1:]), f"events as CSV: {lines}")
    depth, labels = (folder / name for name in ("depth.safetensors", "labels.safetensors"))
    run = Run(f"rvmreadout name=d readout-file={depth} ! rvmreadout name=l readout-file={labels} ! rvmexport maps-location={folder}/l%d.png "
              f"! rvmexport readout=d maps-location={folder}/d%d.png", 2)
    values = values_of(GstRvm.buffer_get_readout(run.buffer, "d"))[..., 0]
    got = decode(folder / "d1.png", "GRAY16_LE", "<u2").reshape(values.shape)
    report(np.abs(got - np.clip(np.round(values * 1000.0), 1, 65535)).max() <= 1, "depths as PNG, thousandths")
    best = values_of(GstRvm.buffer_get_readout(run.buffer, "l")).argmax(-1)
    got = decode(folder / "l1.png", "RGB", "u1").reshape(*best.shape, 3)
    palette = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0]], "u1")
    report(np.array_equal(got, palette[best]), "labels as PNG, DAVIS's palette")
    error = Run(f"rvmreadout readout-file={plain} ! rvmexport maps-location={folder}/map.png", 1).error or ""
    report("maps-location" in error and "%d" in error, f"maps without a number: {error}")


def check_bytes():
    run = Run(f"rvmreadout name=r readout-file={plain} min-duration=0 event-on=0", 3)
    answer = run.answers[-1]
    data = answer.to_bytes().get_data()
    copy = GstRvm.Readout.new_from_bytes(GLib.Bytes.new(data))
    report(copy.to_bytes().get_data() == data and copy.get_classes() == answer.get_classes() and copy.event_class == answer.event_class > 0
           and copy.get_values().get_data() == answer.get_values().get_data(), "bytes make the same answer")
    refused = 0
    for size in range(len(data)):
        try:
            GstRvm.Readout.new_from_bytes(GLib.Bytes.new(data[:size]))
        except GLib.Error:
            refused += 1
    report(refused == len(data), f"{refused} of {len(data)} shortened ones are refused")
    buffer = Gst.Buffer.new()
    report(GstRvm.buffer_add_readout(buffer, copy) is not None and GstRvm.buffer_get_readout(buffer, "r").update == answer.update, "attached again")


check_answers()
check_precision()
check_reset_and_carried()
check_events()
check_kinds()
check_patches()
check_files()
check_model()
check_row()
check_overlay()
check_export()
check_bytes()
for file in folder.iterdir():
    file.unlink()
folder.rmdir()
print(f"{failed} failed")
sys.exit(failed != 0)
