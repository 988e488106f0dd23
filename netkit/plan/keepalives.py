"""The keepalive after a link that broke: what the drop says about an idle timeout; pure.

A NAT that forgets idle connections shows in one way only: after a silence nothing passes any more,
while a new connection works at once.
"""

from __future__ import annotations

from typing import Final

LOWEST: Final = 5.0
"""Seconds; a shorter interval costs more than a NAT that forgets so fast is likely."""

AT_ONCE: Final = 5.0
"""Seconds within which a new link must come about, or the gateway itself was away."""

_IDLE: Final = 0.8
"""Share of the interval that must have been silent before the question that nothing answered."""

_MARGIN: Final = 2.0
"""How many times shorter than the silence that was fatal an interval is."""


def tightened(
    interval: float, silence: float, away: float, *, survived: float = 0.0
) -> float | None:
    """Return a shorter interval after a link broke, or None where the drop fits no idle timeout.

    Args:
        interval: seconds between keepalives so far.
        silence: seconds that nothing had passed before the keepalive that was not answered.
        away: seconds that the next link took.
        survived: the longest silence after which something came, in seconds.
    """
    if interval <= LOWEST or away > AT_ONCE or silence < _IDLE * interval:
        return None
    if silence < survived:  # as long a silence did no harm: it was something else
        return None
    return max(LOWEST, min(interval, silence) / _MARGIN)
