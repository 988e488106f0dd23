"""When a link that is gone is tried again, and when that would be wrong; pure.

A fault of the network is tried again for ever.  A gateway that refuses a key, a password, or shows
another host key is not: the second try says the same, and many lock an account.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from netkit.errors import (
    AlgorithmError,
    DisplayError,
    GatewayUnreachableError,
    LocalProtocolError,
    NetkitError,
    OpenError,
    RemoteForwardError,
    ResourceError,
)

FIRST: Final = 0.2
"""Seconds before the first try."""

LONGEST: Final = 30.0
"""Seconds that lie between two tries at most."""

GROWTH: Final = 1.5
JITTER: Final = 0.25
"""Share of a delay by which it varies: many clients of one gateway must not come back as one."""

IN_DEMAND: Final = 0.5
"""Seconds between two tries at most while somebody waits for a link that was just lost."""

WEARS_OFF: Final = 20.0
"""A link that is gone for so many times longer is tried that much more seldom, all the same."""

SLACK: Final = 5.0
"""Seconds that a wait may take longer than asked for before the machine must have slept."""

_AGAIN: Final = (
    GatewayUnreachableError,  # no name, no route, no answer, a link that was lost
    OpenError,  # the same, seen from a gateway on the way
    RemoteForwardError,
    ResourceError,
    DisplayError,
)
_NEVER: Final = (AlgorithmError, LocalProtocolError)


def may_help(error: NetkitError) -> bool:
    """Return whether to try to connect again after ``error``.

    Not after a refused host key, key or password, nor when the two sides share no algorithm or the
    request is wrong.
    """
    if isinstance(error, _NEVER):
        return False
    return isinstance(error, _AGAIN) or error.retryable


class Backoff:
    """How long to wait before the next try; seconds.

    ``random`` returns numbers from 0 to 1, evenly spread.
    """

    def __init__(self, random: Callable[[], float], *, first: float = FIRST) -> None:
        self._random = random
        self._first = first
        self._step = 0
        self._last = 0.0

    def next(self) -> float:
        """Return the next delay, at most `LONGEST`."""
        exact = min(self._first * GROWTH ** min(self._step, 100), LONGEST)
        self._step += 1
        self._last = min(exact * (1 + JITTER * (2 * self._random() - 1)), LONGEST)
        return self._last

    def lived(self, seconds: float) -> None:
        """Begin anew after a link that lived long; one that came and went is no success."""
        if seconds >= max(2 * self._last, 1.0):
            self.reset()

    def reset(self) -> None:
        """Begin anew: what was in the way may be gone."""
        self._step, self._last = 0, 0.0


def hurried(due: float, last: float, now: float, lost: float) -> float:
    """Return when the next try is due while somebody waits: soon after the ``last``.

    All are times of one clock, in seconds; the link was ``lost`` at one of them.
    """
    rest = max(IN_DEMAND, (now - lost) / WEARS_OFF)
    return min(due, max(last + rest, now))


@dataclass(frozen=True, slots=True)
class Moment:
    """What two clocks say, and what the network looks like; ``network`` is only compared."""

    wall: float
    monotonic: float
    network: Hashable = None


def slept(before: Moment, after: Moment, waited: float) -> float:
    """Return for how many seconds the machine seems to have slept; 0 for not at all.

    A monotonic clock may stand still meanwhile (Linux, macOS) or not (Windows), so both count; a
    wall clock that was set ahead looks the same, and one that was set back like nothing.
    ``waited`` is how long the wait between the two should have taken.
    """
    passed = max(after.wall - before.wall, after.monotonic - before.monotonic)
    gap = passed - waited
    return gap if gap > SLACK else 0.0


def change(before: Moment, after: Moment, waited: float) -> str:
    """Return what happened between the two that makes a fresh try worth it; empty for nothing."""
    gap = slept(before, after, waited)
    if gap:
        return f"this machine slept for {gap:.0f} s"
    if before.network != after.network:
        return "the network has changed"
    return ""
