"""Does a protocol go through a tunnel that carries single TCP connections, and what does instead.

Asked for by name (``--for ftp``), or meant by a forward to a port that belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from diagnostics.knowledge.protocol_types import Passes, Protocol, Way
from diagnostics.knowledge.protocols import by_name, by_port
from diagnostics.model import (
    Check,
    Confidence,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
)
from diagnostics.parsers.text import clean
from diagnostics.system import System
from netkit.model import Endpoint, Fix, ForwardSpec

CODES = {
    Passes.YES: "protocol-passes",
    Passes.REDIRECTS: "protocol-redirects",
    Passes.FIXED_PORT: "protocol-fixed-port",
    Passes.MORE: "protocol-more-connections",
    Passes.UDP: "protocol-udp",
    Passes.NO_TCP: "protocol-no-tcp",
}

_TITLES = {
    Passes.YES: "{} goes through a tunnel as it is",
    Passes.REDIRECTS: "{} sends its clients on to addresses that the tunnel does not carry",
    Passes.FIXED_PORT: "{} clients of this system take one port only",
    Passes.MORE: "{} makes further connections, which one forward does not carry",
    Passes.UDP: "{} runs over UDP, which SSH does not carry",
    Passes.NO_TCP: "{} does not run over TCP, so SSH cannot carry it",
}
_GATEWAY = "GATEWAY"
_PLACES = (
    *("SERVER", "NAME", "FILE", "SHARE", "COMMAND", "HOST", "TEXT", "KDC", "CAMERA", "EXPORT"),
    *("DNS-SERVER", "LOGHOST", "COMMUNITY", "AGENT", "MAC-ADDRESS", _GATEWAY),
)
"""Words of commands that somebody has to fill in."""


@dataclass(frozen=True, slots=True)
class Facts:
    """``protocol`` is the name that was asked for; ``forwards`` are all that were."""

    os: str
    protocol: str = ""
    gateway: str = ""
    forwards: tuple[ForwardSpec, ...] = ()


def _meant(target: Target) -> bool:
    return any(_of_forward(forward) for forward in target.forwards)


def _of_forward(forward: ForwardSpec) -> Protocol | None:
    return by_port(forward.to.port) if isinstance(forward.to, Endpoint) else None


def applies(target: Target) -> str:
    """Apply where a protocol is named, or a forward leads to the port of a difficult one."""
    return "" if target.protocol or _meant(target) else "no protocol is asked about"


def probe(target: Target, system: System) -> Facts:
    """Ask nothing: the table knows."""
    return Facts(system.os, target.protocol, target.gateway, target.forwards[:100])


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say what becomes of the protocol that was named, and of those that the forwards mean."""
    return tuple(_judge(facts))


def _judge(facts: Facts) -> Iterator[Finding]:
    named = by_name(facts.protocol)
    if named is not None:
        yield _finding(facts, named, "")
    for forward in facts.forwards:
        meant = _of_forward(forward)
        if meant is not None and meant is not named and not _passes_here(facts, meant):
            yield _finding(facts, meant, str(forward.to))


def _passes_here(facts: Facts, protocol: Protocol) -> bool:
    return bool(protocol.systems) and facts.os not in protocol.systems


def _finding(facts: Facts, protocol: Protocol, target: str) -> Finding:
    passes, ways = protocol.passes, protocol.ways
    if _passes_here(facts, protocol):
        passes, ways = Passes.YES, protocol.elsewhere
    severity = Severity.ERROR if not protocol.works else Severity.WARNING
    if passes is Passes.YES:
        severity = Severity.OK
    elif target:  # nobody said that it is this protocol: the port did
        severity = Severity.INFO if protocol.works else Severity.WARNING
    title = _TITLES[passes].format(protocol.title)
    evidence = [Evidence("source", protocol.source)]
    if target:
        evidence.append(Evidence("the forward leads to", clean(target, 100)))
    return Finding(
        code=CODES[passes],
        severity=severity,
        confidence=Confidence.LIKELY if target else Confidence.CERTAIN,
        subject=clean(target, 100) or protocol.names[0],
        title=title,
        explain=protocol.why,
        evidence=tuple(evidence),
        fixes=tuple(_fix(facts, way) for way in ways),
    )


def _fix(facts: Facts, way: Way) -> Fix:
    """Return a command where it can be run as it is, else the words of one."""
    gateway = facts.gateway or _GATEWAY
    if not way.words:
        return Fix((), note=way.note)
    tool = way.words.split()[0]
    if ":" in gateway and tool in ("ssh", "sftp"):
        gateway = f"{tool}://{gateway}"  # the form that takes a port
    words = tuple(word.replace("{gateway}", gateway) for word in way.words.split())
    if facts.gateway and not any(place in word for word in words for place in _PLACES):
        return Fix(words, note=way.note)
    shown = " ".join(words)
    return Fix((), note=f"{shown} ({way.note})" if way.note else shown)


CHECK = Check(
    code="protocol",
    title="whether the protocol goes through a tunnel",
    probe=probe,
    judge=judge,
    finds=(
        Kind(CODES[Passes.YES], "the protocol goes through as it is"),
        Kind(CODES[Passes.REDIRECTS], "its answers send clients to other addresses"),
        Kind(CODES[Passes.FIXED_PORT], "its clients take one port only"),
        Kind(CODES[Passes.MORE], "it makes further connections"),
        Kind(CODES[Passes.UDP], "it runs over UDP"),
        Kind(CODES[Passes.NO_TCP], "it does not run over TCP"),
    ),
    applies=applies,
)
