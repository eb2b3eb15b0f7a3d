#!/usr/bin/env python3
"""test_alone.py MODEL: an element that reads what another one attaches, without that one before it, says so in one warning on the bus after a few
frames, also in a pipeline that never ends, and no more at the end. Sizes that cannot be: `stats` shows what they became."""
import sys
import tempfile

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

Gst.init(None)
MODEL = f'rvmencode model-file="{sys.argv[1]}"'
VIDEO = "video/x-raw,width=96,height=64,framerate=100/1"
failed = 0


def run(description, end, seconds=60):
    """Warnings until the end of the stream (@end) or, of a live pipeline, until one came and half a second more; and stats, if there are any."""
    pipeline = Gst.parse_launch(description)
    bus, warnings, wanted = pipeline.get_bus(), [], Gst.MessageType.ERROR | Gst.MessageType.EOS | Gst.MessageType.WARNING
    pipeline.set_state(Gst.State.PLAYING)
    timeout = seconds * Gst.SECOND
    while message := bus.timed_pop_filtered(timeout, wanted):
        if message.type == Gst.MessageType.ERROR:
            raise SystemExit(f"{description}: {message.parse_error()}")
        if message.type == Gst.MessageType.EOS:
            break
        warnings.append(message.parse_warning()[0].message)
        timeout = timeout if end else Gst.SECOND // 2
    encoder = pipeline.get_by_name("encoder")
    stats = encoder.get_property("stats") if encoder else None
    pipeline.set_state(Gst.State.NULL)
    return warnings, stats


def check(name, good, seen):
    global failed
    failed += not good
    print(f"{'ok' if good else 'WRONG'} {name}: {seen}", flush=True)


def expect(name, description, parts, end=True):
    warnings, _ = run(description, end)
    check(name, len(warnings) == (1 if parts else 0) and all(part in warnings[0] for part in parts), warnings)


with tempfile.TemporaryDirectory() as folder:
    features, tracks = ["no features", "rvmencode"], ["no tracks", "rvmtrack"]
    export = f'rvmexport location="{folder}/lines"'
    for element in "rvmtrack points=10,10", "rvmoverlay", export:
        expect(f"{element}, live", f"videotestsrc is-live=true ! {VIDEO} ! {element} ! fakesink", features + ["5 frames"], end=False)
        expect(f"{element}, to the end", f"videotestsrc num-buffers=20 ! {VIDEO} ! {element} ! fakesink", features)
        expect(f"{element}, a short video", f"videotestsrc num-buffers=2 ! {VIDEO} ! {element} ! fakesink", features)
        expect(f"{element}, features", f"videotestsrc num-buffers=8 ! {VIDEO} ! {MODEL} interval=3 ! {element} ! fakesink", [])
        expect(f"{element}, output empty", f"videotestsrc num-buffers=8 ! {VIDEO} ! {MODEL} output=0 ! {element} ! fakesink", features + ["output"])
    for setting in f'tracks-location="{folder}/t"', f'masks-location="{folder}/%05d.png"':
        expect(f"rvmexport {setting}, live", f"videotestsrc is-live=true ! {VIDEO} ! {MODEL} ! rvmexport {setting} ! fakesink", tracks, end=False)
        expect(f"rvmexport {setting}, to the end", f"videotestsrc num-buffers=2 ! {VIDEO} ! {MODEL} ! rvmexport {setting} ! fakesink", tracks)
        expect(f"rvmexport {setting}, tracks", f"videotestsrc num-buffers=8 ! {VIDEO} ! {MODEL} ! rvmtrack ! rvmexport {setting} ! fakesink", [])

# Patches of 16 pixels, pictures of 96 x 64.
for settings, width, height in (("", 96, 64), ("size=5", 16, 16), ("size=1", 16, 16), ("size=16", 32, 16), ("size=40", 64, 48), ("width=5", 16, 16),
                                ("height=5", 16, 16), ("width=5 height=5", 16, 16), ("width=40 height=23", 48, 16), ("height=24", 32, 32)):
    _, stats = run(f"videotestsrc num-buffers=1 ! {VIDEO} ! {MODEL} name=encoder {settings} ! fakesink", True)
    seen = stats.get_value("analysis-width"), stats.get_value("analysis-height")
    check(f"'{settings}'", seen == (width, height), seen)
unused = Gst.parse_launch(MODEL)
check("before the first frame", (unused.get_property("stats").get_value("analysis-width"), unused.get_property("stats").get_value("analysis-height")) == (0, 0), "")
sys.exit(bool(failed))
