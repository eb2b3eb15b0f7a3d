#!/usr/bin/env python3
"""circles.py ROOT: no files of a room include each other in a circle. A .c file, its .h and its _private.h are one node. With --self-test, shows that
a circle is found."""
import pathlib
import re
import sys
import tempfile

ROOMS = ("kernels", "model", "video", "program", "gst-plugin", "trainer", "archive")
INCLUDE_FOLDERS = (".", "gst-plugin")
# Where circles are known and still open: what the names of all their nodes begin with. An entry without a circle must be taken out.
OPEN = ["gst-plugin/meta/gstrvm"]
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def node_of(root, path):
    return re.sub(r"_private$", "", path.relative_to(root).with_suffix("").as_posix())


def read_graph(root):
    """Node -> nodes that it includes."""
    graph = {}
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.[ch]")):
            edges = graph.setdefault(node_of(root, path), set())
            for name in INCLUDE.findall(path.read_text()):
                for folder in (path.parent, *(root / include for include in INCLUDE_FOLDERS)):
                    target = (folder / name).resolve()
                    if target.is_file() and target.is_relative_to(root):
                        edges.add(node_of(root, target))
                        break
    return {node: edges - {node} for node, edges in graph.items()}


def reachable(graph, start):
    seen, waiting = set(), [start]
    while waiting:
        for node in graph.get(waiting.pop(), ()):
            if node not in seen:
                seen.add(node)
                waiting.append(node)
    return seen


def circles(graph):
    """Sets of nodes that all reach each other."""
    reach = {node: reachable(graph, node) for node in graph}
    found = []
    for node in graph:
        circle = {other for other in reach[node] if node in reach.get(other, ())}
        if circle and circle not in found:
            found.append(circle)
    return found


def violations(root, known):
    unused = set(known)
    for circle in circles(read_graph(root)):
        covering = [prefix for prefix in known if all(node.startswith(prefix) for node in circle)]
        unused -= set(covering)
        if not covering:
            yield "in a circle: " + ", ".join(sorted(circle))
    for prefix in sorted(unused):
        yield f"no longer in a circle, to be taken out of circles.py: {prefix}"


def self_test():
    files = {
        "kernels/a.c": '#include "a.h"\n#include "sub/b.h"\n', "kernels/a.h": "", "kernels/sub/b.h": "", "kernels/sub/b.c": '#include "b.h"\n#include "c.h"\n',
        "kernels/sub/c.h": '#include "kernels/sub/c_private.h"\n', "kernels/sub/c_private.h": '#include "kernels/a_private.h"\n',
        "kernels/a_private.h": '#include "a.h"\n', "model/alone.c": '#include "alone.h"\n#include "kernels/a.h"\n', "model/alone.h": "",
    }
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        circle = ["in a circle: kernels/a, kernels/sub/b, kernels/sub/c"]
        return (list(violations(root, [])) == circle and list(violations(root, ["kernels/sub/"]))[:1] == circle
                and list(violations(root, ["kernels/"])) == [] and len(list(violations(root, ["kernels/", "model/"]))) == 1)


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(0 if self_test() else "a circle was not found")
    wrong = list(violations(pathlib.Path(sys.argv[1]).resolve(), OPEN))
    print("\n".join(wrong))
    sys.exit(bool(wrong))
