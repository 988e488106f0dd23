"""Making text from outside fit to be shown."""

from __future__ import annotations


def clean(text: str | bytes, limit: int = 200) -> str:
    """Return ``text`` as one printable line of at most ``limit`` characters.

    Control characters, line breaks and what has no glyph become ``?``; what is cut ends in ``…``.
    """
    if isinstance(text, bytes):
        text = text[: 4 * limit + 4].decode("utf-8", "replace")
    text = text[: limit + 1]
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def lines(data: bytes | str, limit: int = 20_000, width: int = 4096) -> list[str]:
    """Return at most ``limit`` lines of at most ``width`` characters, NULs and all."""
    if isinstance(data, bytes):
        data = data[: limit * width].decode("utf-8", "replace")
    return [line[:width] for line in data.splitlines()[:limit]]
