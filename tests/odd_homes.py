"""Shared by the tests of cache folders: runs programs as a user without rights, in a world of small, full or forbidden file systems.

As root, programs run as nobody (setpriv); where root may mount (unshare), each run has a file system tree of its own, so that /tmp and the like can
be taken away. What cannot be had here is a skip with its reason."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

failed = skipped = 0
is_root = os.geteuid() == 0
user = 65534 if is_root else os.geteuid()


def find_skip(*command):
    try:
        return subprocess.run(command, capture_output=True, timeout=60).returncode != 0
    except OSError:
        return True


no_user = is_root and find_skip("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "true")
no_mount = not is_root or find_skip("unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt")


def check(name, good, seen):
    global failed
    failed += not good
    print(f"{'ok' if good else 'WRONG'} {name}: {seen}", flush=True)


def skip(name, reason):
    global skipped
    skipped += 1
    print(f"skipped {name}: {reason}", flush=True)


class World:
    """A folder that everybody may see, with home (closed) and tmp (open) in it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.folder.chmod(0o755)
        self.home, self.tmp, self.cache = (self.make(name, mode) for name, mode in (("home", 0o555), ("tmp", 0o777), ("cache", 0o777)))

    def make(self, name, mode):
        path = self.folder / name
        path.mkdir()
        path.chmod(mode)
        return path

    def copy(self, *files):
        """What the user needs of a build that may lie where only root looks."""
        for file in files:
            shutil.copy(file, self.folder)
            (self.folder / pathlib.Path(file).name).chmod(0o755)

    def run(self, *command, setup="", variables={}, as_user=True, timeout=600):
        """@command with HOME and TMPDIR of this world and @variables (None: unset), without the rights of root if @as_user; @setup: shell commands before it, in a mount namespace."""
        env = {**os.environ, "HOME": str(self.home), "TMPDIR": str(self.tmp), "LC_ALL": "C.UTF-8"}
        for name in "XDG_CACHE_HOME", "POCL_CACHE_DIR", "POCL_KERNEL_CACHE":
            env.pop(name, None)
        for name, value in variables.items():
            env.pop(name, None)
            if value is not None:
                env[name] = str(value)
        command = [str(part) for part in command]
        if is_root and as_user:
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
        if setup:
            command = ["unshare", "--mount", "--propagation", "private", "bash", "-ec", setup + '\nexec "$@"', "_", *command]
        return subprocess.run(command, env=env, cwd=self.folder / "cache", capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)

    def remove(self):
        subprocess.run(["chmod", "-R", "u+rwX", self.folder], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def names(path):
    return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []


def tmpfs(path, options):
    return f'mkdir -p "{path}"; mount -t tmpfs -o "mode=777,{options}" none "{path}"\n'


def no_temporary_folders():
    """As if there were none that could be written."""
    return "".join(f"mount -t tmpfs -o mode=755 none {path}\n" for path in ("/var/tmp", "/dev/shm"))


def end():
    print(f"{failed} wrong, {skipped} skipped")
    sys.exit(1 if failed else 77 if skipped else 0)
