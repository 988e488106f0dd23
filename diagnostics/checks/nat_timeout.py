"""After how many idle seconds a connection to the gateway is forgotten on the way (``--nat``).

Connections are left silent side by side, each for another time, and then the gateway speaks first
(push) or we do (echo).  Only push tells what a NAT remembers: many take what comes from inside for
a new flow.  What the longest survivor and the shortest casualty say together is a bracket, and the
keepalive that is recommended keeps well below it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from diagnostics.idle_times import Bracket, bracket, grid, outcomes, shown
from diagnostics.keepalives import interval_for, keepalive_fixes, keepalive_words
from diagnostics.knowledge.nat_timers import suspects
from diagnostics.model import (
    Check,
    Confidence,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
    Unknown,
)
from diagnostics.parsers.text import clean
from diagnostics.ssh import IdleProbe
from diagnostics.system import Clocks, System

MEASURED = "nat-timeout-measured"
NONE = "nat-timeout-none"
ONE_WAY = "nat-push-lost"
CLOSED = "idle-connection-closed"
REFRESHED = "nat-timeout-hidden"
TOO_LONG = "keepalive-above-timeout"

PUSH, ECHO = "push", "echo"

_SLEPT = 3.0
"""Seconds by which clocks may differ before it counts as a sleep."""

_JUMPED = 60.0
"""The same where the only other clock is one that people set."""

_HOW = {
    "silence": "without a word: neither side is told, and only keepalives that stay unanswered"
    " show it",
    "rst": "with a reset (RST): the next packet ends the connection, so the loss is noticed at"
    " once",
    "fin": "with an orderly end (FIN), which a server, a proxy or a bastion sends on purpose,"
    " hardly a NAT",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was measured, and what would make it worthless.

    Attributes:
        os: of this machine.
        gateway: as ssh_config knows it.
        budget: the longest idle time that was to be probed, in seconds.
        probes, method, text, seconds: see `diagnostics.ssh.IdleRun`.
        interval: seconds between keepalives in force; 0: none.
        before, after: the clocks around the measurement.
        source_before, source_after: our address towards the gateway.
    """

    os: str = "linux"
    gateway: str = ""
    budget: float = 0.0
    probes: tuple[IdleProbe, ...] = ()
    method: str = ""
    text: str = ""
    seconds: float = 0.0
    interval: float = 0.0
    before: Clocks | None = None
    after: Clocks | None = None
    source_before: str = ""
    source_after: str = ""


def applies(target: Target) -> str:
    """Return why there is nothing to measure."""
    if not target.gateway:
        return "no gateway is named"
    return "" if target.nat is not None else "measuring takes minutes and was not asked for (--nat)"


def timeout(target: Target) -> float:
    """Return the seconds that measuring may take, slow logins included."""
    return (target.nat.budget if target.nat else 0.0) * 1.15 + 120.0


def probe(target: Target, system: System) -> Facts:
    """Measure."""
    assert target.nat is not None
    route = system.ssh.route()
    peer = system.ssh.login().peer
    before = system.clocks()
    source = system.source_address(peer.host) if peer else ""
    run = system.ssh.idle(grid(target.nat.budget), (PUSH, ECHO), system.progress)
    return Facts(
        os=system.os,
        gateway=route.hops[-1].alias if route.hops else target.gateway,
        budget=target.nat.budget,
        probes=run.probes,
        method=run.method,
        text=run.text,
        seconds=run.seconds,
        interval=route.keepalive_interval,
        before=before,
        after=system.clocks(),
        source_before=source,
        source_after=system.source_address(peer.host) if peer else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What is worth remembering of a measurement; times in seconds, 0 where there is none."""

    alive: float
    dead: float
    how: str
    interval: float


def learnt(facts: Facts) -> Learnt | None:
    """Return what was found out of the network; None where that is nothing, or too little."""
    found = bracket(facts.probes, PUSH)
    if _spoilt(facts) is not None or not found.is_known or found.refreshed:
        return None
    if not found.dead and any(each.outcome == "unfinished" for each in facts.probes):
        return None
    return Learnt(
        alive=found.alive, dead=found.dead, how=found.how, interval=float(interval_for(found))
    )


# --- judging ---


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say where between the longest survivor and the shortest casualty the limit lies."""
    if (spoilt := _spoilt(facts)) is not None:
        return (spoilt,)
    found = bracket(facts.probes, PUSH)
    judged: list[Judgement] = []
    if found.dead:
        judged.append(_measured(facts, found))
        judged += _one_way(facts, found)
        judged += _too_long(facts, found)
    elif found.alive and not found.refreshed:
        judged.append(_nothing_died(facts, found))
    if found.refreshed:
        judged.append(_refreshed(facts, found))
    judged += _unknowns(facts, found)
    return tuple(judged)


def _spoilt(facts: Facts) -> Unknown | None:
    """Return why the whole is worth nothing, if it is."""
    slept = _seconds_slept(facts.before, facts.after)
    if slept:
        return _unknown(
            facts,
            f"this machine slept or its clock was set ({slept:.0f} s) while idle timeouts were"
            " measured, so what was measured says nothing",
        )
    if facts.source_before != facts.source_after:
        before, after = clean(facts.source_before, 60), clean(facts.source_after, 60)
        return _unknown(
            facts,
            f"this machine's address changed from {before or 'none'} to {after or 'none'} while"
            " idle timeouts were measured, so what was measured says nothing",
        )
    return None


def _seconds_slept(before: Clocks | None, after: Clocks | None) -> float:
    if before is None or after is None:
        return 0.0
    passed = after.monotonic - before.monotonic
    if before.boot is not None and after.boot is not None:
        away, limit = after.boot - before.boot - passed, _SLEPT
    else:
        away, limit = after.wall - before.wall - passed, _JUMPED
    return abs(away) if abs(away) > limit else 0.0


def _unknown(facts: Facts, reason: str) -> Unknown:
    return Unknown(reason=reason, subject=clean(facts.gateway), evidence=_evidence(facts))


def _unknowns(facts: Facts, found: Bracket) -> list[Judgement]:
    """Say what of it could not be measured."""
    unknown: list[Judgement] = []
    pushed = [probe for probe in facts.probes if probe.mode == PUSH]
    unfinished = [probe for probe in facts.probes if probe.outcome == "unfinished"]
    if unfinished:
        known = "" if found.is_known else ", and nothing is known yet"
        unknown.append(_unknown(facts, f"the measurement of idle timeouts was interrupted{known}"))
    elif not found.is_known:
        reason = clean(facts.text or next((p.text for p in pushed if p.text), ""), 300)
        unknown.append(
            _unknown(
                facts,
                "after how long idle connections are forgotten cannot be measured:"
                f" {reason or 'no connection could be made for it'}",
            )
        )
    return unknown


def _measured(facts: Facts, found: Bracket) -> Finding:
    name = clean(facts.gateway)
    closed = found.how == "fin"
    named = _suspected(found)
    odd = (
        f" One of {shown(found.odd)} s lived all the same, so it does not always happen."
        if found.odd
        else ""
    )
    doer = "The gateway or a proxy ends" if closed else "Something on the way forgets"
    return Finding(
        code=CLOSED if closed else MEASURED,
        severity=Severity.WARNING if closed else Severity.INFO,
        confidence=Confidence.LIKELY if found.odd else Confidence.CERTAIN,
        subject=name,
        title=f"{doer} connections to {name} that are idle for {_between(found)}",
        explain=f"It happens {_HOW.get(found.how, 'somehow')}.{odd}{named}"
        f" {keepalive_words(found)}",
        evidence=(*_figures(found), *_evidence(facts)),
        fixes=keepalive_fixes(facts.os, facts.gateway, found),
    )


def _figures(found: Bracket) -> tuple[Evidence, ...]:
    """Return for scripts what the title says to people."""
    return (
        Evidence("idle seconds survived", shown(found.alive)),
        Evidence("idle seconds not survived", shown(found.dead)),
        Evidence("failure mode", clean(found.how, 40)),
        Evidence("keepalive to use, seconds", str(interval_for(found))),
    )


def _between(found: Bracket) -> str:
    if not found.alive:
        return f"{shown(found.dead)} s or less"
    return f"{shown(found.alive)} to {shown(found.dead)} s"


def _suspected(found: Bracket) -> str:
    timers = suspects(found.alive, found.dead, found.how)
    if not timers:
        return ""
    named = ", ".join(f"{timer.name} ({timer.seconds} s)" for timer in timers[:4])
    return f" Known to do so at that time: {named}."


def _one_way(facts: Facts, found: Bracket) -> list[Judgement]:
    """Tell where a forgotten connection still carries what comes from this side."""
    echo = bracket(facts.probes, ECHO)
    if echo.alive < found.dead:
        return []
    name = clean(facts.gateway)
    return [
        Finding(
            code=ONE_WAY,
            severity=Severity.INFO,
            subject=name,
            title=f"After {shown(found.dead)} s of silence -L forwards through {name} survive, -R"
            " forwards do not",
            explain="The NAT lets a forgotten connection go on when this side speaks first, and"
            " drops what the gateway sends first. A keepalive below that time mends both.",
            evidence=_evidence(facts),
        )
    ]


def _too_long(facts: Facts, found: Bracket) -> list[Judgement]:
    """Compare the keepalive in force."""
    interval = facts.interval
    if 0 < interval <= found.alive or math.isnan(interval):
        return []
    name = clean(facts.gateway)
    proved = interval <= 0 or interval >= found.dead
    says = f"The keepalive of {interval:g} s" if interval > 0 else "No keepalive is sent, which"
    return [
        Finding(
            code=TOO_LONG,
            severity=Severity.ERROR if proved else Severity.WARNING,
            confidence=Confidence.CERTAIN if proved else Confidence.LIKELY,
            subject=name,
            title=f"{says} {'does' if proved else 'may'} not keep idle connections to {name} alive:"
            f" they are forgotten after {_between(found)}",
            explain="A tunnel that nobody uses for that long is lost, -R forwards first, and its"
            " users wait for an answer that does not come.",
            evidence=_evidence(facts),
            fixes=keepalive_fixes(facts.os, facts.gateway, found),
        )
    ]


def _nothing_died(facts: Facts, found: Bracket) -> Finding:
    name = clean(facts.gateway)
    return Finding(
        code=NONE,
        severity=Severity.OK,
        subject=name,
        title=f"Connections to {name} survive {shown(found.alive)} s of silence",
        explain=keepalive_words(found),
        evidence=(*_figures(found), *_evidence(facts)),
        fixes=keepalive_fixes(facts.os, facts.gateway, found),
    )


def _refreshed(facts: Facts, found: Bracket) -> Finding:
    name = clean(facts.gateway)
    return Finding(
        code=REFRESHED,
        severity=Severity.INFO,
        subject=name,
        title=f"{name} itself breaks the silence every {found.refreshed:.0f} s or so",
        explain="Its keepalives (ClientAliveInterval) hold idle connections open, so a longer"
        " timeout on the way cannot be measured from here, and does no harm as long as they last.",
        evidence=_evidence(facts),
    )


def _evidence(facts: Facts) -> tuple[Evidence, ...]:
    shown: list[Evidence] = []
    for mode, what in ((PUSH, "the gateway speaks first"), (ECHO, "we speak first")):
        if text := outcomes(facts.probes, mode):
            shown.append(Evidence(f"{what}, after seconds", clean(text, 400)))
    if facts.method:
        shown.append(Evidence("method", clean(facts.method, 40)))
    if ports := _ports(facts.probes):
        shown.append(Evidence("source ports", ports))
    if facts.seconds > 0:
        shown.append(Evidence("took", f"{facts.seconds:.0f} s"))
    return tuple(shown)


def _ports(probes: tuple[IdleProbe, ...]) -> str:
    """Say what happens to our ports on the way, over all connections that tell."""
    pairs = [
        (probe.local.rpartition(":")[2], probe.source.rpartition(":")[2])
        for probe in probes
        if probe.local and probe.source
    ]
    if not pairs:
        return ""
    kept = sum(local == source for local, source in pairs)
    if kept == len(pairs):
        return f"kept, on all of {kept} connections"
    return f"changed, on {len(pairs) - kept} of {len(pairs)} connections"


CHECK = Check(
    code="nat-timeout",
    title="after how long idle connections are forgotten",
    probe=probe,
    judge=judge,
    finds=(
        Kind(MEASURED, "idle connections are forgotten on the way; after how long is known"),
        Kind(NONE, "idle connections survived everything that was tried"),
        Kind(ONE_WAY, "forgotten connections still carry -L forwards, and no -R forwards"),
        Kind(CLOSED, "the gateway or a proxy ends idle connections"),
        Kind(REFRESHED, "the gateway's own keepalives hide what the network would forget"),
        Kind(TOO_LONG, "the keepalive in force is longer than the measured timeout"),
    ),
    depends_on=("gateway-login",),
    effects=(Effect.LOGS_IN, Effect.RUNS_REMOTELY, Effect.WAITS),
    timeout=timeout,
    applies=applies,
)
