"""Is an end of data passed on alone, so that the answer to it still comes.

A client that has said everything half-closes its connection (``shutdown(SHUT_WR)``) and waits for
the answer.  SSH has a message for that (SSH_MSG_CHANNEL_EOF, RFC 4254 section 5.3); some servers
close the whole channel instead, and the answer is lost.
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
from diagnostics.ssh import HalfClose
from diagnostics.system import System

LOST = "half-close-lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What came of it, and which server that was."""

    gateway: str
    server: str
    answer: HalfClose


def probe(target: Target, system: System) -> Facts:
    """Send an end of data through a loop of two forwards of ours."""
    return Facts(
        gateway=clean(target.gateway),
        server=clean(system.ssh.login().server, 100),
        answer=system.ssh.half_close(),
    )


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say whether the answer is lost."""
    said = clean(facts.answer.text, 100)
    match facts.answer.outcome:
        case "kept":
            return ()
        case "lost":
            return (_lost(facts, said),)
        case "prohibited":
            because = "it takes a local and a remote forward, and the gateway refuses one"
        case "no-login":
            because = "there is no login"
        case _:
            because = "the gateway did not answer in time"
    reason = f"whether {facts.gateway} passes an end of data on alone: {because}"
    return (Unknown(reason=reason, evidence=(Evidence("the gateway says", said),) if said else ()),)


def _lost(facts: Facts, said: str) -> Finding:
    return Finding(
        code=LOST,
        severity=Severity.WARNING,
        subject=facts.gateway,
        title=f"{facts.gateway} closes a connection as soon as one side has said everything",
        explain="What the other side still has to say is lost: programs that end their request with"
        " an end of data (nc -N, rsh, some backups and printers) get no answer.",
        evidence=(Evidence("seen", said), Evidence("server", facts.server)),
    )


CHECK = Check(
    code="half-close",
    title="an end of data through the gateway",
    probe=probe,
    judge=judge,
    finds=(Kind(LOST, "the gateway loses what comes after an end of data"),),
    depends_on=("gateway-login", "forwarding-local", "forwarding-remote"),
    effects=(Effect.LOGS_IN, Effect.LISTENS_REMOTELY, Effect.CONNECTS),
    timeout=25.0,
    applies=with_gateway,
)
