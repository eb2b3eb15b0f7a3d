"""The window of pipelines/teach: the picture, a row for each class with a button to hold and the probability of now, and below the picture what was held
when and what was recognised. Learning has a thread of its own; GTK's own thread does everything else."""
import signal
import struct
import sys
import threading
import time

import gi

import rvm_app
import rvm_pupil
import rvm_run
import rvm_source
import rvm_teach

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, GLib, Gst, Gtk  # noqa: E402

MOST_ROWS, SPAN = 9, 60  # classes; seconds of a camera that the strip shows
COLOURS = ((0.95, 0.55, 0.15), (0.25, 0.6, 0.95), (0.4, 0.8, 0.3), (0.85, 0.35, 0.75), (0.95, 0.85, 0.2), (0.3, 0.8, 0.8), (0.9, 0.35, 0.3), (0.6, 0.5, 0.95),
           (0.7, 0.7, 0.7))
REPEAT = 60  # ms after which a key that was let go is not just repeating


class Row:
    """A class: a button, its name, how often it was held, its probability."""

    def __init__(self, window, number, name):
        self.window, self.number, self.name = window, number, name
        self.button, self.entry = Gtk.Button(label=f"Hold ({number})"), Gtk.Entry(text=name, width_chars=12)
        self.count, self.level = Gtk.Label(label="0 x", width_chars=5), Gtk.ProgressBar(valign=Gtk.Align.CENTER, width_request=120)
        self.button.set_can_focus(False)
        self.button.connect("pressed", lambda _: window.press(self))
        self.button.connect("released", lambda _: window.release())
        self.entry.connect("activate", lambda _: window.area.grab_focus())
        self.entry.connect("focus-out-event", lambda *_: self.rename())

    def widgets(self):
        return self.button, self.entry, self.count, self.level

    def rename(self):
        name = self.entry.get_text().strip()
        if not name or name == rvm_teach.NOTHING or any(row.name == name for row in self.window.rows if row is not self):
            self.window.say(f"a name is used once, and is not empty or “{rvm_teach.NOTHING}”")
            self.entry.set_text(self.name)
        elif name != self.name:
            self.window.lesson.rename(self.name, name)
            self.name = name
        return False


class Window:
    def __init__(self, args, folder):
        if not Gtk.init_check([])[0]:
            rvm_app.fail("the display cannot be opened")
        self.args, self.lesson, self.rows = args, rvm_teach.Lesson(), []
        self.shown, self.failed, self.ended, self.saved, self.duration, self.source, self.letting_go = 0, False, False, None, None, None, None
        self.lesson.stretches = list(args.stretches)
        live = "" if args.video else rvm_pupil.find_camera(args.camera)
        self.pipeline = Gst.parse_launch(f"{live} videoconvert name=first ! videoflip video-direction=auto ! rvmencode name=encode ! rvmoverlay mode=none"
                                         " ! queue max-size-buffers=2 ! videoconvert ! gtksink name=sink qos=false max-lateness=-1")
        encode, self.sink = (self.pipeline.get_by_name(name) for name in ("encode", "sink"))
        encode.set_property("size", args.size)
        if args.model:
            encode.set_property("model-file", args.model)
        if args.video:
            self.open(args)
        self.pupil = rvm_pupil.Pupil(self.pipeline, self.lesson, folder)
        self.sink.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, self.on_shown)
        self.teacher, self.tried, self.news, self.recognised, self.wanted = None, None, None, [], False
        self.window = self.make_window()
        for name in dict.fromkeys([*self.lesson.classes(), *args.classes]):
            self.add_row(name)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self.on_message)
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGINT, self.quit)

    def open(self, args):
        try:
            self.source = rvm_source.Source(self.pipeline, rvm_source.find(args.video), self.pipeline.get_by_name("first").get_static_pad("sink"), args.rate,
                                            lambda: GLib.idle_add(self.give_up, "no video in it"))
        except rvm_source.Unusable as problem:
            rvm_app.fail(str(problem))

    # What is seen.

    def make_window(self):
        self.grid = Gtk.Grid(column_spacing=6, row_spacing=6, margin=6, valign=Gtk.Align.START)
        self.status, self.learnt = (Gtk.Label(label=text, xalign=0, margin_start=6, wrap=True, max_width_chars=100) for text in
                                    ("hold a key, 1 to 9, or a button while the thing happens", "nothing is learnt yet"))
        self.strip, self.slider = Gtk.DrawingArea(height_request=26), None
        self.strip.connect("draw", self.draw_strip)
        self.play, save, forget, more = (Gtk.Button(label=text, can_focus=False) for text in ("Pause", "Save", "Forget the last", "Another class"))
        self.play.connect("clicked", self.on_play)
        save.connect("clicked", self.on_save)
        forget.connect("clicked", self.forget)
        more.connect("clicked", lambda _: len(self.rows) < MOST_ROWS and self.add_row(f"class {len(self.rows) + 1}"))
        bar, across = Gtk.Box(spacing=6, margin=6), Gtk.Box()
        column, right = Gtk.Box(orientation=Gtk.Orientation.VERTICAL), Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
        self.area = self.sink.props.widget
        self.area.set_can_focus(True)
        if self.args.video:
            bar.pack_start(self.play, False, False, 0)
            self.slider = Gtk.Scale.new_with_range(Gtk.Orientation.HORIZONTAL, 0, 1, 0.04)
            self.slider.set_can_focus(False)
            self.slider.connect("change-value", self.on_slide)
        for widget in (forget, more, save):
            bar.pack_start(widget, False, False, 0)
        across.pack_start(self.area, True, True, 0)
        right.pack_start(self.grid, False, False, 0)
        across.pack_start(right, False, False, 0)
        column.pack_start(across, True, True, 0)
        for widget in (self.strip, self.slider, bar, self.learnt, self.status):
            if widget:
                column.pack_start(widget, False, False, 2)
        window = Gtk.Window(title="gst-rvm: teach", default_width=880, default_height=560)
        window.add(column)
        window.connect("key-press-event", self.on_key)
        window.connect("key-release-event", self.on_key_up)
        window.connect("focus-out-event", lambda *_: self.release())
        window.connect("destroy", self.quit)
        return window

    def add_row(self, name):
        row = Row(self, len(self.rows) + 1, name)
        self.rows.append(row)
        for column, widget in enumerate(row.widgets()):
            self.grid.attach(widget, column, row.number, 1, 1)
            widget.show()

    def say(self, text):
        self.status.set_text(text)

    def draw_strip(self, widget, context):
        """Above, what was held; below, what was recognised. Of a file the whole, of a camera the last minute."""
        width, height = widget.get_allocated_width(), widget.get_allocated_height()
        begin, end = (0, self.duration) if self.duration else (self.shown - SPAN, self.shown)
        colours = {row.name: COLOURS[row.number - 1] for row in self.rows}
        context.set_source_rgb(0.13, 0.13, 0.13)
        context.paint()
        held = [(self.lesson.held[0], self.shown, self.lesson.held[1])] if self.lesson.held else []
        for top, stretches in ((0, [*self.lesson.stretches, *held]), (height / 2, self.recognised)):
            for start, stop, name in stretches:
                context.set_source_rgb(*colours.get(name, (0.5, 0.5, 0.5)))
                context.rectangle((start - begin) / (end - begin) * width, top + 1, max((stop - start) / (end - begin) * width, 1), height / 2 - 2)
                context.fill()
        context.set_source_rgb(1, 1, 1)
        context.rectangle((self.shown - begin) / (end - begin) * width - 1, 0, 2, height)
        context.fill()

    # What is held.

    def press(self, row):
        if self.letting_go:
            GLib.source_remove(self.letting_go)
            self.letting_go = None
        if self.ended:
            return
        if self.lesson.held is None or self.lesson.held[1] != row.name:
            self.lesson.press(row.name, self.shown)
            self.say(f"{row.name} from {self.shown:.1f} s")

    def release(self):
        if self.letting_go:
            GLib.source_remove(self.letting_go)
        self.letting_go = None
        held = self.lesson.held
        if held and self.lesson.release(self.shown):
            self.say(f"{held[1]} from {held[0]:.1f} to {self.shown:.1f} s")
        return False

    def typing(self):
        return isinstance(self.window.get_focus(), Gtk.Entry)

    def row_of(self, event):
        value = Gdk.keyval_to_unicode(event.keyval) - ord("1")
        return self.rows[value] if 0 <= value < len(self.rows) and not self.typing() else None

    def on_key(self, _, event):
        row = self.row_of(event)
        if row:
            self.press(row)
        elif event.keyval == Gdk.KEY_space and not self.typing() and self.slider:
            self.on_play(self.play)
        elif event.keyval == Gdk.KEY_Escape and self.typing():
            self.area.grab_focus()
        else:
            return False
        return True

    def on_key_up(self, _, event):
        """A key that is held down repeats: on some displays as if it was let go in between."""
        row = self.row_of(event)
        if row and self.lesson.held and self.lesson.held[1] == row.name and not self.letting_go:
            self.letting_go = GLib.timeout_add(REPEAT, self.release)
        return row is not None

    def forget(self, _=None):
        gone = self.lesson.undo()
        self.say(f"{gone[2]} from {gone[0]:.1f} to {gone[1]:.1f} s is forgotten" if gone else "nothing was held yet")

    # What is learnt.

    def teach(self):
        """A thread that learns, where there is something new."""
        frames = self.pupil.history.frames
        if self.teacher and self.teacher.is_alive():
            return
        if self.news is not None:
            self.learnt.set_text(self.news)
            self.news = None
        if self.wanted and self.tried and self.tried[0] == self.lesson.version:
            self.save()
        if self.lesson.stretches and (self.tried is None or self.tried[0] != self.lesson.version or frames > 1.3 * self.tried[1]):
            self.tried = (self.lesson.version, frames)
            self.teacher = threading.Thread(target=self.learn, daemon=True)
            self.teacher.start()

    def learn(self):
        begin = time.monotonic()
        try:
            self.pupil.learn()
            self.news = f"learnt in {time.monotonic() - begin:.1f} s: {self.pupil.readout.describe()}"
        except rvm_teach.Unready as reason:
            self.news = str(reason)
        except OSError as problem:
            self.news = f"what was learnt cannot be kept: {problem.strerror}"

    def tick(self):
        """Ten times a second: what is shown follows what is."""
        self.teach()
        answer = self.pupil.answer
        probabilities = dict(zip(answer.get_classes(), struct.unpack(f"{answer.channels}f", answer.get_values().get_data()))) if answer else {}
        for row in self.rows:
            row.level.set_fraction(min(max(probabilities.get(row.name, 0), 0), 1))
            row.count.set_text(f"{sum(1 for *_, name in self.lesson.stretches if name == row.name)} x")
        if answer and answer.event_class:
            event = (answer.event_start / Gst.SECOND, self.shown, answer.get_classes()[answer.event_class - 1])
            if self.recognised and self.recognised[-1][::2] == event[::2]:
                self.recognised.pop()
            if event[1] > event[0]:
                self.recognised = [*self.recognised[-200:], event]
        if self.slider:
            if not self.duration:
                known, duration = self.pipeline.query_duration(Gst.Format.TIME)
                if known and duration > 0:
                    self.duration = duration / Gst.SECOND
                    self.slider.set_range(0, self.duration)
            self.slider.set_value(self.shown)
        self.strip.queue_draw()
        return True

    def on_save(self, *_):
        """What was held last is in it: the thread may still be learning that."""
        self.wanted = True
        self.say("is saved as soon as what was held last is learnt" if self.lesson.stretches else "nothing was held yet")

    def save(self):
        self.wanted = False
        if not self.pupil.readout:
            self.say(f"nothing is learnt yet: {self.learnt.get_text()}")
            return
        try:
            self.pupil.save(self.args.output, rvm_pupil.file_of(self.args.video))
        except OSError as problem:
            self.say(f"{self.args.output} cannot be written: {problem.strerror}")
            return
        self.saved = self.args.output
        print(f"{rvm_app.NAME}: {self.saved}: {self.pupil.readout.describe()}", file=sys.stderr)
        self.say(f"saved as {self.saved}")

    # The video.

    def on_shown(self, pad, info):
        moment = rvm_pupil.Pupil.time_of(pad, info.get_buffer())
        if moment is not None:
            self.shown = moment
        return Gst.PadProbeReturn.OK

    def on_play(self, button):
        playing = button.get_label() == "Play"
        self.pipeline.set_state(Gst.State.PLAYING if playing else Gst.State.PAUSED)
        button.set_label("Pause" if playing else "Play")

    def on_slide(self, _, __, value):
        self.seek(min(max(value, 0), self.duration or 0))
        return False

    def seek(self, to):
        """What is held is let go where it was: what comes next is elsewhere."""
        self.release()
        self.ended = False
        self.shown = to
        self.pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE, int(to * Gst.SECOND))

    def give_up(self, text):
        print(f"{rvm_app.NAME}: {rvm_run.about(self.args.video, text)}", file=sys.stderr)
        self.failed = True
        self.quit()

    def on_message(self, _, message):
        if message.type == Gst.MessageType.ERROR:
            self.give_up(rvm_run.explain(*message.parse_error(), self.source))
        elif message.type == Gst.MessageType.EOS:
            self.release()
            self.ended = True
            self.say("the end: the slider goes back, Save keeps what is learnt")

    def quit(self, *_):
        if Gtk.main_level():
            Gtk.main_quit()
        return True

    def run(self):
        self.window.show_all()
        self.area.grab_focus()
        ticks = GLib.timeout_add(100, self.tick)
        self.pipeline.set_state(Gst.State.PLAYING)
        Gtk.main()
        GLib.source_remove(ticks)
        self.pipeline.set_state(Gst.State.NULL)
        if self.teacher:
            self.teacher.join()
        return 1 if self.failed else 0
