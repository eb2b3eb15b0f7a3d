#!/usr/bin/env python3
"""test_signals.py RVM-CL-TRAIN: what ends a process from outside: signals, a terminal that closes, a reader of the output that goes. A run saves
what it has learned; other commands leave no file half written."""
import os
import pathlib
import pty
import signal
import subprocess
import tempfile
import time

from training import check_saved, endless, make_video, program, run, start, steps_of, stop, tiny, wait_for, wait_for_steps

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # Under nohup it is ignored, and children would inherit that.


def signals(folder, video):
    """Status as a shell reports it of a process that the signal ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU):
        out = folder / number.name
        process = start("pretrain", *tiny, *endless, "--data", video, "--out", out)
        wait_for_steps(out, process)
        text = stop(process, number)
        assert "stopped and saved" in text and check_saved(out), text
    run("resume", out, "--stop-at", check_saved(out) + 1, status=130)


def ignored(folder, video):
    """nohup has SIGHUP ignored, which stays so."""
    out = folder / "nohup"
    process = start("pretrain", *tiny, *endless, "--data", video, "--out", out, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_for_steps(out, process)
    process.send_signal(signal.SIGHUP)
    wait_for_steps(out, process)
    stop(process, signal.SIGTERM)
    check_saved(out)


def reader_goes(folder, video):
    """As `rvm-cl-train pretrain ... | head -1`. All output goes to the pipe, messages too."""
    out = folder / "pipe"
    process = start("pretrain", *tiny, *endless, "--data", video, "--out", out)
    process.stdout.readline()
    process.stdout.close()
    process.wait(timeout=120)
    assert process.returncode == 128 + signal.SIGPIPE, process.returncode
    step = check_saved(out)
    # What a parent ignores stays ignored: then there is no signal, and what cannot be written is lost, but the run is not.
    process = start("resume", out, "--stop-at", step + 30, restore_signals=False, preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
    process.stdout.close()
    process.wait(timeout=120)
    assert process.returncode == 130 and check_saved(out) == step + 30, (process.returncode, steps_of(out))


def terminal_closes(folder, video):
    """The kernel sends SIGHUP to what runs in it, and every write to it fails from then on."""
    out = folder / "terminal"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(program, [program, "pretrain", *map(str, [*tiny, *endless, "--data", video, "--out", out])])
    os.set_blocking(terminal, False)
    deadline = time.monotonic() + 120
    while not (out / "metrics.jsonl").exists() or not (out / "metrics.jsonl").stat().st_size:
        assert time.monotonic() < deadline
        try:
            os.read(terminal, 65536)
        except BlockingIOError:
            time.sleep(0.02)
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 128 + signal.SIGHUP, status
    check_saved(out)


def other_commands(folder, video):
    """Nothing is left of what they write, neither a part under another name nor a folder in /tmp."""
    work, temporary = folder / "work", folder / "tmp"
    work.mkdir()
    temporary.mkdir()
    (folder / "settings.ini").write_text("[model]\nlayers=40\ndim=480\nheads=8\n")
    run("init", "--recipe", folder / "settings.ini", folder / "large.safetensors")
    environment = dict(os.environ, TMPDIR=str(temporary))
    for name, command in (("init", ["init", "--recipe", folder / "settings.ini", work / "a.safetensors"]),
                          ("init npz", ["init", "--recipe", folder / "settings.ini", work / "a.npz"]),
                          ("convert", ["convert", folder / "large.safetensors", work / "b.npz"]),
                          ("bench", ["bench", "--recipe", folder / "settings.ini"])):
        place = temporary if name == "bench" else work
        process = start(*command, env=environment)
        wait_for(lambda: any(place.iterdir()), process)
        process.send_signal(signal.SIGINT)
        text = process.communicate(timeout=120)[0]
        # Or it was already done.
        assert process.returncode in (-signal.SIGINT, 0), (name, process.returncode, text)
        left = [path.name for path in place.iterdir()]
        assert left == [] or (process.returncode == 0 and len(left) == 1 and ".part" not in left[0]), (name, left)
        print(f"  {name}: {'ended' if process.returncode else 'was done'}")
        for path in work.iterdir():
            path.unlink()


with tempfile.TemporaryDirectory() as name:
    film = pathlib.Path(name) / "a.mkv"
    make_video(film)
    for case in (signals, ignored, reader_goes, terminal_closes, other_commands):
        place = pathlib.Path(name) / case.__name__
        place.mkdir()
        case(place, film)
        print(case.__name__, flush=True)
