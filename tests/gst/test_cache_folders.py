#!/usr/bin/env python3
"""test_cache_folders.py BUILD DATA: homes that cannot be written or are full, as rvmencode and rvmtrack meet them (tests/kernels has all sorts): features
are what they always are, one warning on the bus says where compiled kernels are kept and how to change it, cache-dir of either element is for both,
and where there is nothing at all one error names the folder and the cure."""
import json
import os
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))
import odd_homes
from odd_homes import World, check, names, no_mount, no_temporary_folders, skip, tmpfs

build, data = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
CURE = "cache-dir"


def launch(world, settings="", tracker="rvmtrack", **more):
    """A pipeline; its state's hash by which results are compared, and messages."""
    lines = world.cache / "lines.jsonl"
    lines.unlink(missing_ok=True)
    variables = {"GST_PLUGIN_PATH": world.folder, "LD_LIBRARY_PATH": world.folder, "GST_REGISTRY": world.cache / "registry", **more.pop("variables", {})}
    result = world.run("gst-launch-1.0", *"videotestsrc num-buffers=3 ! video/x-raw,width=64,height=64 ! rvmencode".split(),
                       f"model-file={world.folder}/tiny.npz", *settings.split(), *f"! {tracker} ! rvmexport location={lines} ! fakesink".split(),
                       variables=variables, **more)
    result.text = result.stdout + result.stderr
    result.warnings = [line for line in result.text.splitlines() if line.startswith("WARNING: from element")]
    result.errors = [line for line in result.text.splitlines() if line.startswith("ERROR: from element")]
    result.tokens = [json.loads(line)["class_token"] for line in lines.read_text().splitlines()] if lines.exists() else []
    return result


def prepare():
    world = World()
    world.copy(build / "gst-plugin/libgstrvm.so", build / "gst-plugin/meta/libgstrvm-1.0.so.0", data / "tiny.npz")
    return world


def case(name, parts, settings="", error=False, make=None, setup=None, then=None, **more):
    """@parts: of the one warning, or error; none: nothing is said. @make: before; @setup: mounts. @then: what else must be, afterwards."""
    if odd_homes.no_user:
        return skip(name, "setpriv cannot make another user of root here")
    if setup and no_mount:
        return skip(name, "file systems cannot be mounted here")
    world = prepare()
    parts = [part.format(home=world.home, tmp=world.tmp, cache=world.cache) for part in parts]
    if make:
        make(world)
    result = launch(world, settings.format(cache=world.cache), setup=setup(world) if setup else "", **more)
    said = result.errors if error else result.warnings
    good = (result.returncode != 0) == error and len(said) == bool(parts) and all(part in said[0] for part in parts) and "CRITICAL" not in result.text
    good = good and (error or result.tokens == usual)
    also = then(world) if then else True
    check(name, good and also, f"status {result.returncode}, {said}" + ("" if good and also else f", {also}, {result.text[-3000:]}"))
    world.remove()


# As this user, with the kernels of the other tests.
world = prepare()
first = launch(world, variables={"HOME": os.environ.get("HOME"), "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME")}, as_user=False)
usual = first.tokens
check("a home as it should be", first.returncode == 0 and len(usual) == 3 and not first.warnings and names(world.tmp) == [], first.text[-3000:])
world.remove()

case("no writable home", ["{home}/.cache", "Permission denied", "they are in {tmp}/gst-rvm-", CURE])
# rvmtrack starts before it, and names none.
case("cache-dir of rvmencode", [], "cache-dir={cache}/of", then=lambda world: {"pocl"} < set(names(world.cache / "of")) and names(world.tmp) == [])
case("nothing can be written", ["no OpenCL device", "{home}/.cache", "Permission denied", CURE, "POCL_CACHE_DIR"], error=True,
     make=lambda world: world.tmp.chmod(0o555), setup=lambda world: no_temporary_folders())
odd_homes.end()
