#!/usr/bin/env python3
"""launch_quotes.py ROOT: pipelines that tests and applications write as text quote the files of the checkout, whose path may have spaces. With
--self-test, shows that an unquoted one is found."""
import pathlib
import re
import sys

# In the middle of a text; an argument of its own needs no quotes.
UNQUOTED = re.compile(r"""[ "](?:model|mask|state|basis)-file=(?:%s|"\s*[A-Z]|\{)|(?<=[ ])(?:model|mask|state|basis)-file=\{""")
ARGUMENT = re.compile(r"""["'](?:model|mask|state|basis)-file=\{""")


def find(text):
    for number, line in enumerate(text.splitlines(), 1):
        if UNQUOTED.search(ARGUMENT.sub("", line)):
            yield number, line.strip()


if sys.argv[1:] == ["--self-test"]:
    wrong = ['"rvmencode model-file=%s"', '"rvmencode model-file=" MODEL " ! fakesink"', 'f"rvmencode model-file={data}/tiny.npz"', '"state-file=%s"']
    right = ['"rvmencode model-file=\\"%s\\""', '"model-file=\\"" MODEL "\\""', 'f"rvmencode model-file=\\"{data}/tiny.npz\\""', '["rvmencode", f"model-file={data}/tiny.npz"]',
             "f'rvmencode model-file=\"{data}\"'"]
    sys.exit([line for line in wrong if not list(find(line))] + [line for line in right if list(find(line))] or 0)
found = [f"{path}:{number}: {line}" for folder in ("tests", "pipelines") for path in sorted((pathlib.Path(sys.argv[1]) / folder).rglob("*"))
         if path.suffix in (".c", ".h", ".py") and path.name != "launch_quotes.py" for number, line in find(path.read_text())]
print("\n".join(found))
sys.exit(bool(found))
