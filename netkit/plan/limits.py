"""What a tunnel's limits mean: are they possible, whom do they let in, and where to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from netkit.errors import UsageError
from netkit.model import Endpoint, ForwardSpec, Limits
from netkit.plan.binds import is_loopback
from netkit.text.limits import contains, format_size, parse_address, parse_source, parse_target

MOST_FLOWS: Final = 1_000_000
LEAST_RATE: Final = 1024
"""Bytes per second; a connection that is slower looks broken to its ends."""

SHORTEST_IDLE: Final = 1.0
LONGEST_IDLE: Final = 30 * 86400.0
LEAST_WINDOW: Final = 1 << 20
"""Bytes; with less a few flows hold each other up."""

MOST_PATTERNS: Final = 1000


class TargetRules:
    """Which targets the clients of dynamic forwards may ask for."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Allow what one of ``patterns`` names; everything where there are none.

        Raises:
            UsageError: a pattern is none.
        """
        self._patterns = tuple(map(parse_target, patterns))

    def allow(self, target: Endpoint) -> bool:
        """Tell whether ``target``, as it was asked for, may be reached."""
        return not self._patterns or any(each.matches(target) for each in self._patterns)


class SourceRules:
    """Who may connect where other machines can."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Allow the addresses in ``networks``; all where there are none.

        Raises:
            UsageError: a network is none.
        """
        self._networks = tuple(map(parse_source, networks))

    @property
    def are_set(self) -> bool:
        """Whether anybody may be refused."""
        return bool(self._networks)

    def allow(self, host: str) -> bool:
        """Tell whether a client at ``host`` may connect; what is no address may not."""
        if not self._networks:
            return True
        address = parse_address(host)
        return address is not None and any(contains(each, address) for each in self._networks)


def has_room(limit: int, held: int, mine: int, *, shared: bool) -> bool:
    """Tell whether a client that has ``mine`` of the ``held`` flows may have one more.

    ``limit`` is of all clients together.  Where they are ``shared`` among machines, none gets more
    than twice as many as are free: one alone takes two thirds, and the next finds room whatever it
    does.
    """
    free = limit - held
    return free > 0 and (not shared or mine < 2 * free)


def is_exposed(forward: ForwardSpec) -> bool:
    """Tell whether other machines than the listening one can connect to a forward."""
    return isinstance(forward.bind, Endpoint) and not is_loopback(forward.bind.host)


def is_open_ended(forward: ForwardSpec) -> bool:
    """Tell whether its clients name the targets of a forward."""
    return forward.to is None


def plan_limits(limits: Limits, forwards: Iterable[ForwardSpec]) -> tuple[str, ...]:
    """Check ``limits`` and return warnings: what of them has nothing to work on.

    Raises:
        UsageError: a number is out of range, or a pattern is none.
    """
    _check("--max-flows", limits.flows, 1, MOST_FLOWS)
    _check("--idle-timeout", limits.idle, SHORTEST_IDLE, LONGEST_IDLE, "s")
    _check("--limit-rate", limits.rate, LEAST_RATE, math.inf, "bytes per second")
    _check("--window-budget", limits.window, LEAST_WINDOW, math.inf, "bytes")
    for option, patterns in (
        ("--allow-target", limits.targets),
        ("--allow-source", limits.sources),
    ):
        if len(patterns) > MOST_PATTERNS:
            raise _bad(f"{option} is given {len(patterns)} times", f"at most {MOST_PATTERNS} count")
    TargetRules(limits.targets)
    SourceRules(limits.sources)
    made = tuple(forwards)
    warnings = []
    if limits.targets and not any(is_open_ended(each) for each in made):
        warnings.append(
            "--allow-target has no effect: no forward lets its clients choose the target"
            " (-D, -R PORT)"
        )
    if limits.sources and not any(is_exposed(each) for each in made):
        warnings.append(
            "--allow-source has no effect: no forward listens where other machines can connect"
        )
    return tuple(warnings)


def describe(limits: Limits) -> tuple[str, ...]:
    """Return what is limited, a line for each, for people."""
    said = (
        (limits.flows, f"at most {limits.flows} connections at once per forward"),
        (limits.rate, f"at most {format_size(limits.rate)} bytes/s per forward and direction"),
        (limits.idle, f"connections are reset after {limits.idle:g} s without a byte"),
        (limits.window, f"receive windows of {format_size(limits.window)} bytes in all"),
        (limits.targets, f"targets of dynamic forwards: {', '.join(limits.targets)}"),
        (limits.sources, f"clients of exposed binds: {', '.join(limits.sources)}"),
    )
    return tuple(text for is_set, text in said if is_set)


def _check(option: str, value: float, lowest: float, highest: float, unit: str = "") -> None:
    if value == 0 or lowest <= value <= highest:
        return
    range_ = f"{lowest:.9g} or more" if highest == math.inf else f"{lowest:.9g} to {highest:.9g}"
    raise _bad(f"{option} {value:.9g} is out of range", f"it is {range_} {unit}".rstrip())


def _bad(summary: str, cause: str) -> UsageError:
    return UsageError(summary, code="bad-limit", cause=cause)
