#!/usr/bin/env python3
"""test_material.py RVM-CL-TRAIN: what becomes of a run when its material does not stay as it was: folders that vanish, files that come, go and
change, names that are not UTF-8, links in circles, folders of runs that were begun before there was a list of material."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from training import (arrays_of, check_saved, endless, lines_of, make_video, metadata_of, run, start, steps_of, stop, tiny, wait_for, wait_for_steps)


def list_of(folder, what="file"):
    lines = [json.loads(line) for line in (folder / "material.jsonl").read_text("utf-8").splitlines()]
    return [line for line in lines if what in line]


def names_of(folder, what="file"):
    return [line["path"].rsplit("/", 1)[1] for line in list_of(folder, what)]


def data_of(folder):
    return metadata_of(folder / "model.safetensors")["data"]


def vanishing_folder(folder):
    """The folder goes away while decoded frames still feed the run; then Ctrl-C."""
    data, out, away = folder / "data", folder / "run", folder / "away"
    data.mkdir()
    make_video(data / "a.mkv")
    make_video(data / "b.mkv", "snow")
    process = start("pretrain", *tiny, *endless, "--data", data, "--out", out)
    wait_for_steps(out, process)
    data.rename(away)
    wait_for_steps(out, process)
    stop(process)
    step = check_saved(out)

    # The material is missing: an error that names it, the cure, and nothing else.
    before = sorted(path.name for path in out.iterdir())
    text = run("resume", out, status=1)
    assert str(data / "a.mkv") in text and str(data / "b.mkv") in text and f"resume {out} --data PATH" in text, text
    assert before == sorted(path.name for path in out.iterdir())

    # The same from another place is the same material, and the weights do not tell of a change.
    text = run("resume", out, "--data", away, "--stop-at", step + 1, status=130)
    assert "the same as before" in text and f"step {step} of" in text, text
    assert data_of(out) == "[data]\nclips=a.mkv;b.mkv;\nphotos=\nsprites=\n", data_of(out)
    assert str(away / "a.mkv") in (out / "material.jsonl").read_text()
    assert "not used" not in run("resume", out, "--stop-at", step + 2, status=130)


def same_bytes_from_another_place(folder):
    """Names in another order and a link in place of a folder: samples are those of a run that was never stopped."""
    data, other = folder / "data", folder / "other"
    data.mkdir()
    other.mkdir()
    make_video(data / "a.mkv")
    make_video(data / "b.mkv", "snow", 70)
    shutil.copyfile(data / "a.mkv", other / "z.mkv")
    shutil.copyfile(data / "b.mkv", other / "c.mkv")
    (folder / "link").symlink_to(other)
    run("pretrain", *tiny, "--set", "steps=6", "--data", data, "--out", folder / "whole")
    run("pretrain", *tiny, "--set", "steps=6", "--data", data, "--out", folder / "parts", "--stop-at", 3, status=130)
    run("resume", folder / "parts", "--data", folder / "link", "--stop-at", 4, status=130)
    run("resume", folder / "parts")
    assert names_of(folder / "parts") == ["z.mkv", "c.mkv"]
    name = "checkpoint-00000006.safetensors"
    assert arrays_of(folder / "whole" / name) == arrays_of(folder / "parts" / name)


def weights_of_sources(folder):
    """Which --data a video came from stays, wherever the videos are later: samples are those of a run that was never stopped."""
    for name in ("b", "a", "both"):
        (folder / name).mkdir()
    make_video(folder / "b" / "x.mkv")
    make_video(folder / "a" / "y.mkv", "snow", 70)
    make_video(folder / "a" / "z.mkv", "snow", 50)
    for path in [*folder.glob("a/*"), *folder.glob("b/*")]:
        shutil.copyfile(path, folder / "both" / path.name)
    weighted = [*tiny, "--set", "steps=6", "--set", "weights=3;1", "--data", folder / "b", "--data", folder / "a"]
    run("pretrain", *weighted, "--out", folder / "whole")
    run("pretrain", *weighted, "--out", folder / "parts", "--stop-at", 3, status=130)
    assert [(line["path"].rsplit("/", 1)[1], line.get("argument", 0)) for line in list_of(folder / "parts")] == [("y.mkv", 1), ("z.mkv", 1), ("x.mkv", 0)]
    text = run("resume", folder / "parts", "--data", folder / "both", "--stop-at", 4, status=130)
    assert "the same as before" in text, text
    run("resume", folder / "parts")
    name = "checkpoint-00000006.safetensors"
    assert arrays_of(folder / "whole" / name) == arrays_of(folder / "parts" / name)
    run("pretrain", *tiny, "--set", "steps=6", "--data", folder / "b", "--data", folder / "a", "--out", folder / "by-frame")
    assert arrays_of(folder / "whole" / name) != arrays_of(folder / "by-frame" / name)


def unreadable_in_the_middle(folder):
    """More video than is kept in memory, so that files are read again all the time; then they are gone, or others. Steps until then are saved."""
    data, out = folder / "data", folder / "run"
    data.mkdir()
    for i in range(6):
        make_video(data / f"{i}.mkv", "ball" if i % 2 else "snow", 64, (320, 240))
    settings = [*tiny, *endless, "--set", "clip-memory=16", "--set", "crop-min=0.2"]
    process = start("pretrain", *settings, "--data", data, "--out", out)
    wait_for_steps(out, process)
    data.rename(folder / "away")
    text = process.communicate(timeout=120)[0]
    assert process.returncode == 1 and "No such file" in text and f"{data}/" in text and "sample " in text, text
    assert f"The {check_saved(out)} steps before are saved" in text and f"resume {out}" in text, text

    step = check_saved(out)
    process = start("resume", out, "--data", folder / "away")
    wait_for_steps(out, process)
    for i in range(6):  # of the same size: only the content tells
        path = folder / "away" / f"{i}.mkv"
        (folder / "other").write_bytes(bytes(reversed(path.read_bytes())))
        (folder / "other").rename(path)
    text = process.communicate(timeout=120)[0]
    assert process.returncode == 1 and "has changed since it was listed" in text and "steps before are saved" in text, text
    assert check_saved(out) > step


def names_that_are_not_utf8(folder):
    data, out = folder / "data", folder / "run"
    latin = os.fsencode(data) + b"/caf\xe9.mkv"
    data.mkdir()
    make_video(data / "a.mkv")
    try:
        shutil.copyfile(data / "a.mkv", latin)
    except OSError:
        print("no such names on this file system")
        return
    with open(latin, "ab") as file:  # another content, the same video
        file.write(b"\xec\x80")
    umlaut = data / "Größe \\ 1.mkv"
    make_video(umlaut, "snow")
    # From the start; the metadata are UTF-8 (metadata_of() is strict), names can be got back from them and from the list.
    run("pretrain", *tiny, "--set", "steps=2", "--data", data, "--out", out)
    assert data_of(out) == "[data]\nclips=Größe \\\\\\\\ 1.mkv;a.mkv;caf\\\\351.mkv;\nphotos=\nsprites=\n", data_of(out)
    assert names_of(out) == ["Größe \\\\ 1.mkv", "a.mkv", "caf\\351.mkv"], names_of(out)
    text = run("info", "--files", out / "model.safetensors")
    assert "  caf\\351.mkv\n" in text and "  Größe \\\\ 1.mkv\n" in text, text
    # A folder of such a name, a list that names it, and a file to begin with.
    odd = os.fsencode(folder) + b"/d\xe9"
    os.mkdir(odd)
    shutil.copyfile(latin, odd + b"/b.mkv")
    (folder / "list.txt").write_bytes(b"\xef\xbb\xbfd\xe9\r\n")
    shutil.copyfile(out / "model.safetensors", odd + b"/w\xe9.safetensors")
    run("pretrain", *tiny, "--set", "steps=2", "--data", folder / "list.txt", "--out", folder / "odd", "--init", os.fsdecode(odd) + "/w\udce9.safetensors",
        "--stop-at", 1, status=130)
    assert metadata_of(folder / "odd" / "model.safetensors")["start"].startswith("w\\351.safetensors, step 2\n")
    run("resume", folder / "odd")
    # While a run goes on.
    os.unlink(latin)
    process = start("pretrain", *tiny, *endless, "--set", "checkpoint-every=10", "--data", data, "--out", folder / "late")
    wait_for_steps(folder / "late", process)
    shutil.copyfile(data / "a.mkv", latin)
    wait_for_steps(folder / "late", process)
    stop(process)
    step = check_saved(folder / "late")
    text = run("resume", folder / "late", "--stop-at", step + 1, status=130)
    assert f"step {step} of" in text and "passed over" not in text, text
    assert f"new, and not used: {data}/caf\\351.mkv" in text, text
    assert "caf" not in data_of(folder / "late")


def changed_between(folder):
    data, out = folder / "data", folder / "run"
    data.mkdir()
    make_video(data / "a.mkv")
    make_video(data / "c.mkv", "snow")
    (data / "notes.text").write_text("hello\n")
    os.mkfifo(data / "pipe.mkv")
    text = run("pretrain", *tiny, "--set", "steps=20", "--set", "keep=10", "--stop-at", 3, "--data", data, "--out", out, status=130)
    assert sum("skipped" in line for line in text.splitlines()) == 2 and "notes.text" in text and "neither a file nor a folder" in text, text
    assert names_of(out) == ["a.mkv", "c.mkv"] and names_of(out, "skipped") == ["pipe.mkv", "notes.text"]
    assert data_of(out) == "[data]\nclips=a.mkv;c.mkv;\nphotos=\nsprites=\n", data_of(out)
    listed = (out / "material.jsonl").read_text()

    # What is new is told and not used. What was skipped, and what has only another time, is not worth a word.
    make_video(data / "b.mkv", "snow", 50)
    os.utime(data / "a.mkv", (1, 1))
    text = run("resume", out, "--stop-at", 4, status=130)
    assert f"new, and not used: {data}/b.mkv\n" in text and "--data PATH" in text and "skipped" not in text and "a.mkv" not in text, text
    assert names_of(out) == ["a.mkv", "c.mkv"] and data_of(out) == "[data]\nclips=a.mkv;c.mkv;\nphotos=\nsprites=\n"
    # What has changed is told and noted, in the list and in the weights.
    make_video(data / "a.mkv", "snow", 40)
    text = run("resume", out, "--stop-at", 5, status=130)
    assert "used as it is now" in text and "a.mkv: has changed" in text, text
    assert [line["frames"] for line in list_of(out)] == [40, 60]
    assert data_of(out) == ("[data]\nclips=a.mkv;c.mkv;\nphotos=\nsprites=\n\n[changes]\nstep-4-1=a.mkv is another file of this name\n"), data_of(out)
    assert "has changed" not in run("resume", out, "--stop-at", 6, status=130)
    # Other material: so are list and weights from there on, with what was used before.
    (data / "notes.text").unlink()
    text = run("resume", out, "--data", data, "--stop-at", 7, status=130)
    assert "other material is used from here on" in text, text
    assert names_of(out) == ["a.mkv", "b.mkv", "c.mkv"]
    expected = ("[data]\nclips=a.mkv;b.mkv;c.mkv;\nphotos=\nsprites=\n\n[data until step 6]\nclips=a.mkv;c.mkv;\nphotos=\nsprites=\n\n"
                "[changes]\nstep-4-1=a.mkv is another file of this name\n")
    assert data_of(out) == expected, data_of(out)
    text = run("info", out / "model.safetensors")
    assert "[data until step 6]\nclips=a.mkv;c.mkv;\n" in text, text
    # Of no use any more, while others are.
    (data / "b.mkv").write_text("no video\n")
    text = run("resume", out, status=1)
    assert "b.mkv" in text and "it could be used before" in text, text
    # Missing is an error, however many are left, and nothing is written.
    (data / "b.mkv").unlink()
    now = (out / "material.jsonl").read_text()
    text = run("resume", out, status=1)
    assert f"are missing (1):\n  {data}/b.mkv" in text and now == (out / "material.jsonl").read_text(), text
    assert "no checkpoint of step 99, expected one of 0 3 4 5 6 7" in run("resume", out, "--from", 99, status=1)
    # Back to an earlier step: the list is true from there on.
    text = run("resume", out, "--from", 4, "--data", data, "--stop-at", 5, status=130)
    assert "set aside" in text and steps_of(out)[-1] == 5, text
    assert data_of(out).startswith("[data]\nclips=a.mkv;c.mkv;\n"), data_of(out)

    # A list that cannot be what was written: the line is named.
    for i, (old, new, expected) in enumerate((('"size":', '"sise":', "line 3"), ('"material":1', '"material":2', "line 1"), ('{"file"', "{file", "line 3"),
                                              ('"path":"/', '"path":"', "line 2"), ('"path":"', '"path":"\\\\', "line 2"))):
        (out / "material.jsonl").write_text(listed.replace(old, new))
        text = run("resume", out, status=1)
        assert f"material.jsonl, {expected}: not a list of material: expected" in text, (i, text)
    (out / "material.jsonl").write_text(listed[:-5])
    assert "expected a line of JSON" in run("resume", out, status=1)


def links(folder):
    data = folder / "data"
    (data / "deep").mkdir(parents=True)
    make_video(data / "deep" / "a.mkv")
    make_video(folder / "outside.mkv", "snow")
    for name, target in (("one", "."), ("two", "."), ("A", "deep"), ("deep/up", "../.."), ("0.mkv", "deep/a.mkv"), ("nothing", "nowhere"), ("self", "self")):
        (data / name).symlink_to(target)
    os.link(data / "deep" / "a.mkv", data / "deep" / "hard.mkv")
    for i, names in enumerate(([data], [data / "two", data / "deep" / "a.mkv", data], [data / "one" / "one", data])):
        out = folder / f"run{i}"
        text = run("pretrain", *tiny, "--set", "steps=1", *(word for name in names for word in ("--data", name)), "--out", out)
        # deep/up leads out of the folder, to what lies beside it.
        assert [line["path"] for line in list_of(out)] == [str(data / "deep" / "a.mkv"), str(data / "deep" / "up" / "outside.mkv")], list_of(out)
        assert {"nothing", "self"} <= set(names_of(out, "skipped")), text


def before_there_were_lists(folder):
    data, out = folder / "data", folder / "run"
    data.mkdir()
    make_video(data / "a.mkv")
    run("pretrain", *tiny, "--set", "steps=9", "--stop-at", 3, "--data", data, "--out", out, status=130)
    (out / "material.jsonl").unlink()
    assert "there is no list of its material" in run("resume", out, status=1)
    (out / "data.ini").write_text(f"[data]\nclips={data};\nphotos=\nsprites=\n")
    text = run("resume", out, "--stop-at", 4, status=130)
    assert "kept no list" in text and names_of(out) == ["a.mkv"], text
    assert data_of(out) == ("[data]\nclips=a.mkv;\nphotos=\nsprites=\n\n[changes]\n"
                            "step-3-1=the files were listed; before, the folders were searched at each start\n"), data_of(out)
    assert "no list" not in run("resume", out, "--stop-at", 5, status=130)
    (out / "material.jsonl").unlink()
    (out / "data.ini").unlink()
    run("resume", out, "--data", data, "--stop-at", 6, status=130)
    assert names_of(out) == ["a.mkv"]


def what_a_recipe_does_not_use(folder):
    """Videos of a run that renders everything are no material of it; nor are the pictures that a run makes."""
    data = folder / "data"
    data.mkdir()
    make_video(data / "a.mkv")
    picture = data / "zone.png"
    subprocess.run(["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=1", "pattern=circular", "!", "video/x-raw,width=200,height=150", "!", "pngenc",
                    "!", "filesink", f"location={picture}"], check=True, timeout=60)
    out = data / "run"
    text = run("pretrain", "--recipe", "tiny", "--set", "synthetic=1", "--set", "steps=11", "--data", data / "a.mkv", "--photos", data, "--out", out,
               "--stop-at", 10, status=130)
    assert "--data is not used" in text and (out / "loss.png").exists() and (out / "reconstruction-00000010.png").exists(), text
    assert names_of(out) == ["a.mkv", "zone.png"] and data_of(out) == "[data]\nclips=\nphotos=a.mkv;zone.png;\nsprites=\n", data_of(out)
    text = run("resume", out)
    assert "not used" not in text, text


with tempfile.TemporaryDirectory() as name:
    for case in (vanishing_folder, same_bytes_from_another_place, weights_of_sources, unreadable_in_the_middle, names_that_are_not_utf8, changed_between, links,
                 before_there_were_lists, what_a_recipe_does_not_use):
        place = pathlib.Path(name) / case.__name__
        place.mkdir()
        case(place)
        print(case.__name__, flush=True)
