#!/usr/bin/python3
"""What a Python application does: features read off buffers through introspection."""
import array

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRvm", "1.0")
from gi.repository import Gst, GstRvm  # noqa: E402

Gst.init(None)
pipeline = Gst.parse_launch("videotestsrc num-buffers=5 ! rvmencode size=64 ! fakesink name=sink signal-handoffs=true")
frames = []


def handle(sink, buffer, pad):
    frames.append(GstRvm.buffer_get_features(buffer))  # stays valid when the buffer is gone


pipeline.get_by_name("sink").connect("handoff", handle)
pipeline.set_state(Gst.State.PLAYING)
message = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.ERROR | Gst.MessageType.EOS)
pipeline.set_state(Gst.State.NULL)
assert message.type == Gst.MessageType.EOS, message.parse_error()
assert len(frames) == 5
for features in frames:
    square = sum(x * x for x in array.array("f", features.get_class_token().get_data()))
    print(f"{features.rows} x {features.columns} patches of {features.dim}, class token's norm squared {square:.6g}")
