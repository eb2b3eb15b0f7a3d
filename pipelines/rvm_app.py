"""Shared by the Python applications of this folder: their name, environment and arguments. rvm_run.py plays their pipelines."""
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys

import rvm_source

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's gi and numpy
NAME = os.environ.get("RVM_SCRIPT") or pathlib.Path(sys.argv[0]).name


def enter(packages=""):
    """Starts the application again under with-rvm, which installs, builds and sets paths, unless that was done."""
    sys.stdout.reconfigure(errors="surrogateescape")  # names of files are bytes
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as other programs end in front of head
    if "RVM_PREPARED" not in os.environ:
        if packages:
            os.environ["RVM_PACKAGES"] = packages
        os.execv(HERE / "with-rvm", ["with-rvm", PYTHON, *sys.argv])


def fail(message):
    sys.exit(f"{NAME}: {message}")


def add_options(parser, size, without=None):
    """The VIDEO, which may be left out where @without says what there is then, and the options that every application has. @size: the default of --size; 0:
    that of a readout."""
    parser.add_argument("video", nargs="?" if without else None,
                        help="a file, an address, - for standard input, pictures in order (frame_%%05d.png, 'frames/*.png' or their folder), or a folder"
                        " of videos" + (f" (without: {without})" if without else ""))
    parser.add_argument("--size", type=int, default=size or None, metavar="PIXELS",
                        help=f"shorter side of the picture that the model sees ({size or 'the size at which the readout was taught'})")
    parser.add_argument("--model", metavar="FILE", help="other weights than the bundled ones")
    parser.add_argument("--rate", default="25", metavar="R", help="frames a second of a video that is pictures (25)")


def check_options(parser, args):
    """Before anything is installed or built."""
    if args.size is not None and args.size < 1:
        parser.error("--size is 1 or more")
    try:
        args.rate = rvm_source.frame_rate(args.rate)
    except rvm_source.Unusable as problem:
        parser.error(str(problem))
    if args.video:
        args.video = video_file(args.video)
    if args.model:
        args.model = weights_file(args.model)


def video_file(name):
    """The VIDEO as it was given, if something is there."""
    videos(name)
    return name


def weights_file(name):
    """The file that --model names, or that fetch-weights has downloaded under the name of a published model (small16, ...)."""
    if not os.path.isfile(name) and re.fullmatch("(small|base|large|huge)16", name):
        found = subprocess.run([HERE / "fetch-weights", "--where", name], stdout=subprocess.PIPE, text=True)
        if found.returncode:
            sys.exit(found.returncode)
        return found.stdout.rstrip("\n")
    if not os.path.isfile(name):
        fail(f"no such file: {name}")
    return os.path.abspath(name)


def read_readout(name):
    """What the file of a readout says about itself."""
    try:
        with open(name, "rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            return json.loads(file.read(min(size, 1 << 24)))["__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, struct.error) as problem:
        fail(f"{name} is no readout: {problem.strerror if isinstance(problem, OSError) else 'expected a .safetensors file of rvm-cl-train readout'}")


class Events:
    """The events that the answers of a readout carry, as lines of CSV: each when it has ended."""

    def __init__(self, rows, classes, columns=()):
        self.rows, self.classes, self.columns, self.current, self.last = rows, classes, columns, None, 0

    def see(self, answer, pts):
        if self.current and (answer.event_class, answer.event_start) != self.current[:2]:
            self.end(pts)
        if answer.event_class:
            self.current = (answer.event_class, answer.event_start, max(answer.event_confidence, self.current[2] if self.current else 0))
        self.last = pts

    def end(self, time=None):
        """The one that goes on, if there is one, ends: at @time, or with the frame seen last."""
        if self.current:
            index, start, confidence = self.current
            time = self.last if time is None else time
            self.rows.writerow([*self.columns, f"{start / 1e9:.3f}", f"{time / 1e9:.3f}", self.classes[index - 1], f"{confidence:.3f}"])
            sys.stdout.flush()
        self.current = None


def videos(name):
    """The names of the videos that VIDEO means: those of a folder, or itself."""
    try:
        found = rvm_source.find(name)
    except rvm_source.Unusable as problem:
        fail(problem)
    return list(found) if isinstance(found, rvm_source.Videos) else [name]


def inputs(video, model=None):
    """The files that the VIDEO and --model name."""
    found = rvm_source.find(video) if video else None
    files = [*(found if isinstance(found, rvm_source.Videos) else (found.pictures or [found.path]) if found else []), model]
    return [file for file in files if file and os.path.isfile(file)]


def new_file(name, overwrite, reads=()):
    """A result is not written over an earlier one unasked, and never over a file that the application @reads, whatever its name."""
    if name and os.path.exists(name) and any(os.path.samefile(name, file) for file in reads):
        fail(f"{name} is what this run reads: --output names another place for the result")
    if name and os.path.exists(name) and not overwrite:
        fail(f"{name} exists: --overwrite replaces it, another name keeps it")
    folder = os.path.dirname(name or "") or "."
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        fail(f"{name} cannot be written: {folder} is {'read-only' if os.path.isdir(folder) else 'no folder'}")


def need_display(instead):
    """Before a window: GTK and GStreamer's sinks are no help without a display, some of them crash."""
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        fail(f"there is no display for a window: {instead}")
