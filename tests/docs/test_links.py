#!/usr/bin/env python3
"""test_links.py SOURCE: the documents hang together. Each link to a file of this repository leads to one, each #heading exists, each document of
docs/ is reached from README.md, and README.md has at most 150 lines."""
import pathlib
import re
import sys

LONGEST = 150


def headings(path):
    """Anchors of a document's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)
    found = set()
    for title in re.findall(r"^#+ (.*)$", text, re.M):
        title = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return found


def links(path):
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)
    return re.findall(r"\]\(([^)\s]+)\)", text)


def check(root):
    """What is wrong, as sentences."""
    documents = [root / "README.md", root / "CHANGELOG.md", root / "CONTRIBUTING.md", *sorted((root / "docs").glob("*.md"))]
    reached, wrong = {}, []
    for document in documents:
        name = document.relative_to(root)
        for link in links(document):
            if re.match(r"[a-z]+:", link):
                continue
            target, _, heading = link.partition("#")
            path = (document.parent / target).resolve() if target else document.resolve()
            reached.setdefault(document.resolve(), set()).add(path)
            if not path.is_relative_to(root) or not path.exists():
                wrong.append(f"{name}: there is no {target}")
            elif heading and heading not in headings(path):
                wrong.append(f"{name}: {target or name} has no heading #{heading}")
    seen, waiting = set(), [documents[0].resolve()]
    while waiting:
        document = waiting.pop()
        if document not in seen:
            seen.add(document)
            waiting += reached.get(document, ())
    wrong += [f"{document.relative_to(root)} is not reached from README.md" for document in documents if document.resolve() not in seen
              and document.parent.name == "docs"]
    lines = len(documents[0].read_text().splitlines())
    if lines > LONGEST:
        wrong.append(f"README.md has {lines} lines, at most {LONGEST} are wanted")
    return wrong


def self_test():
    """Each kind of fault is found."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        (root / "docs").mkdir()
        for name in "CHANGELOG.md", "CONTRIBUTING.md":
            (root / name).write_text("# X\n")
        (root / "docs/a.md").write_text("# A b: `c`\n[there](../README.md#title)\n")
        (root / "docs/b.md").write_text("# B\n")
        (root / "README.md").write_text("# Title\n[a](docs/a.md#a-b-c) [x](docs/x.md) [y](docs/a.md#y)\n```sh\n# no heading, [z](no-link)\n```\n" + "\n" * LONGEST)
        assert check(root) == ["README.md: there is no docs/x.md", "README.md: docs/a.md has no heading #y", "docs/b.md is not reached from README.md",
                               f"README.md has {LONGEST + 5} lines, at most {LONGEST} are wanted"], check(root)


self_test()
wrong = check(pathlib.Path(sys.argv[1]).resolve())
print("\n".join(wrong) or "every link leads somewhere")
sys.exit(bool(wrong))
