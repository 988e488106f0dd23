"""Numbers as people read them: SI units for rates, binary ones for windows and sizes in memory.

Every function takes any float, infinity and NaN too, and raises nothing.
"""

from __future__ import annotations

import math

_DECIMAL = ("", "k", "M", "G", "T")
_BINARY = ("bytes", "KiB", "MiB", "GiB", "TiB")
_UNKNOWN = "unknown"


def rate(bytes_per_second: float) -> str:
    """``21.3 MB/s``: megabytes are 10⁶ bytes."""
    return _scaled(bytes_per_second, "B/s")


def bits(bytes_per_second: float) -> str:
    """The same in bits, as links are sold: ``170 Mbit/s``."""
    return _scaled(bytes_per_second * 8, "bit/s")


def seconds(value: float) -> str:
    """``241 µs``, ``12.3 ms`` or ``1.20 s``."""
    if not math.isfinite(value):
        return _not_finite(value)
    # The thresholds are those at which three figures round up to the next unit.
    if abs(value) >= 0.9995:
        return f"{_figures(value)} s"
    if abs(value) >= 0.0009995:
        return f"{_figures(value * 1e3)} ms"
    return f"{_figures(value * 1e6)} µs"


def size(count: float) -> str:
    """``2 MiB``, ``1.5 KiB``: units of 1024, as windows are counted."""
    if not math.isfinite(count):
        return _not_finite(count)
    step = 0
    while step < len(_BINARY) - 1 and abs(count) >= 1023.5:
        count /= 1024
        step += 1
    return f"{_trimmed(count)} {_BINARY[step]}"


def count_rate(per_second: float) -> str:
    """``1 580/s``: so many a second."""
    if not math.isfinite(per_second):
        return _not_finite(per_second)
    if abs(per_second) >= 99.95:
        return f"{per_second:,.0f}/s".replace(",", " ")
    return f"{_figures(per_second)}/s"


def percent(share: float) -> str:
    """``95 %`` of 0.95; below ten there is a decimal, and ``<0.1 %`` is not nothing."""
    if not math.isfinite(share):
        return _not_finite(share)
    hundredths = share * 100
    if 0 < hundredths < 0.05:
        return "<0.1 %"
    if hundredths and abs(hundredths) < 9.95:
        return f"{hundredths:.1f} %"
    return f"{hundredths:.0f} %"


def factor(ratio: float) -> str:
    """``2.31 x``: how many times as much."""
    if not math.isfinite(ratio):
        return _not_finite(ratio)
    return f"{_figures(ratio)} x"


def _scaled(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return _not_finite(value)
    step = 0
    while step < len(_DECIMAL) - 1 and abs(value) >= 999.5:
        value /= 1000
        step += 1
    return f"{_figures(value)} {_DECIMAL[step]}{unit}"


def _figures(value: float) -> str:
    """Three significant figures, no exponent; more where the whole part has them."""
    magnitude = abs(value)
    if magnitude >= 99.95:
        return f"{value:.0f}"
    if magnitude >= 9.995:
        return f"{value:.1f}"
    if magnitude == 0:
        return "0"
    return f"{value:.2f}"


def _trimmed(value: float) -> str:
    text = _figures(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _not_finite(value: float) -> str:
    return _UNKNOWN if math.isnan(value) else "unlimited"
