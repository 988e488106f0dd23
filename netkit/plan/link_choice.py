"""Which of several links carries a new flow, and when another link is wanted; pure.

Keystrokes must not wait behind bulk data, and names that sshd resolves for a dynamic forward block
everything else on their link (its channels are served by one thread).  So flows of different kinds
are kept apart as far as there are links.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec

MOST: Final = 8
"""Links that are opened at most where their number is not said; sshd drops logins beyond 10."""

IDLE: Final = 60.0
"""Seconds after which a link that nothing uses is closed, where the number is not said."""

BULK_BYTES: Final = 1 << 20
BULK_RATE: Final = 100_000
"""Bytes, and bytes per second over its life, that make a flow bulk."""

QUIET_TIME: Final = 1.0
QUIET_RATE: Final = 50_000
"""Seconds of life, and bytes per second, of a flow that is taken for interactive."""

CROWD: Final = 32
"""Flows of which nothing is known that are kept on one link."""

_INTERACTIVE: Final = frozenset(
    {22, 23, 513, 1494, 2598, 3389, *range(5900, 6000), *range(6000, 6064)}
)
"""Ports of ssh, telnet, rlogin, Citrix, RDP, VNC and X11 servers."""


class Traffic(enum.Enum):
    """What a flow is like."""

    UNKNOWN = "unknown"
    INTERACTIVE = "interactive"
    BULK = "bulk"
    DYNAMIC = "dynamic"


def expected(forward: ForwardSpec | None, learned: Traffic | None) -> Traffic:
    """Return what a new flow of ``forward`` is likely to be, given what earlier ones were."""
    if forward is not None and forward.kind is ForwardKind.DYNAMIC:
        return Traffic.DYNAMIC
    if forward is not None and _is_interactive(forward.to):
        return Traffic.INTERACTIVE
    return learned or Traffic.UNKNOWN


def _is_interactive(target: Address | None) -> bool:
    return isinstance(target, Endpoint) and target.port in _INTERACTIVE


def behaves(moved: int, seconds: float) -> Traffic:
    """Return what a flow is that ``moved`` so many bytes, both ways, in ``seconds``."""
    rate = moved / max(seconds, 0.001)
    if moved >= BULK_BYTES and rate >= BULK_RATE:
        return Traffic.BULK
    if seconds >= QUIET_TIME and rate < QUIET_RATE:
        return Traffic.INTERACTIVE
    return Traffic.UNKNOWN


@dataclass(frozen=True, slots=True)
class Load:
    """The flows of a link that is up, by what they are like."""

    number: int
    counts: dict[Traffic, int] = field(default_factory=dict)

    def of(self, *kinds: Traffic) -> int:
        """Return how many there are of ``kinds``."""
        return sum(self.counts.get(each, 0) for each in kinds)

    @property
    def flows(self) -> int:
        """How many there are."""
        return sum(self.counts.values())


_U, _I, _B, _D = Traffic.UNKNOWN, Traffic.INTERACTIVE, Traffic.BULK, Traffic.DYNAMIC

# For each kind: those that it should not meet, the worst last.
_AVERSIONS: Final = {
    _I: ((_U,), (_D,), (_B,)),
    _B: ((_U,), (_D,), (_I,)),
    _U: ((_D,), (_I,), (_B,)),
    _D: ((_U,), (_B,), (_I,)),
}


def choose(loads: Sequence[Load], kind: Traffic, *, together: bool = False) -> int:
    """Return the number of the link for a new flow: the one it disturbs least, then the emptiest.

    ``loads`` are those of the links that are up, at least one.  ``together`` keeps flows of which
    nothing is known on one link, so that another stays free for when more is known.
    """

    def disturbance(load: Load) -> tuple[int, bool, int, int]:
        # dynamic forwards keep to one link; all others spread
        strange = kind is _D and not load.of(_D)
        if kind is _U and together:
            strange = not 0 < load.of(_U) < CROWD
        return _cost(load, kind, loads), strange, load.flows, load.number

    return min(loads, key=disturbance).number


def _cost(load: Load, kind: Traffic, loads: Sequence[Load]) -> int:
    worst = max(
        (
            level
            for level, kinds in enumerate(_AVERSIONS[kind], 1)
            if load.of(*kinds) and kinds != (kind,)
        ),
        default=0,
    )
    return worst + 2 * _spoils(load, kind, loads)


def _spoils(load: Load, kind: Traffic, loads: Sequence[Load]) -> int:
    """Whether a flow that disturbs others would come to the last link that is free of its kind."""
    if kind not in (_B, _D) or load.of(kind):
        return 0
    return int(len(loads) > 1 and sum(not each.of(kind) for each in loads) == 1)


def wants_more(loads: Sequence[Load], most: int) -> bool:
    """Return whether to open another link: there is none left for a flow that would disturb."""
    return len(loads) < most and all(load.flows for load in loads)


def spare(loads: Sequence[Load], trunk: int) -> int | None:
    """Return the number of a link that could be closed: empty, and not the only one that is."""
    empty = [load.number for load in loads if not load.flows]
    return empty[-1] if len(empty) > 1 and empty[-1] != trunk else None
