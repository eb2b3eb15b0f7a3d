#!/usr/bin/env python3
"""include_direction.py ROOT: rooms look only at rooms before them. With --self-test, shows that a wrong include is found."""
import pathlib
import re
import sys
import tempfile

ROOMS = {
    "kernels": [],
    "model": ["kernels"],
    "video": ["kernels", "model"],
    "gst-plugin": ["kernels", "model", "video"],
    "trainer": ["kernels", "model", "video"],
}
OUTSIDE = [(re.compile(r"CL/|clblast"), {"kernels"}), (re.compile(r"gst/"), {"video", "gst-plugin", "trainer"})]
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def violations(root):
    for room, allowed in ROOMS.items():
        for path in sorted((root / room).rglob("*.[ch]")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                target = match.group(1)
                other = target.split("/")[0]
                if other in ROOMS and other != room and other not in allowed:
                    yield f"{path}:{number}: {room} must not include {target}"
                for pattern, rooms in OUTSIDE:
                    if pattern.match(target) and room not in rooms:
                        yield f"{path}:{number}: {room} must not include {target}"


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "kernels").mkdir()
        (root / "model").mkdir()
        (root / "kernels/a.c").write_text('#include "model/b.h"\n')
        (root / "model/b.h").write_text("#include <CL/cl.h>\n#include <gst/gst.h>\n#include \"kernels/ok.h\"\n")
        return len(list(violations(root))) == 3


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(0 if self_test() else "a wrong include was not found")
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found))
    sys.exit(bool(found))
