"""How much a peer may send us on a channel: receive windows, their growth, and the budget of all.

RFC 4254 section 5.2 leaves the window to the receiver.  OpenSSH fixes it at 2 MiB, which caps a
flow at 2 MiB per round trip.  Ours starts there and doubles while it is smaller than twice the
bandwidth-delay product: what passes in one round trip is as much as the window lets pass, so a
larger one helps.  Beyond that a window only queues bytes in front of everybody else's.

The peer's side of the window cannot be watched from here: what we credit counts as room at once,
although the peer learns of it half a round trip later.  So the rate decides, not the room.
"""

from __future__ import annotations

from netkit.errors import LocalProtocolError
from netkit.wire.pacing import NO_LIMIT

INITIAL_WINDOW = 2 << 20
MINIMUM_WINDOW = 32 << 10
MAXIMUM_WINDOW = 64 << 20
UNKNOWN_PATH_WINDOW = 16 << 20
"""Ceiling while the round trip is unknown, because the peer answers no request."""

SHORTEST_SAMPLE = 0.01
"""Seconds a rate is measured over at least: over less, the batches of one wake-up are noise."""

LONGEST_SAMPLE = 1.0
"""Seconds in which a whole window has to pass where the round trip is unknown."""

PROCESS_BUDGET = 256 << 20


class WindowBudget:
    """Bytes that all peers together may have sent and no reader has taken."""

    __slots__ = ("granted", "total")

    def __init__(self, total: int = PROCESS_BUDGET) -> None:
        self.total = total
        self.granted = 0

    def initial(self) -> int:
        """Take and return a first window: 2 MiB while there is plenty, less among many flows.

        The smallest is handed out even when the budget is spent, so that a flow never stalls.
        """
        free = self.total - self.granted
        size = INITIAL_WINDOW if free >= self.total // 2 else max(free // 64, MINIMUM_WINDOW)
        size = min(size, INITIAL_WINDOW)
        self.granted += size
        return size

    def grow(self, size: int) -> bool:
        """Take ``size`` more bytes if the budget has them."""
        if self.granted + size > self.total:
            return False
        self.granted += size
        return True

    def release(self, size: int) -> None:
        """Give ``size`` bytes back."""
        self.granted -= size


class ReceiveWindow:
    """The window of one channel for data that comes towards us.

    Attributes:
        size: bytes the peer may send beyond what the reader has taken.
        left: bytes it may still send now.
        taken: bytes the reader took that have not been credited yet.
        exhausted: the window may be what holds the peer up; cleared by a caller whose own reader
            is behind.  Set again with every sample; asked where the round trip is unknown.
    """

    __slots__ = ("_epoch", "_passed", "budget", "exhausted", "left", "size", "taken")

    def __init__(self, budget: WindowBudget, size: int | None = None) -> None:
        """Take ``size`` bytes of the budget, or as many as it wants to give."""
        self.budget = budget
        if size is None:
            size = budget.initial()
        else:
            budget.granted += size
        self.size = self.left = size
        self.taken = 0
        self.exhausted = True
        self._epoch = 0.0
        self._passed = 0

    def take(self, count: int, limit: int = NO_LIMIT) -> int:
        """Say that the reader took ``count`` bytes; return how much to credit the peer, or 0.

        A quarter of the window is credited at a time: the peer never idles and adjusts are few.
        The peer gets no more than ``limit`` to send; what it lacks is credited later.

        Raises:
            LocalProtocolError: more was taken than the peer had sent.
        """
        self.taken += count
        if self.taken * 4 < self.size and self.taken * 4 < limit:
            return 0
        credit = self.taken
        if self.left + credit > limit:
            credit = max(limit - self.left, 0)
        self.taken -= credit
        self._passed += credit
        self.left += credit
        if self.left > self.size:
            raise LocalProtocolError(f"took {self.left - self.size} bytes that were never sent")
        return credit

    def grow(self, now: float, round_trip: float) -> int:
        """After a credit: return how much to add to it, for a window that holds the peer up.

        ``now`` and ``round_trip`` are seconds; a round trip of 0 is unknown.
        """
        elapsed = now - self._epoch
        if not self._epoch:
            return self._sample(now)
        if round_trip:
            if elapsed < round_trip or elapsed < SHORTEST_SAMPLE:
                return 0
            ceiling = min(int(2 * round_trip * self._passed / elapsed), MAXIMUM_WINDOW)
        else:
            if self._passed < self.size:
                return 0
            helps = self.exhausted and elapsed <= LONGEST_SAMPLE
            ceiling = UNKNOWN_PATH_WINDOW if helps else 0
        self._sample(now)
        extra = min(self.size * 2, MAXIMUM_WINDOW) - self.size
        if self.size >= ceiling or extra <= 0 or not self.budget.grow(extra):
            return 0
        self.size += extra
        self.left += extra
        return extra

    def _sample(self, now: float) -> int:
        self._epoch, self._passed, self.exhausted = now, 0, True
        return 0

    def close(self) -> None:
        """Give the window back to the budget."""
        self.budget.release(self.size)
        self.size = 0
