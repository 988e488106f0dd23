"""How much of a bulk flow may be under way while another flow on the link is interactive.

Both directions of a bulk flow fill the window of 2 MiB, and every keystroke beside it waits until
the other end has worked through that.  On a path with a short round trip a fraction keeps both
ends nearly as busy.  So while somebody speaks in small messages, the others get a limit: what
they send may be unread at the peer up to it, and what they receive is credited up to it.

What the peer has read shows in the credits it gives.  To a peer that does not give them early we
send without a limit.
"""

from __future__ import annotations

from netkit.wire.peer import credits_early

SHORTEST_LIMIT = 256 << 10
"""Bytes under way on the shortest path."""

PATH_RATE = 1.25e9
"""Bytes per second that a path may carry without being slowed down: 10 Gbit/s."""

ATTENTION = 1.0
"""Seconds for which a flow that spoke in a small message counts as interactive."""

STALL_LIMIT = 0.2
"""Seconds a flow waits for a credit before its limit is lifted: the peer credits late after all."""

NO_LIMIT = 1 << 32


def path_limit(round_trip: float) -> int:
    """Return the bytes that keep a path of ``round_trip`` seconds busy; 0 is unknown."""
    if not round_trip:
        return NO_LIMIT
    return max(SHORTEST_LIMIT, int(round_trip * PATH_RATE))


class Pacer:
    """The limit on what one channel sends.

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


class Attention:
    """Which flow of a link spoke in a small message last, and what that means for the others.

    Attributes:
        limit: bytes that may be under way on a flow beside it.
    """

    __slots__ = ("_early", "_spoke", "_who", "limit")

    def __init__(self) -> None:
        self.limit = NO_LIMIT
        self._early = False
        self._who: object = None
        self._spoke = float("-inf")

    def measured(self, round_trip: float, version: str) -> None:
        """Take note of the path: its round trip in seconds, and the peer's version line."""
        self.limit = path_limit(round_trip)
        self._early = credits_early(version)

    def heard(self, who: object, now: float) -> None:
        """``who`` spoke in a small message."""
        self._who = who
        self._spoke = now

    def is_due(self, now: float) -> bool:
        """Whether somebody is interactive."""
        return now - self._spoke < ATTENTION

    def receiving(self, who: object, now: float) -> int:
        """Return the limit on what the peer may send to ``who`` beyond what it has taken."""
        return NO_LIMIT if who is self._who or now - self._spoke >= ATTENTION else self.limit

    def sending(self, who: object, now: float) -> int:
        """Return the limit on what of ``who``'s data may be unread at the peer."""
        return self.receiving(who, now) if self._early else NO_LIMIT
