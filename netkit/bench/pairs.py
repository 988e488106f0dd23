"""Compression on against off, round by round, and the link below which it pays.

Without compression the payload does not matter, so runs that were taken with one corpus only stand
for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from netkit.bench.analysis import Effect, Limit, Pair
from netkit.bench.groups import Group, default_cipher, grouped
from netkit.bench.limits import PROCESSORS
from netkit.bench.model import Direction, Measured
from netkit.bench.statistics import Difference, Spread, difference, gain

INCOMPRESSIBLE = 0.97
"""Bytes on the wire per byte from which compression saves nothing: packets add some too."""

_EFFECTS = {
    Difference.MORE: Effect.HELPS,
    Difference.LESS: Effect.COSTS,
    Difference.SAME: Effect.NEUTRAL,
    Difference.UNCLEAR: Effect.UNCLEAR,
}


def pairs(measured: Measured, limits: Iterable[Limit]) -> tuple[Pair, ...]:
    """Return a pair for each direction and corpus that has both in at least one round.

    ``limits`` are those of the same benchmark.  They are taken under the agreed cipher where it was
    measured with compression, else under the first one that was.
    """
    groups = grouped(measured)
    by_figure = {limit.figure: limit for limit in limits}
    default = default_cipher(measured.setting, groups)
    found = []
    for direction, corpus in _kinds(groups):
        on = _on(groups, direction, corpus, default)
        offs = [
            group
            for group in groups
            if not group.compression and (group.direction, group.cipher) == (direction, on.cipher)
        ]
        ratios = gain(on.by_round, partners(on, offs))
        if ratios is not None:
            found.append(
                _pair(on, ratios, by_figure.get(on.key), _limit_of(offs, corpus, by_figure))
            )
    return tuple(found)


def partners(on: Group, offs: Iterable[Group]) -> list[tuple[int, float]]:
    """Return ``(round, bytes per second)`` without compression.

    In a round that has the corpus itself, that is it; else every corpus counts.
    """
    own = [pair for group in offs if group.corpus == on.corpus for pair in group.by_round]
    have = {number for number, _ in own}
    others = [pair for group in offs for pair in group.by_round if pair[0] not in have]
    return own + others


def break_even(
    on: Group, effect: Effect, limit: Limit | None, off: Limit | None
) -> tuple[float | None, bool]:
    """Return a link's bytes per second below which compression pays, and if that is a lower bound.

    Over a link of L the flow passes at L without compression, with it at the smaller of L / ratio
    and C, what the busier side can compress or decompress: it pays if L < C.  C is the rate that
    was seen divided by the load of that side.  If something else was the limit, that side worked
    in smaller portions than it could and paid more for each byte, so C is at least that.

    A gateway whose load cannot be seen may be the slower one where it compresses, which costs
    several times what decompressing does; then C is at least the rate that was seen, and no more
    is known.

    * 0: the payload does not shrink, so compression pays on no link;
    * infinity: it passed faster although processors limited the plain transfer, so it pays on any;
    * None: nothing passed.

    ``limit`` is that of ``on``, ``off`` that of the same without compression; None: not known.
    """
    if on.ratio is None or on.rate <= 0:
        return None, False
    if on.ratio >= INCOMPRESSIBLE:
        return 0.0, False
    if effect is Effect.HELPS and off is not None and off.term in PROCESSORS:
        return math.inf, False
    loads = [load for load in (on.load, on.gateway_load) if load]
    limited = limit is not None and limit.term in PROCESSORS
    hidden = on.direction is not Direction.UP and on.gateway_load is None
    if not loads or (hidden and not limited):
        return on.rate, True
    capacity = on.rate / max(loads)
    return (capacity, not limited) if math.isfinite(capacity) else (on.rate, True)


def _pair(on: Group, ratios: Spread, limit: Limit | None, off: Limit | None) -> Pair:
    effect = _EFFECTS[difference(ratios)]
    below, at_least = break_even(on, effect, limit, off)
    return Pair(
        direction=on.direction,
        corpus=on.corpus,
        gain=ratios,
        effect=effect,
        ratio=on.ratio or 0.0,
        break_even=below,
        at_least=at_least,
    )


def _kinds(groups: Iterable[Group]) -> list[tuple[Direction, str]]:
    return list(dict.fromkeys((g.direction, g.corpus) for g in groups if g.compression))


def _on(groups: Iterable[Group], direction: Direction, corpus: str, cipher: str) -> Group:
    """Return the compressed group; there is one, as the kind was taken from it."""
    same = [
        group
        for group in groups
        if group.compression and (group.direction, group.corpus) == (direction, corpus)
    ]
    return min(same, key=lambda group: group.cipher != cipher)


def _limit_of(offs: list[Group], corpus: str, limits: dict[str, Limit]) -> Limit | None:
    nearest = min(offs, key=lambda group: group.corpus != corpus, default=None)
    return limits.get(nearest.key) if nearest is not None else None
