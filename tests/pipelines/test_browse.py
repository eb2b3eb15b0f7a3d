#!/usr/bin/env python3
"""test_browse.py RVM-ARCHIVE DATA BUILD: the page of pipelines/browse, as HTTP has it: what it shows, parts of files, timelines, stills and what is near; nothing but
videos that are recorded and as they were recorded; nobody but this computer; names that would be HTML; an archive that is written meanwhile, or locked."""
import contextlib
import fcntl
import html.parser
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "archive"))
from archive import clean, digest, index, make_video, rows, run_json, start, tiny  # noqa: E402

build = sys.argv[3]
BROWSE = pathlib.Path(__file__).resolve().parents[2] / "pipelines/browse"
SECRET = b"what nobody is shown"
# Bytes -> as they are shown.
NAMES = {b"ball.mkv": "ball.mkv", b"<script>alert(1)<b>.mkv": "<script>alert(1)<b>.mkv", b"' onload='x\" onload=\"x&amp;.mkv": "' onload='x\" onload=\"x&amp;.mkv",
         b"two\nlines.mkv": "two\\nlines.mkv", b"caf\xe9.mkv": "caf\\351.mkv", "Straße.mkv".encode(): "Straße.mkv", b"film.mkv": "film.mkv", b"back\\slash@1.mkv": "back\\\\slash@1.mkv"}


class Reader(html.parser.HTMLParser):
    """The elements of the page, with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)
        self.videos = {video["name"]: video for video in (json.loads(attributes["data-video"]) for _, attributes in self.elements if "data-video" in attributes)}

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


class Browser:
    def __init__(self, archive, environment=clean):
        self.process = subprocess.Popen([BROWSE, archive, "--port", "0"], stdout=subprocess.PIPE, env={**environment, "RVM_BUILD": build}, text=True, start_new_session=True)
        line = self.process.stdout.readline()
        assert line.startswith("http://127.0.0.1:") and line.endswith("/\n"), line
        self.port = int(line.rstrip("/\n").rsplit(":", 1)[1])

    def ask(self, target, method="GET", hosts=None, status=200, **headers):
        """(content, headers). @hosts: the values of Host."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            connection._validate_path = lambda _: None  # anything may be asked for
            connection.putrequest(method, target, skip_host=True)
            for host in [f"127.0.0.1:{self.port}"] if hosts is None else hosts:
                connection.putheader("Host", host)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status in ([status] if isinstance(status, int) else status), (method, target, hosts, headers, answer.status, content[:300])
            assert SECRET not in content, target
            for name, value in (("Content-Security-Policy", "default-src 'none'; script-src 'self'"), ("X-Content-Type-Options", "nosniff")):
                assert answer.headers[name].startswith(value), (target, dict(answer.headers))
            assert "unsafe" not in answer.headers["Content-Security-Policy"] and "Access-Control-Allow-Origin" not in answer.headers
            return content, answer.headers

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, trace):
        if kind:
            self.process.kill()
        else:
            self.end()

    def page(self):
        return Reader(self.ask("/")[0].decode())

    def end(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(timeout=60) == 0, self.process.returncode


def pixels(png):
    """Of a timeline: (R, G, B) in order."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, content = 8, b""
    while at < len(png):
        size, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        content += png[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    row = zlib.decompress(content)
    assert row[0] == 0 and len(row) == 3001, len(row)
    return [row[i : i + 3] for i in range(1, 3001, 3)]


def check_wrong_use(folder, archive):
    for arguments, status, said in (([folder / "none"], 1, "no archive is in"), ([archive, "--port", "70000"], 2, "--port is"), ([], 2, "ARCHIVE"),
                                    ([folder / "other"], 1, "is no archive of rvm-archive"),
                                    ([folder / "blank"], 1, "no video is in this archive yet")):
        done = subprocess.run([BROWSE, *arguments], capture_output=True, text=True, timeout=300, env={**clean, "RVM_BUILD": build})
        assert done.returncode == status and said in done.stderr and "Traceback" not in done.stderr, (arguments, done)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run([BROWSE, archive, "--port", str(taken.getsockname()[1])], capture_output=True, text=True, timeout=300, env={**clean, "RVM_BUILD": build})
        assert done.returncode == 1 and "cannot be used" in done.stderr, done


def check_page(browser, archive):
    """Names are text; nothing of the page comes from elsewhere, and no program is in it."""
    page = browser.page()
    assert set(page.videos) == set(NAMES.values()), page.videos
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
        for name in ("src", "href"):
            if name in attributes:
                assert attributes[name].startswith("/") and not attributes[name].startswith("//"), (tag, attributes)
    assert [attributes for tag, attributes in page.elements if tag == "script"] == [{"src": "/browse.js", "defer": None}]
    assert not {"b", "i", "iframe", "style"} & {tag for tag, _ in page.elements}
    assert "broken<i>.mkv" in page.text and "9 videos: 8 whole, 0 that break off, 1 failed" in page.text, page.text
    for name in "browse.js", "browse.css":
        content = browser.ask(f"/{name}")[0]
        assert content == (BROWSE.parent / f"rvm_{name}").read_bytes() and b"://" not in content and b"innerHTML" not in content
    assert browser.ask("/?page=7")[0] and not Reader(browser.ask("/?page=7")[0].decode()).videos
    for wrong in "x", "-1", "1e3", "9" * 30:
        browser.ask(f"/?page={wrong}", status=400)
    return page.videos


def check_ranges(browser, video, content):
    """RFC 9110, 14: one range at a time; what cannot be read as a range is left alone."""
    target, size = f"/file/{video['id']}", len(content)
    whole, headers = browser.ask(target)
    assert whole == content and headers["Accept-Ranges"] == "bytes" and headers["Content-Type"] in ("video/x-matroska", "video/matroska"), headers.items()
    assert browser.ask(target, "HEAD")[1]["Content-Length"] == str(size)
    for asked, first, last in (("0-0", 0, 0), ("10-19", 10, 19), ("100-", 100, size - 1), ("-7", size - 7, size - 1), (f"-{size + 5}", 0, size - 1), (f"5-{size * 9}", 5, size - 1)):
        part, headers = browser.ask(target, Range=f"bytes={asked}", status=206)
        assert part == content[first : last + 1] and headers["Content-Range"] == f"bytes {first}-{last}/{size}", (asked, headers.items())
    for asked in f"{size}-", f"{size + 3}-{size + 9}", "-0":
        assert browser.ask(target, Range=f"bytes={asked}", status=416)[1]["Content-Range"] == f"bytes */{size}"
    for asked in "bytes=-", "bytes=9-3", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "bytes=" + "1" * 40 + "-":
        assert browser.ask(target, Range=asked)[0] == content, asked
    assert browser.ask(target, Range="bytes=0-1", If_Range='"x"')[0] == content


def check_pictures(browser, videos):
    lines = {name: pixels(browser.ask(f"/timeline/{video['id']}")[0]) for name, video in videos.items()}
    assert lines["two\\nlines.mkv"] == lines["ball.mkv"] != lines["caf\\351.mkv"], "the same pictures have the same colours, others have others"
    # Twelve moments, each as wide as the others.
    assert 6 < len(set(lines["ball.mkv"])) <= 12 and len({*lines["ball.mkv"][:80]}) == 1, lines["ball.mkv"][::40]
    for name in "film.mkv", "<script>alert(1)<b>.mkv", "caf\\351.mkv":
        video = videos[name]
        first, last = (browser.ask(f"/still/{video['id']}?time={time}{small}")[0] for time, small in ((0, "&small=1"), (440000000, "")))
        assert first[:2] == last[:2] == b"\xff\xd8", name
    ball = videos["ball.mkv"]["id"]
    assert len({browser.ask(f"/still/{ball}?time={time}")[0] for time in (0, 200000000, 440000000)}) == 3, "the ball moves"
    # A white ball on black: the video has levels from 16 to 235, a JPEG from 0 to 255.
    grey = subprocess.run("gst-launch-1.0 -q fdsrc ! jpegparse ! jpegdec ! videoconvert ! video/x-raw,format=GRAY8,colorimetry=1:4:0:0 ! fdsink".split(), check=True, timeout=60,
                          stdout=subprocess.PIPE, input=browser.ask(f"/still/{videos['film.mkv']['id']}?time=200000000")[0]).stdout
    assert len(grey) == 64 * 48 and sorted(grey)[len(grey) // 2] < 8 and max(grey) > 240, (len(grey), sorted(grey)[len(grey) // 2], max(grey))
    # The picture of a moment lasts until the next one.
    assert browser.ask(f"/still/{ball}?time=210000000")[0] == browser.ask(f"/still/{ball}?time=200000000")[0]
    for wrong in "", "?time=", "?time=-1", "?time=x", "?time=1.5", "?time=" + "9" * 40, "?%":
        browser.ask(f"/still/{ball}{wrong}", status=400)


def check_near(browser, archive, videos):
    """What rvm-archive finds, by the numbers of the videos."""
    paths = dict(rows(archive, "SELECT id, path FROM files"))
    for name, video in videos.items():
        for box in None, (0, 0, 32, 24):
            option = ["--box", ",".join(map(str, box))] if box else []
            path = paths[video["id"]]
            wanted = run_json("search", os.fsdecode(path + b"@0.200000000"), "--archive", archive, "--top", "12", *option)
            found = json.loads(browser.ask(f"/near/{video['id']}?time=203000000" + (f"&box={option[1]}" if box else ""))[0])
            assert found["time"] == wanted["time"] and found["moments"] == wanted["moments"] and found["answers"], (name, found)
            for answer, other in zip(found["answers"], wanted["answers"], strict=True):
                assert answer["video"]["path"] == other["path"] and NAMES[os.path.basename(paths[answer["video"]["id"]])] == answer["video"]["name"], (answer, other)
                assert [answer.get(key) for key in ("start", "end", "time", "score", "patch")] == [other.get(key) for key in ("start", "end", "time", "score", "patch")]
            assert ("patch" in found["answers"][0]) == bool(box)
    target = f"/near/{videos['ball.mkv']['id']}?time=0"
    for wrong in "&box=", "&box=1,2,3", "&box=1,2,3,x", "&box=-1,0,5,5", "&box=0,0,1e9,1", "&box=1,2,3,4%20--top":
        browser.ask(target + wrong, status=400)
    assert b"outside" in browser.ask(target + "&box=500,500,5,5", status=500)[0]


def check_strangers(browser, videos):
    """Names of other places that lead here, and pages of other places: none sees more than what this is."""
    port, file = browser.port, f"/file/{videos['ball.mkv']['id']}"
    for host in f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", "localhost:9":  # a tunnel has another port
        browser.ask("/", hosts=[host])
    for hosts in ([f"evil.example:{port}"], [], [""], ["127.0.0.1", "evil.example"], [f"127.0.0.1.evil.example:{port}"], ["evil.example#127.0.0.1"], ["user@localhost"],
                  ["localhost:9x"], ["0.0.0.0"], ["192.168.1.2"], ["localhost."], ["127.0.0.1:١"]):
        for target in "/", file, "/browse.js", "/near/1?time=0", "/etc/passwd":
            said = browser.ask(target, hosts=[host.encode() for host in hosts], status=403)[0]
            assert b"pipelines/browse of gst-rvm" in said and f"http://127.0.0.1:{port}/".encode() in said and b"ball" not in said, said
    for site in "cross-site", "same-site", "other":
        browser.ask(file, Sec_Fetch_Site=site, status=403)
    browser.ask(file, Sec_Fetch_Site="same-origin")
    for method in "POST", "PUT", "DELETE", "OPTIONS":
        browser.ask("/", method, status=501)
    listening = [line.split()[1] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert [place for place in listening if place.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    everywhere = [line.split()[1] for line in pathlib.Path("/proc/net/tcp6").read_text().splitlines()[1:] if line.split()[3] == "0A"] if os.path.exists("/proc/net/tcp6") else []
    assert not any(place.endswith(f":{port:04X}") for place in everywhere)


def check_paths(browser, folder, videos):
    """No path leads anywhere."""
    secret = folder / "secret.txt"
    up = "../" * 12
    for target in (f"/{up}{secret}", f"/file/{up}{secret}", f"/file/{secret}", f"/file//{secret}", f"/file/%2e%2e/%2e%2e/{secret}", f"/file/..%2f..%2f..{secret}", f"/file/1/{up}{secret}",
                   f"/browse.js/{up}{secret}", "/../pipelines/browse", "/rvm_app.py", "/file/1%00", "/file/-1", "/file/+1", "/file/1.0", "/file/1 ", "/file/%31", "/file/",
                   "/file/99999", "/file/" + "9" * 18, "/file/" + "9" * 40, "/timeline/99999", f"file://{secret}", f"http://evil.example{secret}", f"//evil.example{secret}",
                   "/archive.sqlite", "/file/1;x", "/file/archive.sqlite", "\\..\\..", "*", "?", "http://[", "/near/99999?time=0", "/still/99999?time=0"):
        browser.ask(target.replace(" ", "%20"), status=(400, 403, 404))
    # Raw bytes, and no HTTP at all.
    for request in (b"GET /file/\xd9\xa1 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET " + b"/" * 70000 + b" HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", browser.port), timeout=60) as raw:
            raw.sendall(request)
            raw.shutdown(socket.SHUT_WR)
            said = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := raw.recv(65536):
                    said += piece
            assert b" 200 " not in said and b"Traceback" not in said, (request[:40], said[:200])
    # Hanging up in the middle ends nothing.
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", browser.port), timeout=60) as raw:
            raw.sendall(f"GET /file/{videos['ball.mkv']['id']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 200)
    browser.ask("/")


def check_replaced(browser, folder, archive, videos):
    """What has taken the name of a video is not that video."""
    path = folder / "videos/ball.mkv"
    target, small = f"/file/{videos['ball.mkv']['id']}", f"/still/{videos['ball.mkv']['id']}?time=80000000"
    failed, = rows(archive, "SELECT id FROM files WHERE state = 'failed'")
    for what in "file", "still", "timeline", "near":
        browser.ask(f"/{what}/{failed[0]}?time=0", status=404)
    kept = folder / "kept.mkv"
    path.rename(kept)
    browser.ask(target, status=404)
    for make in (lambda: path.symlink_to(folder / "secret.txt"), lambda: os.mkfifo(path), path.mkdir, lambda: path.write_bytes(b"x" * kept.stat().st_size)):
        make()
        assert b"changed" in browser.ask(target, status=404)[0] or not path.is_file()
        browser.ask(small, status=404)
        path.rmdir() if path.is_dir() else path.unlink()
    kept.rename(path)
    browser.ask(target)
    browser.ask(small)


def check_while_writing(browser, folder, archive):
    """The page shows what there is, from file to file."""
    more = folder / "more"
    more.mkdir()
    for i, pattern in enumerate(["smpte", "gamut", "blink", "spokes", "circular", "zone-plate"]):
        make_video(more / f"{i}.mkv", pattern, 20)
    before = browser.page().videos
    process = start("index", more, "--archive", archive, *tiny, "--jobs", "1", "--parts", "class,summary,patches")
    counts = []
    while process.poll() is None:
        counts.append(len(browser.page().videos))
        found = json.loads(browser.ask(f"/near/{before['ball.mkv']['id']}?time=0")[0])
        assert found["answers"] and found["moments"] >= 12 * len(before)
        browser.ask(f"/timeline/{before['ball.mkv']['id']}")
    assert process.returncode == 0, process.stdout.read()
    after = browser.page().videos
    assert counts == sorted(counts) and counts[0] >= len(before) and len(after) == len(before) + 6, (counts, len(after))
    browser.ask(f"/timeline/{after['3.mkv']['id']}")


def check_others(archive):
    """Who indexes, what is not merged, and who has the database locked: they are named, after a wait that ends."""
    wait = {**clean, "RVM_ARCHIVE_WAIT": "0.2"}
    with Browser(archive, wait) as browser:
        assert "being recorded" not in browser.page().text
        with open(archive / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            said = browser.page().text
            assert "More videos are being recorded by process" in said and str(os.getpid()) in said, said
        (archive / "shards").mkdir(exist_ok=True)
        shutil.copy(archive / "archive.sqlite", archive / "shards/0-of-2.sqlite")
        assert "What other processes have recorded is not merged yet" in browser.page().text
        (archive / "shards/0-of-2.sqlite").unlink()
        # In write-ahead mode whoever has the database for itself locks readers out.
        database = sqlite3.connect(archive / "archive.sqlite", isolation_level=None)
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        number = database.execute("SELECT min(id) FROM files").fetchone()[0]
        for target in "/", f"/file/{number}", f"/timeline/{number}", f"/near/{number}?time=0":
            said = browser.ask(target, status=500)[0].decode()
            assert f"is locked by process {os.getpid()}" in said, (target, said)
        done = subprocess.run([BROWSE, archive, "--port", "0"], capture_output=True, text=True, timeout=60, env={**wait, "RVM_BUILD": build})
        assert done.returncode == 1 and f"is locked by process {os.getpid()}" in done.stderr, done
        database.close()
        browser.ask("/")
    done = subprocess.run([BROWSE, archive, "--port", "0"], capture_output=True, text=True, timeout=60, env={**clean, "RVM_BUILD": build, "RVM_ARCHIVE_WAIT": "soon"})
    assert done.returncode == 1 and "RVM_ARCHIVE_WAIT is 'soon'" in done.stderr, done


def check_many(browser, videos):
    """At the same time."""
    failures = []

    def one(video):
        try:
            for target in f"/timeline/{video['id']}", f"/still/{video['id']}?time=40000000&small=1", f"/file/{video['id']}", f"/near/{video['id']}?time=0", "/":
                browser.ask(target)
        except Exception as problem:
            failures.append(problem)
    threads = [threading.Thread(target=one, args=(video,)) for video in list(videos.values())[:4]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary).resolve()
    videos, archive = folder / "videos", folder / "archive <b> & co"
    videos.mkdir()
    (folder / "secret.txt").write_bytes(SECRET)
    (folder / "other").mkdir()
    sqlite3.connect(folder / "other/archive.sqlite").execute("CREATE TABLE other (number)")
    (folder / "blank").mkdir()
    (folder / "blank/archive.sqlite").touch()
    make_video(videos / "ball.mkv")
    make_video(folder / "smpte.mkv", "smpte")
    for name in NAMES:
        if name not in (b"ball.mkv", b"film.mkv"):
            shutil.copy(videos / "ball.mkv" if name == b"two\nlines.mkv" else folder / "smpte.mkv", os.path.join(os.fsencode(videos), name))
    # With sound, and with H.264 where there is an encoder: parsers and decoders are needed.
    encoder = next((name for name in ("x264enc", "openh264enc") if subprocess.run(["gst-inspect-1.0", "--exists", name]).returncode == 0), None)
    subprocess.run(f"gst-launch-1.0 -q videotestsrc num-buffers=12 pattern=ball ! video/x-raw,width=64,height=48,framerate=25/1 ! videoconvert ! {encoder + ' ! h264parse' if encoder else 'vp8enc'} "
                   f"! matroskamux name=mux ! filesink location={videos}/film.mkv audiotestsrc num-buffers=20 ! vorbisenc ! mux.".split(), check=True, timeout=120)
    (videos / "broken<i>.mkv").write_bytes(SECRET * 100)
    index(videos, archive, "--parts", "class,summary,patches")
    before = digest(archive)
    check_wrong_use(folder, archive)
    browser = Browser(archive)
    try:
        known = check_page(browser, archive)
        print("page", flush=True)
        check_ranges(browser, known["ball.mkv"], (videos / "ball.mkv").read_bytes())
        print("ranges", flush=True)
        check_pictures(browser, known)
        print("pictures", flush=True)
        check_near(browser, archive, known)
        print("near", flush=True)
        check_strangers(browser, known)
        print("strangers", flush=True)
        check_paths(browser, folder, known)
        print("paths", flush=True)
        check_replaced(browser, folder, archive, known)
        print("replaced", flush=True)
        check_many(browser, known)
        assert digest(archive) == before, "the page only reads"
        check_while_writing(browser, folder, archive)
        print("while writing", flush=True)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            browser.process.kill()
        raise
    browser.end()
    check_others(archive)
print("ok")
