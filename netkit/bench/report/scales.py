"""Axes: where a value lies between 0 and 1, and which round values get a tick."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

_APART = 0.22
"""The share of an axis that two ticks' labels are apart: more than one takes on a phone."""

_ROUND = (1, 2, 2.5, 5, 10)
_TINIEST, _HUGEST = 1e-120, 1e120
"""What is beyond lies at an end: the quotient of two values has to be a number."""


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from ``low`` to ``high`` (which differ), logarithmic or from zero on."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Return where ``value`` lies, 0 … 1; what is beyond an end lies at that end."""
        if math.isnan(value):
            return 0.0
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            span = math.log(self.high) - math.log(self.low)
            return (math.log(value) - math.log(self.low)) / span
        return (value - self.low) / (self.high - self.low)


def linear(values: Iterable[float], *, most: int = 4) -> Scale:
    """Return an axis from 0 to the largest of ``values`` with at most ``most`` ticks above zero."""
    high = max((value for value in values if 0 < value < _HUGEST), default=1.0)
    high = max(high, _TINIEST)
    magnitude = 10.0 ** math.floor(math.log10(high / most))
    step = next((s * magnitude for s in _ROUND if high / (s * magnitude) <= most), high)
    ticks = tuple(step * n for n in range(most + 1) if step * n <= high)
    return Scale(0.0, high, ticks)


def logarithmic(values: Iterable[float], *, around: float | None = None, most: int = 6) -> Scale:
    """Return an axis that holds every positive one of ``values`` and, if given, ``around``.

    There is some room beyond both ends, and at least a factor of two between them.  Ticks are
    powers of ten; 1, 2 and 5 times them where that gives no more than ``most``.
    """
    known = [value for value in values if _TINIEST < value < _HUGEST]
    if around is not None:
        known.append(around)
    low, high = (min(known), max(known)) if known else (1.0, 10.0)
    middle = math.sqrt(low) * math.sqrt(high)
    low, high = min(low, middle / math.sqrt(2)), max(high, middle * math.sqrt(2))
    room = (high / low) ** 0.04
    low, high = low / room, high * room
    return Scale(low, high, _log_ticks(low, high, most), logarithmic=True)


def _log_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))

    def within(values: Iterable[float]) -> tuple[float, ...]:
        return tuple(value for value in values if low <= value <= high)

    decades = [float(f"1e{n}") for n in range(first, last + 1)]
    for factors in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3)):
        ticks = within(factor * decade for decade in decades for factor in factors)
        if len(ticks) <= most and not _crowded(ticks, low, high):
            return ticks
    known = within(decades)
    every = 1
    while len(ticks := known[::every]) > most or _crowded(ticks, low, high):
        every += 1
    return ticks


def _crowded(ticks: tuple[float, ...], low: float, high: float) -> bool:
    nearest = min((after / before for before, after in pairwise(ticks)), default=high / low)
    return math.log(nearest) < _APART * math.log(high / low)


def labels(scale: Scale, wording: Callable[[float], str]) -> tuple[tuple[float, str], ...]:
    """Return where each tick lies and what it says, without the noughts behind a point."""
    return tuple((scale.at(tick), trimmed(wording(tick))) for tick in scale.ticks)


def trimmed(text: str) -> str:
    """``1.00 MB/s`` -> ``1 MB/s``."""
    number, point, rest = text.partition(".")
    if not point:
        return text
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    kept = digits.rstrip("0")
    return f"{number}{'.' if kept else ''}{kept}{rest[len(digits) :]}"
