"""Does the gateway answer to a keepalive, and how fast.

A keepalive is a request that no server knows (``keepalive@openssh.com``) and that every server has
to answer, if only with a failure (RFC 4254 section 4).  One that does not is taken for dead.
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.model import (
    Check,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
    Unknown,
    with_gateway,
)
from diagnostics.parsers.text import clean
from diagnostics.ssh import Answered
from diagnostics.system import System
from netkit.model import Fix

UNANSWERED, SLOW, ANSWERED = "keepalive-unanswered", "keepalive-slow", "keepalive-answered"

MANY_SECONDS = 2.0
"""After which every answer through the tunnel is late, too."""

_PATIENCE = 5.0
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What came of asking, up to three times; the keepalive in force ends a silent link."""

    gateway: str
    server: str
    answers: tuple[Answered, ...]
    interval: float = 0.0
    count: int = 3


def probe(target: Target, system: System) -> Facts:
    """Ask, and ask again where the answer was slow or did not come."""
    answers = [system.ssh.keepalive(_PATIENCE)]
    while len(answers) < _TRIES and not _is_quick(answers[-1]):
        if answers[-1].outcome not in ("ok", "timed-out"):
            break
        answers.append(system.ssh.keepalive(_PATIENCE))
    route = system.ssh.route()
    return Facts(
        gateway=clean(target.gateway),
        server=clean(system.ssh.login().server, 100),
        answers=tuple(answers),
        interval=route.keepalive_interval,
        count=route.keepalive_count,
    )


def _is_quick(answer: Answered) -> bool:
    return answer.outcome == "ok" and answer.seconds < MANY_SECONDS


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say whether no answer came, or a late one."""
    good = [each.seconds for each in facts.answers if each.outcome == "ok"]
    if good:
        return (_answered(facts, min(good)),)
    if facts.answers and all(each.outcome == "timed-out" for each in facts.answers):
        return (_unanswered(facts),)
    lost = any(each.outcome == "link-lost" for each in facts.answers)
    because = "the connection was lost" if lost else "there is no login"
    reason = f"whether {facts.gateway} answers to keepalives: {because}"
    return (Unknown(reason=reason, subject=facts.gateway),)


def _answered(facts: Facts, seconds: float) -> Finding:
    quick = seconds < MANY_SECONDS
    took = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    if quick:
        return Finding(
            code=ANSWERED,
            severity=Severity.OK,
            subject=facts.gateway,
            title=f"{facts.gateway} answers to a keepalive after {took}",
        )
    return Finding(
        code=SLOW,
        severity=Severity.WARNING,
        subject=facts.gateway,
        title=f"{facts.gateway} answers to a keepalive only after {took}",
        explain="Everything through the tunnel waits at least that long: the line is full or very"
        " long, or the gateway is overloaded.",
        evidence=tuple(
            Evidence("keepalive", f"{each.outcome} after {each.seconds:.1f} s")
            for each in facts.answers
        ),
        fixes=(Fix(("uptime",), where="gateway", note="shows whether it is overloaded"),),
    )


def _unanswered(facts: Facts) -> Finding:
    after = facts.interval * facts.count
    ends = f" netkit would end the tunnel after {after:.0f} s of silence." if after > 0 else ""
    return Finding(
        code=UNANSWERED,
        subject=facts.gateway,
        title=f"{facts.gateway} does not answer to keepalives",
        explain="Every SSH server has to answer (RFC 4254 section 4). This one does not, or it has"
        f" come to a stop.{ends}",
        evidence=(
            Evidence("keepalives without an answer", str(len(facts.answers))),
            Evidence("server", facts.server),
        ),
        fixes=(
            Fix(
                ("netkit", "forward", "...", "--keepalive", "0"),
                note="asks for none; a dead gateway is then noticed late",
            ),
        ),
    )


CHECK = Check(
    code="gateway-keepalive",
    title="keepalives to the gateway",
    probe=probe,
    judge=judge,
    finds=(
        Kind(UNANSWERED, "the gateway does not answer to keepalives"),
        Kind(SLOW, "the gateway takes long to answer to a keepalive"),
        Kind(ANSWERED, "the gateway answers to keepalives, and how fast"),
    ),
    depends_on=("gateway-login",),
    effects=(Effect.LOGS_IN,),
    timeout=25.0,
    applies=with_gateway,
)
