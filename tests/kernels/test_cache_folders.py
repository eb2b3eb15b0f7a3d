#!/usr/bin/env python3
"""test_cache_folders.py TEST_PROCESS: homes that cannot be written, are full, may run no programs, or are not there. PoCL, which has no device without
a folder and ends the process when it cannot write to it, gets another one; kernels give what they always do; one sentence says what, where and how to
change it. Only where there is nothing at all is there an error. A disk that fills later is an error, too."""
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))
import odd_homes
from odd_homes import World, check, names, no_mount, no_temporary_folders, skip, tmpfs

program = pathlib.Path(sys.argv[1])
CURE = "name another folder with cache-dir or the environment variable POCL_CACHE_DIR"


def case(name, parts, cache_dir=None, error=False, make=None, setup=None, then=None, variables={}):
    """@parts: of the one notice, or error; none: nothing is said. @make: before; @setup: mounts. @then: what else must be, afterwards."""
    if odd_homes.no_user:
        return skip(name, "setpriv cannot make another user of root here")
    if setup and no_mount:
        return skip(name, "file systems cannot be mounted here")
    world = World()
    world.copy(program)

    def fill(text):
        return text and text.format(home=world.home, tmp=world.tmp, cache=world.cache)

    if make:
        make(world)
    command = [world.folder / program.name, "open"] + ([] if cache_dir is None else [fill(cache_dir)])
    result = world.run(*command, setup=setup(world) if setup else "", variables={key: fill(value) for key, value in variables.items()})
    said = [line for line in result.stdout.splitlines() if line.startswith(("error: ", "notice: ", "again: "))]
    good = (result.returncode == 1 if error else result.returncode == 0) and len(said) == bool(parts)
    good = good and all(fill(part) in said[0] for part in parts) and (not parts or said[0].startswith("error: " if error else "notice: "))
    also = then(world) if then else True
    check(name, good and also, f"status {result.returncode}, {said}" + ("" if good and also else f", {also}, {result.stderr[-2000:]}"))
    world.remove()


def in_temporary(world):
    return names(world.tmp / f"gst-rvm-{odd_homes.user}")


def opened(world):
    world.home.chmod(0o777)


denied = ["{home}/.cache", "Permission denied", "they are in {tmp}/gst-rvm-", CURE]
case("a home as it should be", [], make=opened, then=lambda world: "pocl" in names(world.home / ".cache") and names(world.tmp) == [])
case("no writable home", denied, then=lambda world: "pocl" in in_temporary(world) and "programs" in in_temporary(world))
case("cache-dir", [], "{cache}/of", then=lambda world: "pocl" in names(world.cache / "of") and names(world.tmp) == [])
case("a relative cache-dir", [], "of", then=lambda world: "pocl" in names(world.cache / "of") and names(world.tmp) == [])
case("cache-dir that cannot be written either", ["{home}/of", "Permission denied", "{tmp}/gst-rvm-", CURE], "{home}/of")
case("cache-dir that cannot be written, and a home", ["/proc/of", "they are in {home}/.cache", CURE], "/proc/of", make=opened)
case("POCL_CACHE_DIR", [], variables={"POCL_CACHE_DIR": "{cache}/of"}, then=lambda world: "gst-rvm" in names(world.cache / "of") and names(world.tmp) == [])
case("POCL_CACHE_DIR goes before cache-dir", [], "{cache}/ours", variables={"POCL_CACHE_DIR": "{cache}/of"},
     then=lambda world: len(names(world.cache / "of")) > 0 and "pocl" not in names(world.cache / "ours"))
case("POCL_CACHE_DIR that cannot be written", ["{home}/of", "Permission denied", CURE], variables={"POCL_CACHE_DIR": "{home}/of"})
case("an empty POCL_CACHE_DIR", denied, variables={"POCL_CACHE_DIR": ""})
case("a cache folder that is a file", ["{home}/.cache", "Not a directory", CURE], make=lambda world: (world.home / ".cache").write_text(""))
case("no HOME", ["they are in {tmp}/gst-rvm-", CURE] if odd_homes.is_root else [], variables={"HOME": None})
case("an empty HOME", ["no home", "they are in {tmp}/gst-rvm-", CURE], variables={"HOME": ""})
case("an XDG_CACHE_HOME that is relative is none", [], variables={"XDG_CACHE_HOME": "relative"}, make=opened,
     then=lambda world: "pocl" in names(world.home / ".cache") and "relative" not in names(world.cache))
case("cache-dir empty: nothing stays", [], "", make=opened, then=lambda world: names(world.home) == [] and in_temporary(world) == [])
# /var/tmp is the next, here an empty one.
case("another's folder among the temporary files", ["they are in /var/tmp/gst-rvm-", CURE],
     make=lambda world: (world.tmp / f"gst-rvm-{odd_homes.user}").symlink_to(world.cache), setup=lambda world: tmpfs("/var/tmp", ""),
     then=lambda world: "pocl" not in names(world.cache))
case("a full disk", ["{home}/.cache", "No space left on device", "they are in {tmp}/gst-rvm-", CURE],
     setup=lambda world: tmpfs(world.home / ".cache", "size=64k"))
case("no more files", ["{home}/.cache", "No space left on device", CURE], setup=lambda world: tmpfs(world.home / ".cache", "nr_inodes=1"))
case("a disk without permission to run programs", ["{home}/.cache", "noexec", "they are in {tmp}/gst-rvm-", CURE],
     setup=lambda world: tmpfs(world.home / ".cache", "noexec"))
case("a disk that can only be read", ["{home}/.cache", "Read-only file system", CURE],
     setup=lambda world: tmpfs(world.home / ".cache", "") + f'mount -o remount,ro "{world.home}/.cache"\n')
case("a cache-dir on a full disk", ["{home}/.cache", "No space left on device", CURE], "{home}/.cache",
     setup=lambda world: tmpfs(world.home / ".cache", "size=64k"))
case("temporary files on a disk that may run no programs", ["{home}/.cache", "they are in /var/tmp/gst-rvm-", CURE],
     setup=lambda world: tmpfs(world.tmp, "noexec") + tmpfs("/var/tmp", ""))
case("nothing can be written", ["no OpenCL device", "{home}/.cache", "Permission denied", "name one with cache-dir", "POCL_CACHE_DIR"], error=True,
     make=lambda world: world.tmp.chmod(0o555), setup=lambda world: no_temporary_folders())
case("nothing but cache-dir", [], "{cache}/of", make=lambda world: world.tmp.chmod(0o555), setup=lambda world: no_temporary_folders())

if odd_homes.no_user or no_mount:
    skip("a disk that fills while kernels are compiled", "file systems cannot be mounted here")
else:
    world = World()
    world.copy(program)
    full = world.run(world.folder / program.name, "fill", world.cache, setup=tmpfs(world.cache, "size=24m"))
    check("a disk that fills while kernels are compiled", full.returncode == 0 and CURE in full.stdout, full.stdout + full.stderr)
    world.remove()
odd_homes.end()
