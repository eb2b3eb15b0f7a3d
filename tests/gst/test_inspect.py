#!/usr/bin/env python3
"""test_inspect.py: what gst-inspect-1.0 shows of every element of the plugin, compared with the rules of good upstream elements: rank none and no
klass that an autoplugger takes, long name and description, for every property a nick, a blurb and a default within its range, values of
enums and flags explained, model and device changeable only while nothing runs, documented pads. And autopluggers do not pick them."""
import gi

gi.require_version("Gst", "1.0")
from gi.repository import GObject, Gst  # noqa: E402

Gst.init(None)
registry = Gst.Registry.get()
names = sorted(feature.get_name() for feature in registry.get_feature_list_by_plugin("rvm"))
assert {"rvmencode", "rvmexport", "rvmoverlay", "rvmreadout", "rvmtrack"} <= set(names), names
READY_ONLY = {"rvmencode": {"device", "gemm", "precision", "cache-dir"}, "rvmexport": {"location", "features-location", "class-location"}}
MUTABLE_READY, MUTABLE_PAUSED, MUTABLE_PLAYING = 1 << 10, 1 << 11, 1 << 12

for name in names:
    factory = registry.find_feature(name, Gst.ElementFactory.__gtype__)
    element = factory.create(None)
    # The names that users see in messages, JSON lines and MOT files, where they gave none themselves.
    assert element.get_name().removeprefix(name).isdigit(), (name, element.get_name())
    assert factory.get_rank() == Gst.Rank.NONE, name
    for key in ("long-name", "klass", "description", "author"):
        text = factory.get_metadata(key)
        assert text and len(text) > 5 and not text.endswith("."), (name, key, text)
    klass = factory.get_metadata("klass")
    assert klass.startswith("Filter/") and klass.endswith("/Video") and "Encoder" not in klass and "Decoder" not in klass, (name, klass)
    assert {template.direction for template in factory.get_static_pad_templates()} == {Gst.PadDirection.SINK, Gst.PadDirection.SRC}, name

    own = [spec for spec in element.list_properties() if spec.owner_type == element.__gtype__]
    assert own, name
    for spec in own:
        where = f"{name}.{spec.name}"
        assert spec.nick and spec.nick != spec.name and spec.nick[0].isupper(), (where, spec.nick)
        assert spec.blurb and len(spec.blurb) > 10 and not spec.blurb.endswith(".") and spec.blurb != spec.nick, (where, spec.blurb)
        writable, states = spec.flags & GObject.ParamFlags.WRITABLE, int(spec.flags)
        if writable:
            assert states & (MUTABLE_READY | MUTABLE_PAUSED | MUTABLE_PLAYING), f"{where} does not say when it may change"
        if spec.name in READY_ONLY.get(name, ()):
            assert states & MUTABLE_READY and not states & MUTABLE_PLAYING, where
        # Reading every property of a fresh element works and gives the default.
        if spec.flags & GObject.ParamFlags.READABLE:
            value = element.get_property(spec.name)
            if writable and GObject.type_is_a(spec.value_type, GObject.TYPE_ENUM):
                assert value == spec.default_value, where
                assert all(v.value_nick and v.value_name != v.value_nick for v in type(value).__enum_values__.values()), where
            elif writable and spec.value_type.is_a(GObject.TYPE_FLAGS):
                assert int(value) == int(spec.default_value), where
            elif writable and hasattr(spec, "minimum"):
                assert spec.minimum <= value <= spec.maximum and value == spec.default_value, where
    print(f"{name}: {len(own)} properties")

# Everything that autopluggers choose from, for any raw video.
everything = Gst.ElementFactory.list_get_elements(Gst.ELEMENT_FACTORY_TYPE_ANY, Gst.Rank.MARGINAL)
assert len(everything) > 10 and not {factory.get_name() for factory in everything} & set(names)
for kind in (Gst.ELEMENT_FACTORY_TYPE_VIDEO_ENCODER, Gst.ELEMENT_FACTORY_TYPE_ENCODER, Gst.ELEMENT_FACTORY_TYPE_DECODABLE):
    assert not {factory.get_name() for factory in Gst.ElementFactory.list_get_elements(kind, Gst.Rank.NONE)} & set(names)
print("none is autoplugged")
