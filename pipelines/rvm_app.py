"""Shared by the Python applications of this folder: their environment, and a pipeline's run."""
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's gi and numpy


def enter(packages=""):
    """Starts the application again under with-rvm, which installs, builds and sets paths, unless that was done."""
    if "RVM_PREPARED" not in os.environ:
        if packages:
            os.environ["RVM_PACKAGES"] = packages
        os.execv(HERE / "with-rvm", ["with-rvm", PYTHON, *sys.argv])


def fail(message):
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {message}")


def video_file(name):
    if not os.path.isfile(name):
        fail(f"no such file: {name}")
    return os.path.abspath(name)


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


def run(pipeline, enough=lambda: False):
    """Plays to the end of the video, until enough() or until Ctrl-C, which ends the video early. An error ends the application."""
    from gi.repository import Gst

    bus, ended = pipeline.get_bus(), False
    pipeline.set_state(Gst.State.PLAYING)
    while True:
        try:
            message = bus.timed_pop_filtered(100 * Gst.MSECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
            if not ended and enough():
                ended = pipeline.send_event(Gst.Event.new_eos())
        except KeyboardInterrupt:
            print("interrupted: what was seen until now is kept", file=sys.stderr)
            ended = pipeline.send_event(Gst.Event.new_eos())
            continue
        if message is not None:
            pipeline.set_state(Gst.State.NULL)
            if message.type == Gst.MessageType.ERROR:
                error, _ = message.parse_error()
                fail(error.message)
            return
