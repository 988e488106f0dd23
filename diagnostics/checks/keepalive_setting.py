"""Whether the keepalive in force suits what is remembered of this network.

Asks nobody: the interval comes from the command line and ssh_config, the timeout from an earlier
``netkit doctor GATEWAY --nat`` in the same network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagnostics.idle_times import Bracket, is_time, shown
from diagnostics.keepalives import DEFAULT_INTERVAL, OUTAGE, count_for, keepalive_fixes
from diagnostics.model import (
    Check,
    Confidence,
    Evidence,
    Finding,
    InconclusiveError,
    Judgement,
    Kind,
    Remembered,
    Severity,
    Target,
)
from diagnostics.parsers.text import clean
from netkit.model import Fix

if TYPE_CHECKING:
    from diagnostics.system import System

TOO_LONG = "keepalive-too-long"
OFF = "keepalive-off"
IMPATIENT = "keepalive-impatient"

_PATIENCE = 45.0
"""Seconds of outage that a supervised tunnel should outlast at least."""

_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The keepalive in force, and what is remembered.

    Attributes:
        os: of this machine.
        gateway: as ssh_config knows it.
        interval: seconds between keepalives; 0: none are sent.
        count: how many in a row may stay unanswered.
        remembered: of this network; None: nothing.
        measuring: whether the timeout is measured in this run.
    """

    os: str = "linux"
    gateway: str = ""
    interval: float = 30.0
    count: int = 3
    remembered: Remembered | None = None
    measuring: bool = False


def applies(target: Target) -> str:
    """Return why there is nothing to compare."""
    return "" if target.gateway else "no gateway is named"


def probe(target: Target, system: System) -> Facts:
    """Resolve the options in force."""
    route = system.ssh.route()
    if not route.hops:
        raise InconclusiveError(f"the options in force are not known: {clean(route.error)}")
    return Facts(
        os=system.os,
        gateway=route.hops[-1].alias,
        interval=route.keepalive_interval,
        count=route.keepalive_count,
        remembered=target.remembered,
        measuring=target.nat is not None,
    )


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Compare."""
    if math.isnan(facts.interval):
        return ()
    remembered = facts.remembered
    known = Bracket()
    if not facts.measuring and remembered is not None and is_time(remembered.dead):
        alive = remembered.alive if is_time(remembered.alive) else 0.0
        known = Bracket(alive=alive, dead=remembered.dead)
    if remembered is not None and known.dead and not 0 < facts.interval <= known.alive:
        return (_too_long(facts, known, remembered),)
    if facts.interval <= 0:
        return () if facts.measuring else (_off(facts),)
    if facts.interval * facts.count < _PATIENCE:
        return (_impatient(facts),)
    return ()


def _too_long(facts: Facts, known: Bracket, remembered: Remembered) -> Finding:
    name = clean(facts.gateway)
    says = (
        f"A keepalive every {facts.interval:g} s is too rare for this network"
        if facts.interval > 0
        else "No keepalive is sent in this network"
    )
    alive = f"{shown(known.alive)} to " if known.alive else "at most "
    proved = facts.interval <= 0 or facts.interval >= known.dead
    return Finding(
        code=TOO_LONG,
        severity=Severity.ERROR if proved else Severity.WARNING,
        confidence=Confidence.LIKELY,
        subject=name,
        title=f"{says}, which forgets idle connections after {alive}{shown(known.dead)} s",
        explain=f"That was measured {_ago(remembered.age)}. A tunnel that nobody uses for that long"
        " is lost, -R forwards first.",
        evidence=_evidence(facts),
        fixes=(
            Fix(("netkit", "forward", "...", "--keepalive", "auto"), note="uses what is known"),
            *keepalive_fixes(facts.os, facts.gateway, known),
        ),
    )


def _ago(age: float) -> str:
    if not math.isfinite(age) or age < 0:
        return "earlier"
    if age < _DAY:
        return "today"
    days = round(min(age, 1e9) / _DAY)
    return "a day ago" if days == 1 else f"{days} days ago"


def _off(facts: Facts) -> Finding:
    name = clean(facts.gateway)
    return Finding(
        code=OFF,
        severity=Severity.WARNING,
        subject=name,
        title=f"No keepalive is sent to {name}",
        explain="A tunnel whose gateway or network has gone is not noticed to be dead, and one that"
        " is idle may be forgotten by a NAT.",
        evidence=_evidence(facts),
        fixes=keepalive_fixes(facts.os, facts.gateway, Bracket()),
    )


def _impatient(facts: Facts) -> Finding:
    outage = facts.interval * max(facts.count, 0)
    count = count_for(facts.interval)
    return Finding(
        code=IMPATIENT,
        severity=Severity.INFO,
        subject=clean(facts.gateway),
        title=f"A network outage of {outage:g} s ends the tunnel",
        explain="The interval of keepalives is about NATs; how many may stay unanswered decides"
        f" which outage is survived. {count} of them make that {OUTAGE} s.",
        evidence=_evidence(facts),
        fixes=(Fix(("netkit", "forward", "...", "--keepalive-count", str(count))),),
    )


def _evidence(facts: Facts) -> tuple[Evidence, ...]:
    return (
        Evidence("keepalive interval in force", f"{facts.interval:g} s"),
        Evidence("unanswered ones that end the link", str(facts.count)),
        Evidence("netkit's default", f"{DEFAULT_INTERVAL} s, 3 unanswered"),
    )


CHECK = Check(
    code="keepalive-setting",
    title="the keepalive in force",
    probe=probe,
    judge=judge,
    finds=(
        Kind(TOO_LONG, "the keepalive is longer than the timeout remembered of this network"),
        Kind(OFF, "no keepalive is sent"),
        Kind(IMPATIENT, "few unanswered keepalives end the tunnel: a short outage will"),
    ),
    depends_on=("gateway-config",),
    applies=applies,
)
