"""What pipelines/browse shows of an archive: its videos, their timelines as pictures, stills, and what is near a moment. Reads the archive only, each time anew,
so that it may be written meanwhile. Videos are known by their number; a file is read only if it is still the one that was recorded."""
import collections
import contextlib
import json
import os
import re
import sqlite3
import stat
import struct
import subprocess
import sys
import threading
import urllib.parse
import zlib

import numpy as np

import rvm_app

APPLICATION, SCHEMA = 0x52564D41, 2
WIDTH = 1000  # pixels of a timeline
SAMPLE_FILES, SAMPLE_MOMENTS = 200, 100  # that the colours of timelines are chosen by
SECOND = 1000000000
# As g_strescape() writes them.
ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 92: "\\\\"}
UNESCAPES = {b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r", b"\\": b"\\", b'"': b'"'}

Video = collections.namedtuple("Video", "id path size modified state reason width height pixel_n pixel_d duration moments features")


class Problem(Exception):
    """What is said to whoever asked, with the status of HTTP."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def escape_name(path):
    """Bytes as text, as rvm-archive writes it: what is not UTF-8, backslashes and control characters can be told."""
    try:
        path.decode()
        keep = 256
    except UnicodeDecodeError:
        keep = 127
    pieces = bytearray()
    for byte in path:
        plain = 32 <= byte < 127 and byte != 92 or 127 < byte < keep
        pieces += bytes([byte]) if plain else ESCAPES.get(byte, f"\\{byte:03o}").encode()
    return pieces.decode()


def unescape_name(text):
    """The bytes again."""
    def one(found):
        return UNESCAPES[found[2]] if found[2] else bytes([int(found[1], 8)])
    return re.sub(rb'\\(?:([0-3][0-7][0-7])|([btnvfr"\\]))', one, text.encode())


def is_address(path):
    return re.match(rb"[a-z][a-z0-9+.-]*://", path) is not None


def write_png(pixels):
    """(width, 3) bytes of RGB, as a PNG of one row."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", len(pixels), 1, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"\0" + pixels.tobytes())) + chunk(b"IEND", b""))


class Archive:
    def __init__(self, folder):
        self.folder = os.fsencode(os.path.abspath(folder))
        self.database = os.path.join(self.folder, b"archive.sqlite")
        self.lock, self.working = threading.Lock(), threading.BoundedSemaphore(2)
        self.patience = wait_seconds()
        self.basis, self.basis_files, self.stills = None, 0, collections.OrderedDict()
        with self.open() as database:
            self.check(database)

    @contextlib.contextmanager
    def open(self):
        """Read-only. Where SQLite cannot make the files that go with it, because the folder is read-only, it is read as one that nobody writes."""
        if not os.path.isfile(self.database):
            raise Problem(404, f"{escape_name(self.database)}: no archive is there")
        name, database = urllib.parse.quote(self.database), None
        try:
            try:
                database = sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=self.patience)
                database.execute("SELECT 1 FROM sqlite_master").fetchone()
            except sqlite3.OperationalError:
                if os.path.exists(self.database + b"-wal") or os.access(self.folder, os.W_OK):
                    raise
                database = sqlite3.connect(f"file:{name}?mode=ro&immutable=1", uri=True)
            yield database
        except sqlite3.Error as problem:
            locked = isinstance(problem, sqlite3.OperationalError) and "locked" in str(problem)
            raise Problem(500, (locked and self.explain_lock()) or f"{escape_name(self.database)}: {problem}") from problem
        finally:
            if database:
                database.close()

    def check(self, database):
        application, = database.execute("PRAGMA application_id").fetchone()
        version, = database.execute("PRAGMA user_version").fetchone()
        if application == version == 0 and database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            raise Problem(404, f"{escape_name(self.folder)}: no video is in this archive yet: rvm-archive index looks at some")
        if application != APPLICATION:
            raise Problem(500, f"{escape_name(self.database)}: is no archive of rvm-archive")
        if version != SCHEMA:
            raise Problem(500, f"{escape_name(self.database)}: has version {version} of the schema, expected {SCHEMA}")

    def summary(self):
        """(settings, number of videos by state)"""
        with self.open() as database:
            parts, = database.execute("SELECT parts FROM archive").fetchone() or ("",)
            return {"parts": parts.split(","), "states": dict(database.execute("SELECT state, count(*) FROM files GROUP BY state"))}

    def explain_lock(self):
        """Who has the database locked, as rvm-archive says it; empty if it is free again."""
        said = self.run([b"rvm-archive", b"status", b"--archive", self.folder, b"--json"], 60, {"RVM_ARCHIVE_WAIT": "0"})
        return last_line(said.stderr).removeprefix("rvm-archive: ") if said.returncode else ""

    def state(self):
        """What rvm-archive says of the archive: who writes to it ("writers", None if nobody does), and what is not merged yet ("unmerged")."""
        said = self.run([b"rvm-archive", b"status", b"--archive", self.folder, b"--json"], 60)
        if said.returncode:
            raise Problem(500, last_line(said.stderr))
        return json.loads(said.stdout)

    def videos(self, first, count):
        with self.open() as database:
            rows = database.execute(f"SELECT {', '.join(Video._fields)} FROM files ORDER BY state = 'failed', path LIMIT ? OFFSET ?", (count, first))
            return [Video(*row) for row in rows]

    def find(self, number, database=None):
        """A video that can be looked at. Problem 404 for any other."""
        if database is None:
            with self.open() as database:
                return self.find(number, database)
        row = database.execute(f"SELECT {', '.join(Video._fields)} FROM files WHERE id = ? AND state != 'failed' AND moments > 0", (number,)).fetchone()
        if row is None:
            raise Problem(404, "the archive has no such video")
        return Video(*row)

    def open_file(self, video):
        """The file of a video, if it is still the one that was recorded: nothing else is given away, whatever has taken its name."""
        if is_address(video.path):
            raise Problem(404, "this video is on another computer: the page plays files only")
        try:
            file = os.fdopen(os.open(video.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
        except OSError as problem:
            raise Problem(404, f"the file cannot be read: {problem.strerror}") from problem
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size == video.size and status.st_mtime_ns == video.modified:
            return file
        file.close()
        raise Problem(404, "the file has changed since it was recorded: rvm-archive index looks at it again")

    def pick(self, database, kind, video, moments):
        """The vectors of some moments, in order; a piece at a time is in memory. Kind times: of all."""
        found, size = [], np.dtype("<i8" if kind == "times" else "<f2").itemsize
        for first, count, data in database.execute("SELECT first, count, data FROM vectors WHERE file = ? AND kind = ? ORDER BY first", (video.id, kind)):
            if count < 1 or len(data) % (count * size):
                break
            rows = np.frombuffer(data, f"<{'i' if kind == 'times' else 'f'}{size}").reshape(count, -1)
            found.append(rows[moments[(moments >= first) & (moments < first + count)] - first])
        if sum(map(len, found)) != len(moments):
            raise Problem(500, f"{escape_name(video.path)}: what is recorded of it is damaged: rvm-archive check says more")
        return np.concatenate(found)

    def colours_of(self, database, video, moments):
        """Three numbers from 0 to 1 for each of @moments: principal components over the archive of what it has. They are chosen again when it has doubled."""
        with self.lock:
            files, = database.execute("SELECT count(*) FROM files WHERE state != 'failed' AND moments > 0").fetchone()
            if self.basis is None or files > 2 * self.basis_files:
                self.basis, self.basis_files = self.choose_basis(database, files), files
            kind, mean, axes, low, high = self.basis
        values = (self.pick(database, kind, video, moments).astype("f4") - mean) @ axes
        return np.clip((values - low) / np.where(high > low, high - low, 1), 0, 1)

    def choose_basis(self, database, files):
        parts = database.execute("SELECT parts FROM archive").fetchone()[0].split(",")
        kind = next((part for part in ("summary", "mean", "class") if part in parts), "colours")
        ids = [number for number, in database.execute("SELECT id FROM files WHERE state != 'failed' AND moments > 0 ORDER BY path")][::max(1, files // SAMPLE_FILES)]
        chosen = [self.find(number, database) for number in ids]
        values = np.concatenate([self.pick(database, kind, video, np.arange(0, video.moments, max(1, video.moments // SAMPLE_MOMENTS))) for video in chosen]).astype("f4")
        mean = values.mean(0)
        axes = np.linalg.svd(values - mean, full_matrices=False)[2][:3].T
        # The sign of a component is arbitrary: the same archive has the same colours.
        axes = axes * np.where(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1, 1)
        axes = np.pad(axes, ((0, 0), (0, 3 - axes.shape[1])))
        low, high = np.percentile((values - mean) @ axes, (2, 98), axis=0)
        return kind, mean, axes, low, high

    def timeline(self, number):
        """A PNG in which the colour of each moment lasts until the next."""
        with self.open() as database:
            database.execute("BEGIN")
            video = self.find(number, database)
            times = self.pick(database, "times", video, np.arange(video.moments))[:, 0]
            places = (np.arange(WIDTH) + 0.5) / WIDTH * duration_of(video, times)
            moments = np.clip(np.searchsorted(times, places, "right") - 1, 0, len(times) - 1)
            shown, which = np.unique(moments, return_inverse=True)
            colours = self.colours_of(database, video, shown)
        return write_png(np.rint(30 + 225 * colours[which]).astype("u1"))

    def search(self, number, time, box=None):
        """The moments that rvm-archive finds near that of a video at @time (nanoseconds), or near what is in @box (x, y, width, height of its pixels)."""
        video = self.find(number)
        if box and not video.features:
            raise Problem(400, "the archive keeps no patches, which regions are compared by: rvm-archive index --parts class,summary,patches makes one that does")
        command = [b"rvm-archive", b"search", video.path + f"@{time // SECOND}.{time % SECOND:09d}".encode(), b"--archive", self.folder, b"--json", b"--top", b"12"]
        if box:
            command += [b"--box", ",".join(f"{side:.3f}" for side in box).encode()]
        said = self.call(command, 300)
        found = json.loads(said)
        with self.open() as database:
            for answer in found["answers"]:
                row = database.execute("SELECT id FROM files WHERE path = ?", (unescape_name(answer["path"]),)).fetchone()
                answer["id"] = row[0] if row else None
        found["answers"] = [answer for answer in found["answers"] if answer["id"] is not None]
        return found

    def still(self, number, time, small):
        """A JPEG of the picture at @time. Made by a process of its own: the file may be one that a decoder dies of."""
        video = self.find(number)
        self.open_file(video).close()
        width = video.width * video.pixel_n / video.pixel_d
        scale = min(1, (160 if small else 960) / max(width, video.height))
        size = [str(max(2, round(side * scale) & ~1)) for side in (width, video.height)]
        key = (video.path, video.modified, time, small)
        with self.lock:
            if key in self.stills:
                self.stills.move_to_end(key)
                return self.stills[key]
        made = self.call([rvm_app.PYTHON, rvm_app.HERE / "rvm_still.py", video.path, str(time), *size], 60)
        with self.lock:
            self.stills[key] = made
            while len(self.stills) > 200:
                self.stills.popitem(last=False)
        return made

    def run(self, command, seconds, environment=None):
        try:
            return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, env={**os.environ, **(environment or {})})
        except subprocess.TimeoutExpired as problem:
            raise Problem(500, f"there was no answer in {seconds} s") from problem

    def call(self, command, seconds):
        """What it prints. Two at a time."""
        with self.working:
            done = self.run(command, seconds)
        if done.returncode:
            raise Problem(500, last_line(done.stderr) or f"{os.path.basename(os.fsdecode(command[0]))} ended with {done.returncode}")
        return done.stdout


def last_line(said):
    return (said.decode(errors="replace").strip().splitlines() or [""])[-1]


def wait_seconds():
    """How long others that have the database locked are waited for: RVM_ARCHIVE_WAIT, as the commands of rvm-archive have it."""
    text = os.environ.get("RVM_ARCHIVE_WAIT") or "30"
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 1000000:
        raise Problem(400, f"RVM_ARCHIVE_WAIT is '{text}' in the environment, expected seconds from 0 to 1000000")
    return seconds


def duration_of(video, times=()):
    """Nanoseconds of a timeline."""
    return max(video.duration or 0, int(times[-1]) + 1 if len(times) else 1, 1)


def open_archive(folder):
    """For the command line."""
    try:
        return Archive(folder)
    except Problem as problem:
        print(f"{rvm_app.NAME}: {problem}", file=sys.stderr)
        sys.exit(1)
