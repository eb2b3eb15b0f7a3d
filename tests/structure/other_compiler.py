#!/usr/bin/env python3
"""other_compiler.py BUILD: every C file that BUILD compiles with gcc is also free of clang's warnings, and the other way round; they warn of different
things. Files are only parsed. Exit status 77 if the other compiler is not there.

other_compiler.py --self-test: what only clang warns of is found."""
import concurrent.futures
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

FAULT = "struct pair { const char *name; int value; };\nstruct pair pair = { 0 ? \"\" : (void *) 0 };\nint unused (int x) { return x = x; }\n"


def choose(command):
    """The name of the compiler that is not @command's."""
    return "gcc" if any("clang" in pathlib.Path(word).name for word in command[:2]) else "clang"


def parse(command, folder, compiler):
    """The warnings of @compiler for one command of compile_commands.json, as text; empty if there are none."""
    words, arguments = iter(command), []
    for word in words:
        if word in ("-o", "-MF", "-MQ"):
            next(words)
        elif word.startswith(("-I", "-D", "-W", "-std=", "-isystem", "-pthread", "-fvisibility")) or word.endswith(".c"):
            arguments.append(word)
    if compiler == "clang": # GStreamer's own macros in tests
        arguments.append("-Wno-gnu-zero-variadic-macro-arguments")
    result = subprocess.run([compiler, "-fsyntax-only", *arguments], cwd=folder, capture_output=True, text=True)
    return result.stderr if result.returncode else ""


def check(entries):
    commands = {entry["file"]: (shlex.split(entry["command"]), entry["directory"]) for entry in entries if entry["file"].endswith(".c")}
    if not commands:
        sys.exit("no C file is compiled in this build")
    compiler = choose(next(iter(commands.values()))[0])
    if shutil.which(compiler) is None:
        print(f"{compiler} is not installed")
        sys.exit(77)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [text for text in pool.map(lambda command: parse(*command, compiler), commands.values()) if text]
    print(*found, sep="\n")
    print(f"{len(commands)} files, of which {compiler} complains of {len(found)}")
    return len(found)


if sys.argv[1] == "--self-test":
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "fault.c").write_text(FAULT)
        count = check([{"file": "fault.c", "directory": folder, "command": "gcc -Wall -Wextra -Werror -o fault.o -c fault.c"}])
    sys.exit(0 if count == 1 else "clang's warning was not found")
sys.exit(bool(check(json.loads(pathlib.Path(sys.argv[1], "compile_commands.json").read_text()))))
