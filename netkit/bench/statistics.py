"""Medians and spreads of a few values, and whether two of them differ.

A benchmark takes three to a dozen rounds on a machine that does other things as well, so
everything here is by ranks: one disturbed round moves no median, and no verdict is given that the
spread does not carry.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass

NOTABLE = 1.1
"""Two values that are closer than this factor are as good as equal to whoever uses the tunnel."""

CLOSE = 1.2
"""Rounds within this factor of each other agree that there is no difference."""

ENOUGH = 3
"""Rounds without which there is no verdict: two values have no middle."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A handful of values of the same thing, sorted.

    Quantiles are by linear interpolation between closest ranks (Hyndman & Fan type 7).
    """

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Sort ``values``.  Raises ValueError for none at all or one that is no finite number."""
        sound = tuple(sorted(float(value) for value in values))
        if not sound:
            raise ValueError("no values")
        if not all(map(math.isfinite, sound)):
            raise ValueError("not a finite number")
        return cls(sound)

    @property
    def count(self) -> int:
        """How many values there are, at least one."""
        return len(self.values)

    @property
    def low(self) -> float:
        """The smallest value."""
        return self.values[0]

    @property
    def high(self) -> float:
        """The largest value."""
        return self.values[-1]

    @property
    def median(self) -> float:
        """The middle value, or the mean of the two in the middle."""
        return self.quantile(0.5)

    @property
    def q1(self) -> float:
        """The lower quartile."""
        return self.quantile(0.25)

    @property
    def q3(self) -> float:
        """The upper quartile."""
        return self.quantile(0.75)

    @property
    def iqr(self) -> float:
        """The interquartile range, ``q3 - q1``."""
        return self.q3 - self.q1

    @property
    def mean(self) -> float:
        """The arithmetic mean."""
        # Each share is added, not the sum divided: large values do not overflow.
        mean = sum(value / self.count for value in self.values)
        return min(max(mean, self.low), self.high)

    @property
    def stddev(self) -> float:
        """The standard deviation of a sample (n - 1); 0 for a single value."""
        if self.count < 2:
            return 0.0
        mean = self.mean
        return math.hypot(*(value - mean for value in self.values)) / math.sqrt(self.count - 1)

    @property
    def relative(self) -> float:
        """The whole width as a share of the median: ``(high - low) / median``.

        0 where all values are equal, infinity where they are not and the median is 0.
        """
        width = self.high - self.low
        if not width:
            return 0.0
        return abs(width / self.median) if self.median else math.inf

    def quantile(self, p: float) -> float:
        """Return the value below which a share of ``p`` lies.

        Raises ValueError where ``p`` is not within 0 … 1.
        """
        if not 0 <= p <= 1:
            raise ValueError(f"no share: {p}")
        rank = p * (self.count - 1)
        below = math.floor(rank)
        low = self.values[below]
        high = self.values[min(below + 1, self.count - 1)]
        part = rank - below
        # Two products rather than low + part * (high - low), which may overflow.
        return min(max(low * (1 - part) + high * part, low), high)


class Difference(enum.Enum):
    """Whether something is more than what it is compared with."""

    MORE = "more"
    LESS = "less"
    SAME = "same"
    """No difference that matters, or none that stands out from the noise."""
    UNCLEAR = "unclear"
    """Too few rounds, or they contradict each other."""


def sound(values: Iterable[float]) -> list[float]:
    """Return those of ``values`` that a measurement can have: finite and not below zero."""
    return [value for value in values if math.isfinite(value) and value >= 0]


def spread_of(values: Iterable[float]) -> Spread | None:
    """Return the spread of the sound ones among ``values``; None where there are none."""
    kept = sound(values)
    return Spread.of(kept) if kept else None


def gain(ons: Iterable[tuple[int, float]], offs: Iterable[tuple[int, float]]) -> Spread | None:
    """Return ``on / off`` of each round that has both; None where no round has.

    Both are ``(round, value)``; several values of one round count by their median.  Runs of one
    round were taken one after the other, so what disturbed one of them disturbed the other too, and
    their ratio says more than the ratio of two medians.
    """
    with_it, without_it = _by_round(ons), _by_round(offs)
    return spread_of(
        with_it[number] / without_it[number]
        for number in with_it
        if without_it.get(number, 0.0) > 0
    )


def difference(ratios: Spread | None) -> Difference:
    """Say whether paired ratios are above or below 1, or the same.

    With fewer than `ENOUGH` rounds: UNCLEAR.  Then

    * every ratio above 1 and the median at least `NOTABLE`: MORE;
    * every ratio below 1 and the median at most ``1 / NOTABLE``: LESS;
    * the median within that, and every ratio within a factor of `CLOSE` of 1: SAME;
    * anything else: UNCLEAR.

    "Every" leaves out one stray at either end for each full eight rounds.  Where nothing differs,
    three rounds fall on one side of 1 in one case of four, and only the demand on the median keeps
    that from being a verdict; with seven of eight on one side it is one case of fourteen.
    """
    if ratios is None or ratios.count < ENOUGH:
        return Difference.UNCLEAR
    strays = ratios.count // 8
    low, high = ratios.values[strays], ratios.values[-1 - strays]
    if low > 1 and ratios.median >= NOTABLE:
        return Difference.MORE
    if high < 1 and ratios.median * NOTABLE <= 1:
        return Difference.LESS
    alike = ratios.median < NOTABLE and ratios.median * NOTABLE > 1
    if alike and low * CLOSE >= 1 and high <= CLOSE:
        return Difference.SAME
    return Difference.UNCLEAR


def changed_beyond_noise(old: Spread, new: Spread) -> Difference:
    """Say whether a figure of an earlier benchmark has changed: the values of two runs, not paired.

    With fewer than `ENOUGH` values on either side: UNCLEAR.  It is MORE or LESS where the medians
    are at least a factor of `NOTABLE` apart and the fences do not touch; a fence is one
    interquartile range beyond each quartile.  For three values that is their range and a
    quarter of it at each end.  Else SAME: whatever changed, the noise hides it.
    """
    if min(old.count, new.count) < ENOUGH:
        return Difference.UNCLEAR
    if _fences(old)[1] < _fences(new)[0] and new.median >= old.median * NOTABLE:
        return Difference.MORE
    if _fences(new)[1] < _fences(old)[0] and old.median >= new.median * NOTABLE:
        return Difference.LESS
    return Difference.SAME


def _fences(spread: Spread) -> tuple[float, float]:
    return spread.q1 - spread.iqr, spread.q3 + spread.iqr


def _by_round(runs: Iterable[tuple[int, float]]) -> dict[int, float]:
    rounds: dict[int, list[float]] = {}
    for number, value in runs:
        rounds.setdefault(number, []).append(value)
    spreads = {number: spread_of(values) for number, values in rounds.items()}
    return {number: spread.median for number, spread in spreads.items() if spread is not None}
