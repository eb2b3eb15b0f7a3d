#!/usr/bin/env python3
"""test_analytics.py MODEL: with GStreamer 1.26: features as GstTensorMeta, detections of GstAnalyticsRelationMeta taken as boxes, tracks that
follow a change of scale, and both metas crossing to another process by unixfdsink and unixfdsrc."""
import pathlib
import re
import subprocess
import sys
import tempfile

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstAnalytics", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import GLib, Gst, GstAnalytics, GstApp, GstRvm  # noqa: E402,F401

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "model"))
import reference_readout as reference  # noqa: E402

MODEL = sys.argv[1]
folder = pathlib.Path(tempfile.mkdtemp(prefix="rvm-analytics-"))
Gst.init(None)


def play(launch, buffers=None):
    """The buffers that arrive at the appsink `sink`."""
    pipeline = Gst.parse_launch(launch)
    pipeline.set_state(Gst.State.PLAYING)
    for buffer in buffers or []:
        pipeline.get_by_name("source").emit("push-buffer", buffer)
    if buffers:
        pipeline.get_by_name("source").emit("end-of-stream")
    seen = []
    while sample := pipeline.get_by_name("sink").emit("pull-sample"):
        seen.append(sample.get_buffer())
    message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    assert message is None, message.parse_error()
    pipeline.set_state(Gst.State.NULL)
    return seen


def entries(buffer):
    """[(track id, box, label, lost)] of tracking entries; box and label None where no detection belongs to it."""
    meta, found = GstAnalytics.buffer_get_analytics_relation_meta(buffer), []
    for index in range(GstAnalytics.relation_get_length(meta)):
        good, tracking = meta.get_tracking_mtd(index)
        if not good:
            continue
        _, number, first, last, lost = tracking.get_info()
        box = label = None
        for other in range(GstAnalytics.relation_get_length(meta)):
            good, detection = meta.get_od_mtd(other)
            if good and meta.get_relation(index, other) & GstAnalytics.RelTypes.RELATE_TO:
                box, label = tuple(detection.get_location()[1:5]), GLib.quark_to_string(detection.get_obj_type())
        found.append((number, box, label, lost))
    return found


def test_tensors():
    buffer, = play(f"videotestsrc num-buffers=1 ! video/x-raw,width=64,height=48 ! rvmencode model-file=\"{MODEL}\" ! appsink name=sink sync=false")
    features, tensors = GstRvm.buffer_get_feature_meta(buffer), GstAnalytics.buffer_get_tensor_meta(buffer)
    assert tensors.num_tensors == 2
    for name, shape, values in (("rvm-class-token", [1, 48], features.get_class_token()), ("rvm-patches", [1, 3, 4, 48], features.get_patches())):
        tensor = tensors.get(tensors.get_index_from_id(GLib.quark_from_string(name)))
        assert tensor.data_type == GstAnalytics.TensorDataType.FLOAT32 and list(tensor.get_dims()) == shape, list(tensor.get_dims())
        assert tensor.data.extract_dup(0, tensor.data.get_size()) == values.get_data()
    buffer, = play(f"videotestsrc num-buffers=1 ! video/x-raw,width=64,height=48 ! rvmencode model-file=\"{MODEL}\" output=class"
                   " ! appsink name=sink sync=false")
    assert GstAnalytics.buffer_get_tensor_meta(buffer).num_tensors == 1


def test_tensors_of_two_encoders():
    """Who asks for an id gets the tensor of the nearest encoder; those of the other one, and what others put there, are kept."""
    buffer, = play(f"videotestsrc num-buffers=1 ! video/x-raw,width=64,height=48 ! rvmencode name=a model-file=\"{MODEL}\""
                   f" ! rvmencode name=b size=96 model-file=\"{MODEL}\" ! appsink name=sink sync=false")
    features, tensors = GstRvm.buffer_get_features(buffer), GstAnalytics.buffer_get_tensor_meta(buffer)
    assert features.encoder == "b" and tensors.num_tensors == 4
    patches = tensors.get(tensors.get_index_from_id(GLib.quark_from_string("rvm-patches")))
    assert list(patches.get_dims()) == [1, 6, 8, 48] == [1, features.rows, features.columns, features.dim]
    assert patches.data.extract_dup(0, patches.data.get_size()) == features.get_patches().get_data()
    shapes = sorted(list(tensors.get(i).get_dims()) for i in range(4))
    assert shapes == [[1, 3, 4, 48], [1, 6, 8, 48], [1, 48], [1, 48]], shapes


def write_readout(name, model, dim, classes):
    """One that always says the second class."""
    arrays = reference.make_arrays(np.random.default_rng(7), dim, 32, 2, 4, classes)
    arrays["Dense_1/kernel"][:], arrays["Dense_1/bias"][:] = 0, np.arange(classes) == 1
    return reference.write(folder / name, arrays, reference.metadata("class", model=model, classes="\n".join(f"c{i}" for i in range(classes))))


def logits_of_caps(caps):
    """The classes that the caps promise a tensor of; 0: none."""
    structure = caps.get_structure(0)
    found = re.search(r"classification-generic-out.*?dims=\(int\)< 1, (\d+) >|classification-generic-out.*?dims=[^0-9]*1, (?:\(int\))?(\d+)", structure.to_string().replace("\\", ""))
    return int(found[1] or found[2]) if found else 0


def test_classifier():
    """With 1.28, the caps say that there are logits, and of how many classes, also when another file is set while playing; GStreamer's own decoder
    makes of them what is ours."""
    if Gst.version() < (1, 28) or Gst.ElementFactory.find("classifiertensordecoder") is None:
        print("not here: GStreamer's classification decoder came with 1.28")
        return
    source = f"videotestsrc num-buffers=3 ! video/x-raw,width=64,height=48 ! rvmencode model-file=\"{MODEL}\""
    features = GstRvm.buffer_get_features(play(f"{source} ! appsink name=sink sync=false")[0])
    three, five = (write_readout(f"{n}.safetensors", features.model_id, features.dim, n) for n in (3, 5))
    labels = folder / "labels.txt"
    labels.write_text("first\nsecond\nthird\n")
    for buffer in play(f"{source} ! rvmreadout readout-file={three} ! classifiertensordecoder labels-file={labels} class-confidence-threshold=0.1"
                       " ! appsink name=sink sync=false"):
        answer = GstRvm.buffer_get_readout(buffer)
        meta, theirs = GstAnalytics.buffer_get_analytics_relation_meta(buffer), []
        for index in range(GstAnalytics.relation_get_length(meta)):
            good, entry = meta.get_cls_mtd(index)
            names = [GLib.quark_to_string(entry.get_quark(i)) for i in range(entry.get_length())] if good else []
            if good and names != ["c0", "c1", "c2"]:
                theirs += [(name, entry.get_level(i)) for i, name in enumerate(names)]
        best = max(theirs, key=lambda found: found[1])
        index, probability = answer.get_best(0, 0)
        assert index == 1 and best[0] == "second" and abs(best[1] - probability) < 1e-5, (theirs, probability)

    pipeline = Gst.parse_launch(f"{source.replace('=3', '=6')} ! rvmreadout name=a readout-file={three} ! rvmreadout name=b readout-file={three}"
                                " ! appsink name=sink sync=false max-buffers=1")
    pipeline.set_state(Gst.State.PLAYING)
    counts = []
    for number in range(6):
        sample = pipeline.get_by_name("sink").emit("pull-sample")
        tensors = GstAnalytics.buffer_get_tensor_meta(sample.get_buffer())
        first = tensors.get(tensors.get_index_from_id(GLib.quark_from_string("classification-generic-out")))
        assert list(first.get_dims()) == [1, logits_of_caps(sample.get_caps())], (sample.get_caps().to_string(), list(first.get_dims()))
        counts.append(logits_of_caps(sample.get_caps()))
        if number == 1:
            pipeline.get_by_name("b").set_property("readout-file", str(five))
    assert counts[0] == 3 and counts[-1] == 5, counts
    pipeline.set_state(Gst.State.NULL)


def make_frame(t):
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (96, 128, 3), np.uint8)
    buffer = Gst.Buffer.new_wrapped(picture.tobytes())
    buffer.pts, buffer.duration = t * 40 * Gst.MSECOND, 40 * Gst.MSECOND
    return buffer


def detected(t):
    """Two detections, of which somebody tracks the second already, and one outside the picture."""
    buffer = make_frame(t)
    if t == 0:
        meta = GstAnalytics.buffer_add_analytics_relation_meta(buffer)
        assert meta.add_od_mtd(GLib.quark_from_string("dog"), 20, 30, 40, 32, 0.9)[0]
        good, other = meta.add_od_mtd(GLib.quark_from_string("cat"), 70, 10, 30, 30, 0.8)
        tracked, tracking = meta.add_tracking_mtd(77, 0)
        assert good and tracked and meta.set_relation(GstAnalytics.RelTypes.RELATE_TO, other.id, tracking.id)
        assert meta.add_od_mtd(GLib.quark_from_string("far"), 500, 500, 10, 10, 0.5)[0]
    return buffer


SOURCE = f"appsrc name=source format=time caps=video/x-raw,format=RGB,width=128,height=96,framerate=25/1 ! rvmencode model-file=\"{MODEL}\""


def test_detections():
    for t, buffer in enumerate(play(f"{SOURCE} ! rvmtrack ! appsink name=sink sync=false", [detected(t) for t in range(3)])):
        tracks = GstRvm.buffer_get_track_meta(buffer)
        assert tracks.n_tracks == 1
        track = tracks.get_track(0)
        assert GLib.quark_to_string(track.label) == "dog" and track.id == 1
        ours = [entry for entry in entries(buffer) if entry[0] == 1]
        assert ours == [(1, (int(track.x), int(track.y), int(track.width), int(track.height)), "dog", False)], (t, ours)
        if t == 0:
            assert ours[0][1] == (20, 30, 40, 32)
            assert [entry[0] for entry in entries(buffer)] == [77, 1], "what others put there stays"


def test_scale():
    """What GStreamer makes of its own entries when the picture is scaled is the same as ours."""
    for t, buffer in enumerate(play(f"{SOURCE} ! rvmtrack boxes=20,30,40,32 ! videoscale ! video/x-raw,width=256,height=48 ! appsink name=sink sync=false",
                                    [make_frame(t) for t in range(2)])):
        track = GstRvm.buffer_get_track_meta(buffer).get_track(0)
        number, box, _, _ = entries(buffer)[0]
        assert number == 1
        assert all(abs(a - b) <= 2 for a, b in zip(box, (track.x, track.y, track.width, track.height))), (box, track.x, track.y)
        assert t or (track.x, track.y, track.width, track.height) == (40, 15, 80, 16)


RECEIVER = """
import sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstApp", "1.0"); gi.require_version("GstRvm", "1.0")
from gi.repository import Gst, GstApp, GstRvm
Gst.init(None)
# The metas must be known before the first buffer comes.
Gst.ElementFactory.make("rvmexport")
pipeline = Gst.parse_launch(f"unixfdsrc socket-path={sys.argv[1]} num-buffers=4 ! appsink name=sink sync=false")
pipeline.set_state(Gst.State.PLAYING)
print("ready", flush=True)
while sample := pipeline.get_by_name("sink").emit("pull-sample"):
    buffer = sample.get_buffer()
    features, tracks = GstRvm.buffer_get_feature_meta(buffer), GstRvm.buffer_get_track_meta(buffer)
    pixels = tracks.get_mask()[0]
    print(buffer.pts, features.to_bytes().get_data().hex(), tracks.to_bytes().get_data().hex(), len(pixels.get_data()), flush=True)
pipeline.set_state(Gst.State.NULL)
"""


def test_other_process():
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    from rendered_clip import write_png
    with tempfile.TemporaryDirectory() as folder:
        mask = np.zeros((96, 128), np.uint8)
        mask[20:60, 30:90] = 4
        write_png(pathlib.Path(folder) / "mask.png", mask)
        # unixfdsink wants memory that has a file descriptor: its pool is offered to the source through rvmencode and rvmtrack.
        pipeline = Gst.parse_launch(
            f"videotestsrc is-live=true pattern=ball ! video/x-raw,format=RGB,width=128,height=96,framerate=10/1 ! rvmencode model-file=\"{MODEL}\""
            f" ! rvmtrack points=20,20 mask-file=\"{folder}/mask.png\" ! unixfdsink name=out socket-path={folder}/socket")
        sent = set()

        def note(pad, info):
            buffer = info.get_buffer()
            features, tracks = GstRvm.buffer_get_feature_meta(buffer), GstRvm.buffer_get_track_meta(buffer)
            sent.add((features.to_bytes().get_data().hex(), tracks.to_bytes().get_data().hex()))
            return Gst.PadProbeReturn.OK

        pipeline.get_by_name("out").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, note)
        pipeline.set_state(Gst.State.PLAYING)
        while not (pathlib.Path(folder) / "socket").exists():
            GLib.usleep(50000)
        receiver = subprocess.Popen([sys.executable, "-c", RECEIVER, f"{folder}/socket"], stdout=subprocess.PIPE, text=True)
        ready, *got = receiver.communicate(timeout=120)[0].splitlines()
        message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
        assert message is None, message.parse_error()
        pipeline.set_state(Gst.State.NULL)
    assert len(got) == 4 and receiver.returncode == 0, (len(got), receiver.returncode)
    assert len(set(got)) == 4
    for line in got:
        pts, features, tracks, pixels = line.split()
        # unixfdsrc counts time by its own clock; the bytes hold the sender's.
        assert (features, tracks) in sent and int(pixels) == 128 * 96


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print(name, "ok", flush=True)
