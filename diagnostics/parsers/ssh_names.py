"""Host names that a user's SSH files mention, to tell what a misspelt one may have been."""

from __future__ import annotations

import difflib
import re

from diagnostics.parsers.text import lines

MAX_NAMES = 2000
MAX_NAME = 255

_HOST = re.compile(r"\s*(Host(?:Name)?)[\s=]+(.+)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_BRACKETS = re.compile(r"\[([^\]]{1,255})\]:\d{1,5}")


def in_config(data: bytes) -> tuple[str, ...]:
    """Return the aliases and host names of an ssh_config file, without patterns."""
    words = [
        word.strip('"')
        for line in lines(data)
        if (match := _HOST.match(line)) is not None
        for word in match[2].split()
    ]
    return _plain(words)


def in_known_hosts(data: bytes) -> tuple[str, ...]:
    """Return the host names of a known_hosts file that are neither hashed nor patterns."""
    words: list[str] = []
    for line in lines(data):
        first = line.split(maxsplit=1)[:1]
        for word in first[0].split(",") if first else ():
            bracketed = _BRACKETS.fullmatch(word)
            words.append(bracketed[1] if bracketed else word)
    return _plain(words)


def close_to(name: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return up to three of ``names`` that differ from ``name`` as a slip of the hand does."""
    others = [each for each in names if each != name]
    return tuple(difflib.get_close_matches(name[:MAX_NAME], others[:MAX_NAMES], 3, 0.75))


def _plain(words: list[str]) -> tuple[str, ...]:
    fit = (word for word in words if len(word) <= MAX_NAME and _NAME.fullmatch(word))
    return tuple(dict.fromkeys(fit))[:MAX_NAMES]
