"""What ping(8) says of echo requests that must not be fragmented: Linux, macOS, BSD, Windows.

Windows translates its words; what all languages share is ``TTL=``, ``DF`` and an address followed
by a colon and a text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.parsers.text import lines

ANSWERED, TOO_BIG, SILENT, UNUSABLE = "answered", "too-big", "silent", "unusable"

_ANSWER = re.compile(r"(?i)\b(?:ttl|hlim)=\d")
_MTU = re.compile(r"(?i)\bmtu\s{0,3}[=:]?\s{0,3}(\d{2,5})\b")
_TOO_BIG = re.compile(r"\bDF\b|(?i:message too long)")
_BEGUN = re.compile(r"\d+\.\d+\.\d+\.\d+|[0-9A-Fa-f]*:[0-9A-Fa-f:]+")


@dataclass(frozen=True, slots=True)
class Echo:
    """``outcome`` is one of the words above; ``mtu`` what the way was said to carry, 0: nothing."""

    outcome: str
    mtu: int = 0


def ping(stdout: bytes, stderr: bytes = b"") -> Echo:
    """Return what became of the requests: one answer is enough.

    ``unusable`` is output that speaks of no request at all: this ping has not these options.
    """
    text = lines(stdout, 200, 512)
    if any(_ANSWER.search(line) for line in text):
        return Echo(ANSWERED)
    for line in [*text, *lines(stderr, 50, 512)]:
        if match := _MTU.search(line):
            return Echo(TOO_BIG, int(match[1]))
        if _TOO_BIG.search(line):
            return Echo(TOO_BIG)
    begun = any(_BEGUN.search(line) for line in text)
    return Echo(SILENT if begun else UNUSABLE)
