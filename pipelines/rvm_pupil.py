"""The part of the pipelines of teach that learns: it keeps what rvmencode says of each frame, has a readout made of it, and puts rvmreadout behind it."""
import csv
import glob
import os
import sys

import gi

import rvm_app
import rvm_source
import rvm_teach

gi.require_version("Gst", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import Gst, GstRvm  # noqa: E402

Gst.init(None)
rvm_source.load_types()


class Pupil:
    """The part of a pipeline that learns, behind its rvmencode, and before the element that follows it. on_time(seconds) is called for each frame, from a
    streaming thread."""

    def __init__(self, pipeline, lesson, folder, on_time=lambda time: None):
        self.pipeline, self.lesson, self.folder, self.on_time = pipeline, lesson, folder, on_time
        self.history, self.readout, self.element, self.learnt, self.answer = rvm_teach.History(), None, None, 0, None
        self.encode = pipeline.get_by_name("encode")
        self.encode.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self.on_frame)

    @staticmethod
    def time_of(pad, buffer):
        """Where in the stream it is, in seconds."""
        segment = pad.get_sticky_event(Gst.EventType.SEGMENT, 0).parse_segment()
        return segment.to_stream_time(Gst.Format.TIME, buffer.pts) / Gst.SECOND if buffer.pts != Gst.CLOCK_TIME_NONE else None

    def on_frame(self, pad, info):
        features, time = GstRvm.buffer_get_features(info.get_buffer(), None), self.time_of(pad, info.get_buffer())
        if features and time is not None:
            self.history.add(features, time, self.lesson.stretches)
            self.on_time(time)
        return Gst.PadProbeReturn.OK

    def learn(self):
        """Raises Unready. What was learnt is what runs from the next frame on."""
        readout = rvm_teach.learn(self.history, self.lesson)
        self.learnt += 1
        path = os.path.join(self.folder, f"{self.learnt}.safetensors")
        readout.write(path)
        self.readout = readout
        if self.element:
            self.element.set_property("readout-file", path)
        else:
            self.insert(path)

    def insert(self, path):
        """Puts rvmreadout behind rvmencode, between two frames."""
        self.element = Gst.ElementFactory.make("rvmreadout")
        self.element.set_property("readout-file", path)
        self.element.set_property("background", rvm_teach.NOTHING)
        self.element.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self.on_answer)

        def between(pad, _):
            after = pad.get_peer()
            pad.unlink(after)
            self.pipeline.add(self.element)
            self.element.sync_state_with_parent()
            pad.link(self.element.get_static_pad("sink"))
            self.element.get_static_pad("src").link(after)
            return Gst.PadProbeReturn.REMOVE

        self.encode.get_static_pad("src").add_probe(Gst.PadProbeType.IDLE, between)

    def on_answer(self, _, info):
        self.answer = GstRvm.buffer_get_readout(info.get_buffer(), None)
        return Gst.PadProbeReturn.OK

    def save(self, output, video):
        """Writes what was learnt and, of the file @video, what was held; each has its name once it is whole."""
        self.readout.write(f"{output}.part")
        os.replace(f"{output}.part", output)
        if video is None:
            return
        table = f"{output.removesuffix('.safetensors')}.csv"
        with open(f"{table}.part", "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["file", "start", "end", "class"])
            rows.writerows([os.path.abspath(video), f"{start:.3f}", f"{end:.3f}", name] for start, end, name in sorted(self.lesson.stretches))
        os.replace(f"{table}.part", table)


def file_of(video):
    """The @video, if it is a file, whose times mean something to others."""
    return video if video and os.path.isfile(video) else None


def find_camera(camera):
    """Elements that deliver its picture, without waiting where the model is slower."""
    camera = camera or next(iter(sorted(glob.glob("/dev/video*"))), None)
    if camera is None:
        print(f"{rvm_app.NAME}: there is no camera: this is the test picture", file=sys.stderr)
    source = f"v4l2src device={camera} ! decodebin" if camera else "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=25/1"
    return f"{source} ! videoconvert ! queue leaky=downstream max-size-buffers=1 !"
