"""How fast this machine is right now: a fixed piece of work, timed beside every benchmark.

What else runs on a machine changes times by factors.  It changes those of the yardstick as well, so
two runs compare by their times in yardsticks.  Half of the work is the interpreter's, half is done
by the processor's units for hashing, in memory that just fits its cache.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from dataclasses import dataclass

PIECES = 7
_TURNS = 12_000
_BLOCK = bytes(1 << 20)


def piece() -> float:
    """Seconds for one piece of work, some milliseconds."""
    begun = time.perf_counter()
    total = 0
    table = {number: number for number in range(64)}
    for turn in range(_TURNS):
        total += table[turn & 63] ^ turn
    hashlib.sha256(_BLOCK).digest()
    return time.perf_counter() - begun


def pieces() -> list[float]:
    """A few in a row."""
    return [piece() for _ in range(PIECES)]


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Seconds of a piece around a benchmark, and by what factor that changed meanwhile."""

    seconds: float
    drift: float

    @classmethod
    def of(cls, before: list[float], after: list[float]) -> Yardstick:
        """From the pieces before and after."""
        one, other = statistics.median(before), statistics.median(after)
        return cls(statistics.median([*before, *after]), max(one, other) / min(one, other))
