"""What else answers, or would answer, at the local listening points of the forwards.

Three kinds of neighbours: well-known ones that hold a port (AirPlay, Windows' port proxy, WSL),
listeners that share a port with ours although the bind succeeds (Windows, macOS), and rules that
divert connections past any listener (containers without a proxy, NAT).
"""

from __future__ import annotations

from dataclasses import dataclass

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
from diagnostics.parsers import netstat_windows, port_ranges
from diagnostics.parsers.containers import Published
from diagnostics.parsers.netstat_windows import Listener
from diagnostics.parsers.port_ranges import PortProxy
from diagnostics.parsers.text import clean
from diagnostics.ports import words
from diagnostics.ports.examine import Asked, Point, PortFacts, examine, is_held
from diagnostics.ports.holders import Holder, published, publishes
from diagnostics.ports.points import applies, elsewhere, overlaps, where
from diagnostics.system import System
from netkit.model import Fix

AIRPLAY, PORTPROXY = "port-airplay", "port-portproxy"
WSL_RELAY, WSL_MIRRORED = "port-wsl-relay", "port-wsl-mirrored"
DOCKER, REDIRECTED = "port-docker-without-proxy", "port-redirected"
SHADOWED, UNREACHABLE = "port-shadowed", "port-unreachable"

_SHADOWING = frozenset(["windows", "darwin", "freebsd"])
"""Systems on which two sockets may listen on overlapping addresses of one port: Windows' "Using
SO_REUSEADDR and SO_EXCLUSIVEADDRUSE"; setsockopt(2) of the BSDs, SO_REUSEADDR."""

_BROKEN = frozenset(["connect-failed", "timed-out", "wrong-data", "stalled"])


@dataclass(frozen=True, slots=True)
class Facts:
    """The ports, and what their neighbours say.

    ``published`` are ports of containers that meet one of ours, ``proxied`` are all rules of
    Windows' port proxy, ``windows`` are listeners of Windows as WSL sees them.
    """

    ports: PortFacts
    published: tuple[Published, ...] = ()
    proxied: tuple[PortProxy, ...] = ()
    windows: tuple[Listener, ...] = ()


def probe(target: Target, system: System) -> Facts:
    """Send a nonce to each address that can be bound; ask the neighbours that may be there."""
    ports = examine(target, system, back=True)
    points = [point for asked in ports.asked for point in asked.points]
    proxied: tuple[PortProxy, ...] = ()
    if any(holder.is_portproxy for point in points for holder in point.holders):
        output = system.run(("netsh", "interface", "portproxy", "show", "all"))
        proxied = port_ranges.portproxy(output.stdout)
    windows: tuple[Listener, ...] = ()
    if ports.wsl:
        windows = netstat_windows.listeners(system.run(("netstat.exe", "-ano")).stdout)
    bound = [point for point in points if not point.error and not point.is_listened_on]
    found = published(system, "docker") if system.os == "linux" and bound else ()
    here = tuple(
        each for each in found if any(publishes(each, point.host, point.port) for point in bound)
    )
    return Facts(ports, here, proxied, windows)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return one finding for each forward that has to share, or to give way."""
    found: list[Judgement] = []
    for asked in facts.ports.asked:
        judged = (_judge(facts, asked, point) for point in asked.points)
        first = next((each for each in judged if each is not None), None)
        if first is not None:
            found.append(first)
    return tuple(found)


def _judge(facts: Facts, asked: Asked, point: Point) -> Judgement | None:
    holder = next((each for each in point.holders if each.is_neighbour), None)
    if holder is not None and point.is_listened_on:
        return _neighbour(facts, asked, point, holder)
    if facts.ports.wsl:
        found = _windows_side(facts, asked, point)
        if found is not None:
            return found
    if point.error:
        return None
    return _bound(facts, asked, point)


# --- well-known neighbours ---


def _neighbour(facts: Facts, asked: Asked, point: Point, holder: Holder) -> Finding:
    if holder.is_airplay:
        return _airplay(asked, point, holder)
    if holder.is_portproxy:
        return _portproxy(facts, asked, point, holder)
    settings = Fix((), note="or localhostForwarding=false under [wsl2] in .wslconfig")
    return Finding(
        code=WSL_RELAY,
        subject=point.address,
        title=f"{point.address} is where WSL mirrors a listener of its Linux",
        explain="Windows and WSL may then both listen there, and connections reach one or the "
        "other at random.",
        evidence=(words.evidence(holder), *_bind(point)),
        fixes=(*elsewhere(asked.wanted, asked.next_port), settings),
    )


def _airplay(asked: Asked, point: Point, holder: Holder) -> Finding:
    note = "or turn off System Settings > General > AirDrop & Handoff > AirPlay Receiver"
    return Finding(
        code=AIRPLAY,
        subject=point.address,
        title=f"Port {point.port} belongs to the AirPlay receiver of this Mac",
        explain="macOS 12 and later listen on 5000 and 7000 for it; a browser that is meant for "
        "the tunnel gets its answer 403.",
        evidence=(words.evidence(holder), *_bind(point)),
        fixes=(*elsewhere(asked.wanted, asked.next_port), Fix((), note=note)),
    )


def _portproxy(facts: Facts, asked: Asked, point: Point, holder: Holder) -> Finding:
    rule = next((each for each in facts.proxied if _is_for(each, point)), None)
    fixes = elsewhere(asked.wanted, asked.next_port)
    if rule is None:
        show = ("netsh", "interface", "portproxy", "show", "all")
        return Finding(
            code=PORTPROXY,
            confidence=Confidence.LIKELY,
            subject=point.address,
            title=f"{point.address} is held by Windows' IP Helper, which forwards ports",
            explain="It listens for rules of 'netsh interface portproxy'.",
            evidence=(words.evidence(holder), *_bind(point)),
            fixes=(*fixes, Fix(show, note="lists its rules")),
        )
    netsh = ("netsh", "interface", "portproxy")
    listen = (f"listenport={rule.port}", f"listenaddress={clean(rule.host, 80)}")
    to = (f"connectport={rule.to_port}", f"connectaddress={clean(rule.to_host, 80)}")
    remove = Fix(
        (*netsh, "delete", rule.kind, *listen),
        needs_admin=True,
        persistent=True,
        undo=(*netsh, "add", rule.kind, *listen, *to),
    )
    return Finding(
        code=PORTPROXY,
        subject=point.address,
        title=f"{point.address} is forwarded by a port proxy rule of Windows",
        explain=f"A rule leads it to {clean(rule.to_host, 80)}, port {rule.to_port}; its listener "
        "belongs to the IP Helper service.",
        evidence=(words.evidence(holder), *_bind(point)),
        fixes=(*fixes, remove),
    )


def _is_for(rule: PortProxy, point: Point) -> bool:
    host = "0.0.0.0" if rule.host == "*" else rule.host
    return rule.port == point.port and overlaps(host, point.host)


def _bind(point: Point) -> tuple[Evidence, ...]:
    said = point.error or point.back or "ok"
    return (Evidence(f"bind {point.address}", clean(said)),)


def _windows_side(facts: Facts, asked: Asked, point: Point) -> Finding | None:
    """Judge a port of WSL against the listeners of the Windows around it."""
    theirs = [
        each
        for each in facts.windows
        if each.port == point.port and overlaps(each.host, point.host)
    ]
    if facts.ports.wsl == "mirrored":
        return _mirrored(asked, point, theirs) if is_held(point) and not point.rows else None
    if not theirs or point.error:
        return None
    return Finding(
        code=WSL_RELAY,
        severity=Severity.WARNING,
        subject=point.address,
        title=f"Windows listens on port {point.port} as well, outside of this WSL",
        explain="Programs of Windows that connect to localhost reach that listener or the "
        "tunnel, at random.",
        evidence=_theirs(theirs),
        fixes=(*elsewhere(asked.wanted, asked.next_port), *_name_theirs(theirs)),
    )


def _mirrored(asked: Asked, point: Point, theirs: list[Listener]) -> Finding:
    ignored = f"or ignoredPorts={point.port} under [experimental] in .wslconfig"
    return Finding(
        code=WSL_MIRRORED,
        confidence=Confidence.CERTAIN if theirs else Confidence.LIKELY,
        subject=point.address,
        title=f"{point.address} is in use on the Windows side of this WSL",
        explain="With mirrored networking Linux and Windows share their ports, and Linux does "
        "not list what Windows has.",
        evidence=(*_theirs(theirs), *_bind(point)),
        fixes=(
            *elsewhere(asked.wanted, asked.next_port),
            *_name_theirs(theirs),
            Fix((), note=ignored),
        ),
    )


def _theirs(theirs: list[Listener]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(f"Windows listens on {where(each.host, each.port)}", f"process {each.pid}")
        for each in theirs[:4]
    )


def _name_theirs(theirs: list[Listener]) -> tuple[Fix, ...]:
    return tuple(
        Fix(
            ("tasklist.exe", "/svc", "/fi", f"pid eq {each.pid}"),
            note="shows which program of Windows it is",
        )
        for each in theirs[:1]
    )


# --- a bind that succeeds ---


def _bound(facts: Facts, asked: Asked, point: Point) -> Judgement | None:
    container = next(
        (each for each in facts.published if publishes(each, point.host, point.port)), None
    )
    if container is not None and not point.is_listened_on:
        return _docker(asked, point, container)
    if facts.ports.os in _SHADOWING:
        if point.is_listened_on and point.holders:
            return _shadowed(facts, asked, point, point.holders[0])
        if not facts.ports.complete and point.back == "ok":
            return Unknown(
                reason=f"whether another program listens on {point.address} too is not visible",
                subject=point.address,
                fixes=(words.looking(point.port, facts.ports.os),),
            )
    if point.back == "someone-else":
        return _redirected(facts, asked, point)
    return _unreachable(asked, point) if point.back in _BROKEN else None


def _docker(asked: Asked, point: Point, container: Published) -> Finding:
    name = container.name or container.container
    diverted = point.back != "ok"
    who = "Connections" if diverted else "Connections from other machines"
    return Finding(
        code=DOCKER,
        severity=Severity.ERROR if diverted else Severity.WARNING,
        subject=point.address,
        title=f"Port {point.port} is published by the container {name}, without a listener",
        explain=f"{who} are diverted to the container by the firewall rules of docker and never "
        "reach the tunnel, although the port can be bound (userland-proxy is off).",
        evidence=(
            Evidence("docker ps", f"{name}: {container.host}:{container.low}-{container.high}"),
            Evidence(f"nonce to {point.address}", clean(point.back)),
        ),
        fixes=(
            *elsewhere(asked.wanted, asked.next_port),
            Fix(("docker", "stop", name), undo=("docker", "start", name)),
        ),
    )


def _shadowed(facts: Facts, asked: Asked, point: Point, holder: Holder) -> Finding:
    who = words.who(holder, facts.ports.os)
    lost = point.back != "ok"
    guess = any(row.host == "::" and ":" not in point.host for row in point.rows[:1])
    return Finding(
        code=SHADOWED,
        severity=Severity.ERROR if lost else Severity.WARNING,
        confidence=Confidence.LIKELY if guess and not lost else Confidence.CERTAIN,
        subject=point.address,
        title=f"{point.address} can be bound, but {who} listens on that port too",
        explain="Connections reach that program and not the tunnel."
        if lost
        else "The tunnel gets the connections to this address, and that program none of them any "
        "more; whoever starts later may turn it round.",
        evidence=(words.evidence(holder), *_bind(point)),
        fixes=(
            *elsewhere(asked.wanted, asked.next_port),
            *words.ending(holder, facts.ports.os),
        ),
    )


def _redirected(facts: Facts, asked: Asked, point: Point) -> Finding:
    show = {
        "linux": ("sudo", "nft", "list", "ruleset"),
        "darwin": ("sudo", "pfctl", "-s", "nat"),
        "freebsd": ("sudo", "pfctl", "-s", "nat"),
    }.get(facts.ports.os, ("netsh", "interface", "portproxy", "show", "all"))
    return Finding(
        code=REDIRECTED,
        subject=point.address,
        title=f"Connections to {point.address} arrive at another program",
        explain="The port can be bound, but what was sent to it did not come out at our own "
        "listener: a rule of the firewall (NAT) diverts it.",
        evidence=(Evidence(f"nonce to {point.address}", "another listener answered"),),
        fixes=(
            *elsewhere(asked.wanted, asked.next_port),
            Fix(show, note="shows the rules", needs_admin=show[0] == "sudo"),
        ),
    )


def _unreachable(asked: Asked, point: Point) -> Finding:
    said = f"{point.back} {point.back_error}".strip()
    return Finding(
        code=UNREACHABLE,
        subject=point.address,
        title=f"{point.address} can be bound, but not reached from this machine",
        explain="What was sent to it did not arrive at our own listener: a firewall or security "
        "product filters it.",
        evidence=(Evidence(f"nonce to {point.address}", clean(said)),),
        fixes=elsewhere(asked.wanted, asked.next_port),
    )


_LOOPBACK = ("loopback-down", "loopback-without-127", "loopback-broken", "address-unreachable")

CHECK = Check(
    code="port-neighbours",
    title="what else answers at the local ports",
    probe=probe,
    judge=judge,
    finds=(
        Kind(AIRPLAY, "the AirPlay receiver of macOS has the port"),
        Kind(PORTPROXY, "a port proxy rule of Windows has the port"),
        Kind(WSL_RELAY, "WSL and Windows both listen on the port"),
        Kind(WSL_MIRRORED, "the Windows around a mirrored WSL has the port"),
        Kind(DOCKER, "docker diverts the port without listening on it"),
        Kind(SHADOWED, "another program listens on the port too, and the bind succeeds"),
        Kind(REDIRECTED, "a NAT rule diverts connections to the port", caused_by=_LOOPBACK),
        Kind(UNREACHABLE, "the port can be bound and not reached", caused_by=_LOOPBACK),
    ),
    after=("port-in-use",),
    effects=(Effect.BINDS, Effect.RUNS_TOOLS),
    timeout=15.0,
    applies=applies,
)
