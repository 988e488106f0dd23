"""The form in which links are described: ``RATE/RTT[/LOSS]``, such as ``2mbit/80ms/1%``.

Rates are bits per second with the units of tc(8), in steps of a thousand, case aside.  What tc
calls ``mbps`` are megabytes, and hardly anybody else does: such units are refused, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from netkit.errors import UsageError
from netkit.model import Fix
from netkit.text.endpoints import quoted

MAX_TEXT: Final = 80
"""Longest text looked at, in characters."""

MIN_RATE: Final = 1_000.0
MAX_RATE: Final = 12.5e9
"""Bytes per second: 8 kbit/s and 100 gbit/s."""

MAX_ROUND_TRIP: Final = 10.0
"""Seconds; a geostationary satellite takes 0.6, the Moon 2.6."""

MAX_LOSS: Final = 0.5
"""Beyond it TCP does not get through at all."""

EXAMPLE: Final = "2mbit/80ms/1%"

# Units, the largest first, and their size in bits per second, seconds, and ones.
_RATES: Final = {
    "gbit": Decimal(10**9),
    "mbit": Decimal(10**6),
    "kbit": Decimal(10**3),
    "bit": Decimal(1),
}
_TIMES: Final = {"s": Decimal(1), "ms": Decimal("1e-3"), "us": Decimal("1e-6")}
_SHARES: Final = {"%": Decimal("1e-2")}

# Whole bits per second, nanoseconds, billionths: what is finer is rounded, so that `str` is short.
_RATE_STEP: Final = Decimal(1)
_STEP: Final = Decimal("1e-9")

# Bounded before Decimal sees it.
_QUANTITY: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})([a-z%]{1,12})")
_AMBIGUOUS: Final = re.compile(r"([kmg]?)(?:bps|b|bytes?)")


@dataclass(frozen=True, slots=True)
class LinkShape:
    """What a link is like, each way.

    ``str`` gives the text that `parse_link` reads.

    Attributes:
        rate: bytes per second.
        round_trip: seconds.
        loss: the share of packets that is lost, 0 … below 1.
    """

    rate: float
    round_trip: float
    loss: float = 0.0

    def __str__(self) -> str:
        rate = Decimal(repr(self.rate)) * 8
        parts = [_format(rate, _RATES), _format(Decimal(repr(self.round_trip)), _TIMES)]
        if self.loss:
            parts.append(_format(Decimal(repr(self.loss)), _SHARES))
        return "/".join(parts)


def parse_link(text: str) -> LinkShape:
    """Parse ``RATE/RTT[/LOSS]``.

    The rate is in ``bit``, ``kbit``, ``mbit`` or ``gbit`` per second, the round trip in ``s``,
    ``ms`` or ``us``, the loss in ``%``; decimals are fine.

    Raises:
        UsageError: it is nothing of the kind, or outside of what can be imitated.
    """
    parts = text.strip().lower().split("/") if len(text) <= MAX_TEXT else []
    if len(parts) not in (2, 3):
        raise _bad(text, f"a link is written RATE/RTT or RATE/RTT/LOSS, as in {EXAMPLE}")
    if parts[1] == "s":
        raise _bad(text, "a rate is per second as it stands: 2mbit, without /s")
    _refuse_bytes(text, parts)
    bits = _quantity(text, parts[0], "rate", _RATES, "2mbit or 512kbit")
    rate = float(bits.quantize(_RATE_STEP) / 8)
    round_trip = _quantity(text, parts[1], "round trip", _TIMES, "80ms or 0.2s")
    loss = _quantity(text, parts[2], "loss", _SHARES, "0.5%") if len(parts) == 3 else Decimal(0)
    if not MIN_RATE <= rate <= MAX_RATE:
        raise _bad(text, "a rate is from 8kbit to 100gbit")
    if round_trip > MAX_ROUND_TRIP:
        raise _bad(text, f"a round trip is at most {MAX_ROUND_TRIP:g}s")
    if loss > MAX_LOSS:
        raise _bad(text, f"a loss is at most {MAX_LOSS:.0%}")
    return LinkShape(rate, float(round_trip.quantize(_STEP)), float(loss.quantize(_STEP)))


def _quantity(
    text: str, part: str, what: str, units: Mapping[str, Decimal], example: str
) -> Decimal:
    """Return a number with a unit as a multiple of the unit of size 1."""
    found = _QUANTITY.fullmatch(part)
    if not found or found[2] not in units:
        raise _bad(text, f"{quoted(part)} is no {what}; one is written {example}")
    return Decimal(found[1]) * units[found[2]]


def _refuse_bytes(text: str, parts: list[str]) -> None:
    """Raise UsageError for a rate that may be bits or bytes, and show both ways to write it."""
    found = _QUANTITY.fullmatch(parts[0])
    unit = _AMBIGUOUS.fullmatch(found[2]) if found else None
    if not found or not unit:
        return
    number = Decimal(found[1])
    bits, rest = f"{unit[1]}bit", "/".join(parts[1:])
    raise UsageError(
        f"{quoted(text)} may mean bits or bytes",
        code="bad-link",
        cause=f"tc(8) reads mbps as bytes per second and most people as bits; {bits} is clear",
        fixes=(
            _fix(f"{_plain(number)}{bits}/{rest}", note="if bits are meant"),
            _fix(f"{_plain(number * 8)}{bits}/{rest}", note="if bytes are meant"),
        ),
    )


def _bad(text: str, why: str) -> UsageError:
    return UsageError(
        f"{quoted(text)} is not a link that can be imitated",
        code="bad-link",
        cause=why,
        fixes=(_fix(EXAMPLE),),
    )


def _fix(link: str, *, note: str = "") -> Fix:
    return Fix(("netkit", "bench", "--link", link), note=note)


def _format(value: Decimal, units: Mapping[str, Decimal]) -> str:
    """Return ``value`` in the largest unit of which it is at least one, or the smallest."""
    name = next((each for each, size in units.items() if value >= size), list(units)[-1])
    return f"{_plain(value / units[name])}{name}"


def _plain(value: Decimal) -> str:
    """Return the digits without an exponent and without idle zeros."""
    shown = f"{value:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
