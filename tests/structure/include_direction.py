#!/usr/bin/env python3
"""include_direction.py ROOT: directories depend only on earlier ones, and only a few files include OpenCL and CLBlast. With --self-test, shows that
a wrong include is found."""
import pathlib
import re
import sys
import tempfile

ROOMS = {
    "kernels": [],
    "model": ["kernels"],
    "video": ["kernels", "model"],
    "program": ["kernels"],
    "gst-plugin": ["kernels", "model", "video"],
    "trainer": ["kernels", "model", "video", "program"],
    "archive": ["kernels", "model", "video", "program"],
}
OUTSIDE = [(re.compile(r"CL/|clblast"), {"kernels"}), (re.compile(r"gst/"), {"video", "gst-plugin", "trainer", "archive"})]
# Inside of kernels/: what begins with the first must not include what begins with the second.
LATER = [("kernels/runtime/", "kernels/ops/"), ("kernels/runtime/", "kernels/tensor"), ("kernels/tensor", "kernels/ops/")]
ONLY = [
    (re.compile(r"CL/"), {"kernels/runtime/cl.h"}),
    (re.compile(r"clblast_c"), {"kernels/runtime/clblast.c", "kernels/runtime/clblast_parameters.c", "kernels/ops/gemm_clblast.c"}),
]
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
                name = path.relative_to(root).as_posix()
                for earlier, later in LATER:
                    if name.startswith(earlier) and target.startswith(later):
                        yield f"{path}:{number}: {earlier} must not include {target}"
                for pattern, files in ONLY:
                    if pattern.match(target) and name not in files:
                        yield f"{path}:{number}: only {', '.join(sorted(files))} include {target}"
                for pattern, rooms in OUTSIDE:
                    if pattern.match(target) and room not in rooms:
                        yield f"{path}:{number}: {room} must not include {target}"


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "kernels/runtime").mkdir(parents=True)
        (root / "model").mkdir()
        (root / "kernels/runtime/a.c").write_text('#include "kernels/ops/b.h"\n#include "kernels/error.h"\n#include <CL/cl.h>\n')
        (root / "kernels/runtime/cl.h").write_text("#include <CL/cl.h>\n")
        (root / "kernels/a.c").write_text('#include "model/b.h"\n')
        (root / "model/b.h").write_text("#include <CL/cl.h>\n#include <gst/gst.h>\n#include \"kernels/ok.h\"\n")
        return len(list(violations(root))) == 6


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(0 if self_test() else "a wrong include was not found")
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found))
    sys.exit(bool(found))
