"""Idle times: which to probe, and what the probes say together.  Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from diagnostics.ssh import IdleProbe

_SHORT = (4.0, 10.0, 15.0, 20.0, 28.0, 45.0)
"""For small budgets: each just below a round number of seconds."""

_LONG = (
    *(10.0, 20.0, 28.0, 58.0, 90.0, 118.0, 175.0, 230.0, 290.0, 340.0),
    *(590.0, 890.0, 1190.0, 1790.0, 3590.0, 7190.0),
)
"""Each just below a timer that is in use (`diagnostics.knowledge.nat_timers`): below 30, 60, 120,
180, 240, 300, 350, 600, 900, 1200, 1800, 3600 and 7200 s, so that the bracket names the culprit."""

_FEW = 60.0


def grid(budget: float) -> tuple[float, ...]:
    """Return the idle times to probe within ``budget`` seconds, which none exceeds."""
    if math.isnan(budget) or budget <= 0:
        return ()
    times = _SHORT if budget < _FEW else _LONG
    fitting = tuple(time for time in times if time <= budget)
    return fitting or (float(budget),)


@dataclass(frozen=True, slots=True)
class Bracket:
    """After how long an idle connection is forgotten: between ``alive`` and ``dead`` seconds.

    Attributes:
        alive: the longest silence that was survived, of those below ``dead``; 0: none was.
        dead: the shortest that was not; 0: none was fatal.
        how: what became of that connection: ``silence``, ``rst`` or ``fin``.
        odd: a longer silence that was survived all the same; 0: there is none.
        refreshed: seconds after which the gateway spoke by itself; 0: it did not.
    """

    alive: float = 0.0
    dead: float = 0.0
    how: str = ""
    odd: float = 0.0
    refreshed: float = 0.0

    @property
    def is_known(self) -> bool:
        """Whether anything was found out."""
        return self.alive > 0 or self.dead > 0


_FATAL = ("silence", "rst", "fin")


def bracket(probes: Iterable[IdleProbe], mode: str) -> Bracket:
    """Return what the probes of ``mode`` say together."""
    alive: list[float] = []
    dead: list[tuple[float, str]] = []
    refreshed: list[float] = []
    for probe in probes:
        if probe.mode != mode or not is_time(probe.idle):
            continue
        if probe.outcome == "alive":
            alive.append(probe.idle)
        elif probe.outcome in _FATAL:
            early = is_time(probe.ended) and probe.ended < probe.idle
            dead.append((probe.ended if early else probe.idle, probe.outcome))
        elif probe.outcome == "refreshed" and is_time(probe.refresh):
            # What the gateway said by itself did arrive.
            refreshed.append(min(probe.refresh, probe.idle))
    alive += refreshed
    first, how = min(dead, default=(0.0, ""))
    below = [time for time in alive if not first or time < first]
    return Bracket(
        alive=max(below, default=0.0),
        dead=first,
        how=how,
        odd=max((time for time in alive if first and time >= first), default=0.0),
        refreshed=min(refreshed, default=0.0),
    )


def is_time(seconds: float) -> bool:
    """Return whether it can be the length of a silence."""
    return math.isfinite(seconds) and seconds > 0


def shown(seconds: float) -> str:
    """Return a number of seconds without digits that nobody measured."""
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.3g}"


def outcomes(probes: Sequence[IdleProbe], mode: str) -> str:
    """Return in one line what became of the probes of ``mode``: ``alive 4, 10; silence 15``."""
    by_outcome: dict[str, list[str]] = {}
    ours = [probe for probe in probes if probe.mode == mode]
    for probe in sorted(ours, key=lambda probe: (math.isnan(probe.idle), probe.idle)):
        by_outcome.setdefault(probe.outcome, []).append(f"{probe.idle:g}")
    return "; ".join(f"{outcome} {', '.join(times[:40])}" for outcome, times in by_outcome.items())
