"""Markup is well-formed, and text in it stays text."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from netkit.bench.report.markup import Markup, element, escape, join, percent

ANY = st.text(st.characters(codec=None), max_size=40)


@given(ANY, ANY)
def test_text_stays_text(content, value):
    """Whatever XML cannot hold is replaced; the rest is read back as it was."""
    made = element("p", content, title=value)
    read = ET.fromstring(made)
    assert len(read) == 0
    assert (read.text or "") == "".join(
        char if char in "\n\t" or escape(char) != "?" else "?" for char in content
    )
    assert set(read.attrib) == {"title"}


def test_tags_of_others_are_escaped():
    assert element("p", "<script>alert(1)</script>") == (
        "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"
    )
    assert element("p", title='"><script>') == '<p title="&quot;&gt;&lt;script&gt;"></p>'


def test_characters_that_xml_lacks_or_that_turn_text_around_are_replaced():
    assert escape("a\x00b\ud800c\u202ed\x1b") == "a?b?c?d?"


def test_children_nest():
    inner = element("b", "1 < 2")
    assert element("p", "a ", inner, [" c", Markup("<i/>")]) == "<p>a <b>1 &lt; 2</b> c<i/></p>"
    assert join([]) == ""


def test_names_and_values_of_attributes():
    made = element("rect", class_="a", stroke_width=1.5, x=3, y=2.0, width=1 / 3, hidden=None)
    assert made == '<rect class="a" stroke-width="1.5" x="3" y="2" width="0.33"/>'
    assert element("meta", name="x", content="y") == '<meta name="x" content="y"/>'


def test_percent():
    assert [percent(share) for share in (0, 0.125, 1, 1 / 3)] == ["0%", "12.5%", "100%", "33.33%"]
