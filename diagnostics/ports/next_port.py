"""The next port that nothing has a claim on: free, and outside every set that makes trouble.

Pure; that a port can really be bound is for whoever asks to try.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from diagnostics.knowledge.ports import AIRPLAY, BROWSER_BLOCKED, SSHD_X11, X11, Span

HIGHEST = 65535
_FIRST = 1024
_ROUND = 10_000
"""Where the search goes on when nothing above is left; low ports have owners more often."""


def candidates(port: int, avoid: Iterable[Span], limit: int = 32) -> Iterator[int]:
    """Yield at most ``limit`` ports to use in place of ``port``, the nearest above it first.

    In place of a port below 1024 comes one 8000 higher: 8080 for 80, 8443 for 443.
    """
    spans = _merged([*avoid, *FIXED])
    start = port + 1 if port >= _FIRST else port + 8000
    ways = ((start, HIGHEST), (_ROUND, HIGHEST), (_FIRST, _ROUND - 1))
    seen: set[int] = set()
    for low, high in ways:
        for each in _outside(low, high, spans):
            if len(seen) >= limit:
                return
            if each not in seen:
                seen.add(each)
                yield each


def _outside(low: int, high: int, spans: list[Span]) -> Iterator[int]:
    each = max(low, 1)
    while each <= min(high, HIGHEST):
        at = bisect_right(spans, (each, HIGHEST + 1)) - 1
        if at >= 0 and spans[at][1] >= each:
            each = spans[at][1] + 1
            continue
        yield each
        each += 1


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Return ``spans`` sorted and without overlaps."""
    merged: list[Span] = []
    for low, high in sorted((low, high) for low, high in spans if low <= high):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def single(ports: Iterable[int]) -> list[Span]:
    """Return each port as a range."""
    return [(port, port) for port in ports]


def within(port: int, spans: Iterable[Span]) -> bool:
    """Return whether ``port`` is in one of the ranges."""
    return any(low <= port <= high for low, high in spans)


FIXED: tuple[Span, ...] = (X11, SSHD_X11, *single(AIRPLAY), *single(sorted(BROWSER_BLOCKED)))
"""What is kept off on every system."""
