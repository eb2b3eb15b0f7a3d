"""A display that nobody looks at, for tests whose programs open windows."""
import atexit
import os
import subprocess


def start():
    """An X server of its own; DISPLAY names it from now on. It ends with this process, or before."""
    reading, writing = os.pipe()
    server = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", "900x760x24", "-nolisten", "tcp"], pass_fds=[writing],
                              stderr=subprocess.DEVNULL)
    os.close(writing)
    os.environ["DISPLAY"] = ":" + os.read(reading, 16).decode().strip()
    os.environ.pop("WAYLAND_DISPLAY", None)
    atexit.register(server.terminate)
    return server
