#!/usr/bin/env python3
"""embed.py OUT.c FILE...: writes OpenCL sources as C arrays, which rvm_embedded_source() finds by name. A line `#include "NAME.cl"` stands for that file,
which is in the same folder and among FILE."""
import pathlib
import sys


def read(path):
    lines = path.read_text().splitlines(keepends=True)
    return "".join(read(path.with_name(line.split('"')[1])) if line.startswith('#include "') else line for line in lines)


def main(out, files):
    text = ['#include "kernels/runtime/embedded.h"', "", "#include <string.h>", ""]
    rows = []
    for path in map(pathlib.Path, files):
        data = read(path).encode() + b"\0"
        lines = [", ".join(str(byte) for byte in data[i : i + 24]) for i in range(0, len(data), 24)]
        text += [f"static const char source_{path.stem}[] = {{", "  " + ",\n  ".join(lines), "};", ""]
        rows.append(f'  {{ "{path.stem}", source_{path.stem} }},')
    text += [
        "static const struct {",
        "  const char *name, *source;",
        "} sources[] = {",
        *rows,
        "};",
        "",
        "const char *",
        "rvm_embedded_source (const char *name)",
        "{",
        "  for (unsigned i = 0; i < sizeof sources / sizeof *sources; i++)",
        "    if (strcmp (sources[i].name, name) == 0)",
        "      return sources[i].source;",
        "  return NULL;",
        "}",
    ]
    pathlib.Path(out).write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
