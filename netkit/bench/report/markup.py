"""Elements of HTML and SVG as text; whatever is no `Markup` is escaped, so nothing slips through.

The output is well-formed XML as well as HTML 5.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable
from typing import TypeAlias

VOID = frozenset({"meta", "br", "hr", "img", "input", "link"})
"""Elements of HTML that have no end tag."""

_SELF_CLOSING = frozenset({"rect", "line", "circle", "path", "polyline", "use"})
_KEPT = "\n\t"


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Child: TypeAlias = "str | Markup | Iterable[Child]"


def escape(text: str) -> Markup:
    """Return ``text`` for an element's content or a quoted attribute.

    What XML does not allow (control characters, lone surrogates) or what would turn the direction
    of the text around becomes ``?``.
    """
    safe = "".join(
        "?" if unicodedata.category(char).startswith("C") and char not in _KEPT else char
        for char in text
    )
    return Markup(html.escape(safe, quote=True))


def join(children: Child) -> Markup:
    """Return every child as markup, one after the other."""
    if isinstance(children, str):
        return children if isinstance(children, Markup) else escape(children)
    return Markup("".join(map(join, children)))


def element(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """Return one element.

    In names of attributes a ``_`` stands for ``-`` and one at the end is dropped (``class_``).
    None leaves an attribute out; a float is written with at most two decimals.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    content = join(children)
    if name in VOID:
        return Markup(f"<{name}{written}/>")
    if not content and name in _SELF_CLOSING:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{content}</{name}>")


def _value(value: str | float) -> str:
    if isinstance(value, (str, int)):
        return str(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")


def percent(share: float) -> str:
    """Return a share of the width, as SVG has it: ``12.5%``."""
    return f"{_value(float(share * 100))}%"
