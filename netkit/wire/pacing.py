"""How much of a channel's data may lie unread at the peer: less than its window, on a short path.

A bulk upload fills the peer's window (2 MiB at OpenSSH's server), and every keystroke beside it
waits until the peer has worked through that.  On a path with a short round trip a fraction keeps
the peer just as busy.  What it has read shows in the credits it gives.  That needs a peer that
gives them early: OpenSSH does after three packets (channels.c, channel_check_window), others
after half a window, and for those there is no limit but the window.
"""

from __future__ import annotations

UNREAD = 512 << 10
"""Bytes unread at the peer on the shortest path."""

PATH_RATE = 1.25e9
"""Bytes per second that a path may carry without being slowed down: 10 Gbit/s."""

STALL_LIMIT = 0.2
"""Seconds a flow waits for a credit before its limit is lifted: the peer credits late after all."""

NO_LIMIT = 1 << 32


def unread_limit(round_trip: float, peer_version: str) -> int:
    """Return the bytes that may be unread at the peer of that version line.

    ``round_trip`` is in seconds; 0 is unknown.
    """
    if not round_trip or "-OpenSSH_" not in peer_version:
        return NO_LIMIT
    return max(UNREAD, int(round_trip * PATH_RATE))


class Pacer:
    """The limit of one channel.

    Attributes:
        held: the limit, not the window, is what the channel's flow waits for.
    """

    __slots__ = ("_lifted", "_peak", "held")

    def __init__(self, window: int) -> None:
        """Start with the peer's first ``window``."""
        self._peak = window
        self._lifted = False
        self.held = False

    def room(self, window: int, limit: int) -> int:
        """Return how many bytes may be sent now, given the send ``window`` and the ``limit``."""
        self.held = False
        if window > self._peak:  # noqa: PLR1730 (a call of max() costs three times as much)
            self._peak = window
        room = limit - (self._peak - window)
        if room >= window or self._lifted:
            return window
        if room > 0:
            return room
        self.held = window > 0
        return 0

    def lift(self) -> None:
        """Limit no more: the peer gave no credit for what it must have read."""
        self._lifted = True
        self.held = False
