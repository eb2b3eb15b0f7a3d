#!/usr/bin/env python3
"""test_prepare.py SOURCE: what the scripts of pipelines/ do before they run anything: installing packages and building. In copies of pipelines/, with
apt-get, sudo, meson and ninja replaced by programs that play their part, so that nothing is installed and every failure can be had."""
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import time

source = pathlib.Path(sys.argv[1])
TOOLS = ("bash sh env sed grep cut wc tail head tee cat rm mkdir mktemp flock realpath dirname basename sha256sum chmod sleep kill find getent true"
         " mv touch stat").split()
NOBODY = 65534


class Home:
    """A folder with a checkout, a PATH of its own, and a cache."""

    def __init__(self, folder):
        self.folder, self.bin, self.checkout = folder, folder / "bin", folder / "a checkout ö"
        self.bin.mkdir(parents=True)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))
        shutil.copytree(source / "pipelines", self.checkout / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
        (self.checkout / "model/default").mkdir(parents=True)
        self.write("dpkg-query", 'for package; do case $package in -*) ;; *) echo "installed:$package" ;; esac; done')
        self.write("id", "echo 0")
        self.write("meson", 'echo "$*" >> "$HOME/meson"; mkdir -p "$2"; touch "$2/build.ninja"')
        self.write("ninja", '[ "$3" = -n ] || { echo "[1/2] first"; echo "[2/2] second"; }')
        self.env = {"PATH": str(self.bin), "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}

    def write(self, name, script):
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(f"#!{shutil.which('bash')}\n{script}\n")
        (self.bin / name).chmod(0o755)

    def start(self, script, *arguments, **options):
        return subprocess.Popen([self.checkout / "pipelines" / script, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.env, **options)

    def run(self, script, *arguments, status=0, **options):
        process = self.start(script, *arguments, **options)
        said = process.communicate(timeout=100)
        assert process.returncode == status, (script, arguments, process.returncode, *said)
        return said[1]


def check_install(home):
    home.write("dpkg-query", "true")  # nothing is installed
    home.write("id", "echo 1000")
    wall = 'for i in $(printf "%s " {1..200}); do echo "Get:$i a package"; done'
    home.write("apt-get", f"{wall}; exit 0")
    said = home.run("install-packages", status=1)
    assert "there is no sudo" in said and "as root, this does what is needed: apt-get update && apt-get install" in said and "meson" in said, said
    assert "line" not in said and len(said.splitlines()) == 2, said
    home.write("sudo", "echo 'nobody is not in the sudoers file' >&2; exit 1")
    said = home.run("install-packages", status=1)
    assert "sudo refuses" in said and "apt-get install" in said, said
    home.write("sudo", 'case $1 in -*) ;; *) echo "$*" >> "$HOME/sudo"; exec "$@" ;; esac')
    said = home.run("install-packages")
    assert said.startswith("installing ") and len(said.splitlines()) == 1 and not list(home.folder.glob("gst-rvm-install.*")), said
    assert "apt-get" in (home.folder / "sudo").read_text() and "Lock::Timeout" in (home.folder / "sudo").read_text()
    home.write("apt-get", f"{wall}; echo 'E: Unable to locate package meson'; exit 100")
    said = home.run("install-packages", status=1)
    log = next(home.folder.glob("gst-rvm-install.*"))
    assert str(log) in said and "E: Unable to locate package meson" in said and "Get:" not in said, said
    assert log.read_text().count("Get:") == 200
    # A script ends there, and says nothing more.
    assert home.run("with-rvm", "true", status=1).count("\n") == said.count("\n")
    # On a terminal, how far apt-get is.
    home.write("apt-get", 'echo "dlstatus:1:42.5:Retrieving"; echo "pmstatus:gcc:77.1:Unpacking"')
    main, end = pty.openpty()
    subprocess.run([home.checkout / "pipelines/install-packages"], stderr=end, env=home.env, check=True, timeout=100)
    os.close(end)
    said = os.read(main, 65536).decode()
    assert "downloading: 42 %" in said and "installing: 77 %" in said and said.endswith("\r\x1b[K"), said
    (home.bin / "apt-get").unlink()
    assert "no apt-get" in home.run("install-packages", status=1)
    print("installing: one line, or what is missing")


def check_build(home):
    said = home.run("with-rvm", "true")
    assert "configuring the build" in said and "building" not in said and not (home.folder / "cache").exists(), said
    home.write("ninja", 'for i in 1 2 3 4 5 6 7; do echo "[$i/7] step"; done')
    said = home.run("with-rvm", "true")
    assert said.count("\n") == 1 and said.startswith("building, about "), said
    main, end = pty.openpty()
    subprocess.run([home.checkout / "pipelines/with-rvm", "true"], stderr=end, env=home.env, check=True, timeout=100)
    os.close(end)
    said = os.read(main, 65536).decode()
    assert "\rbuilt: 1 of 7\rbuilt: 2 of 7" in said and said.endswith("\r\x1b[K"), said
    home.write("ninja", '[ "$3" = -n ] && exit; for i in {1..300}; do echo "line $i"; done; echo "error: it is broken"; exit 1')
    said = home.run("with-rvm", "true", status=1)
    assert "error: it is broken" in said and "line 300" in said and "line 100\n" not in said and "the build in" in said, said
    print("building: one line, its end on failure")


def check_no_prompt(home):
    """What is built must not eat a script's standard input."""
    home.write("ninja", "cat > /dev/null")
    done = subprocess.run([home.checkout / "pipelines/with-rvm", "cat"], input="the video", capture_output=True, text=True, env=home.env, timeout=100)
    assert done.stdout == "the video", done


def check_readonly(home):
    """Where the checkout cannot be written the build is in the cache."""
    as_other = {}
    if os.geteuid() == 0:  # whom no mode keeps from writing
        as_other = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        home.folder.chmod(0o777)
        home.folder.parent.chmod(0o755)
        (home.folder / "cache").mkdir()
        (home.folder / "cache").chmod(0o777)
    for path in [home.checkout, *home.checkout.rglob("*")]:
        if path.is_dir():
            path.chmod(0o555)
    said = home.run("with-rvm", "true", **as_other)
    found = list((home.folder / "cache/gst-rvm").glob("build-*/build.ninja"))
    assert len(found) == 1 and str(found[0].parent) in said and not (home.checkout / "build").exists(), said
    home.run("with-rvm", "true", **as_other)
    assert (home.folder / "meson").read_text().count("setup") == 1, "the second time there is a build"
    # A build of somebody else's.
    home.checkout.chmod(0o755)
    (home.checkout / "build").mkdir(mode=0o555)
    assert str(found[0].parent) not in home.run("with-rvm", "true", **as_other)
    (home.folder / "cache/gst-rvm").chmod(0o555)
    shutil.rmtree(found[0].parent)
    if os.geteuid() == 0:
        (home.folder / "cache/gst-rvm").chmod(0o755)
    home.env["XDG_CACHE_HOME"] = "/proc/nowhere"
    said = home.run("with-rvm", "true", status=1, **as_other)
    assert "there is no place to build" in said and "RVM_BUILD" in said and len(said.splitlines()) == 1, said
    print("a read-only checkout: built in the cache")


def check_two_at_once(home):
    """One waits for the other and says so; a builder that is killed leaves no lock."""
    home.write("ninja", '[ "$3" = -n ] && exit; mkdir "$HOME/building" || { echo both >> "$HOME/both"; }; sleep 1; rmdir "$HOME/building"')
    (home.bin / "rmdir").symlink_to(shutil.which("rmdir"))
    both = [home.start("with-rvm", "true") for _ in range(3)]
    said = [process.communicate(timeout=100) for process in both]
    assert all(process.returncode == 0 for process in both), said
    assert sum("another process builds" in text and "waiting" in text for _, text in said) == 2 and not (home.folder / "both").exists(), said
    assert sum("configuring" in text for _, text in said) == 1, said
    home.write("ninja", '[ "$3" = -n ] && exit; touch "$HOME/started"; sleep 60')
    killed = home.start("with-rvm", "true", start_new_session=True)
    end = time.monotonic() + 60
    while not (home.folder / "started").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    home.write("ninja", "true")
    assert "waiting" not in home.run("with-rvm", "true")
    # A meson that was killed half way.
    shutil.rmtree(home.checkout / "build")
    (home.checkout / "build/meson-private").mkdir(parents=True)
    home.write("meson", '[ ! -e "$2/meson-private" ] || { echo "half a build" >&2; exit 1; }; touch "$2/build.ninja"')
    home.run("with-rvm", "true")
    print("two at once: one after the other")


with tempfile.TemporaryDirectory(prefix="rvm prepare ü") as name:
    for number, check in enumerate((check_install, check_build, check_no_prompt, check_readonly, check_two_at_once)):
        check(Home(pathlib.Path(name) / str(number)))
    for path in pathlib.Path(name).rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
print("ok")
