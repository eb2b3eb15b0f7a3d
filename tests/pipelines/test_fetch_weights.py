#!/usr/bin/env python3
"""test_fetch_weights.py BUILD DATA [SMALL16]: pipelines/fetch-weights against a server of this test on 127.0.0.1 that breaks off, ignores ranges, lies
about lengths, redirects and sends web pages; what is kept, resumed and refused. With SMALL16, random weights of the published sizes: the
names of the published models. Nothing here goes to the internet, so the published addresses themselves are not tried."""
import base64
import contextlib
import hashlib
import http.server
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import clip

build, data, *rest = sys.argv[1:]
small16 = pathlib.Path(rest[0]) if rest else None
tiny = pathlib.Path(data, "tiny.npz").read_bytes()
SMALL16 = "pretrain_rvm_small16_256_204031069.npz"
BASE16 = "pretrain_rvm_base16_256_203916225.npz"


class Server(http.server.BaseHTTPRequestHandler):
    """/FEATURE+FEATURE/NAME.npz serves the content NAME with these faults. What was asked for is in Server.ranges, a line per request."""
    protocol_version = "HTTP/1.1"
    contents, ranges, gate = {}, [], threading.Event()

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body=b"", sent=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if sent is None else body[:sent])
        if sent is not None and sent < len(body):
            self.close_connection = True

    def do_GET(self):
        _, features, name = self.path.split("?")[0].split("/", 2)
        features, content = features.split("+"), Server.contents.get(name.split("/")[-1])
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(asked.group(1)) if asked else 0
        Server.ranges.append(begin)
        if "redirect" in features:
            rest = "+".join(f for f in features if f != "redirect") or "plain"
            self.answer(302, {"Location": f"/{rest}/{name}", "Content-Length": "4", "ETag": '"not-the-file"'}, b"away")
        elif "circle" in features:
            self.answer(302, {"Location": self.path, "Content-Length": "0"})
        elif "leaves" in features:
            self.answer(302, {"Location": "ftp://127.0.0.1/x.npz", "Content-Length": "0"})
        elif "html" in features:
            page = b"<!DOCTYPE html><title>Log in</title>"
            self.answer(200, {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(page))}, page)
        elif "503" in features or "403" in features:
            self.answer(int(features[0]), {"Content-Length": "0"})
        elif content is None:
            self.answer(404, {"Content-Length": "9"}, b"not found")
        elif "huge" in features:
            self.answer(200, {"Content-Length": str(10**15)}, b"PK", sent=2)
            self.close_connection = True
        elif "chunked" in features:
            self.answer(200, {"Transfer-Encoding": "chunked"}, b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content))
        else:
            self.send_part(features, content, begin)

    def send_part(self, features, content, begin):
        etag = '"2"' if "changes" in features and len(Server.ranges) > 1 else '"1"'
        headers = {"ETag": etag, "x-goog-hash": "crc32c=AAAAAA==",
                   "Content-Type": "application/octet-stream"}
        if "md5" in features:
            headers["x-goog-hash"] = "crc32c=AAAAAA==,md5=" + base64.b64encode(hashlib.md5(content).digest()).decode()
        if "wrong-md5" in features:
            headers["x-goog-hash"] = "md5=" + base64.b64encode(hashlib.md5(b"something else").digest()).decode()
        # Announces more than there is or less.
        length = len(content) + (1000 if "longer" in features else -1000 if "shorter" in features else 0)
        whole = "no-ranges" in features or self.headers.get("If-Range", etag) != etag
        if begin and whole:
            begin = 0
        if begin >= len(content):
            self.answer(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            return
        if "flips" in features:
            content = content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]
        body = content[begin:]
        headers["Content-Length"] = str(length - begin)
        if begin:
            told = begin - 7 if "wrong-range" in features else begin
            headers["Content-Range"] = f"bytes {told}-{length - 1}/{length}"
        sent = len(body)
        if "breaks" in features:
            sent = min(sent, len(content) // 3 + 1)
        if "stops" in features:  # always at the same place
            sent = max(0, 1000 - begin)
        if "waits" in features:
            self.answer(206 if begin else 200, headers, body, sent=100000)
            Server.gate.wait(100)
            self.wfile.write(body[100000:])
            return
        if "longer" in features:
            body += b"x"  # so that it counts as cut off
        self.answer(206 if begin else 200, headers, body, sent)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
server.daemon_threads = True
server.handle_error = lambda *_: None  # connections that are cut off
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_address[1]}"
Server.contents = {"tiny.npz": tiny, "page.npz": b"<html>No such file</html>", "text.npz": b"no weights at all\n" * 100,
                   # A zip of the right sizes in which one array is damaged.
                   "damaged.npz": tiny[:400000] + bytes([tiny[400000] ^ 255]) + tiny[400001:]}
cache = pathlib.Path(tempfile.mkdtemp())
folder = cache / "gst-rvm/weights"
env = {**os.environ, "RVM_BUILD": build, "XDG_CACHE_HOME": str(cache), "RVM_WEIGHTS_URL": f"{address}/plain", "no_proxy": "127.0.0.1", "RVM_FETCH_PAUSE": "0"}


def command(*arguments):
    return [clip.PIPELINES / "fetch-weights", *map(str, arguments)]


def fetch(*arguments, status=0, **options):
    Server.ranges.clear()
    done = subprocess.run(command(*arguments), capture_output=True, text=True, env={**env, **options.pop("env", {})}, timeout=300, **options)
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def refused(*arguments, says, kept=0, **options):
    """Fails with one sentence as its last line, no file gets the name, and @kept bytes wait for the next call."""
    said = fetch(*arguments, status=1, **options).strip().splitlines()[-1]
    assert said.startswith("fetch-weights: ") and says in said, said
    assert not list(folder.glob("*.npz")), list(folder.iterdir())
    parts = list(folder.glob("*.part/weights"))
    assert [part.stat().st_size for part in parts] == ([kept] if kept else []), parts
    if not kept:
        assert not list(folder.iterdir()), list(folder.iterdir())
    print(f"refused: {said}")


def complete(*arguments, requests, name="tiny.npz", content=tiny, **options):
    """The file is whole, and came in requests that began at these bytes. Removed afterwards."""
    said = fetch(*arguments, **options)
    path = folder / name
    assert Server.ranges == requests, Server.ranges
    assert path.read_bytes() == content
    source = dict(line.split(" ", 1) for line in (folder / f"{name}.source").read_text().splitlines())
    assert source["sha256"] == hashlib.sha256(content).hexdigest() and source["bytes"] == str(len(content)), source
    assert sorted(p.name for p in folder.iterdir()) == [name, f"{name}.source"], list(folder.iterdir())
    path.unlink(), (folder / f"{name}.source").unlink()
    return said


def check_whole():
    said = complete(f"{address}/plain/tiny.npz", requests=[0])
    assert "0.9 MB received" in said and str(folder / "tiny.npz") in said, said
    complete(f"{address}/md5/tiny.npz", requests=[0])
    complete(f"{address}/redirect/tiny.npz?x=1#y", requests=[0, 0])
    complete(f"{address}/chunked/tiny.npz", requests=[0])
    fetch(f"{address}/plain/tiny.npz")
    assert "already in" in fetch(f"{address}/plain/tiny.npz") and not Server.ranges, "there is no second request"
    assert "was not downloaded from" in fetch(f"{address}/md5/tiny.npz", status=1)
    shutil.rmtree(folder)
    with tempfile.TemporaryDirectory() as other:
        path = pathlib.Path(other, "ein Ordner/größe.npz")
        fetch(f"{address}/plain/tiny.npz", "--output", path)
        assert path.read_bytes() == tiny and sorted(p.name for p in path.parent.iterdir()) == [path.name, path.name + ".source"]
        assert not folder.exists()


def check_resumed():
    third = len(tiny) // 3 + 1
    said = complete(f"{address}/breaks/tiny.npz", requests=[0, third, 2 * third])
    assert "interrupted at 0.3 MB" in said and "interrupted at 0.6 MB" in said, said
    complete(f"{address}/redirect+breaks/tiny.npz", requests=[0, 0, third, third, 2 * third, 2 * third])
    # A server that cannot resume, or sends another part than it was asked for: from the beginning, and nothing gained after the first time.
    refused(f"{address}/breaks+no-ranges/tiny.npz", says="broke off at", kept=third)
    assert Server.ranges.count(0) >= 1
    fetch(f"{address}/breaks+wrong-range/tiny.npz", status=1)
    shutil.rmtree(folder)
    # A later call goes on where an earlier one gave up.
    refused(f"{address}/stops/tiny.npz", says="broke off at 0.0 MB", kept=1000)
    (folder / "tiny.npz.part/address").write_text(f"{address}/plain/tiny.npz\n")
    said = complete(f"{address}/plain/tiny.npz", requests=[1000])
    assert "going on from" in said, said
    # Not with the rest of another file,
    refused(f"{address}/stops/tiny.npz", says="broke off at 0.0 MB", kept=1000)
    complete(f"{address}/plain/tiny.npz", requests=[0])
    # nor with that of another version of it.
    said = complete(f"{address}/breaks+changes/tiny.npz", requests=[0, third, 0, third, 2 * third])
    assert "from its beginning again" in said, said


def check_refused():
    plain = f"{address}/plain/tiny.npz"
    with contextlib.closing(__import__("socket").socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        refused(f"http://127.0.0.1:{unused.getsockname()[1]}/tiny.npz", says="there is no connection to 127.0.0.1")
    refused("http://no-such-host.invalid/tiny.npz", says="there is no connection to no-such-host.invalid", env={"http_proxy": ""})
    refused(f"{address}/plain/other.npz", says="has no such file (HTTP status 404)")
    refused(f"{address}/403/tiny.npz", says="does not give the file (HTTP status 403)")
    refused(f"{address}/503/tiny.npz", says="answers with HTTP status 503")
    assert Server.ranges == [0] * 5
    refused(f"{address}/circle/tiny.npz", says="redirects in a circle")
    refused(f"{address}/leaves/tiny.npz", says="cannot be downloaded")
    refused(f"https://{address[7:]}/plain/tiny.npz", says="is not secure")
    refused(f"{address}/html/tiny.npz", says="is a web page, not a weight file")
    refused(f"{address}/plain/page.npz", says="is a web page, not a weight file")
    refused(f"{address}/plain/text.npz", says="is not a weight file of an RVM")
    refused(f"{address}/longer/tiny.npz", says=f"has {len(tiny)} bytes, although the server announced {len(tiny) + 1000}")
    refused(f"{address}/shorter/tiny.npz", says="is not a weight file of an RVM")
    refused(f"{address}/wrong-md5/tiny.npz", says="damaged on the way: its MD5")
    refused(f"{address}/flips+md5/tiny.npz", says="damaged on the way: its MD5")
    refused(f"{address}/plain/damaged.npz", says="damaged on the way: the checksum of an array")
    refused(f"{address}/huge/tiny.npz", says="needs 1000000000.0 MB more, and the disk of")

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (500000, 500000))

    # Writing fails as on a full disk: Python ignores SIGXFSZ, so that write() says EFBIG.
    refused(plain, says="cannot be written", kept=500000, restore_signals=False, preexec_fn=small_files)
    complete(plain, requests=[500000])
    with tempfile.NamedTemporaryFile() as file:
        said = fetch(plain, status=1, env={"XDG_CACHE_HOME": file.name}).splitlines()
        assert len(said) == 1 and "cannot be written" in said[0], said
    for wrong in ([], ["small16", "base16"], ["small"], ["ftp://127.0.0.1/x.npz"], [address], [f"{address}/"], ["--where", plain], ["small16", "--size", "64"]):
        assert "pipelines/fetch-weights small16" in fetch(*wrong, status=2), wrong


def start(*arguments):
    return subprocess.Popen(command(*arguments), env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


def wait_for(ready):
    end = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.05)


def check_interrupted():
    part = folder / "tiny.npz.part/weights"
    for stop, status in (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL):
        Server.gate.clear()
        Server.ranges.clear()
        process = start(f"{address}/waits/tiny.npz")
        wait_for(lambda: part.exists() and part.stat().st_size > 50000)
        os.killpg(process.pid, stop)
        said = process.communicate(timeout=60)[0]
        assert process.returncode == status, (process.returncode, said)
        assert stop == signal.SIGKILL or "stopped at 0.1 MB; the same command resumes" in said, said
        assert not (folder / "tiny.npz").exists()
        Server.gate.set()
        complete(f"{address}/waits/tiny.npz", requests=[part.stat().st_size])


def check_two_at_once():
    Server.gate.clear()
    Server.ranges.clear()
    part = folder / "tiny.npz.part/weights"
    first = start(f"{address}/waits/tiny.npz")
    wait_for(lambda: part.exists() and part.stat().st_size > 50000)
    second = start(f"{address}/waits/tiny.npz")
    assert any("another process is downloading it" in line for line in iter(second.stdout.readline, ""))
    Server.gate.set()
    said = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert first.returncode == second.returncode == 0, said
    assert "already in" in said[1] and Server.ranges == [0], (said, Server.ranges)
    assert (folder / "tiny.npz").read_bytes() == tiny
    assert sorted(p.name for p in folder.iterdir()) == ["tiny.npz", "tiny.npz.source"]
    shutil.rmtree(folder)


def check_names():
    """The names of the published models in scripts and applications."""
    content = small16.read_bytes()
    Server.contents.update({SMALL16: content, BASE16: content})
    video = clip.make(cache / "clip.avi", 3)

    def run(script, *arguments, status=0):
        done = subprocess.run([clip.PIPELINES / script, *map(str, arguments)], capture_output=True, text=True, env=env, timeout=400, cwd=cache)
        assert done.returncode == status, (script, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    features = ["features", video, "--model", "small16", "--size", "32", "--frames", "2", "--output", cache / "features", "--overwrite"]
    picture = ["feature-picture", video, "--model", "small16", "--size", "32", "--frames", "2", "--output", cache / "picture.png"]
    for script in features, picture:
        assert "pipelines/fetch-weights small16" in run(*script, status=1)
    assert "has not been downloaded" in fetch("--where", "small16", status=1)
    refused("base16", says="is not base16, but a model of patch 16 pixels; encoder width 384, 12 layers")
    assert "--model small16" in fetch("small16") and Server.ranges == [0]
    assert fetch("--where", "small16").strip() == str(folder / SMALL16)
    assert "already in" in fetch("small16")
    assert "already in" in fetch(f"{address}/plain/{SMALL16}") and not Server.ranges, "the address of a published model is that model"
    assert "of 384 numbers" in run(*features)
    run(*picture)
    assert (cache / "picture.png").is_file()
    box = run("track-box", video, "--box", "0.2,0.2,0.4,0.4", "--model", "small16", "--size", "32", "--frames", "1")
    assert len(box.strip().splitlines()) >= 2, box
    # A file of that name in the current folder is meant, if there is one.
    (cache / "small16").write_bytes(tiny)
    assert "of 48 numbers" in run(*features)


if shutil.which("curl") is None:
    print("curl is not installed")
    sys.exit(77)
try:
    check_whole()
    check_interrupted()
    check_resumed()
    check_refused()
    check_two_at_once()
    if small16:
        check_names()
finally:
    server.shutdown()
    shutil.rmtree(cache)
print("ok")
