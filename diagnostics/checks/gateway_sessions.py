"""How many sessions does the gateway allow on one connection, and does it run commands for us.

Neither is needed for a tunnel.  It is worth knowing because much of what the doctor looks at on the
gateway takes a shell there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from diagnostics.forwarding.shell import Asked, ask, why
from diagnostics.model import (
    Check,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
    with_gateway,
)
from diagnostics.parsers.text import clean
from diagnostics.system import System

NONE, ONE, NO_SHELL = "gateway-no-sessions", "gateway-one-session", "gateway-no-shell"

_COUNT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How many of a few sessions were opened at once, and what a shell says."""

    gateway: str
    sessions: int
    asked: Asked = field(default_factory=Asked)


def probe(target: Target, system: System) -> Facts:
    """Open a few sessions, and ask for a shell."""
    sessions = system.ssh.sessions(_COUNT)
    asked = ask(system.ssh, whole=False) if sessions else Asked(outcome="refused")
    return Facts(gateway=clean(target.gateway), sessions=sessions, asked=asked)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say what the account is not given."""
    if facts.sessions <= 0:
        return (
            _info(
                facts,
                NONE,
                f"{facts.gateway} opens no sessions for this account: it is for forwards alone",
                "No command runs there (MaxSessions 0). Tunnels need none; what the doctor looks at"
                " with a shell on the gateway stays unknown.",
            ),
        )
    found: list[Judgement] = []
    if facts.sessions == 1:
        found.append(
            _info(
                facts,
                ONE,
                f"{facts.gateway} allows one session on each connection",
                "In sshd: MaxSessions 1. Forwards are not counted. Programs that share a connection"
                " (ControlMaster) cannot open a second session on it.",
            )
        )
    if facts.asked.outcome:
        found.append(
            _info(
                facts,
                NO_SHELL,
                f"{facts.gateway} runs no commands of ours",
                f"{_first_upper(why(facts.asked))}{_said(facts.asked)}. Tunnels need none; what the"
                " doctor looks at with a shell on the gateway stays unknown.",
            )
        )
    return tuple(found)


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _said(asked: Asked) -> str:
    return f", which answered: {asked.said.rstrip('.')}" if asked.said else ""


def _info(facts: Facts, code: str, title: str, explain: str) -> Finding:
    return Finding(
        code=code,
        severity=Severity.INFO,
        subject=facts.gateway,
        title=title,
        explain=explain,
        evidence=(Evidence("sessions opened", f"{facts.sessions} of {_COUNT}"),),
    )


CHECK = Check(
    code="gateway-sessions",
    title="sessions and commands on the gateway",
    probe=probe,
    judge=judge,
    finds=(
        Kind(NONE, "the gateway opens no sessions, only forwards"),
        Kind(ONE, "the gateway allows one session at a time"),
        Kind(NO_SHELL, "the gateway runs no commands for this account", (NONE,)),
    ),
    depends_on=("gateway-login",),
    effects=(Effect.LOGS_IN, Effect.RUNS_REMOTELY),
    timeout=20.0,
    applies=with_gateway,
)
