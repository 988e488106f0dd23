"""How much of a channel's data may lie unread at the peer: less than its window, on a short path.

A bulk upload fills the peer's window (2 MiB at OpenSSH's server), and every keystroke beside it
waits until the peer has worked through that.  On a path with a short round trip a fraction keeps
the peer just as busy.  How much it has read shows in the credits it gives, so this works with
peers that credit in small steps; for others, and on long paths, there is no limit but the window.
"""

from __future__ import annotations

UNREAD = 512 << 10
"""Bytes unread at the peer on the shortest path."""

PATH_RATE = 1.25e9
"""Bytes per second that a path may carry without being slowed down: 10 Gbit/s."""

STEPS = 4
"""Credits that must fit into the limit, so that the peer gives the next one before it idles."""

STALL_LIMIT = 0.2
"""Seconds a flow waits for a credit before its limit is lifted: the peer credits late."""

NO_LIMIT = 1 << 32


def unread_limit(round_trip: float) -> int:
    """Return the bytes that may be unread at the end of a path; a round trip of 0 is unknown."""
    if not round_trip:
        return NO_LIMIT
    return max(UNREAD, int(round_trip * PATH_RATE))


class Pacer:
    """The limit of one channel.

    Attributes:
        held: the limit, not the window, is what a flow waits for.
    """

    __slots__ = ("_lifted", "_peak", "_step", "held")

    def __init__(self, window: int) -> None:
        """Start with the peer's first ``window``."""
        self._peak = window
        self._step = 0
        self._lifted = False
        self.held = False

    def room(self, window: int, limit: int) -> int:
        """Return how many bytes may be sent now, given the send ``window`` and the ``limit``."""
        self._peak = max(self._peak, window)
        if self._lifted or not self._step or self._step * STEPS > limit:
            self.held = False
            return window
        room = limit - (self._peak - window)
        if room < window:
            self.held = room <= 0
            return max(room, 0)
        self.held = False
        return window

    def credited(self, count: int) -> None:
        """Take note of a credit of ``count`` bytes."""
        self._step = max(self._step, count)

    def lift(self) -> None:
        """Limit no more: the peer gave no credit for what it must have read."""
        self._lifted = True
        self.held = False
