"""Text in columns of a terminal, where some characters take two columns and some none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

COLUMNS = 80

_AFTER_DIGIT = re.compile(r"(?<=[0-9]) (?=\S)")
_TIED = "\u00a0"


def tied(text: str) -> str:
    """Return ``text`` with spaces that do not break between a number and what follows it."""
    return _AFTER_DIGIT.sub(_TIED, text)


def width(text: str) -> int:
    """Return how many columns ``text`` takes: Unicode Standard Annex 11, ambiguous as narrow."""
    return sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def cut(text: str, columns: int) -> str:
    """Return ``text`` in at most ``columns`` (1 or more); what is cut ends in ``…``."""
    if width(text) <= columns:
        return text
    kept = _fitting(text, columns - 1)
    return f"{text[:kept].rstrip()}…"


def _fitting(text: str, columns: int) -> int:
    """Return how many characters of ``text`` fit."""
    used = 0
    for index, char in enumerate(text):
        used += _columns(char)
        if used > columns:
            return index
    return len(text)


def left(text: str, columns: int) -> str:
    """Return ``text`` at the left of ``columns``, cut if need be."""
    text = cut(text, columns)
    return text + " " * (columns - width(text))


def right(text: str, columns: int) -> str:
    """Return ``text`` at the right of ``columns``, cut if need be."""
    text = cut(text, columns)
    return " " * (columns - width(text)) + text


def wrap(text: str, columns: int) -> list[str]:
    """Return ``text`` in lines of at most ``columns`` (2 or more), broken at spaces.

    A number stays with what follows it, such as its unit; a word that is longer than a line is
    broken where the line ends.
    """
    lines: list[str] = []
    line = ""
    for word in _pieces(tied(text), columns):
        longer = f"{line} {word}" if line else word
        if line and width(longer) > columns:
            lines.append(line)
            line = word
        else:
            line = longer
    return [each.replace(_TIED, " ") for each in ([*lines, line] if line else lines)]


def _pieces(text: str, columns: int) -> Iterator[str]:
    for word in text.split(" "):
        rest = word
        while width(rest) > columns:
            kept = _fitting(rest, columns)
            yield rest[:kept]
            rest = rest[kept:]
        yield rest


def table(rows: Sequence[Sequence[str]], *, aligned: str, columns: int, gap: int = 2) -> list[str]:
    """Return ``rows`` as lines of at most ``columns``, each column as wide as its widest cell.

    ``aligned`` has ``l`` or ``r`` for each column.  Where they are too wide together, the widest
    left-aligned column is cut.
    """
    if not rows:
        return []
    widths = [max(width(row[at]) for row in rows) for at in range(len(aligned))]
    room = columns - gap * (len(aligned) - 1)
    while sum(widths) > room:
        most = max(range(len(widths)), key=lambda at: (aligned[at] == "l", widths[at]))
        if widths[most] <= 1:
            most = max(range(len(widths)), key=lambda at: widths[at])
        widths[most] -= 1
    sides = {"l": left, "r": right}
    joint = " " * gap
    return [
        joint.join(
            sides[side](cell, wide) if wide else ""
            for cell, wide, side in zip(row, widths, aligned, strict=True)
        ).rstrip()
        for row in rows
    ]
