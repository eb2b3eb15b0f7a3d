#!/usr/bin/python3
"""rvm_still.py FILE NANOSECONDS WIDTH HEIGHT: writes the upright picture of FILE that is shown at a time, as a JPEG to standard output."""
import os
import sys
import urllib.parse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # noqa: E402,F401

WAIT = 20 * Gst.SECOND
path, time, (width, height) = os.fsencode(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]


class NoPicture(Exception):
    pass


def find(pipeline):
    """The last picture that is not after @time."""
    sink, last = pipeline.get_by_name("sink"), None
    pipeline.set_state(Gst.State.PAUSED)
    if pipeline.get_state(WAIT)[0] != Gst.StateChangeReturn.SUCCESS:
        raise NoPicture("the file cannot be decoded")
    # Some containers cannot seek: then what comes before is decoded.
    if time > 0 and pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE, time):
        pipeline.get_state(WAIT)
    pipeline.set_state(Gst.State.PLAYING)
    while sample := sink.try_pull_sample(WAIT):
        if last and sample.get_buffer().pts > time:
            break
        last = sample
        if sample.get_buffer().pts >= time:
            break
    if last is None:
        raise NoPicture("there is none at that time")
    return last.get_buffer()


Gst.init(None)
# JPEG has the full range of levels, to which videoconvert brings YUV only by way of RGB.
pipeline = Gst.parse_launch("uridecodebin name=source ! videoconvert ! videoflip video-direction=auto ! videoscale "
                            f"! video/x-raw,width={width},height={height},pixel-aspect-ratio=1/1 ! videoconvert ! video/x-raw,format=BGRx ! videoconvert "
                            "! video/x-raw,format=I420,colorimetry=1:4:0:0 ! jpegenc ! appsink name=sink sync=false max-buffers=1")
pipeline.get_by_name("source").set_property("uri", "file://" + urllib.parse.quote(os.path.abspath(path)))
said = None
try:
    picture = find(pipeline)
    sys.stdout.buffer.write(picture.extract_dup(0, picture.get_size()))
    sys.stdout.flush()
except NoPicture as problem:
    message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    said = f"no picture: {message.parse_error()[0].message if message else problem}"
pipeline.set_state(Gst.State.NULL)
sys.exit(said)
