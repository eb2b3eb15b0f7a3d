"""Runs pipelines to their end and says how far they are: what gst-launch-1.0 does, for the scripts and the Python applications of this folder.

  rvm_run.py [--frames N] [--rate R] [--timeout SECONDS] --input VIDEO ELEMENTS... [--input VIDEO ELEMENTS...]...
  rvm_run.py [--frames N] ELEMENTS...

The first form has a pipeline for each VIDEO (rvm_source.py), in one process and up to AT_ONCE at a time; one that fails leaves the others running.
In the second, ELEMENTS begin with a source of their own and have an identity named "frames" where frames are counted. Ctrl-C ends a pipeline as if
the video had ended. The exit status says how many pipelines failed. A file of an rvmexport whose name ends with .part loses that ending, and so
replaces an earlier result, when its pipeline has succeeded.

A thread of its own starts and stops each pipeline, because an element may take long for it (kernels are compiled) or for ever. The main thread
reads the messages, ten times a second. What streaming threads count is only ever written by one of them."""
import glob
import os
import signal
import sys
import threading
import time

import rvm_app
import rvm_source

AT_ONCE = 16
TICK = 0.1  # seconds
TIMEOUT = 30  # seconds without a picture, after which a video is given up
STOPPING = 20, 600  # seconds to stop in, before and after the first frame was analysed: then kernels may be written to the cache
stuck = False  # whether a pipeline has not stopped


class Progress:
    """One line on standard error that is written over on a terminal; elsewhere lines, seldom. Lines of note() stay."""

    def __init__(self):
        self.terminal, self.shown, self.last, self.begin = sys.stderr.isatty(), "", 0, time.monotonic()
        self.said = set()
        # What a process before this one has compiled is in the cache.
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self.compiled = bool(glob.glob(f"{glob.escape(cache)}/gst-rvm/*.bin"))

    def once(self, text):
        """A line of note() that several videos may give reason to."""
        if text not in self.said:
            self.said.add(text)
            self.note(text)

    def note(self, text):
        self.clear()
        print(f"{rvm_app.NAME}: {text}", file=sys.stderr, flush=True)

    def show(self, text):
        now = time.monotonic()
        if now - self.last < (0.2 if self.terminal else 5 if now - self.begin < 60 else 30):
            return
        if self.terminal:
            self.clear()
            self.shown = text[:(os.get_terminal_size(2).columns or 80) - 1]
            sys.stderr.write(self.shown)
            sys.stderr.flush()
        elif self.last or now - self.begin >= 5:
            print(text, file=sys.stderr, flush=True)
        else:
            return
        self.last = now

    def clear(self):
        if self.shown:
            sys.stderr.write("\r\033[K")
            self.shown = ""


def seconds(span):
    return f"{span:.1f} s" if span < 10 else f"{span:.0f} s" if span < 120 else f"{span / 60:.0f} min"


def about(name, error):
    """The sentence @error with the name of its video, if it has one."""
    if not name:
        return error
    return f"{error[:-2]}{name}" if error.endswith(" in it") else f"{name}: {error}"


def explain_no_video(missing=None):
    if missing and "protocol" in missing:
        return f"there is no element here for such addresses ({missing})"
    if missing:
        return f"there is no {missing} here (Debian's packages gstreamer1.0-libav, -plugins-bad and -plugins-ugly have decoders)"
    return "no video in it"


def explain(error, debug, source=None, missing=None):
    """One sentence. GStreamer's own is no help where a plugin only says that something did not work. @missing: what a message said is not installed."""
    from gi.repository import Gst

    if source and not source.linked and (missing or "not-linked" in (debug or "")):
        return explain_no_video(missing)
    if error.matches(Gst.stream_error_quark(), Gst.StreamError.TYPE_NOT_FOUND):
        return "no format of video that GStreamer knows"
    if error.message.startswith(("Internal data stream error", "GStreamer encountered a general")):
        last = (debug or "").strip().splitlines()[-1:] or [""]
        return f"{error.message.rstrip('.')} ({last[0].split(': ')[-1]})"
    return error.message.rstrip(".")


class Job:
    """A pipeline. After end(), `error` is a sentence or None."""

    def __init__(self, elements, name=None, frames=0, rate=(25, 1), timeout=TIMEOUT, progress=None):
        from gi.repository import GLib, Gst

        self.name, self.frames, self.rate, self.timeout, self.progress = name, frames, rate, timeout, progress or Progress()
        self.entered = self.analysed = self.idle = self.warnings = self.waited = 0
        self.source = self.video = self.error = self.rest = self.missing = self.thread = self.expected = None
        rvm_source.load_types()
        self.exact = True
        self.head = self.encode = None
        self.paused = self.playing = self.ended = self.interrupted = self.no_video = self.full = self.said = False
        words = elements if name is None else ["identity", "name=frames", "!", *elements]
        try:
            self.pipeline = Gst.parse_launchv(words)
        except GLib.Error as problem:
            self.end(problem.message)
            return
        except UnicodeError:
            self.end("a name among its results is not valid UTF-8, as GStreamer needs it")
            return
        self.bus = self.pipeline.get_bus()
        self.head = self.pipeline.get_by_name("frames")
        self.head.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self.on_frame)
        self.head.get_static_pad("sink").add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, self.on_event)
        self.encode = next((element for element in self.all_elements() if element.get_factory().get_name() == "rvmencode"), None)
        if self.encode:
            self.encode.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self.on_analysed)

    def all_elements(self):
        from gi.repository import Gst

        elements, found = self.pipeline.iterate_recurse(), []
        while True:
            result, element = elements.next()
            if result != Gst.IteratorResult.OK:
                return found
            found.append(element)

    # Streaming threads.

    def on_frame(self, pad, _):
        """The limit of frames: what a decoder still holds goes no further than here."""
        from gi.repository import Gst

        if self.full or self.interrupted or 0 < self.frames <= self.entered:
            if not self.full:
                self.full = True
                pad.push_event(Gst.Event.new_eos())
            return Gst.PadProbeReturn.DROP
        self.entered += 1
        return Gst.PadProbeReturn.OK

    def on_event(self, *_):
        """After the end that on_frame() made, events such as tags would be refused, which demuxers take for an error."""
        from gi.repository import Gst

        return Gst.PadProbeReturn.DROP if self.full else Gst.PadProbeReturn.OK

    def on_analysed(self, *_):
        from gi.repository import Gst

        self.analysed += 1
        return Gst.PadProbeReturn.OK

    def on_no_video(self):
        self.no_video = True

    # A thread of its own.

    def start(self, state=None):
        """Plays, or goes to another @state."""
        from gi.repository import Gst

        if self.ended:
            return

        self.paused = state is not None

        def play():
            self.pipeline.set_state(state or Gst.State.PLAYING)
            self.playing = True

        try:
            if self.name is not None:
                self.video = rvm_source.find(self.name)
                if isinstance(self.video, rvm_source.Videos):
                    raise rvm_source.Unusable(f"{self.name} has {len(self.video)} videos: name one of them")
                self.source = rvm_source.Source(self.pipeline, self.video, self.head.get_static_pad("sink"), self.rate, self.on_no_video)
        except rvm_source.Unusable as problem:
            self.end(str(problem), named=True)
            return
        self.thread = threading.Thread(target=play, daemon=True)
        self.begin = time.monotonic()
        self.thread.start()

    def stop(self):
        """A pipeline that does not stop has failed, because its results may be incomplete. The element that hangs is left alone, in its thread."""
        global stuck

        from gi.repository import Gst

        stopping = threading.Thread(target=lambda: self.pipeline.set_state(Gst.State.NULL), daemon=True)
        stopping.start()
        stopping.join(2)
        if stopping.is_alive() and self.analysed:
            self.progress.note("keeping the compiled kernels for the next time")
        stopping.join(STOPPING[bool(self.analysed)])
        if stopping.is_alive():
            stuck = True
            if self.error is None:
                self.end("it did not stop, so that its results may be incomplete")
        self.settle()

    def settle(self):
        """Files whose names end with .part replace earlier ones if they are complete; those of a run that had no frame are removed."""
        for element in self.all_elements():
            if element.get_factory().get_name() != "rvmexport":
                continue
            for name in ("location", "features-location", "class-location", "tracks-location", "events-location"):
                part = element.get_property(name) or ""
                if not part.endswith(".part") or not os.path.isfile(part):
                    continue
                result = part.removesuffix(".part")
                if self.error is None:
                    os.replace(part, os.path.realpath(result))
                elif not element.get_property("frames"):
                    os.unlink(part)
                else:
                    self.progress.note(f"{result} is kept; the first {element.get_property('frames')} frames of the new one are in {part}")

    # The main thread.

    def end(self, error=None, named=False):
        self.error = about(self.video.name if self.video else self.name, error) if error and not named else error
        self.ended = True

    def interrupt(self):
        self.interrupted = True
        self.rest = 5  # ticks: for a source that gives nothing more

    def busy(self):
        """Whether frames are still on their way through the model, so that it is not the source that one waits for."""
        return not self.playing or (self.encode is not None and self.analysed < self.entered)

    def tick(self):
        """What has happened since the last one."""
        from gi.repository import Gst

        kinds = Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.WARNING | Gst.MessageType.ELEMENT
        while not self.ended and (message := self.bus.pop_filtered(kinds)):
            self.on_message(message)
        if self.ended:
            return
        if self.no_video and not self.source.linked:
            self.end(explain_no_video(self.missing))
            return
        self.say()
        count = (self.entered, self.analysed)
        self.idle = 0 if count != self.waited or self.busy() else self.idle + 1
        self.waited = count
        if self.interrupted and not self.full and not self.busy() and self.idle >= self.rest:
            self.full = True
            threading.Thread(target=lambda: self.head.get_static_pad("src").push_event(Gst.Event.new_eos()), daemon=True).start()
        # Without a model in it, a pipeline may wait for the other end of a connection.
        if self.name and self.timeout and self.idle * TICK >= self.timeout and (self.encode or not self.entered) and not self.full and not self.paused:
            self.end(f"no {'more pictures' if self.entered else 'picture'} for {self.timeout} s" + (f" after {self.entered}" if self.entered else ""))

    def say(self):
        """What a person who waits for the first frame should know."""
        waited = time.monotonic() - self.begin
        if self.analysed or self.said:
            return
        if self.encode and self.busy() and waited > 0.5 and not self.progress.compiled:
            self.progress.once("compiling kernels for this computer, which is done once (about 15 s)")
        elif self.encode and self.busy() and waited > 4:
            self.progress.once("kernels may have to be compiled for this size of picture, which is done once (about 15 s)")
        elif self.name and not self.entered and not self.busy() and waited > 3:
            self.progress.note(f"waiting for pictures from {self.name}")
        else:
            return
        self.said = True

    def on_message(self, message):
        from gi.repository import Gst

        if message.type == Gst.MessageType.EOS:
            self.end(None if self.entered or self.interrupted else "no picture in it")
            self.check_length()
        elif message.type == Gst.MessageType.ERROR:
            self.end(explain(*message.parse_error(), self.source, self.missing))
        elif message.type == Gst.MessageType.WARNING:
            self.warnings += 1
            if self.warnings == 1:
                self.progress.note(f"warning: {self.name + ': ' if self.name else ''}{message.parse_warning()[0].message}")
        elif message.get_structure().get_name() == "missing-plugin":
            self.missing = message.get_structure().get_string("name")

    def check_length(self):
        """Warns of a file that was cut short: all its streams end before the duration that it says it has."""
        from gi.repository import Gst

        if not self.source or self.error or self.full or self.interrupted or self.video.pictures or not self.source.end:
            return
        known, duration = self.pipeline.query_duration(Gst.Format.TIME)
        if known and duration - self.source.end > Gst.SECOND // 2:
            self.progress.note(f"warning: {self.video.name} ended after {self.entered} frames ({seconds(self.source.end / 1e9)}) but should last "
                               f"{seconds(duration / 1e9)}: it seems to be cut short")

    def total(self):
        """How many frames there will be, or None. Asked for once frames come."""
        from gi.repository import Gst

        if self.expected is None and self.head:
            self.expected = self.source.total if self.source else None
            caps = self.head.get_static_pad("src").get_current_caps()
            if self.expected is None and self.source and caps:
                known, numerator, denominator = caps.get_structure(0).get_fraction("framerate")
                timed, duration = self.pipeline.query_duration(Gst.Format.TIME)
                if known and timed and numerator > 0 and duration > 0:
                    # The duration of a file is that of its longest stream, which may be the sound.
                    self.expected, self.exact = round(duration / 1e9 * numerator / denominator), False
            if self.frames and self.frames <= (self.expected or self.frames):
                self.expected, self.exact = self.frames, True
            self.expected = self.expected or 0
        return self.expected or None

    def done(self):
        return self.analysed if self.encode else self.entered


def describe(jobs, waiting, begin):
    """The line of progress of the jobs that run."""
    done = sum(job.done() for job in jobs)
    totals = [job.total() if job.done() or job.ended else None for job in jobs]
    elapsed = time.monotonic() - begin
    text = f"{done} of {sum(totals)} frames" if None not in totals and not waiting else f"{done} frames"
    if len(jobs) + waiting > 1:
        text = f"{sum(job.ended for job in jobs)} of {len(jobs) + waiting} videos, {text}"
    if elapsed > 0.3 and done:
        text += f", {done / elapsed:.1f} a second"
        if None not in totals and not waiting and sum(totals) > done:
            text += f", {seconds((sum(totals) - done) / done * elapsed)} left"
    return text


def run(jobs, progress=None):
    """Runs the @jobs, AT_ONCE at a time; returns them. A second Ctrl-C gives up at once."""
    progress = progress or Progress()
    waiting, running, over, began, ended = list(jobs), [], [], None, None
    interrupts, faults = 0, []

    def on_fault(kind, value, trace):
        """An exception in a callback, which GObject prints and forgets, is the end of the runs."""
        faults.append(f"a fault of this program, {kind.__name__}: {value}")
        hook(kind, value, trace)

    def on_signal(*_):
        nonlocal interrupts
        interrupts += 1
        if interrupts > 1:
            os._exit(130)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    hook, sys.excepthook = sys.excepthook, on_fault
    try:
        while waiting or running:
            while waiting and len(running) < AT_ONCE and not interrupts:
                running.append(waiting.pop(0))
                running[-1].start()
            if interrupts == 1 and not any(job.interrupted for job in running):
                progress.note("interrupted: what was seen until now is kept")
                waiting.clear()
                for job in running:
                    job.interrupt()
            for job in running:
                job.tick()
                if faults:
                    job.end(faults[0])
            if began is None and any(job.done() for job in running):
                began = time.monotonic()
                progress.note(announce(running + waiting))
            if began is not None:
                progress.show(describe(over + running, len(waiting), began))
            for job in [job for job in running if job.ended]:
                running.remove(job)
                over.append(job)
                ended = time.monotonic()
                if job.thread:
                    job.stop()
                if job.error and len(jobs) > 1:
                    progress.note(job.error)
            if running:
                time.sleep(TICK)
    finally:
        progress.clear()
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.excepthook = hook
    if began is not None and not all(job.error for job in over):
        done, elapsed = sum(job.done() for job in over), ended - began
        progress.note(f"{done} frames in {seconds(elapsed)}" + (f", {done / elapsed:.1f} a second" if elapsed > 1 else ""))
    return over


def announce(jobs):
    if len(jobs) > 1:
        return f"analysing {len(jobs)} videos"
    job = jobs[0]
    caps = (job.encode.get_static_pad("sink") if job.encode else job.head.get_static_pad("src")).get_current_caps().get_structure(0)
    what = f" {job.video.name}" if job.video else ""
    size = f"{caps.get_value('width')} x {caps.get_value('height')}"
    frames = f"{'' if job.exact else 'about '}{job.total()} frames of " if job.total() else ""
    return f"{'analysing' if job.encode else 'passing on'}{what}: {frames}{size}"


def report(jobs, progress):
    """The closing line; the exit status, which is how many failed."""
    failed = [job for job in jobs if job.error]
    if len(jobs) > 1 and failed:
        progress.note(f"{len(failed)} of {len(jobs)} videos failed: {', '.join(job.name for job in failed)}")
    elif failed:
        progress.note(failed[0].error)
    return min(len(failed), 100)


def leave(status):
    """The last thing that a program does. Where an element hangs in a thread, no ordinary exit is possible."""
    if stuck:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def play(name, elements, prepare=lambda pipeline: None, **options):
    """For the applications: one pipeline of @elements, a string, over the video @name. An error is raised as Unusable."""
    job = Job(elements.split(), name, **options)
    if job.error:
        raise rvm_source.Unusable(job.error)
    prepare(job.pipeline)
    run([job], job.progress)
    if job.error:
        raise rvm_source.Unusable(job.error)


def each(names, do):
    """do(name) for each of the @names, one after the other; a video that fails leaves the others. Returns the exit status: how many failed."""
    failed = []
    for name in names:
        try:
            do(name)
        except rvm_source.Unusable as problem:
            print(f"{rvm_app.NAME}: {problem}", file=sys.stderr)
            failed.append(name)
    if len(names) > 1 and failed:
        print(f"{rvm_app.NAME}: {len(failed)} of {len(names)} videos failed: {', '.join(failed)}", file=sys.stderr)
    return leave(min(len(failed), 100))


def main(words):
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import Gst

    Gst.init(None)
    options = {"--frames": "", "--rate": "", "--timeout": ""}
    while words and words[0] in options:
        options[words[0]] = words[1]
        words = words[2:]
    progress, jobs = Progress(), []
    try:
        shared = {"frames": int(options["--frames"] or 0), "rate": rvm_source.frame_rate(options["--rate"] or "25"),
                  "timeout": int(options["--timeout"] or TIMEOUT), "progress": progress}
        while words:
            if words[0] != "--input":
                jobs.append(Job(words, **shared))
                break
            end = words.index("--input", 1) if "--input" in words[1:] else len(words)
            jobs.append(Job(words[2:end], words[1], **shared))
            words = words[end:]
    except rvm_source.Unusable as problem:
        rvm_app.fail(problem)
    return leave(report(run(jobs, progress), progress))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
