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
    meta = GstRvm.buffer_get_feature_meta(buffer)
    frames.append((meta.rows, meta.columns, meta.dim, sum(x * x for x in array.array("f", meta.get_class_token().get_data()))))


pipeline.get_by_name("sink").connect("handoff", handle)
pipeline.set_state(Gst.State.PLAYING)
message = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.ERROR | Gst.MessageType.EOS)
pipeline.set_state(Gst.State.NULL)
assert message.type == Gst.MessageType.EOS, message.parse_error()
assert len(frames) == 5
for rows, columns, dim, square in frames:
    print(f"{rows} x {columns} patches of {dim}, class token's norm squared {square:.6g}")
