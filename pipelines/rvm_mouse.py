"""Points and boxes that the mouse gives on the picture of a gtksink, in fractions of the picture."""
import gi

gi.require_version("Gst", "1.0")
gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, GLib, Gst, Gtk  # noqa: E402

import rvm_run  # noqa: E402
import rvm_source  # noqa: E402

CLICK = 6  # pixels that the mouse may move for a click to be one


class Selector:
    """Calls on_point(x, y) for a click and on_box(x, y, width, height) for a drag."""

    def __init__(self, sink, on_point, on_box):
        self.sink, self.on_point, self.on_box = sink, on_point, on_box
        self.start = self.now = None
        self.widget = sink.props.widget
        self.widget.add_events(Gdk.EventMask.BUTTON_PRESS_MASK | Gdk.EventMask.BUTTON_RELEASE_MASK | Gdk.EventMask.BUTTON_MOTION_MASK)
        self.widget.connect("button-press-event", self.press)
        self.widget.connect("motion-notify-event", self.move)
        self.widget.connect("button-release-event", self.release)
        self.widget.connect_after("draw", self.draw)

    def picture(self):
        """Where in the widget the picture is: it keeps its shape, so there may be bars beside it."""
        caps = self.sink.get_static_pad("sink").get_current_caps()
        width, height = self.widget.get_allocated_width(), self.widget.get_allocated_height()
        if caps is None:
            return 0, 0, width, height
        video = caps.get_structure(0)
        _, across, along = video.get_fraction("pixel-aspect-ratio") if video.has_field("pixel-aspect-ratio") else (True, 1, 1)
        full = video.get_value("width") * across / along, video.get_value("height")
        scale = min(width / full[0], height / full[1])
        shown = full[0] * scale, full[1] * scale
        return (width - shown[0]) / 2, (height - shown[1]) / 2, *shown

    def fraction(self, x, y):
        left, top, width, height = self.picture()
        return min(max((x - left) / width, 0), 1), min(max((y - top) / height, 0), 1)

    def press(self, _, event):
        self.start = self.now = event.x, event.y
        return True

    def move(self, _, event):
        self.now = event.x, event.y
        self.widget.queue_draw()
        return True

    def release(self, _, event):
        if self.start is None:
            return True
        (x, y), (to_x, to_y) = self.fraction(*self.start), self.fraction(event.x, event.y)
        click = abs(event.x - self.start[0]) < CLICK and abs(event.y - self.start[1]) < CLICK
        self.start = None
        self.widget.queue_draw()
        if click:
            self.on_point(to_x, to_y)
        elif x != to_x and y != to_y:
            self.on_box(min(x, to_x), min(y, to_y), abs(x - to_x), abs(y - to_y))
        return True

    def draw(self, _, context):
        if self.start and self.start != self.now:
            context.set_source_rgb(1, 1, 1)
            context.set_line_width(2)
            context.rectangle(*self.start, self.now[0] - self.start[0], self.now[1] - self.start[1])
            context.stroke()
        return False


def ask_for_box(video, rate=(25, 1)):
    """Shows the first frame until a box is drawn on it: "x,y,width,height", or None if the window is closed. A video that cannot be shown raises
    Unusable."""
    if not Gtk.init_check([])[0]:
        raise rvm_source.Unusable("the display cannot be opened")
    job = rvm_run.Job("videoconvert ! videoflip video-direction=auto ! gtksink name=sink".split(), video, rate=rate)
    sink, chosen = job.pipeline.get_by_name("sink"), []

    def on_box(*box):
        chosen.append(",".join(f"{number:.6f}" for number in box))
        Gtk.main_quit()

    window = Gtk.Window(title="Draw a box around what to follow", default_width=960, default_height=640)
    closed = window.connect("destroy", Gtk.main_quit)
    Selector(sink, lambda x, y: None, on_box)
    window.add(sink.props.widget)
    window.show_all()
    job.start(Gst.State.PAUSED)

    def tick():
        job.tick()
        if job.error:
            Gtk.main_quit()
        return not job.error

    watch = GLib.timeout_add(100, tick)
    Gtk.main()
    if window.handler_is_connected(closed):
        window.disconnect(closed)
        window.destroy()
    if job.error:
        job.stop()
        raise rvm_source.Unusable(job.error)
    GLib.source_remove(watch)
    job.pipeline.set_state(Gst.State.NULL)
    return chosen[0] if chosen else None
