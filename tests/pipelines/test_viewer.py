#!/usr/bin/python3
"""test_viewer.py SOURCE DATA: pipelines/viewer and the window of pipelines/track-box on a virtual display of this test's own, with a mouse that
the X server moves: what is clicked is followed, the picture is drawn, modes change it. With --screenshot FILE the window is kept as a PNG.
Exits 77 where GTK's packages (pipelines/install-packages viewer) are not installed."""
import ctypes
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import display

source, data, *rest = sys.argv[1:]
screenshot = rest[1] if rest[:1] == ["--screenshot"] else None
os.environ["RVM_PREPARED"] = "yes"  # by the test's environment
sys.path.insert(0, f"{source}/pipelines")

import gi  # noqa: E402

try:
    gi.require_version("Gtk", "3.0")
    gi.require_version("Gdk", "3.0")
except ValueError:
    print("GTK 3 for Python is not installed")
    sys.exit(77)
if shutil.which("Xvfb") is None or subprocess.run(["gst-inspect-1.0", "--exists", "gtksink"]).returncode:
    print("Xvfb or gtksink is not installed")
    sys.exit(77)
server = display.start()
os.environ["GDK_BACKEND"] = "x11"
os.environ["NO_AT_BRIDGE"] = "1"

gi.require_version("Gst", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import Gdk, GLib, Gst, GstRvm, Gtk  # noqa: E402

Gst.init(None)


def wait(what, condition, seconds=150):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"no {what} after {seconds} s"
        Gtk.main_iteration_do(False)
        time.sleep(0.005)


def settle(seconds=0.3):
    end = time.monotonic() + seconds
    wait("settling", lambda: time.monotonic() > end)


# The mouse: the X server's test extension, through C.
x11, xtst = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXtst.so.6")
x11.XOpenDisplay.restype = ctypes.c_void_p
display = ctypes.c_void_p(x11.XOpenDisplay(None))


def mouse(widget, x, y, press=None):
    """Moves to a place in the widget, then presses or releases."""
    _, left, top = widget.get_window().get_origin()
    xtst.XTestFakeMotionEvent(display, -1, int(left + x), int(top + y), 0)
    if press is not None:
        xtst.XTestFakeButtonEvent(display, 1, int(press), 0)
    x11.XFlush(display)


def drag(widget, start, end):
    mouse(widget, *start, True)
    settle()
    mouse(widget, *end)
    settle()
    mouse(widget, *end, False)
    settle()


def grab():
    root = Gdk.get_default_root_window()
    return Gdk.pixbuf_get_from_window(root, 0, 0, root.get_width(), root.get_height())


def colours(pixbuf):
    """How many different colours the screen has, roughly."""
    pixels, stride, channels = pixbuf.get_pixels(), pixbuf.get_rowstride(), pixbuf.get_n_channels()
    return len({pixels[y * stride + x * channels:][:3] for y in range(100, 650, 7) for x in range(20, 780, 7)})


try:
    loader = importlib.machinery.SourceFileLoader("viewer", f"{source}/pipelines/viewer")
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("viewer", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)

    # A picture of small 4 x 3 shape, so that there are bars beside it in the wide window.
    arguments = [os.environ["RVM_TEST_VIDEO"], "--loop"] if "RVM_TEST_VIDEO" in os.environ else ["--model", f"{data}/tiny.npz", "--size", "48"]
    viewer = module.Viewer(module.parse_arguments(arguments))
    seen = {}

    def probe(_, info):
        meta = GstRvm.buffer_get_track_meta(info.get_buffer())
        if meta:
            tracks = [meta.get_track(i) for i in range(meta.n_tracks)]
            seen["frames"] = seen.get("frames", 0) + 1
            for track in tracks:
                seen.setdefault(track.id, (track.kind, track.x, track.y, track.width, track.height))
            seen["now"] = [track.id for track in tracks]
        return Gst.PadProbeReturn.OK

    viewer.track.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, probe)
    viewer.window.show_all()
    viewer.pipeline.set_state(Gst.State.PLAYING)
    wait("frames", lambda: seen.get("frames", 0) > 10)
    widget = viewer.sink.props.widget
    caps = viewer.sink.get_static_pad("sink").get_current_caps().get_structure(0)
    width, height = caps.get_value("width"), caps.get_value("height")
    left, top, shown_width, shown_height = viewer.selector.picture()
    assert abs(shown_width / shown_height - width / height) < 0.01

    def at(x, y):
        return left + x * shown_width, top + y * shown_height

    settle(1)
    plain = colours(grab())
    assert plain > 50, plain

    drag(widget, at(0.4, 0.55), at(0.4, 0.55))
    wait("point", lambda: 1 in seen)
    kind, x, y, _, _ = seen[1]
    assert kind == GstRvm.TrackKind.POINT and abs(x / width - 0.4) < 0.01 and abs(y / height - 0.55) < 0.01, seen[1]
    drag(widget, at(0.5, 0.3), at(0.7, 0.6))
    wait("box", lambda: 2 in seen)
    kind, x, y, w, h = seen[2]
    assert kind == GstRvm.TrackKind.BOX, kind
    assert all(abs(a - b) < 0.02 for a, b in zip((x / width, y / height, w / width, h / height), (0.5, 0.3, 0.2, 0.3))), seen[2]
    settle(1)
    if screenshot:
        settle(3)
        grab().savev(screenshot, "png", [], [])

    viewer.forget(None)
    wait("removal", lambda: seen["now"] == [])
    viewer.set_mode("similarity")
    drag(widget, at(0.25, 0.75), at(0.25, 0.75))
    assert abs(viewer.overlay.props.x - 0.25) < 0.01 and abs(viewer.overlay.props.y - 0.75) < 0.01
    assert viewer.ids == []
    viewer.set_mode("none")
    settle(1)
    assert colours(grab()) < plain, "without features the test picture has fewer colours"
    viewer.on_play(viewer.play)
    assert viewer.play.get_label() == "Play"
    viewer.window.destroy()
    viewer.pipeline.set_state(Gst.State.NULL)
    viewer.window = None

    # The window of track-box.
    import rvm_mouse

    video = f"{os.environ.get('MESON_TEST_DIR') or '/tmp'}/rvm-viewer-{os.getpid()}.avi"
    subprocess.run(["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=3", "!", "video/x-raw,width=320,height=240", "!", "jpegenc", "!", "avimux",
                    "!", "filesink", f"location={video}"], check=True)

    # Press, move, release.
    steps = iter([(-0.25, -0.25, True), (0.25, 0, None), (0.25, 0, False)])

    def draw():
        window = next((w for w in Gtk.Window.list_toplevels() if (w.get_title() or "").startswith("Draw a box")), None)
        if window is None:
            return True
        widget = window.get_child()
        w, h = widget.get_allocated_width(), widget.get_allocated_height()
        side = min(w / 4, h / 3)
        step = next(steps, None)
        if step:
            mouse(widget, w / 2 + step[0] * side * 4, h / 2 + step[1] * side * 3, step[2])
        return step is not None

    GLib.timeout_add(1000, draw)
    box = [float(number) for number in rvm_mouse.ask_for_box(video).split(",")]
    assert all(abs(a - b) < 0.02 for a, b in zip(box, (0.25, 0.25, 0.5, 0.25))), box

    # What cannot be shown: a sentence and an end. Of a folder, the next video is shown.
    folder = pathlib.Path(tempfile.mkdtemp(dir=os.environ.get("MESON_TEST_DIR")))
    (folder / "a.avi").write_text("no video\n" * 30)
    subprocess.run(["gst-launch-1.0", "-q", "audiotestsrc", "num-buffers=20", "!", "wavenc", "!", "filesink", f"location={folder}/b.mp4"], check=True)
    for name, expected in ("a.avi", "a.avi: .*(no format of video|text file)"), ("b.mp4", "no video in .*b.mp4"):
        for program, rest in ("viewer", ["--model", f"{data}/tiny.npz"]), ("track-box", []):
            done = subprocess.run([f"{source}/pipelines/{program}", folder / name, *rest], capture_output=True, text=True, timeout=150)
            assert done.returncode == 1 and re.search(f"^{program}: .*{expected}", done.stderr) and "Traceback" not in done.stderr, done
    os.replace(video, folder / "c.avi")
    viewer = module.Viewer(module.parse_arguments([str(folder), "--model", f"{data}/tiny.npz", "--size", "48"]))
    seen.clear()
    viewer.track.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, lambda *_: seen.update(third=True) or Gst.PadProbeReturn.OK)
    viewer.window.show_all()
    viewer.pipeline.set_state(Gst.State.PLAYING)
    wait("third video", lambda: "third" in seen)
    viewer.window.destroy()
    viewer.pipeline.set_state(Gst.State.NULL)
    shutil.rmtree(folder)
    print("ok")
finally:
    server.terminate()
    server.wait()
