#!/usr/bin/env python3
"""soak.py WEIGHTS [--frames 100000] [--cycles 1000] [--all] [--readouts] [--settings SETTINGS]: a long run and many short ones in one process: memory, file descriptors, threads and the
time of a frame are printed as they go, and must be flat: what the first tenth has, within 2 MB and 3 %, no descriptor and no thread more.

Memory is told twice: what of the heap is in use, which is judged, and what is resident after malloc_trim(). The latter also has what malloc keeps of
its arenas, one for every few threads, after a thread that compiled or played is gone: it goes up and down in steps and says little of leaks.

With --readouts, the long run has three rvmreadout in a row. Before frames drawn at random, one of them gets another file, which may be one that cannot be
used, the state is reset, or time leaps by a minute; every fifth frame is not analysed.

Run it where the plugin is found (meson devenv, or installed): it takes minutes, so it is not one of `meson test`."""
import argparse
import ctypes
import os
import pathlib
import random
import sys
import tempfile
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

SOURCE = "videotestsrc num-buffers={} ! video/x-raw,format=I420,width=48,height=32,framerate=25/1 ! "
ENCODE = 'rvmencode name=encode model-file="{}" snapshot-count=8 snapshot-interval=0 ! '
ALL = SOURCE + ENCODE + "rvmtrack points=10,10 boxes=4,4,16,16 ! rvmoverlay ! fakesink name=sink sync=false"
READOUTS = ("videotestsrc num-buffers={} pattern=snow ! video/x-raw,format=I420,width=48,height=32,framerate=25/1 ! identity name=before ! "
            'rvmencode name=encode model-file="{}" reset-on=gap+caps interval=4 ! rvmreadout name=r0 readout-file={} ! rvmreadout name=r1 readout-file={}'
            " ! rvmreadout name=r2 readout-file={} ! rvmoverlay ! fakesink name=sink sync=false")
ALONE = SOURCE + ENCODE + "fakesink name=sink sync=false"


libc = ctypes.CDLL(None)


class Heap(ctypes.Structure):
    """struct mallinfo2 of glibc."""
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]


libc.mallinfo2.restype = Heap


def sample():
    libc.malloc_trim(0)
    heap = libc.mallinfo2()
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return {"used": (heap.uordblks + heap.hblkhd) // 1024, "kB": int(status["VmRSS"].split()[0]), "descriptors": len(os.listdir("/proc/self/fd")), "threads": int(status["Threads"])}


def show(what, now, seconds):
    print(f"{what:>16}  {now['used']:>8} kB in use  {now['kB']:>8} kB resident  {now['descriptors']:>3} descriptors  {now['threads']:>3} threads  {seconds:8.1f} s", flush=True)


def check(name, first, last):
    grown = {key: last[key] - first[key] for key in ("used", "kB")}
    good = grown["used"] <= max(2048, first["used"] * 0.03) and last["descriptors"] <= first["descriptors"] and last["threads"] <= first["threads"]
    print(f"{name}: {'flat' if good else 'NOT FLAT'}: {grown['used']:+d} kB in use, {grown['kB']:+d} kB resident, {last['descriptors'] - first['descriptors']:+d} descriptors,"
          f" {last['threads'] - first['threads']:+d} threads since the first tenth", flush=True)
    return good


def wait(pipeline, timeout):
    message = pipeline.get_bus().timed_pop_filtered(timeout, Gst.MessageType.ERROR | Gst.MessageType.EOS)
    if message and message.type == Gst.MessageType.ERROR:
        sys.exit(f"soak: {message.parse_error()[0].message}")
    return message is not None


def write_readouts(weights, folder):
    """Files of every kind for these weights, and one that is none."""
    import gi
    import numpy as np

    gi.require_version("GstRvm", "1.0")
    from gi.repository import GstRvm

    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "model"))
    import reference_readout as reference

    pipeline = Gst.parse_launch(f"videotestsrc num-buffers=1 ! video/x-raw,width=48,height=32 ! rvmencode model-file=\"{weights}\" ! appsink name=sink sync=false")
    pipeline.set_state(Gst.State.PLAYING)
    features = GstRvm.buffer_get_features(pipeline.get_by_name("sink").emit("pull-sample").get_buffer(), None)
    pipeline.set_state(Gst.State.NULL)
    rng, dim, common = np.random.default_rng(1), features.dim, {"model": features.model_id, "width": 48, "height": 32}
    names = {n: "\n".join("abcdefgh"[:n]) for n in (3, 5)}
    files = [reference.write(folder / f"{of}.safetensors", reference.make_arrays(rng, dim, 32, 2, 4, n), reference.metadata("class", reference=of, classes=names[n], **common))
             for of, n in (("none", 3), ("first", 5), ("mean", 3))]
    files.append(reference.write(folder / "linear.safetensors", reference.make_linear(rng, dim, 4, 2, 5), reference.metadata("class", classes=names[5], **common)))
    files.append(reference.write(folder / "depth.safetensors", reference.make_arrays(rng, dim, 32, 2, 4, 1, code=16), reference.metadata("dense", target="depth", **common)))
    files.append(reference.write(folder / "distance.safetensors", reference.make_distance(rng, dim), reference.metadata("distance", **common)))
    (folder / "broken.safetensors").write_text("broken")
    return [*map(str, files), str(folder / "broken.safetensors")]


def disturb(pipeline, files):
    """About every 40 frames something happens. Returns how often what happened."""
    from gi.repository import GstRvm

    chance, counts, shift = random.Random(1), {"file": 0, "reset": 0, "leap": 0}, 0

    def before(pad, info):
        nonlocal shift
        what = chance.choice(list(counts)) if chance.random() < 1 / 40 else None
        if what == "file":
            pipeline.get_by_name(f"r{chance.randrange(3)}").set_property("readout-file", chance.choice(files))
        elif what == "reset":
            pad.push_event(GstRvm.event_new_reset_state(False, Gst.CLOCK_TIME_NONE))
        elif what == "leap":
            shift += 60 * Gst.SECOND
            pad.set_offset(shift)
        if what:
            counts[what] += 1
        return Gst.PadProbeReturn.OK

    pipeline.get_by_name("before").get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, before)
    return counts


def launch(text, settings, *values):
    return Gst.parse_launch(text.replace("rvmencode ", f"rvmencode {settings} ").format(*values))


def frames(weights, count, everything, settings, readouts=()):
    pipeline = launch(READOUTS if readouts else ALL if everything else ALONE, settings, count, weights, *readouts[:3])
    counts = disturb(pipeline, readouts) if readouts else {}
    encode, first, shown = pipeline.get_by_name("encode"), None, 0
    start = time.monotonic()
    pipeline.set_state(Gst.State.PLAYING)
    ended = False
    while not ended:
        ended = wait(pipeline, Gst.SECOND // 20)
        done = encode.get_property("stats").get_uint64("frames")[1]
        if done >= shown + count // 10 or ended:
            shown = done // (count // 10) * (count // 10)
            now = sample()
            first = first or now
            show(f"{done} frames", now, time.monotonic() - start)
    assert done == count, (done, count)
    # As it plays: the threads of the pipeline are counted, too.
    pipeline.set_state(Gst.State.NULL)
    if counts:
        print(f"{count} frames: " + ", ".join(f"{number} x {what}" for what, number in counts.items()))
    return check(f"{count} frames", first, now)


def cycles(weights, count, settings):
    first, start = None, time.monotonic()
    for i in range(1, count + 1):
        pipeline = launch(ALL, settings, 3, weights)
        pipeline.set_state(Gst.State.PLAYING)
        # Some are stopped in the middle.
        if i % 3 and not wait(pipeline, 600 * Gst.SECOND):
            sys.exit("soak: a pipeline of three frames does not end in ten minutes")
        pipeline.set_state(Gst.State.NULL)
        del pipeline
        if i % max(count // 10, 1) == 0:
            now = sample()
            first = first or now
            show(f"{i} cycles", now, time.monotonic() - start)
    return check(f"{count} start / stop cycles", first, now)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--frames", type=int, default=100000)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--all", action="store_true", help="the long run with rvmtrack and rvmoverlay, too; the short ones always have them")
    parser.add_argument("--readouts", action="store_true", help="the long run with three rvmreadout whose files change, and with resets and gaps")
    parser.add_argument("--settings", default="", help="more of rvmencode, such as precision=bf16")
    options = parser.parse_args()
    Gst.init(None)
    good = True
    if options.frames and options.readouts:
        with tempfile.TemporaryDirectory() as folder:
            good &= frames(options.weights, options.frames, False, options.settings, write_readouts(options.weights, pathlib.Path(folder)))
    elif options.frames:
        good &= frames(options.weights, options.frames, options.all, options.settings)
    if options.cycles:
        good &= cycles(options.weights, options.cycles, options.settings)
    sys.exit(not good)


if __name__ == "__main__":
    main()
