#!/usr/bin/python3
"""test_teach.py SOURCE BUILD DATA: pipelines/teach. What it computes is what the readout library computes; without a window it learns from a table of what
is held when, and what it writes runs in rvmreadout and rvm-cl-train; in its window, on a virtual display of this test's own, keys that the X server presses
do the same. With --screenshot FILE the window is kept as a PNG. The part with the window is left out where GTK's packages are not installed."""
import argparse
import ctypes
import csv
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

import clip
import display

options = argparse.ArgumentParser()
options.add_argument("source")
options.add_argument("build")
options.add_argument("data")
options.add_argument("--screenshot")
options = options.parse_args()
source, build, data = options.source, options.build, options.data
os.environ["RVM_PREPARED"] = "yes"  # by the test's environment
sys.path[:0] = [f"{source}/pipelines", f"{source}/tests/model"]
sys.dont_write_bytecode = True

import reference_readout as reference  # noqa: E402
import rvm_teach  # noqa: E402

TINY = ["--model", f"{data}/tiny.npz", "--size", "48"]
RATE, PAUSE, LENGTH = 10, 12, 14


def draw(path, order, seed):
    """A bright square that goes across or down, with pauses; what is held when, in frames."""
    rng, frames, stretches = np.random.default_rng(seed), [], []

    def add(at):
        picture = rng.integers(40, 60, (48, 64, 3), np.uint8)
        if at is not None:
            x, y = at
            picture[max(y, 0):y + 12, max(x, 0):x + 12] = (250, 220, 90)
        frames.append(picture.repeat(3, 0).repeat(3, 1))

    for name in order:
        for _ in range(PAUSE):
            add(None)
        stretches.append((len(frames) / RATE, (len(frames) + LENGTH) / RATE, name))
        off = int(rng.integers(-4, 5))
        for i in range(LENGTH):
            add((i * 52 // LENGTH, 18 + off) if name == "across" else (26 + off, i * 36 // LENGTH))
    for _ in range(PAUSE):
        add(None)
    clip.gst(*clip.raw_source(clip.WIDTH, clip.HEIGHT), "!", "videoconvert", "!", "jpegenc", "quality=95", "!", "avimux", "!", "filesink", f"location={path}",
             input=np.stack(frames).tobytes())
    return stretches


def write_table(path, stretches):
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["start", "end", "class"])
        rows.writerows(stretches)
    return path


def check_arithmetic():
    """pool() and make_vector() are what the file format means."""
    rng = np.random.default_rng(3)
    for grid in ((6, 8), (3, 5)):
        states = rng.normal(size=(40, 1 + grid[0] * grid[1], 24)).astype("f4")
        pooled = [rvm_teach.pool(state[1:].reshape(*grid, -1)) for state in states]
        for end, stride, n in ((39, 2, 16), (20, 3, 7), (0, 1, 1)):
            arrays = reference.make_linear(rng, 24, rvm_teach.SLOTS, rvm_teach.CELLS, 3, changes=True)
            kernel = np.concatenate([arrays[f"linear/{part}"].reshape(-1, 3) for part in ("kernel", "change", "travel")]).astype("f8")
            window = np.stack([states[end - stride * age] for age in range(n - 1, -1, -1)])
            expected = reference.linear(arrays, window, grid, "first")[0]
            got = rvm_teach.make_vector(pooled, end, stride) @ kernel + arrays["linear/bias"]
            assert np.abs(got - expected).max() < 1e-3, (grid, end, got, expected)
    vectors = rng.normal(size=(30, rvm_teach.SLOTS * rvm_teach.CELLS ** 2 * 5)).astype("f4") * 7
    before = vectors.copy()
    unit = rvm_teach.level(vectors)
    assert np.abs(vectors * unit - before).max() < 1e-3
    assert all(abs(vectors[:, part].var(0).sum() - 1) < 1e-3 for part in rvm_teach.divide(vectors))
    # Ridge regression with weights, solved in the other way: by the vectors' own coefficients.
    x, label = rng.normal(size=(40, 6)) + 1, rng.integers(0, 3, 40)
    coefficients, bias = rvm_teach.fit(x @ x.T, label, 3, 0.1)
    weight = 40 / (3 * np.bincount(label)[label])
    mean, goal = weight @ x / 40, weight @ np.eye(3)[label] / 40
    centred = x - mean
    penalty = 0.1 * (weight * (centred ** 2).sum(1)).sum() / 40 * 40
    kernel = np.linalg.solve(centred.T @ (weight[:, None] * centred) + penalty * np.eye(6), centred.T @ (weight[:, None] * (np.eye(3)[label] - goal)))
    assert np.abs(x.T @ coefficients - kernel).max() < 1e-9 and np.abs(bias - (goal - mean @ kernel)).max() < 1e-9


def check_lesson():
    lesson = rvm_teach.Lesson()
    lesson.press("a", 1)
    lesson.press("a", 1.5)  # a key that repeats
    lesson.press("b", 2)
    assert lesson.release(3) and not lesson.release(4)
    lesson.press("a", 5)
    assert not lesson.release(4), "time went back"
    assert lesson.stretches == [(1, 2, "a"), (2, 3, "b")] and lesson.classes() == ["a", "b"]
    lesson.rename("b", "c")
    assert lesson.classes() == ["a", "c"] and lesson.undo() == (2, 3, "c") and lesson.classes() == ["a"]


def check_history():
    """Runs do not go on over a reset or a step back; what is old and was not held goes; windows never cross."""
    class Features:
        source, generation, model_id, carried, rows, columns, dim, analysis_width, analysis_height = 1, 1, "m", False, 4, 4, 8, 64, 64

        def __init__(self, update, **more):
            self.update = update
            self.__dict__.update(more)

        def get_patches(self):
            class Bytes:
                get_data = staticmethod(lambda: np.full((4, 4, 8), self.update, "f4").tobytes())
            return Bytes

    history = rvm_teach.History()
    for update, at in ((1, 0), (2, 1), (2, 1), (3, 2), (4, 1.5)):
        history.add(Features(update), at)
    history.add(Features(5, carried=True), 3)
    history.add(Features(6, generation=2), 4)
    assert [run.times for run in history.runs] == [[0, 1, 2], [1.5], [4]], [run.times for run in history.runs]
    rvm_teach.CHUNK, before = 200, rvm_teach.CHUNK
    history = rvm_teach.History()
    for update in range(10 * rvm_teach.CHUNK):
        history.add(Features(update + 1), update, [(100, 140, "a")])
    assert len(history.runs) <= rvm_teach.CHUNKS + 2 and history.runs[0].times[0] == 0, "what was held is kept"
    rvm_teach.CHUNK = before
    runs, _ = history.read()
    assert all(lead in (0, rvm_teach.LEAD) and len(times) == len(states) for times, states, lead in runs)
    windows = rvm_teach.find_windows(runs, [(100, 140, "a")], 2)
    assert {name for _, _, name, _ in windows} == {"a", rvm_teach.NOTHING}
    assert all((120 <= runs[run][0][end] < 140) if name == "a" else not 100 <= runs[run][0][end] <= 146 for run, end, name, _ in windows)
    assert all(end >= runs[run][2] for run, end, _, _ in windows), "the lead is learnt from once"


def read_header(path):
    raw = pathlib.Path(path).read_bytes()
    return json.loads(raw[8:8 + int.from_bytes(raw[:8], "little")])


def check_without_window(folder):
    video, other = folder / "gestures.avi", folder / "others.avi"
    order = ["across", "down", "across", "down", "down", "across"]
    table = write_table(folder / "held.csv", draw(video, order, 1))
    stretches = draw(other, ["down", "across", "across", "down"], 2)
    out = folder / "taught.safetensors"
    said = clip.run("teach", video, *TINY, "--labels", table, "--no-window", "--output", out, build=build).splitlines()
    assert said[0] == "start,end,class,confidence", said
    assert any(line.split(",")[2] == "across" for line in said[1:]), f"what was learnt runs while the video goes on: {said}"
    header = read_header(out)["__metadata__"]
    assert header["classes"] == "across\ndown\nnothing" and header["kind"] == "class" and header["frame-rate"] == "10", header
    assert "3 x across, 3 x down; of " in header["material"], header

    # Another video: rvmreadout finds each gesture, once, at its time, and nothing else.
    events = [line.split(",") for line in clip.run("classify", other, *TINY, "--readout", out, "--background", "nothing", build=build).splitlines()[1:]]
    for start, end, name in stretches:
        assert any(event[2] == name and float(event[0]) < end + 0.6 and float(event[1]) > start for event in events), (start, end, name, events)
    assert len(events) <= len(stretches) + 2, events

    # The trainer reads both files. Its clips begin with the gesture, so that it is only asked whether it can.
    done = subprocess.run([f"{build}/trainer/rvm-cl-train", "readout", "evaluate", out, "--data", folder / "taught.csv", "--model", f"{data}/tiny.npz",
                           "--cache-dir", folder / "cache", "--json"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["n"] == len(order), done.stdout

    first = out.read_bytes()
    assert "exists" in clip.run("teach", video, *TINY, "--labels", table, "--no-window", "--output", out, build=build, status=1)
    clip.run("teach", video, *TINY, "--labels", table, "--no-window", "--output", out, "--overwrite", build=build)
    assert out.read_bytes() == first, "the same bytes twice"
    return video, stretches


def check_refused(folder, video):
    def refused(text, says, status=1):
        (folder / "table.csv").write_text(text)
        said = clip.run("teach", video, *TINY, "--labels", folder / "table.csv", "--no-window", "--output", folder / "bad.safetensors", build=build, status=status)
        assert says in said and "Traceback" not in said, said
        assert not (folder / "bad.safetensors").exists()

    refused("start,end\n1,2\n", "line 1: there is no column class, expected start, end, class")
    refused("start,end,class\n1,x,a\n", "line 2: start and end are '1' and 'x', expected seconds")
    refused("start,end,class\n2,1,a\n", "line 2: start is 2 and end 1, expected start before end")
    refused("start,end,class\n1,2,\n", "line 2: class is empty, expected a name")
    refused("start,end,class\n1,3,a\n2,4,b\n", "'b' begins at 2 s, before 'a' has ended at 3 s: one class is held at a time")
    refused("start,end,class\n", "has no stretches")
    refused("start,end,class\n900,901,a\n", "nothing was learnt: hold a class while it happens")
    for wrong, says in (["--no-window"], "--no-window needs a VIDEO and --labels"), ([video, "--camera", "x"], "not both"), (
            [video, "--class", "a", "--class", "a"], "different names"), ([video, "--output", "x.npz"], "--output is a .safetensors"):
        assert says in clip.run("teach", *wrong, build=build, status=2)
    assert "no such camera" in clip.run("teach", "--camera", folder / "none", build=build, status=1)


def check_window(folder, video, stretches):
    import gi

    try:
        gi.require_version("Gtk", "3.0")
    except ValueError:
        print("the window is not tested: GTK 3 for Python is not installed")
        return
    if shutil.which("Xvfb") is None or subprocess.run(["gst-inspect-1.0", "--exists", "gtksink"]).returncode:
        print("the window is not tested: Xvfb or gtksink is not installed")
        return
    server = display.start()
    os.environ.update(GDK_BACKEND="x11", NO_AT_BRIDGE="1")
    try:
        drive_window(folder, video, stretches)
    finally:
        server.terminate()
        server.wait()


def drive_window(folder, video, stretches):
    import gi

    gi.require_version("GdkX11", "3.0")
    gi.require_version("Gdk", "3.0")
    gi.require_version("Gst", "1.0")
    from gi.repository import Gdk, GdkX11, GLib, Gst, Gtk  # noqa: F401

    loader = importlib.machinery.SourceFileLoader("teach", f"{source}/pipelines/teach")
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("teach", loader))
    loader.exec_module(module)
    import rvm_teach_window

    out = folder / "window.safetensors"
    args = module.parse_arguments([str(video), *TINY, "--output", str(out), "--class", "across"])
    window = rvm_teach_window.Window(args, str(folder))
    window.window.show_all()
    ticks = GLib.timeout_add(100, window.tick)
    x11, xtst = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXtst.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    server = ctypes.c_void_p(x11.XOpenDisplay(None))

    def wait(what, condition, seconds=150):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"no {what} after {seconds} s: {window.status.get_text()}; {window.learnt.get_text()}"
            Gtk.main_iteration_do(False)
            time.sleep(0.003)

    def key(symbol, press):
        xtst.XTestFakeKeyEvent(server, x11.XKeysymToKeycode(server, symbol), int(press), 0)
        x11.XFlush(server)

    def focus():
        x11.XSetInputFocus(server, window.window.get_window().get_xid(), 1, 0)
        x11.XFlush(server)

    def settle(seconds=0.3):
        end = time.monotonic() + seconds
        wait("settling", lambda: time.monotonic() > end)

    window.area.grab_focus()
    window.pipeline.set_state(Gst.State.PLAYING)
    wait("picture", lambda: window.shown > 0)
    focus()
    # A name that is typed is no key that is held.
    row = window.rows[1]
    settle()
    row.entry.grab_focus()
    settle()
    row.entry.set_text("")
    for letter in "down2":
        key(ord(letter), True)
        key(ord(letter), False)
    settle()
    assert row.entry.get_text() == "down2" and window.lesson.held is None, (row.entry.get_text(), window.lesson.held, window.window.has_toplevel_focus())
    row.entry.set_text("down")
    window.area.grab_focus()
    assert [row.name for row in window.rows] == ["across", "down", "class 3"]
    row.entry.set_text("across")
    row.rename()
    assert row.name == "down" and "used once" in window.status.get_text()
    window.seek(0)

    # A hand that holds the keys when it sees the gesture.
    wait("beginning", lambda: window.shown < 0.5)
    for start, end, name in stretches:
        number = ord("1") + [row.name for row in window.rows].index(name)
        wait(f"{start} s", lambda: window.shown >= start)
        key(number, True)
        wait("key", lambda: window.lesson.held is not None, 5)
        wait(f"{end} s", lambda: window.shown >= end or window.ended)
        key(number, False)
        wait("release", lambda: window.lesson.held is None, 5)
    held = window.lesson.stretches
    assert [name for *_, name in held] == [name for *_, name in stretches], held
    late = [max(abs(a[0] - b[0]), abs(a[1] - b[1])) for a, b in zip(held, stretches)]
    assert max(late) < 1.5, (held, stretches)
    wait("readout", lambda: window.pupil.readout and window.pupil.readout.counts == {"down": 2, "across": 2})
    wait("word of it", lambda: "2 x down" in window.learnt.get_text())

    # Once more from the beginning: what was learnt runs.
    window.on_slide(None, None, 0.2)
    wait("beginning", lambda: window.shown < 1)
    window.recognised.clear()
    levels = {}
    for start, end, name in stretches:
        row = next(row for row in window.rows if row.name == name)

        def over():
            levels[name] = max(levels.get(name, 0), row.level.get_fraction())
            return window.shown >= end or window.ended

        wait(f"{end} s", over)
        if options.screenshot and name == "across":
            root = Gdk.get_default_root_window()
            Gdk.pixbuf_get_from_window(root, 0, 0, root.get_width(), root.get_height()).savev(options.screenshot, "png", [], [])
    assert min(levels.values()) > 0.4, levels
    assert {name for *_, name in window.recognised} == {"across", "down"}, window.recognised
    window.forget()
    assert len(window.lesson.stretches) == 3
    window.on_save()
    wait("file", out.exists)
    assert window.pupil.readout.counts == {"down": 1, "across": 2}, "what is saved is of what was held last"
    assert read_header(out)["__metadata__"]["classes"] == "across\ndown\nnothing" or read_header(out)["__metadata__"]["classes"] == "down\nacross\nnothing"
    with open(folder / "window.csv", newline="") as file:
        assert [row["class"] for row in csv.DictReader(file)] == ["down", "across", "across"]
    GLib.source_remove(ticks)
    window.window.destroy()
    window.pipeline.set_state(Gst.State.NULL)
    window.teacher.join()


with tempfile.TemporaryDirectory() as name:
    check_arithmetic()
    check_lesson()
    check_history()
    video, stretches = check_without_window(pathlib.Path(name))
    check_refused(pathlib.Path(name), video)
    check_window(pathlib.Path(name), pathlib.Path(name) / "others.avi", stretches)
print("ok")
