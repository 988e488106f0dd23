"""Which transfers fit into the time there is, how often, and how long each may take.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netkit.bench.marks import MOST, warm_up

if TYPE_CHECKING:
    from netkit.bench.model import Direction

FEWEST_ROUNDS: Final = 3
"""Rounds below which no spread can be told from an effect."""

MOST_ROUNDS: Final = 7
LONGEST: Final = 1.0
"""Seconds of one transfer: more rounds say more than longer transfers."""

SHORTEST: Final = 0.06
LEAST: Final = 64 << 10
"""Bytes that a transfer moves at least."""

DRAIN: Final = 0.05
DRAIN_TRIPS: Final = 5
"""Seconds and round trips for what is under way at the end of a transfer."""


@dataclass(frozen=True, slots=True)
class Want:
    """One kind of transfer; compared with the others of its round."""

    direction: Direction
    compression: bool
    corpus: str

    def __str__(self) -> str:
        how = "compressed" if self.compression else "uncompressed"
        return f"{self.direction.value} {self.corpus}, {how}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to spend the time.

    Attributes:
        rounds: how often each transfer is made; 0: nothing fits.
        seconds: how long each lasts.
        wants: those that fit, in their order.
        dropped: those that do not.
    """

    rounds: int
    seconds: float
    wants: tuple[Want, ...]
    dropped: tuple[Want, ...] = ()

    def order(self, number: int) -> tuple[Want, ...]:
        """Return the transfers of round ``number``: every other one backwards, so that a drift
        of the machine or the link does not favour one of them."""
        return self.wants if number % 2 == 0 else self.wants[::-1]


def shortest(round_trip: float, rate: float) -> float:
    """Return the seconds that a transfer has to last to say anything.

    ``rate`` is what the link seems to do, bytes per second; 0: not known.
    """
    by_rate = LEAST / rate if rate > 0 else 0.0
    return max(SHORTEST, warm_up(round_trip, rate) / MOST, by_rate)


def plan(
    wants: Sequence[Want],
    seconds: float,
    *,
    round_trip: float,
    rate: float = 0.0,
    beside: float | None = None,
    fewest: int = FEWEST_ROUNDS,
) -> Schedule:
    """Fit as many of ``wants``, the most wanted first, as can be made ``fewest`` times or more.

    ``beside`` is what goes with each transfer, in seconds, where that was seen.
    """
    least = shortest(round_trip, rate)
    if beside is None:
        beside = DRAIN + DRAIN_TRIPS * round_trip
    kept = list(wants)
    while kept and fewest * len(kept) * (least + beside) > seconds:
        kept.pop()
    dropped = tuple(wants[len(kept) :])
    if not kept:
        return Schedule(0, 0.0, (), dropped)
    rounds = fewest
    while rounds < MOST_ROUNDS and (rounds + 2) * len(kept) * (2 * least + beside) <= seconds:
        rounds += 2
    each = seconds / (rounds * len(kept)) - beside
    return Schedule(rounds, min(max(each, least), max(LONGEST, least)), tuple(kept), dropped)
