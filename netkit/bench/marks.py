"""Moments of a transfer, and the part of it that counts: behind the warm-up.

The first round trips of a transfer show how TCP and the windows grow, not how fast the tunnel is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SLOW_START: Final = 8
"""Round trips until the windows of a new transfer have grown at most: to 2.5 thousand segments."""

FIRST_WINDOW: Final = 14_600
"""Bytes that TCP sends in the first round trip (RFC 6928); it doubles with each."""

PAUSE: Final = 0.01
"""Seconds that a transfer needs on a link without a round trip worth the name."""

MOST: Final = 0.4
"""The share of a transfer that its warm-up may take."""

FEWEST: Final = 2


def warm_up(round_trip: float, rate: float) -> float:
    """Return the seconds until a transfer is as fast as it gets.

    ``rate`` is what it gets to, bytes per second; 0: not known.
    """
    trips: float = SLOW_START
    if rate > 0 and round_trip > 0:
        doublings = math.log2(max(rate * round_trip / FIRST_WINDOW, 1.0))
        trips = min(1 + doublings, SLOW_START)
    return PAUSE + trips * round_trip


@dataclass(frozen=True, slots=True)
class Mark:
    """What had passed at one moment.

    Attributes:
        time: seconds, of a clock that never goes back.
        size: bytes of the flow so far.
        wire: bytes of SSH packets so far.
        cpu: seconds of CPU of the link's thread so far.
        starved: at this moment there was data and no window for it; None where it does not apply.
    """

    time: float
    size: int
    wire: int
    cpu: float
    starved: bool | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """What happened between two marks: bytes, seconds, and the share of starved moments."""

    size: int
    seconds: float
    wire: int
    cpu: float
    starved: float | None


def warm_stretch(marks: Sequence[Mark], round_trip: float) -> Stretch | None:
    """Return what happened behind the warm-up; None for fewer than two marks or no time."""
    if len(marks) < FEWEST:
        return None
    begin, end = marks[0], marks[-1]
    took = end.time - begin.time
    rate = (end.size - begin.size) / took if took > 0 else 0.0
    warm = begin.time + min(warm_up(round_trip, rate), MOST * took)
    at = next(number for number, mark in enumerate(marks) if mark.time >= warm)
    at = min(at, len(marks) - FEWEST)
    first = marks[at]
    seconds = end.time - first.time
    if seconds <= 0 or end.size <= first.size:
        return None
    known = [mark.starved for mark in marks[at:] if mark.starved is not None]
    return Stretch(
        size=end.size - first.size,
        seconds=seconds,
        wire=max(end.wire - first.wire, 0),
        cpu=max(end.cpu - first.cpu, 0.0),
        starved=sum(known) / len(known) if known else None,
    )
