"""A display that nobody looks at, for tests whose programs open windows."""
import atexit
import os
import subprocess


def start():
    """An X server of its own; DISPLAY names it from now on. It ends with this process, or before. -noreset: when its last window closes, it would
    otherwise begin anew, and who comes then is turned away; autovideosink tries one sink after the other."""
    reading, writing = os.pipe()
    server = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", "900x760x24", "-nolisten", "tcp", "-noreset"], pass_fds=[writing],
                              stderr=subprocess.DEVNULL)
    os.close(writing)
    os.environ["DISPLAY"] = ":" + os.read(reading, 16).decode().strip()
    os.environ.pop("WAYLAND_DISPLAY", None)
    atexit.register(server.terminate)
    return server
