"""What can hold a transfer up, and how much of each is used: the terms of

    goodput = min(processors, link / ratio, window / round trip)

with the bytes of the flow per second on the left.  A window counts bytes before compression (RFC
4254 5.2 knows nothing of it), a link those behind it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from netkit.bench import wording
from netkit.bench.analysis import Term
from netkit.bench.groups import Group
from netkit.bench.model import Direction, Setting

FULL = 0.8
"""The share from which a term counts as used up.  A window of 2 MiB is refilled in steps, and
measured transfers stop at 0.9 of window / round trip; a thread that computes all the time waits
for a lock now and then."""

STARVED = 0.5
"""The share of moments without window from which the window limits though it looks half empty."""

NEVER_STARVED = 0.1
"""The share up to which the window does not limit, whatever the arithmetic says."""

DEARER = 1.5
"""Compression is what takes the time if a byte costs at least so many times as much with it."""

_GB = 1e9


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a term is used (1: all of it), with the arithmetic as a sentence.

    ``needed`` is the share from which it limits; infinity: it is known not to.
    """

    term: Term
    load: float
    text: str
    needed: float = FULL


def link_rates(setting: Setting, groups: Iterable[Group]) -> dict[Direction, tuple[float, str]]:
    """Return the bytes per second that the link carries in each direction, and how that is known.

    Known is the rate of an imitated link.  Else it takes evidence: the same rate on the wire with
    compression as without, while the flow's own rates differ and neither window nor processor
    is used up.  Then nothing but the link explains it.
    """
    shape = setting.shape
    if shape is not None:
        if not (math.isfinite(shape.rate) and shape.rate > 0):
            return {}
        return dict.fromkeys(Direction, (shape.rate, ""))
    if setting.trial:
        return {}
    found = {}
    for direction in Direction:
        rate = _evidence(setting, [group for group in groups if group.direction is direction])
        if rate:
            found[direction] = (rate, ", as much with compression as without")
    return found


def _evidence(setting: Setting, groups: list[Group]) -> float:
    free = [group for group in groups if not any(map(limits, _visible(setting, group, None)))]
    for plain in (group for group in free if not group.compression):
        for packed in (group for group in free if group.compression):
            rates = sorted((plain.wire_rate, packed.wire_rate))
            as_much = rates[0] > 0.9 * rates[1] > 0
            if as_much and (packed.ratio or 1.0) * 1.3 < (plain.ratio or 0.0):
                return max(group.wire_rate for group in free)
    return 0.0


def limits(use: Use) -> bool:
    """Whether a term is used up."""
    return use.load >= use.needed


def uses(
    setting: Setting, group: Group, plain: Group | None, link: tuple[float, str] | None
) -> tuple[Use, ...]:
    """Return every term that is known for a group, the fullest first.

    ``plain`` is the same without compression, which shows what compression costs; ``link`` what
    `link_rates` says of the direction.
    """
    known = [*_link(group, link), *_visible(setting, group, plain)]
    return tuple(sorted(known, key=lambda use: -use.load))


def _visible(setting: Setting, group: Group, plain: Group | None) -> Iterator[Use]:
    yield from _window(setting, group)
    yield from _processor(group, plain, _OURS)
    yield from _processor(group, plain, _GATEWAYS)


def _link(group: Group, link: tuple[float, str] | None) -> Iterator[Use]:
    if link is None:
        return
    rate, why = link
    load = group.wire_rate / rate
    if math.isfinite(load):
        carried = wording.bits(group.wire_rate)
        share = f"{wording.percent(load)} of the {wording.bits(rate)} that the link carries{why}"
        yield Use(Term.LINK, load, f"{carried} on the wire are {share}")


def _window(setting: Setting, group: Group) -> Iterator[Use]:
    window, round_trip = group.window, setting.round_trip
    if window is None or not (math.isfinite(round_trip) and round_trip > 0):
        return
    allowed = window / round_trip
    load = group.rate / allowed if allowed else math.inf
    if not math.isfinite(load):
        return
    ours = group.direction is Direction.DOWN
    whose = "our" if ours else "the gateway's"
    text = (
        f"{wording.size(window)} of {whose} window per "
        f"{wording.seconds(round_trip)} round trip allow {wording.rate(allowed)}; "
        f"{wording.rate(group.rate)} is {wording.percent(load)} of it"
    )
    needed, starved = FULL, group.starved
    if starved is not None and starved >= STARVED:
        needed = STARVED
        text += f", and we waited for window in {wording.percent(starved)} of the moments"
    elif starved is not None and starved <= NEVER_STARVED:
        needed = math.inf
        text += ", but we hardly ever waited for it"
    yield Use(Term.OUR_WINDOW if ours else Term.GATEWAY_WINDOW, load, text, needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One side's processor, and what it does when a direction is compressed."""

    name: str
    term: Term
    compression: Term
    work: dict[Direction, str]
    load: Callable[[Group], float | None]
    cost: Callable[[Group], float | None]


_OURS = _Side(
    name="our side",
    term=Term.OUR_CPU,
    compression=Term.OUR_COMPRESSION,
    work={
        Direction.UP: "compression",
        Direction.DOWN: "decompression",
        Direction.LOOP: "compression and decompression",
    },
    load=lambda group: group.load,
    cost=lambda group: group.cost,
)

_GATEWAYS = _Side(
    name="the gateway",
    term=Term.GATEWAY_CPU,
    compression=Term.GATEWAY_COMPRESSION,
    work={
        Direction.UP: "decompression",
        Direction.DOWN: "compression",
        Direction.LOOP: "compression and decompression",
    },
    load=lambda group: group.gateway_load,
    cost=lambda group: group.gateway_cost,
)


def _processor(group: Group, plain: Group | None, side: _Side) -> Iterator[Use]:
    load = side.load(group)
    if load is None:
        return
    text = f"{side.name} uses {wording.percent(load)} of a processor at {wording.rate(group.rate)}"
    cost = side.cost(group)
    if cost is not None:
        text += f", {_per_gb(cost)}"
    without = side.cost(plain) if group.compression and plain is not None else None
    if cost is None or without is None or cost < DEARER * without:
        yield Use(side.term, load, text)
        return
    text += f" against {_per_gb(without)} without {side.work[group.direction]}"
    yield Use(side.compression, load, text)


def _per_gb(cost: float) -> str:
    return f"{wording.seconds(cost * _GB)} per GB"
