"""A peer's words, made fit for a terminal and a log."""

from __future__ import annotations

import unicodedata

_KEPT = "\t"


def printable(text: str | bytes, limit: int = 200) -> str:
    """Return ``text`` as one line without control characters, at most ``limit`` characters long.

    Control, format (bidirectional overrides among them), surrogate and private characters could
    repaint the terminal or fake netkit's own lines; each becomes ``?``, white space a space.
    """
    if isinstance(text, bytes):
        text = text[: limit * 4 + 4].decode("utf-8", "replace")
    line = "".join(_safe(char) for char in text[: limit + 1].strip())
    return f"{line[: limit - 1]}…" if len(line) > limit else line


def printable_lines(text: str | bytes, max_lines: int = 200, limit: int = 1000) -> str:
    """Return ``text`` with its line breaks kept and each line made printable."""
    if isinstance(text, bytes):
        text = text[: max_lines * limit].decode("utf-8", "replace")
    lines = text[: max_lines * limit].splitlines()[:max_lines]
    return "\n".join("".join(_safe(char) for char in line[:limit]).rstrip() for line in lines)


def _safe(char: str) -> str:
    if char.isspace():
        return char if char in _KEPT else " "
    return "?" if unicodedata.category(char).startswith("C") else char
