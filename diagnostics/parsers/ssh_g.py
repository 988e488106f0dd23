"""What ``ssh -G`` prints: one keyword in lower case and its value in each line.  Pure and total."""

from __future__ import annotations

from collections.abc import Mapping

from diagnostics.parsers.text import lines

MAX_LINES = 2000


def parse(data: bytes) -> Mapping[str, str]:
    """Return the first value of each keyword, as ssh itself uses the first."""
    found: dict[str, str] = {}
    for line in lines(data, MAX_LINES):
        keyword, _, value = line.strip().partition(" ")
        if keyword:
            found.setdefault(keyword.lower(), value.strip())
    return found
