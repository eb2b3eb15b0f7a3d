#!/usr/bin/env python3
"""references.py ROOT: every file of this repository that a comment or a document names is there. With --self-test, shows that one that is not is
found.

What counts as naming a file: a name that ends like a source or a document (queue.c, docs/model.md), alone or with folders before it, and a path that
begins with a folder of this repository (tests/sanitize/run). A program may have the name of its source without the end. Strings and code do not count,
nor does what lies in a build folder, whatever it is called, or in a virtual environment."""
import io
import os
import pathlib
import re
import sys
import tempfile
import tokenize

ROOMS = ("kernels", "model", "gst-plugin", "trainer", "archive", "pipelines", "tests", "docs", "debian") # not video and program, which begin other things
SKIP = {".git", "build", "subprojects"} # at the top
GENERATED = ("meson-private", "pyvenv.cfg") # what marks a folder that a program made: a build, a virtual environment
C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
# A name with one of these ends, or a path below one of the rooms; not after a slash, so that build/tests/... is none.
NAME = re.compile(
    r"(?<![\w/.<$~*-])((?:[\w.-]+/)*[A-Za-z0-9-][\w.-]*\.(?:c|h|cl|py|md|sh|inc|supp))(?![\w*/(-])"
    r"|(?<![\w/.<$~*-])((?:%s)/[\w.-]+(?:/[\w.-]+)*/?)(?![\w*{-])" % "|".join(ROOMS))
# Words that stand for any name.
PLACEHOLDERS = {"FILE", "NAME", "OP", "OUT", "SEQ"}
# Files of other projects.
FOREIGN = {"evaluation.py"}


def comments_of(path, text):
    """(line number, text) of what is written for people."""
    if path.suffix in (".c", ".h", ".cl", ".inc"):
        for match in C_COMMENT.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, match.group()
    elif path.suffix == ".md":
        yield 1, text
    elif path.suffix == ".py" or text.startswith("#!") and "python" in text.split("\n", 1)[0]:
        try:
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                if token.type == tokenize.COMMENT or token.type == tokenize.STRING and token.string.startswith('"""'):
                    yield token.start[0], token.string
        except (tokenize.TokenError, SyntaxError):
            return
    else:
        for number, line in enumerate(text.splitlines(), 1):
            match = re.search(r"(?:^|\s)#[^!](.*)", line)
            if match:
                yield number, match.group(1)


def files_of(root):
    """Sorted paths of the files, without those of folders that are not the repository's."""
    found = []
    for folder, folders, names in os.walk(root):
        here = pathlib.Path(folder)
        folders[:] = [name for name in folders if not (here == root and name in SKIP) and not any((here / name / mark).exists() for mark in GENERATED)]
        found += [here / name for name in names]
    return sorted(found)


def sources(root):
    for path in files_of(root):
        if not path.is_file() or path.is_symlink():
            continue
        script = not path.suffix and path.read_bytes()[:2] == b"#!"
        if script or path.suffix in (".c", ".h", ".cl", ".inc", ".md", ".py", ".sh") or path.name == "meson.build":
            yield path


def exists(root, files, path, name):
    name = name.rstrip("/.")
    if name.startswith("build/") or PLACEHOLDERS & set(re.split(r"[/._]", name)) or pathlib.PurePath(name).name in FOREIGN:
        return True
    if (path.parent / name).exists() or (root / name).exists() or any(root.glob(name + ".*")):
        return True
    return any(file.endswith("/" + name) for file in files)


def violations(root):
    files = [path.relative_to(root).as_posix() for path in files_of(root)]
    for path in sources(root):
        text = path.read_text(errors="replace")
        for line, comment in comments_of(path, text):
            for match in NAME.finditer(comment):
                name = (match.group(1) or match.group(2)).rstrip(".")
                if not exists(root, files, path, name):
                    yield f"{path.relative_to(root)}:{line + comment.count(chr(10), 0, match.start())}: there is no {name}"


def self_test():
    files = {
        "docs/there.md": "See [there](there.md), `build/docs/no.md`, `tests/run`, tests/prog and https://example.org/no.md; lost.md is not.\n",
        "kernels/a.c": '/* As in sub/b.h and model/gone. */\n#include "gone.h"\nchar *s = "gone.c"; // gone.c: NAME.c\n', "kernels/sub/b.h": "",
        "tests/run": "#!/bin/sh\n# docs/there.md, docs/gone.md\ncat gone.md\n", "tests/prog.c": "",
        "tests/t.py": '"""As there.md, and gone.py."""\nprint("gone.md")  # sub/b.h\n',
        "build-asan/meson-private/log": "", "build-asan/docs/copied.md": "See lost.md.\n", "build-asan/lost.md": "",
        "tests/packages/pyvenv.cfg": "", "tests/packages/lib/foreign.py": "# lost.py\n",
    }
    expected = ["docs/there.md:1: there is no lost.md", "kernels/a.c:1: there is no model/gone", "kernels/a.c:3: there is no gone.c",
                "tests/run:2: there is no docs/gone.md", "tests/t.py:1: there is no gone.py"]
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return list(violations(root)) == expected or list(violations(root))


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        result = self_test()
        sys.exit(0 if result is True else f"found {result}")
    wrong = list(violations(pathlib.Path(sys.argv[1]).resolve()))
    print("\n".join(wrong))
    sys.exit(bool(wrong))
