"""Does the gateway open connections for us at all (ssh -L and -D), and if not, which rule forbids.

The question that tells is a channel to the gateway's own loopback: whether anything listens there
does not matter, only whether the gateway would try.  Where it would not, a list may still allow the
targets that are wanted, so these are asked for too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from diagnostics.forwarding.permits import (
    LOCAL,
    LOCAL_PROHIBITED,
    SOCKETS_PROHIBITED,
    Barrier,
    barrier,
)
from diagnostics.forwarding.shell import Asked, ask, ask_keys
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
from diagnostics.parsers.key_options import KeyLine, line_of
from diagnostics.parsers.text import clean
from diagnostics.ssh import Opened
from diagnostics.system import System
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath

RESTRICTED = "local-forwarding-restricted"

MAX_TARGETS = 8
_PATIENCE = 3.0
_NO = ("prohibited", "unsupported")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What came of asking for channels.

    Attributes:
        gateway: as the user wrote it.
        own: of a channel to the gateway's own loopback; None where no forward needs TCP.
        targets: of channels to the targets wanted, where ``own`` was forbidden.
        sockets: of channels to the unix sockets wanted.
        asked: what the gateway's shell says; empty where nothing was forbidden.
        key: the line of authorized_keys that let us in.
    """

    gateway: str = ""
    own: Opened | None = None
    targets: tuple[Opened, ...] = ()
    sockets: tuple[Opened, ...] = ()
    asked: Asked = field(default_factory=Asked)
    key: KeyLine | None = None


def applies(target: Target) -> str:
    """Concern a gateway, and where forwards are named, one that it has to connect for."""
    if target.forwards and not _outgoing(target):
        return "no forward leads out of the gateway"
    return with_gateway(target)


def _outgoing(target: Target) -> list[ForwardSpec]:
    return [each for each in target.forwards if each.kind is not ForwardKind.REMOTE]


def targets_of(target: Target) -> tuple[Address, ...]:
    """Return where the local forwards lead, each once."""
    found = (each.to for each in _outgoing(target) if each.kind is ForwardKind.LOCAL)
    return tuple(dict.fromkeys(to for to in found if to is not None))


def probe(target: Target, system: System) -> Facts:
    """Ask for channels; where they are refused, read why."""
    ssh = system.ssh
    wanted = targets_of(target)[:MAX_TARGETS]
    paths = [to for to in wanted if isinstance(to, UnixPath)]
    sockets = tuple(ssh.open(path, _PATIENCE) for path in paths)
    only_sockets = bool(paths) and len(paths) == len(_outgoing(target))
    own = None if only_sockets else ssh.open(Endpoint("127.0.0.1", _port(system)), _PATIENCE)
    facts = Facts(gateway=clean(target.gateway), own=own, sockets=sockets)
    forbidden = own is not None and own.kind in _NO
    if not forbidden and all(each.outcome != "refused-by-gateway" for each in sockets):
        return facts
    opened = [ssh.open(to, _PATIENCE) for to in wanted if isinstance(to, Endpoint) and forbidden]
    asked = ask(ssh)
    return Facts(
        gateway=facts.gateway,
        own=own,
        targets=tuple(opened),
        sockets=sockets,
        asked=asked,
        key=line_of(ask_keys(ssh, asked), ssh.login().auth),
    )


def _port(system: System) -> int:
    """Return the port of the gateway's sshd as far as we know; any would do."""
    hops = system.ssh.route().hops
    return hops[-1].port if hops else 22


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say which rule is in the way; nothing where the gateway connects for us."""
    found: list[Judgement] = []
    if facts.own is not None:
        found += _tcp(facts, facts.own)
    if any(each.outcome == "refused-by-gateway" for each in facts.sockets):
        found += _unix(facts)
    return tuple(found)


def _tcp(facts: Facts, own: Opened) -> list[Judgement]:
    if own.outcome == "ok" or (own.outcome == "refused-by-gateway" and own.kind not in _NO):
        return []
    if own.outcome != "refused-by-gateway":
        reason = f"whether {facts.gateway} allows local forwards: {_unanswered(own)}"
        return [Unknown(reason=reason, subject=facts.gateway)]
    if own.kind == "unsupported":
        return [_unsupported(facts, own)]
    if any(each.kind not in _NO for each in facts.targets):
        return []
    why = barrier(LOCAL, facts.asked, facts.key)
    if why.scope == "listed":
        # Which of the targets wanted are on the list is told one by one, by another check.
        return [] if facts.targets else [_restricted(facts, why)]
    return [_prohibited(facts, own, why)]


def _unanswered(opened: Opened) -> str:
    return {
        "timed-out": "it does not answer",
        "link-lost": "the connection to it was lost",
    }.get(opened.outcome, "there is no login")


def _seen(opened: Opened) -> Evidence:
    said = clean(opened.text, 100)
    return Evidence(f"channel to {opened.target}", f"refused, reason {opened.reason}: {said}")


def _prohibited(facts: Facts, own: Opened, why: Barrier) -> Finding:
    return Finding(
        code=LOCAL_PROHIBITED,
        subject=facts.gateway,
        title=f"{facts.gateway} forbids local forwards (-L and -D): it connects to nothing for us",
        explain=why.because,
        evidence=(_seen(own), *map(_seen, facts.targets), *why.evidence),
        fixes=why.fixes,
        confidence=why.confidence,
    )


def _unsupported(facts: Facts, own: Opened) -> Finding:
    return Finding(
        code=LOCAL_PROHIBITED,
        subject=facts.gateway,
        title=f"{facts.gateway} knows no local forwards (-L and -D)",
        explain="Its SSH server does not have this kind of channel; another gateway is needed.",
        evidence=(_seen(own), Evidence("server", facts.asked.server)),
    )


def _restricted(facts: Facts, why: Barrier) -> Finding:
    return Finding(
        code=RESTRICTED,
        severity=Severity.INFO,
        subject=facts.gateway,
        title=f"{facts.gateway} makes local forwards only to: {why.allowed}",
        explain=why.because,
        evidence=why.evidence,
        fixes=why.fixes,
    )


def _unix(facts: Facts) -> list[Judgement]:
    """sshd answers alike for a forbidden socket and one that is not there: a rule has to be
    seen."""
    why = barrier(LOCAL, facts.asked, facts.key, socket=True)
    if not why.scope:
        return []
    return [
        Finding(
            code=SOCKETS_PROHIBITED,
            subject=facts.gateway,
            title=f"{facts.gateway} forbids local forwards to unix sockets",
            explain=why.because,
            evidence=(*map(_seen, facts.sockets), *why.evidence),
            fixes=why.fixes,
            confidence=why.confidence,
        )
    ]


CHECK = Check(
    code="forwarding-local",
    title="local forwards through the gateway",
    probe=probe,
    judge=judge,
    finds=(
        Kind(LOCAL_PROHIBITED, "the gateway forbids local forwards (-L, -D)"),
        Kind(RESTRICTED, "the gateway makes local forwards to listed targets only"),
        Kind(
            SOCKETS_PROHIBITED, "the gateway forbids forwards to unix sockets", (LOCAL_PROHIBITED,)
        ),
    ),
    depends_on=("gateway-login",),
    effects=(Effect.LOGS_IN, Effect.CONNECTS, Effect.RUNS_REMOTELY),
    timeout=30.0,
    applies=applies,
)
