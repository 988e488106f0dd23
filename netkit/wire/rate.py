"""A rate in bytes per second that several flows share fairly: a token bucket, without a clock.

What is not used within a tenth of a second is lost: bytes saved up over a minute would make a
burst of what is meant as a limit.
"""

from __future__ import annotations

from typing import Final

BURST: Final = 0.1
"""Seconds whose bytes may pass at once."""

TURN: Final = 0.02
"""Seconds after which those that wait share what has come together."""


MEMORY: Final = 3 * TURN
"""Seconds for which one that wanted bytes is expected to want more."""


class Bucket:
    """Bytes that may pass now; several parties, each with flows that wait, draw from it."""

    __slots__ = ("_bytes", "_filled", "_most", "_rate", "_wanted")

    def __init__(self, rate: int) -> None:
        """Let ``rate`` bytes per second pass."""
        self._rate = rate
        self._most = max(rate * BURST, 1.0)
        self._bytes = self._most
        self._filled: float | None = None
        self._wanted: dict[object, tuple[int, float]] = {}

    def draw(self, who: object, waiting: int, now: float) -> int:
        """Take and return the share of ``who``, of whose flows ``waiting`` wait; bytes.

        It is in proportion to what the others said a moment ago.  ``now`` is seconds; the clocks
        of several threads may differ a little.
        """
        if self._filled is not None and now > self._filled:
            self._bytes = min(self._bytes + (now - self._filled) * self._rate, self._most)
        self._filled = now if self._filled is None else max(now, self._filled)
        self._wanted[who] = (waiting, now)
        if len(self._wanted) == 1:
            share = int(self._bytes)
        else:
            recent = {each: w for each, w in self._wanted.items() if now - w[1] <= MEMORY}
            self._wanted = recent
            share = int(self._bytes * waiting / sum(count for count, _ in recent.values()))
        self._bytes -= share
        return share

    def give_back(self, unused: int) -> None:
        """Take back ``unused`` bytes of a share."""
        self._bytes = min(self._bytes + unused, self._most)
