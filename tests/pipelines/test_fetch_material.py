#!/usr/bin/env python3
"""test_fetch_material.py SOURCE BUILD: pipelines/fetch-material with an apt-get of this test, which has small packages that dpkg-deb makes here, lacks some,
breaks off, and waits. What is kept of each and under which licence, what a second call does, what is said and left where something goes wrong, and that
the trainer reads the result. Nothing here goes to a network."""
import csv
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib

import numpy as np

source, build = map(pathlib.Path, sys.argv[1:3])
SCRIPT = source / "pipelines/fetch-material"
NOBODY = 65534
FORMAT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
# Serves $APT/*.deb. NAME.size in its place is another size, NAME.fails an error, NAME.waits half of the package until the file is gone. Notes its calls.
APT = """#!/bin/bash
echo "$*" >> "$APT/calls"
[ "$1 $2" = "-q download" ] || exit 9
shift 2
uris=""
if [ "$1" = --print-uris ]; then uris=yes; shift; fi
for name; do
  compgen -G "$APT/${name}_*.deb" > /dev/null || { echo "W: a warning" >&2; echo "E: Unable to locate package $name" >&2; exit 100; }
done
for name; do
  deb=$(compgen -G "$APT/${name}_*.deb")
  if [ -n "$uris" ]; then
    echo "'http://localhost/${deb##*/}' ${deb##*/} $(cat "$APT/$name.size" 2>/dev/null || stat -c %s "$deb") SHA256:00"
  elif [ -e "$APT/$name.fails" ]; then
    echo "E: Failed to fetch $name" >&2; exit 100
  elif [ -e "$APT/$name.waits" ]; then
    head -c 100 "$deb" > "${deb##*/}"; touch "$APT/started"
    while [ -e "$APT/$name.waits" ]; do sleep 0.1; done
  else
    cp "$deb" .
  fi
done
"""
rng = np.random.default_rng(0)


def png(height, width, alpha=None, value=None):
    """Noise, or a plain colour; @alpha is an array or None."""
    pixels = np.full((height, width, 3), value, np.uint8) if value is not None else rng.integers(0, 256, (height, width, 3), np.uint8)
    if alpha is not None:
        pixels = np.dstack([pixels, alpha])

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2 if alpha is None else 6, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def encoded(encoder, path):
    elements = f"videotestsrc num-buffers=1 pattern=smpte ! video/x-raw,width=320,height=260 ! {encoder} ! filesink".split()
    subprocess.run(["gst-launch-1.0", "-q", *elements, f"location={path}"], check=True, timeout=60)
    return path.read_bytes()


def half(height, width):
    """Alpha of a picture that is cut out in the middle."""
    alpha = np.zeros((height, width), np.uint8)
    alpha[height // 4 : -height // 4, width // 4 : -width // 4] = 255
    return alpha


def make_package(apt, name, version, files, copyright_text, links=()):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder) / "root"
        for path, content in {**files, f"usr/share/doc/{name}/copyright": copyright_text.encode(),
                              "DEBIAN/control": f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: a\nDescription: b\n".encode()}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        for link, target in links:
            (root / link).symlink_to(target)
        for path in [root, *root.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", root, apt / f"{name}_{version.replace(':', '%3a')}_all.deb"], check=True, stdout=subprocess.DEVNULL)


def make_packages(apt):
    bridge, photo = png(260, 320), png(256, 300)
    backgrounds = "usr/share/backgrounds"
    make_package(apt, "lomiri-wallpapers-16.04", "1-2", {
        f"{backgrounds}/Bridge.png": bridge, f"{backgrounds}/again.png": bridge, f"{backgrounds}/Ä a;b.jpg": encoded("jpegenc", apt / "x.jpg"),
        f"{backgrounds}/analogpattern.png": photo, f"{backgrounds}/broken.jpg": b"\xff\xd8\xff\xe0 no picture", f"{backgrounds}/drawn.svg": b"<svg/>",
        f"{backgrounds}/little.png": png(200, 400), f"{backgrounds}/plain.png": png(300, 300, value=99),
    }, FORMAT + "Files: 16.04/B*\n  16.04/nothing?.png\nCopyright: a\nLicense: Expat\n the text\n\nFiles: 16.04/*\nCopyright: 2018, B\n  2019, C\nLicense: CC-BY-4.0\n\n"
        "Files: 16.04/Bridge.pn?\nCopyright: D\nLicense: CC-BY-SA-4.0\n\nLicense: Expat\n a\n .\n b\n", links=[(f"{backgrounds}/link.png", "Bridge.png")])
    # The source lies elsewhere than it did: what a general pattern says would be wrong.
    make_package(apt, "mate-backgrounds", "1", {f"{backgrounds}/mate/nature/Aqua.png": png(256, 256), f"{backgrounds}/mate/abstract/Waves.png": png(256, 257)},
                 FORMAT + "Files: *\nCopyright: a\nLicense: GPL-2+\n\nFiles: pictures/Aqua.png\nCopyright: b\nLicense: CC0-1.0\n")
    wallpapers = "usr/share/wallpapers"
    make_package(apt, "plasma-workspace-wallpapers", "4:5.27", {
        f"{wallpapers}/Kite/contents/images/1x1.png": png(256, 258), f"{wallpapers}/Kite/contents/screenshot.png": png(256, 259),
        f"{wallpapers}/Kite/metadata.json": json.dumps({"KPlugin": {"License": "LGPLv3"}}).encode(), f"{wallpapers}/Altai/contents/images/1x1.png": png(256, 260),
    }, "\n" + FORMAT + "Files: *\nCopyright: KDE\nLicense: GPL-2+\n")
    make_package(apt, "gnome-backgrounds", "43", {f"{backgrounds}/gnome/grid-d.webp": encoded("webpenc", apt / "x.webp"), f"{backgrounds}/gnome/vnc-d.png": png(256, 261)},
                 "Debianized by somebody\n\nCopyright:\n    somebody\n")
    rock, zipped = png(128, 130), apt / "x.pk3"
    with zipfile.ZipFile(zipped, "w") as archive:
        for name, content in {"tex_nature/rock.png": rock, "tex_mattn/rock.png": png(128, 131), "tex_nature/rock_nm.png": png(128, 132), "tex_pics/art.png": png(128, 133),
                              "tex_nature/few.png": png(128, 134, value=9), "tex_nature/leaves.png": png(128, 135, half(128, 135)), "tex_nature/narrow.png": png(100, 200)}.items():
            archive.writestr(f"textures/{name}", content)
    make_package(apt, "ufoai-textures", "2.5", {"usr/share/games/ufoai/base/0textures.pk3": zipped.read_bytes()},
                 FORMAT + "Files: *\nCopyright: UFO\nLicense: GPL-2+\n\nFiles:\n base/textures/tex_nature/rock.png\nCopyright:\n Nate\n Bart\nLicense: CC-BY-3.0\n")
    stamps = "usr/share/tuxpaint/stamps"
    make_package(apt, "tuxpaint-stamps-default", "2022", {
        f"{stamps}/animals/duck.png": png(64, 80, half(64, 80)), f"{stamps}/animals_duck.png": png(70, 80, half(70, 80)), f"{stamps}/opaque.png": png(64, 65),
        f"{stamps}/all.png": png(64, 66, np.full((64, 66), 255, np.uint8)), f"{stamps}/little.png": png(40, 66, half(40, 66)), f"{stamps}/duck.ogg": b"quack",
        f"{stamps}/photo.jpg": (apt / "x.jpg").read_bytes()}, FORMAT + "Files: *\nCopyright: 2002-2022 by Bill\nLicense: GPL-2\n")


EXPECTED = {
    "photos/lomiri-wallpapers-16.04_Bridge.png": ("1-2", "usr/share/backgrounds/Bridge.png", "CC-BY-SA-4.0", "D"),
    "photos/lomiri-wallpapers-16.04___a_b.jpg": ("1-2", "usr/share/backgrounds/Ä a;b.jpg", "CC-BY-4.0", "2018, B; 2019, C"),
    "photos/mate-backgrounds_nature_Aqua.png": ("1", "usr/share/backgrounds/mate/nature/Aqua.png", "see mate-backgrounds/copyright", ""),
    "photos/plasma-workspace-wallpapers_Kite_1x1.png": ("4:5.27", "usr/share/wallpapers/Kite/contents/images/1x1.png", "GPL-2+ (its metadata.json: LGPLv3)", "KDE"),
    "photos/gnome-backgrounds_grid-d.webp": ("43", "usr/share/backgrounds/gnome/grid-d.webp", "see gnome-backgrounds/copyright", ""),
    "textures/ufoai-textures_tex_nature_rock.png": ("2.5", "usr/share/games/ufoai/base/0textures.pk3/textures/tex_nature/rock.png", "CC-BY-3.0", "Nate; Bart"),
    "textures/ufoai-textures_tex_mattn_rock.png": ("2.5", "usr/share/games/ufoai/base/0textures.pk3/textures/tex_mattn/rock.png", "GPL-2+", "UFO"),
    "sprites/tuxpaint-stamps-default_animals_duck.png": ("2022", "usr/share/tuxpaint/stamps/animals/duck.png", "GPL-2", "2002-2022 by Bill"),
    "sprites/tuxpaint-stamps-default_animals_duck-2.png": ("2022", "usr/share/tuxpaint/stamps/animals_duck.png", "GPL-2", "2002-2022 by Bill"),
}
LATE = "photos/lomiri-wallpapers-20.04_Kleiber.png"


class Home:
    def __init__(self, folder):
        self.apt, self.bin, self.out = folder / "apt", folder / "bin", folder / "mine" / "material ö"
        for path in self.apt, self.bin, self.out.parent:
            path.mkdir(parents=True)
            path.chmod(0o777)
        folder.chmod(0o755)
        (self.bin / "apt-get").write_text(APT)
        (self.bin / "apt-get").chmod(0o755)
        self.env = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}", "APT": str(self.apt), "HOME": str(folder)}

    def start(self, *arguments, **options):
        return subprocess.Popen([SCRIPT, *map(str, arguments)], env=options.pop("env", self.env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, start_new_session=True, **options)

    def run(self, *arguments, status=0, **options):
        (self.apt / "calls").unlink(missing_ok=True)
        process = self.start(*arguments, **options)
        said = process.communicate(timeout=280)[0]
        assert process.returncode == status and "Traceback" not in said, (arguments, process.returncode, said)
        return said

    def downloaded(self):
        lines = (self.apt / "calls").read_text().splitlines() if (self.apt / "calls").exists() else []
        return [line.split()[-1] for line in lines if "--print-uris" not in line]

    def check(self, expected, out=None):
        """The list, the pictures and the copyright files are these and no others."""
        out = out or self.out
        rows = list(csv.DictReader(open(out / "material.csv", newline="")))
        assert [row["file"] for row in rows] == sorted(expected), [row["file"] for row in rows]
        for row in rows:
            assert tuple(row[name] for name in ("version", "source", "licence", "copyright")) == expected[row["file"]], row
            assert row["file"].split("/")[1].startswith(row["package"] + "_")
        packages = {row["package"] for row in rows}
        found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
        assert found == {*expected, "material.csv", *(f"copyright/{name}" for name in packages)}, found
        assert not (out / ".fetch-material").exists()


def check_all(home):
    said = home.run(home.out, "--dry-run", status=1)
    assert not home.out.exists() and not home.downloaded(), said
    assert "tuxpaint-stamps-default: 0.1 MB to download, cut-outs" in said and " MB in all" in said, said
    assert "lomiri-wallpapers-20.04 cannot be had: apt-get: Unable to locate package lomiri-wallpapers-20.04" in said, said
    said = home.run(home.out, status=1)
    assert said.splitlines()[-1] == "fetch-material: 1 of 7 packages are missing: lomiri-wallpapers-20.04", said
    assert "lomiri-wallpapers-16.04 1-2: 2 pictures in" in said and "(left out: 1 a copy, 1 plain, 1 small, 1 unreadable)" in said, said
    assert "(left out: 2 not cut out, 1 small)" in said and "(left out: 1 small, 1 transparent)" in said, said
    home.check(EXPECTED)
    make_package(home.apt, "lomiri-wallpapers-20.04", "20", {"usr/share/backgrounds/Kleiber.png": png(256, 270), "usr/share/backgrounds/Fossa.png": png(256, 271)},
                 FORMAT + "Files: 20.04/Kleiber.png\nCopyright: L\nLicense: CC-BY-SA-3.0\n")
    said = home.run(home.out)
    assert home.downloaded() == ["lomiri-wallpapers-20.04"] and said.count("already there") == 6, said
    expected = {**EXPECTED, LATE: ("20", "usr/share/backgrounds/Kleiber.png", "CC-BY-SA-3.0", "L")}
    home.check(expected)
    assert home.run(home.out).count("already there") == 7 and not home.downloaded()
    (home.out / "sprites/tuxpaint-stamps-default_animals_duck.png").unlink()
    assert "tuxpaint-stamps-default 2022: 2 pictures" in home.run(home.out) and home.downloaded() == ["tuxpaint-stamps-default"]
    home.check(expected)
    return expected


def check_parts(home, expected):
    out = home.out.with_name("part")
    home.run(out, "--sprites")
    home.check({name: value for name, value in expected.items() if name.startswith("sprites/")}, out)
    home.run(out, "--textures")
    home.check({name: value for name, value in expected.items() if not name.startswith("photos/")}, out)
    assert "unrecognized arguments: --videos" in home.run(out, "--videos", status=2)


def check_user(home, expected):
    """Nothing needs root; who is root tries it as somebody else."""
    out = home.out.with_name("user")
    other = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    home.run(out, "--textures", **other)
    home.check({name: value for name, value in expected.items() if name.startswith("textures/")}, out)
    locked = home.out.with_name("locked")
    locked.mkdir(mode=0o555)
    assert "locked cannot be written" in home.run(locked, status=1, **other)


def check_trainer(home):
    """It reads all of it, and moves pictures of each kind."""
    picture = home.out.with_name("samples.png")
    done = subprocess.run([build / "trainer/rvm-cl-train", "preview", "--photos", home.out / "photos", "--photos", home.out / "textures", "--sprites", home.out / "sprites",
                           "--set", "synthetic=1", picture], capture_output=True, text=True, env=home.env, timeout=250)
    assert done.returncode == 0 and picture.stat().st_size > 10000, done
    assert "left out" not in done.stdout + done.stderr, done


def check_trouble(home):
    out = home.out.with_name("trouble")
    (home.apt / "mate-backgrounds.size").write_text(str(10**15))
    said = home.run(out, "--photos", status=1)
    assert "free, and " in said.splitlines()[-1] and "MB are needed" in said and not home.downloaded(), said
    (home.apt / "mate-backgrounds.size").unlink()
    (home.apt / "mate-backgrounds.fails").touch()
    damaged = next(home.apt.glob("gnome-backgrounds_*"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    make_package(home.apt, "lomiri-wallpapers-20.04", "20", {"usr/share/backgrounds/Other.png": png(256, 270)}, "none")
    said = home.run(out, "--photos", status=1)
    assert "mate-backgrounds cannot be fetched: apt-get: Failed to fetch mate-backgrounds" in said and "gnome-backgrounds cannot be fetched: dpkg-deb: " in said, said
    assert "lomiri-wallpapers-20.04 cannot be fetched: version 20 has no picture that can be used" in said, said
    assert "3 of 5 packages are missing: lomiri-wallpapers-20.04, mate-backgrounds, gnome-backgrounds" in said, said
    home.check({name: value for name, value in EXPECTED.items() if "lomiri" in name or "plasma" in name}, out)
    (home.apt / "mate-backgrounds.fails").unlink()
    damaged.write_bytes(whole)
    (out / "material.csv").write_text("file,other\n")
    assert "trouble/material.csv is not the list of an earlier call: expected a table of file,package," in home.run(out, status=1)
    file = home.out.with_name("file")
    file.touch()
    assert "file is no folder" in home.run(file, status=1)
    bare = home.bin.with_name("bare")
    bare.mkdir()
    (bare / "dpkg-deb").symlink_to(shutil.which("dpkg-deb"))
    assert "there is no apt-get: the pictures come from Debian's packages" in home.run(file, status=1, env={**home.env, "PATH": str(bare)})


def check_stopped(home):
    """By Ctrl-C, which leaves nothing half done, and by what nobody can catch."""
    out, waits = home.out.with_name("stopped"), home.apt / "tuxpaint-stamps-default.waits"
    expected = {name: value for name, value in EXPECTED.items() if not name.startswith("photos/")}

    def begin():
        (home.apt / "started").unlink(missing_ok=True)
        waits.touch()
        process = home.start(out, "--textures", "--sprites")
        end = time.monotonic() + 200
        while not (home.apt / "started").exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        return process

    for number in signal.SIGINT, signal.SIGTERM:
        process = begin()
        process.send_signal(number)
        said = process.communicate(timeout=100)[0]
        assert process.returncode == 130 and said.splitlines()[-1] == "fetch-material: stopped; the same command fetches what is missing", (process.returncode, said)
        home.check({name: value for name, value in expected.items() if name.startswith("textures/")}, out)
    process = begin()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert (out / ".fetch-material").exists()
    # Another one at the same time waits.
    first = begin()
    second = home.start(out, "--sprites")
    assert "another process fetches into" in second.stdout.readline()
    waits.unlink()
    # The one that broke off has half of the package.
    assert "tuxpaint-stamps-default cannot be fetched: dpkg-deb: " in first.communicate(timeout=100)[0] and first.returncode == 1
    said = second.communicate(timeout=100)[0]
    assert second.returncode == 0, said
    home.check(expected, out)


with tempfile.TemporaryDirectory(prefix="rvm material ü") as name:
    home = Home(pathlib.Path(name) / "x")
    pathlib.Path(name).chmod(0o755)
    make_packages(home.apt)
    expected = check_all(home)
    check_parts(home, expected)
    check_user(home, expected)
    check_trainer(home)
    check_trouble(home)
    check_stopped(home)
print("ok")
