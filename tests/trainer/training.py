"""What the tests of runs have in common: the program, small videos, and looking into a run's folder while it trains."""
import json
import pathlib
import signal
import subprocess
import sys
import time

program = sys.argv[1]
tiny = ["--recipe", "tiny", "--set", "synthetic=0", "--set", "picture-every=0", "--set", "gap-max=8"]
endless = ["--set", "steps=1000000", "--set", "checkpoint-every=1000000"]


def run(*args, status=0, **options):
    result = subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=300, **options)
    assert status is None or result.returncode == status, (args, result)
    return result.stdout + result.stderr


def start(*args, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, **options}
    return subprocess.Popen([program, *map(str, args)], **options)


def make_photos(folder):
    """Two pictures, for rendered samples."""
    folder.mkdir()
    for pattern in ("smpte", "circular"):
        subprocess.run(["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=1", f"pattern={pattern}", "!", "video/x-raw,width=200,height=150",
                        "!", "pngenc", "!", "filesink", f"location={folder / pattern}.png"], check=True, timeout=60)


def make_video(path, pattern="ball", frames=60, size=(96, 72)):
    # By file descriptor: the name may be one that no command line takes.
    with open(path, "wb") as file:
        subprocess.run(
            ["gst-launch-1.0", "-q", "videotestsrc", f"num-buffers={frames}", f"pattern={pattern}", "!",
             f"video/x-raw,width={size[0]},height={size[1]},framerate=25/1", "!", "jpegenc", "!", "matroskamux", "streamable=true", "!", "fdsink", "fd=1"],
            check=True, timeout=60, stdout=file)


def header_of(path):
    content = path.read_bytes()
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")].decode("utf-8", "strict"))


def metadata_of(path):
    return header_of(path)["__metadata__"]


def arrays_of(path):
    """Name -> bytes of every array: the order in the file does not matter."""
    content, header = path.read_bytes(), header_of(path)
    begin = 8 + int.from_bytes(content[:8], "little")
    return {name: content[begin:][slice(*entry["data_offsets"])] for name, entry in header.items() if name != "__metadata__"}


def steps_of(folder):
    return sorted(int(path.stem.split("-")[1]) for path in folder.glob("checkpoint-*.safetensors"))


def lines_of(folder):
    """How many steps metrics.jsonl tells of."""
    path = folder / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def wait_for(what, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not what():
        assert process.poll() is None, (process.returncode, process.stdout.read() if process.stdout else "")
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def wait_for_steps(folder, process):
    """Metrics are written some twenty lines at a time: until there are more than now."""
    before = lines_of(folder)
    wait_for(lambda: lines_of(folder) > before, process)


def stop(process, number=signal.SIGINT, status=None):
    process.send_signal(number)
    text = process.communicate(timeout=120)[0]
    assert process.returncode == (128 + number if status is None else status), (process.returncode, text)
    return text


def check_saved(folder):
    """Nothing that was learned is lost: the latest checkpoint has every step."""
    assert lines_of(folder) == steps_of(folder)[-1] > 0, (lines_of(folder), steps_of(folder))
    return steps_of(folder)[-1]
