"""What an argument VIDEO means, and the elements that read it.

find() turns the argument into a Video, or raises Unusable with one sentence that says why not: a file, an address (http://, rtsp://, file://), "-" for
standard input, pictures that are frames (a pattern such as frame_%05d.png, a glob such as 'frames/*.png', or a folder of them), or the videos
of a folder (Videos). It needs no GStreamer, so that a wrong name is told before anything is installed or built. Source puts the elements into a
pipeline. Pictures go through an appsrc, because GStreamer's own sources of sequences end silently at the first number that is missing; animated
GIFs too, because avdemux_gif never ends (it hands libav 0 bytes at the end of the file, which libav takes for "try again")."""
import glob
import os
import pathlib
import re
import stat
import struct
import sys
import urllib.parse

PICTURES = ("png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp", "pgm", "ppm", "pnm")
VIDEOS = ("mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mts", "m2ts", "flv", "wmv", "ogv", "3gp", "mxf", "y4m", "gif")


class Unusable(Exception):
    """The argument names nothing that can be read; its text is a sentence for the user."""


class Video:
    """One video: `name` as the user gave it, and either `uri` or `pictures`, a list of files."""

    def __init__(self, name, uri=None, pictures=None):
        self.name, self.uri, self.pictures = name, uri, pictures
        local = uri and uri.startswith("file://")
        self.path = os.fsdecode(urllib.parse.unquote_to_bytes(uri[len("file://"):])) if local else None
        self.gif = bool(self.path) and os.path.isfile(self.path) and open(self.path, "rb").read(4) == b"GIF8"


class Videos(list):
    """The names of the videos of a folder, in order. Each is for find() again, so that a damaged one costs none of the others."""


def ending(path):
    return os.path.splitext(path)[1][1:].lower()


def in_order(paths):
    """By name, with numbers in the order of numbers."""
    return sorted(paths, key=lambda path: [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", path)])


def check_file(name, path):
    """That a file can be read and is not empty: GStreamer may wait forever for the type of an empty one."""
    if not os.path.exists(path):
        raise Unusable(f"no such file: {name}")
    if not os.access(path, os.R_OK):
        raise Unusable(f"{name} cannot be read: permission denied")
    if stat.S_ISREG(os.stat(path).st_mode) and os.path.getsize(path) == 0:
        raise Unusable(f"{name} is empty")


def from_files(name, paths):
    """A sequence of pictures, or videos."""
    pictures = in_order(path for path in paths if ending(path) in PICTURES)
    videos = in_order(path for path in paths if ending(path) in VIDEOS)
    if pictures and videos:
        raise Unusable(f"{name} has {len(pictures)} pictures and {len(videos)} videos: a pattern such as '{os.path.dirname(pictures[0])}/*.{ending(pictures[0])}'"
                       " says which are meant")
    if not pictures and not videos:
        raise Unusable(f"there are no videos or pictures in {name}")
    return Video(name, pictures=pictures) if pictures else Videos(videos)


def numbered(name):
    """The files of a pattern such as frame_%05d.png, in the order of their numbers."""
    folder, pattern = os.path.split(name)
    before, width, after = re.fullmatch(r"(.*)%(0\d+)?d(.*)", pattern).groups()
    found = {}
    for entry in os.listdir(folder or ".") if os.path.isdir(folder or ".") else []:
        number = entry[len(before):len(entry) - len(after)]
        if entry.startswith(before) and entry.endswith(after) and number.isdigit() and pattern % int(number) == entry:
            found[int(number)] = os.path.join(folder, entry)
    if not found:
        raise Unusable(f"no such files: {name}")
    return Video(name, pictures=[found[number] for number in sorted(found)])


def from_standard_input():
    if sys.stdin is None or sys.stdin.closed:
        raise Unusable("- is standard input, which is closed")
    if os.isatty(0):
        raise Unusable("- is standard input, which is a terminal: give it a video, as in: cat video.webm | ... -")
    # A file can be read from any place, which some formats need, a pipe only from beginning to end.
    regular = stat.S_ISREG(os.fstat(0).st_mode)
    if regular and os.fstat(0).st_size == 0:
        raise Unusable("standard input is empty")
    return Video("standard input", uri="file:///dev/stdin" if regular else "fd://0")


def find(name):
    """A Video or Videos for the argument @name. An existing file goes before a pattern of the same name."""
    if name == "-":
        return from_standard_input()
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", name):
        if not name.startswith("file://"):
            return Video(name, uri=name)
        path = os.fsdecode(urllib.parse.unquote_to_bytes(urllib.parse.urlsplit(name).path))
        check_file(name, path)
        return Video(name, uri=pathlib.Path(path).as_uri())
    if os.path.isdir(name):
        return from_files(name, [entry.path for entry in os.scandir(name) if not entry.name.startswith(".")])
    if not os.path.lexists(name):
        if re.search(r"%(0\d+)?d", os.path.basename(name)) and os.path.basename(name).count("%") == 1:
            return numbered(name)
        if re.search(r"[*?[]", name):
            paths = glob.glob(name)
            if not paths:
                raise Unusable(f"no such files: {name}")
            return from_files(name, paths)
    check_file(name, name)
    return Video(name, uri=pathlib.Path(os.path.abspath(name)).as_uri())


def frame_rate(text):
    """--rate: "25", "29.97" or "30000/1001" as a pair of whole numbers."""
    match = re.fullmatch(r"(\d{1,6})(?:/(\d{1,6})|\.(\d{1,3}))?", text)
    numerator, denominator = (int(match[1]), int(match[2] or 1)) if match else (0, 1)
    if match and match[3]:
        denominator = 10 ** len(match[3])
        numerator = numerator * denominator + int(match[3])
    if numerator < 1 or denominator < 1:
        raise Unusable(f"--rate is frames a second, such as 25 or 30000/1001, not '{text}'")
    return numerator, denominator


def gif_frames(name, data):
    """The frames of an animated GIF as (bytes, nanoseconds), the header with the first, and the size of the picture."""
    def broken():
        return Unusable(f"{name} is cut short or damaged: its GIF frames end before the end mark")

    def blocks(at):
        """Past the blocks of data at @at, which an empty one ends."""
        while data[at]:
            at += data[at] + 1
        return at + 1

    try:
        width, height, flags = struct.unpack_from("<HHB", data, 6)
        at = begin = 0
        at = 13 + (3 << (flags & 7) + 1 if flags & 128 else 0)
        frames, duration = [], 100_000_000
        while data[at] != 0x3B:
            if data[at] == 0x21:
                if data[at + 1] == 0xF9:
                    # Browsers, too, show frames that ask for less than 0.02 s for 0.1 s.
                    delay = struct.unpack_from("<H", data, at + 4)[0]
                    duration = delay * 10_000_000 if delay > 1 else 100_000_000
                at = blocks(at + 2)
            elif data[at] == 0x2C:
                at = blocks(at + 11 + (3 << (data[at + 9] & 7) + 1 if data[at + 9] & 128 else 0))
                if at > len(data):
                    raise broken()
                frames.append((data[begin:at], duration))
                begin = at
            else:
                raise broken()
    except (IndexError, struct.error):
        if not frames:
            raise broken() from None
    return frames, width, height


def load_types():
    """PyGObject makes the class of a GStreamer type when it is first needed. Where two streaming threads need it at once, one of them may get a class without
    fields, for good ("'Buffer' object has no attribute 'pts'"). So they are made here, before there are such threads."""
    from gi.repository import Gst

    for name in ("Buffer", "Caps", "Element", "Event", "FlowReturn", "MapInfo", "Message", "Pad", "PadProbeInfo", "PadProbeReturn", "Query", "Sample", "Segment",
                 "Structure"):
        getattr(Gst, name)


class Source:
    """The elements that read a Video, in @pipeline, with its first video stream on the pad @sink. What is heard or read beside it is not decoded, but
    its times are watched: `end` is how far any stream of the file got, which tells a file that was cut short from one whose picture ends before its
    sound. on_no_video() is called, from a streaming thread, when there is none."""

    def __init__(self, pipeline, video, sink, rate=(25, 1), on_no_video=lambda: None):
        self.pipeline, self.video, self.sink, self.on_no_video = pipeline, video, sink, on_no_video
        self.end, self.linked, self.total, self.reading, self.elements = 0, False, None, None, []
        if video.pictures:
            self.total = len(video.pictures)
            self.push_from(self.pictures(rate))
        elif video.gif:
            with open(video.path, "rb") as file:
                frames, width, height = gif_frames(video.name, file.read())
            self.total = len(frames)
            self.push_from(self.gif_pictures(frames, width, height))
        else:
            self.decode("uridecodebin", uri=video.uri)

    def add(self, factory, **properties):
        from gi.repository import Gst

        element = Gst.ElementFactory.make(factory)
        if element is None:
            raise Unusable(f"GStreamer's element {factory} is missing, which reads {self.video.name}")
        for name, value in properties.items():
            element.set_property(name, value)
        self.pipeline.add(element)
        self.elements.append(element)
        return element

    def decode(self, factory, **properties):
        bin = self.add(factory, **properties)
        bin.connect("autoplug-continue", self.on_continue)
        bin.connect("pad-added", self.on_pad)
        bin.connect("no-more-pads", lambda _: self.linked or self.on_no_video())
        return bin

    @staticmethod
    def on_continue(_, pad, caps):
        """Whether to decode a stream: only those of a demuxer that are no video are left as they are."""
        element = pad.get_parent_element()
        demuxed = element and "Demux" in element.get_factory().get_metadata("klass")
        return not demuxed or not caps.get_structure(0).get_name().startswith(("audio/", "text/", "subpicture/", "application/x-ass", "application/x-ssa"))

    def on_pad(self, _, pad):
        from gi.repository import Gst

        # Pads that nobody links are fine for a demuxer, and their buffers are seen all the same.
        pad.add_probe(Gst.PadProbeType.BUFFER, self.on_buffer)
        caps = pad.get_current_caps() or pad.query_caps()
        if caps.get_structure(0).get_name() == "video/x-raw" and not self.sink.is_linked():
            self.linked = pad.link(self.sink) == Gst.PadLinkReturn.OK

    def on_buffer(self, _, info):
        from gi.repository import Gst

        buffer = info.get_buffer()
        if buffer.pts != Gst.CLOCK_TIME_NONE:
            self.end = max(self.end, buffer.pts + (buffer.duration if buffer.duration != Gst.CLOCK_TIME_NONE else 0))
        return Gst.PadProbeReturn.OK

    def pictures(self, rate):
        """(bytes, nanoseconds, caps) of each picture, which must be of one kind: they are one stream."""
        import gi

        gi.require_version("GstBase", "1.0")
        from gi.repository import GstBase

        first = None
        for path in self.video.pictures:
            self.reading = path
            check_file(path, path)
            with open(path, "rb") as file:
                data = file.read()
            caps, _ = GstBase.type_find_helper_for_data(None, data)
            kind = caps.get_structure(0).get_name() if caps else None
            first = first or kind
            if kind is None or kind.split("/")[0] != "image" or kind != first:
                raise Unusable(f"{path} is {kind or 'of no known kind'}, expected {'a picture' if kind == first else f'{first} like the ones before it'}")
            yield data, 1_000_000_000 * rate[1] // rate[0], f"{kind}, framerate={rate[0]}/{rate[1]}"

    @staticmethod
    def gif_pictures(frames, width, height):
        """(bytes, nanoseconds, caps) of each frame, decoded. In a pipeline of its own, because avdec_gif gives all frames the time of the first."""
        from gi.repository import Gst

        pipeline = Gst.parse_launch(f"appsrc name=packets format=time max-bytes=0 caps=image/gst-libav-gif,parsed=true,width={width},height={height} ! avdec_gif"
                                    " ! appsink name=pictures sync=false max-buffers=2")
        packets, pictures = pipeline.get_by_name("packets"), pipeline.get_by_name("pictures")
        pipeline.set_state(Gst.State.PLAYING)
        for data, _ in frames:
            packets.emit("push-buffer", Gst.Buffer.new_wrapped(data))
        packets.emit("end-of-stream")
        mean = max(1, sum(duration for _, duration in frames) // max(1, len(frames)) // 1_000_000)
        for _, duration in frames:
            sample = pictures.emit("pull-sample")
            if sample is None:
                break
            buffer, caps = sample.get_buffer(), sample.get_caps().to_string()
            yield buffer.extract_dup(0, buffer.get_size()), duration, re.sub(r"framerate=\(fraction\)\d+/\d+", f"framerate=(fraction)1000/{mean}", caps)
        pipeline.set_state(Gst.State.NULL)

    def push_from(self, frames):
        """An appsrc with the (bytes, nanoseconds, caps) of @frames, and what decodes them."""
        import gi

        gi.require_version("GstApp", "1.0")
        from gi.repository import GLib, Gst, GstApp  # noqa: F401

        source = self.add("appsrc", format=Gst.Format.TIME)
        time = 0

        def push(*_):
            nonlocal time
            try:
                data, duration, caps = next(frames, (None, 0, None))
            except (Unusable, OSError) as error:
                problem = GLib.Error.new_literal(Gst.resource_error_quark(), str(error), Gst.ResourceError.READ)
                source.post_message(Gst.Message.new_error(source, problem, ""))
                data = None
            if data is None:
                source.emit("end-of-stream")
                return
            if time == 0:
                source.set_property("caps", Gst.Caps.from_string(caps))
            buffer = Gst.Buffer.new_wrapped(data)
            buffer.pts, buffer.duration = time, duration
            time += duration
            source.emit("push-buffer", buffer)

        source.connect("need-data", push)
        if self.video.gif:
            source.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self.on_buffer)
            self.linked = source.get_static_pad("src").link(self.sink) == Gst.PadLinkReturn.OK
        else:
            source.link(self.decode("decodebin"))

    def remove(self):
        """Takes the elements out of a pipeline that is stopped."""
        from gi.repository import Gst

        for element in self.elements:
            element.set_state(Gst.State.NULL)
            self.pipeline.remove(element)


def main():
    """rvm_source.py VIDEO, for the scripts: prints the videos of a folder, each ended by a zero byte, and nothing for a single video."""
    try:
        found = find(sys.argv[1])
    except Unusable as problem:
        sys.exit(f"{os.environ.get('RVM_SCRIPT', 'rvm_source.py')}: {problem}")
    if isinstance(found, Videos):
        sys.stdout.buffer.write(b"".join(os.fsencode(path) + b"\0" for path in found))


if __name__ == "__main__":
    main()
