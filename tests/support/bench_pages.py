"""Checks of the page of ``netkit bench``: well-formed, self-contained, no markup of others."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree as ET

_ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section"),
    *("h1", "h2", "h3", "p", "div", "span", "b", "i", "small", "pre", "code", "ul", "li"),
    *("dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption"),
    *("svg", "desc", "rect", "line", "circle", "polyline", "text"),
}
_REFERENCES = {"src", "href", "srcset", "data", "action", "xlink:href"}


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def checked(page: str) -> ET.Element:
    """Parse a page or a part of one as XML and as HTML; see that it needs and does nothing."""
    parser = _Parser()
    parser.feed(page)
    parser.close()
    assert set(parser.tags) <= _ALLOWED
    names = {name for name, _ in parser.attributes}
    assert not names & _REFERENCES
    assert not any(name.startswith("on") for name in names)
    ids = [value for name, value in parser.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for name, value in parser.attributes:
        if name == "aria-labelledby":
            assert set(value.split()) <= set(ids)
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    assert [each.tag.lower() for each in root.iter()] == parser.tags
    return root


def words(root: ET.Element) -> str:
    """All text, in one line."""
    return " ".join(" ".join(root.itertext()).replace("\u00a0", " ").split())
