"""A short clip for the tests of pipelines/: real video (vtest.avi of Debian's opencv-doc, which pipelines/common.sh fetches once), or where that
cannot be had, the clip that tests/gst/rendered_clip.py draws. Says which."""
import os
import pathlib
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PIPELINES = HERE.parents[1] / "pipelines"
sys.path.insert(0, str(HERE.parent / "gst"))
import rendered_clip  # noqa: E402

WIDTH, HEIGHT, FRAMES = 192, 144, 12


def gst(*elements, **options):
    return subprocess.run(["gst-launch-1.0", "-q", "-e", *elements], check=True, **options)


def raw_source(width, height):
    """Elements that make video of the RGB bytes on their standard input."""
    return ["fdsrc", "!", "rawvideoparse", "format=rgb", f"width={width}", f"height={height}", "framerate=10/1"]


def source():
    """Elements that deliver the video in its own size, and what it is."""
    try:
        command = ["bash", "-c", f"source {PIPELINES}/common.sh; rvm_sample"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=150)
    except subprocess.TimeoutExpired:
        found = None
    if found and found.returncode == 0:
        return ["filesrc", f"location={found.stdout.strip()}", "!", "decodebin"], "vtest.avi of opencv-doc"
    return None, "a rendered clip, because vtest.avi of opencv-doc cannot be fetched"


def pictures(frames=FRAMES, effect=()):
    """The first @frames of it as bytes of RGB, WIDTH x HEIGHT, after the elements @effect."""
    elements, what = source()
    rest = ["!", "videoconvert", "!", *effect, "videoscale", "!", "videoconvert", "!",
            f"video/x-raw,format=RGB,width={WIDTH},height={HEIGHT},pixel-aspect-ratio=1/1", "!", "fdsink"]
    if elements:
        raw = gst(*elements, "!", "identity", f"eos-after={frames + 1}", *rest, stdout=subprocess.PIPE).stdout
    else:
        drawn, _ = rendered_clip.render()
        repeated = b"".join(drawn[i % len(drawn)].tobytes() for i in range(frames))
        raw = gst(*raw_source(rendered_clip.WIDTH, rendered_clip.HEIGHT), *rest, input=repeated, stdout=subprocess.PIPE).stdout
    raw = raw[: frames * WIDTH * HEIGHT * 3]
    assert len(raw) == frames * WIDTH * HEIGHT * 3, (len(raw), frames)
    print(f"{frames} frames: {what}")
    return raw


def make(path, frames=FRAMES, effect=(), raw=None):
    """Writes them (or the pictures @raw) as Motion JPEG."""
    gst(*raw_source(WIDTH, HEIGHT), "!", "videoconvert", "!", "jpegenc", "quality=95", "!", "avimux", "!", "filesink", f"location={path}",
        input=raw or pictures(frames, effect))
    return path


def frames_of(path):
    """The pictures of a file of video, as bytes of RGB."""
    import numpy as np

    raw = gst("filesrc", f"location={path}", "!", "decodebin", "!", "videoconvert", "!", "video/x-raw,format=RGB", "!", "fdsink",
              stdout=subprocess.PIPE).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)


def run(script, *arguments, build, status=0, **options):
    done = subprocess.run([PIPELINES / script, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, "RVM_BUILD": build},
                          timeout=400, **options)
    assert done.returncode == status, (script, arguments, done.returncode, done.stdout[-1000:], done.stderr[-3000:])
    return done.stdout if status == 0 else done.stderr


def interrupt_when(process, ready):
    """Ctrl-C, as a terminal sends it to a process and its children, once ready() holds."""
    end = time.monotonic() + 200
    while not ready():
        assert time.monotonic() < end and process.poll() is None, (process.args, "is not ready")
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
