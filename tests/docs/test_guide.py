#!/usr/bin/env python3
"""test_guide.py SOURCE: docs/guide.md names every property and signal of every element and no other, with the default that the element has; what
it says about changes while playing is so; its examples can be set, and its signals emitted."""
import os
import pathlib
import re
import sys
import tempfile

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, GObject, Gst  # noqa: E402

ELEMENTS = ("rvmencode", "rvmtrack", "rvmreadout", "rvmoverlay", "rvmexport")
NONE = ("GstObject", "GstElement", "GObject")


def rows_of(text, heading, columns):
    """The cells of the table below a heading, by the name in its first column."""
    part = re.search(rf"^### {heading}\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|(.*)\|$", part.group(1), re.M) if part else []
    table = {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in rows}
    for name, cells in table.items():
        assert len(cells) == columns - 1, f"{heading} {name}: {len(cells) + 1} columns, expected {columns}: {cells}"
    return table


def default_of(element, spec, documented):
    if not spec.flags & GObject.ParamFlags.WRITABLE:
        return "read-only"
    value = spec.default_value
    if value is None:
        return "unset"
    if GObject.type_is_a(spec.value_type, GObject.GFlags) or GObject.type_is_a(spec.value_type, GObject.GEnum):
        # Read by GStreamer and compared as numbers: newer PyGObject knows no nicks where the type's own library is not loaded.
        if documented == "(none)":
            return documented if int(value) == 0 else str(int(value))
        meant, _ = Gst.Structure.from_string(f"documented, value=({spec.value_type.name}){documented}")
        return documented if meant and int(meant.get_value("value")) == int(value) else str(int(value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def complaints(name, text):
    """What the section on an element says wrongly."""
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    if section is None:
        yield f"there is no section '## {name}'"
        return
    element = Gst.ElementFactory.make(name, None)
    specs = {spec.name: spec for spec in element.list_properties() if spec.owner_type.name not in NONE}
    table = rows_of(section.group(1), "Properties", 4)
    for missing in sorted(set(specs) - set(table)):
        yield f"{name}: the property {missing} is missing"
    for unknown in sorted(set(table) - set(specs)):
        yield f"{name} has no property {unknown}"
    for key in sorted(set(table) & set(specs)):
        default, meaning, example = table[key]
        default = default.replace("\\", "")
        found = default_of(element, specs[key], default)
        if default != found:
            yield f"{name} {key}: the default is {found}, not {default}"
        playing = bool(int(specs[key].flags) & (Gst.PARAM_MUTABLE_PLAYING | Gst.PARAM_CONTROLLABLE))
        if ("hanges while playing" in meaning) != playing and specs[key].flags & GObject.ParamFlags.WRITABLE:
            yield f"{name} {key}: it {'changes' if playing else 'does not change'} while playing"
        yield from example_complaints(name, key, specs[key], example)
    yield from signal_complaints(name, element, rows_of(section.group(1), "Signals", 3))


def example_complaints(name, key, spec, example):
    if not spec.flags & GObject.ParamFlags.WRITABLE:
        return
    match = re.fullmatch(r"`([a-z-]+)=(\S+)`", example)
    if match is None or match.group(1) != key:
        yield f"{name} {key}: the example is {example}, expected `{key}=VALUE`"
        return
    try:
        element = Gst.parse_launch(f"{name} {key}={match.group(2).replace(';', chr(92) + ';')}")
    except GLib.GError as error:
        yield f"{name} {key}: {example}: {error.message}"
        return


def signal_complaints(name, element, table):
    signals = {GObject.signal_name(number) for number in GObject.signal_list_ids(type(element).__gtype__)}
    for missing in sorted(signals - set(table)):
        yield f"{name}: the signal {missing} is missing"
    for unknown in sorted(set(table) - signals):
        yield f"{name} has no signal {unknown}"
    for signal in sorted(set(table) & signals):
        code = table[signal][-1].strip("`")
        if f'emit("{signal}"' not in code:
            yield f"{name} {signal}: the example does not emit it: {code}"
            continue
        try:
            exec(code, {"encode": element, "track": element})
        except Exception as error:
            yield f"{name} {signal}: {code}: {error}"


Gst.init(None)
text = (pathlib.Path(sys.argv[1]) / "docs/guide.md").read_text()
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    wrong = [complaint for name in ELEMENTS for complaint in complaints(name, text)]
    # What the checks are for is found: a property less, one more, another default, another signal.
    for change, expected in {
        "| `warm-up` |": ("| `warm-down` |", ["rvmencode: the property warm-up is missing", "rvmencode has no property warm-down"]),
        "| `top-k` | 7 |": ("| `top-k` | 8 |", ["rvmtrack top-k: the default is 7, not 8"]),
        "| `video-direction` | auto |": ("| `video-direction` | 180 |", ["rvmencode video-direction: the default is"]),
        "| `output` | patches+class |": ("| `output` | class |", ["rvmencode output: the default is"]),
        "`size=256` |": ("`size=many` |", ["rvmencode size:"]),
        "| `add-box` |": ("| `add-ball` |", ["rvmtrack: the signal add-box is missing", "rvmtrack has no signal add-ball"]),
    }.items():
        changed = text.replace(change, expected[0], 1)
        found = [complaint for name in ELEMENTS for complaint in complaints(name, changed)]
        for start in expected[1]:
            assert any(complaint.startswith(start) for complaint in found), (change, found)
print("\n".join(wrong) or "every property and signal is in the guide")
sys.exit(bool(wrong))
