"""Do the system's rules allow the local ports: privileged, kept by Windows, handed out to others.

And browsers': a web page behind a tunnel cannot be opened on some ports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.knowledge.ports import BROWSER_BLOCKED, HNS_BLOCK, WEB, WINDOWS_DYNAMIC_START
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
from diagnostics.parsers.port_ranges import Excluded
from diagnostics.parsers.text import clean
from diagnostics.ports import remedies
from diagnostics.ports.examine import Asked, Point, PortFacts, examine, failed, is_held
from diagnostics.ports.points import DENIED, applies, elsewhere
from diagnostics.ports.ranges import Ranges
from diagnostics.system import System
from netkit.model import Fix

PRIVILEGED, SELINUX, REFUSED = "port-privileged", "port-denied-by-selinux", "port-denied"
EXCLUDED, NEAR, MOVED = "port-excluded-range", "port-near-excluded-range", "port-dynamic-range-low"
EPHEMERAL, OLD_SSH, BROWSER = (
    "port-in-ephemeral-range",
    "port-old-windows-ssh",
    "port-browser-blocked",
)

_ENFORCE = "/sys/fs/selinux/enforce"
_WEB_PROTOCOLS = frozenset(["http", "https", "web", "websocket"])
_VERSION = re.compile(r"OpenSSH_for_Windows_(\d{1,3})\.(\d{1,3})")
_FIRST_WITHOUT_CHECK = (7, 8)
"""The Win32-OpenSSH that lost the check for root: issue 1350 there."""

_SHOW_EXCLUDED = Fix(
    (*remedies.NETSH, "show", "excludedportrange", "protocol=tcp"), note="lists what Windows keeps"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """The ports and the rules they meet.

    ``selinux`` says whether SELinux enforces its policy; ``ssh_version`` is what the ``ssh`` of
    Windows says of itself, asked for low ports only; ``protocol`` is what the tunnel is for.
    """

    ports: PortFacts
    selinux: bool = False
    ssh_version: str = ""
    protocol: str = ""


def probe(target: Target, system: System) -> Facts:
    """Bind each address, and read the rules that may explain why that fails, or will some day."""
    ports = examine(target, system)
    selinux, version = False, ""
    if system.os == "linux":
        selinux = system.read(_ENFORCE, 16).data.strip() == b"1"
    elif system.os == "windows" and any(each.port < 1024 for each in ports.asked):
        output = system.run(("ssh", "-V"))
        version = clean(output.stderr or output.stdout, 100)
    return Facts(ports, selinux, version, target.protocol)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return what forbids each port now, and what will take it some day."""
    found: list[Judgement] = []
    for asked in facts.ports.asked:
        denied = [
            point
            for point in asked.points
            if failed(point) and point.error in DENIED and not is_held(point)
        ]
        if denied:
            found.append(_denied(facts, asked, denied[0]))
        elif any(not point.error for point in asked.points):
            found += _risks(facts.ports, asked)
            found += _old_ssh(facts, asked)
        if _is_web(asked, facts.protocol) and asked.port in BROWSER_BLOCKED:
            found.append(_browser(asked))
    if facts.ports.os == "windows" and facts.ports.ranges.error:
        reason = f"which ports Windows keeps is not known: {clean(facts.ports.ranges.error)}"
        found.append(Unknown(reason=reason, fixes=(_SHOW_EXCLUDED,)))
    return tuple(found)


# --- forbidden now ---


def _denied(facts: Facts, asked: Asked, point: Point) -> Finding:
    ports = facts.ports
    excluded = ports.ranges.exclusion(point.port)
    if excluded is not None:
        return _excluded(ports, asked, point, excluded)
    if point.port < ports.ranges.privileged_below:
        return _privileged(ports, asked, point)
    if facts.selinux:
        return _selinux(asked, point)
    windows = ports.os == "windows"
    explain = "A security product or a policy of the system forbids it."
    if windows:
        explain = (
            "No listener in the table and no excluded range explains it: a security product, or "
            "a program that has the port for itself alone."
        )
    return Finding(
        code=REFUSED,
        confidence=Confidence.LIKELY,
        subject=point.address,
        title=f"The system does not allow listening on {point.address}",
        explain=explain,
        evidence=_bind(point),
        fixes=(
            *elsewhere(asked.wanted, asked.next_port),
            *((_SHOW_EXCLUDED,) if windows else ()),
        ),
    )


def _bind(point: Point) -> tuple[Evidence, ...]:
    return (Evidence(f"bind {point.address}", f"{point.error} ({point.number})"),)


def _privileged(ports: PortFacts, asked: Asked, point: Point) -> Finding:
    fixes = elsewhere(asked.wanted, asked.next_port)
    below = ports.ranges.privileged_below
    if ports.os == "linux":
        name = "net.ipv4.ip_unprivileged_port_start"
        allow = ("sudo", "sysctl", "-w", f"{name}={point.port}")
        note = f"lets every user bind ports from {point.port}"
        undo = ("sudo", "sysctl", "-w", f"{name}={below}")
        fixes = (*fixes, Fix(allow, note=note, needs_admin=True, undo=undo))
    return Finding(
        code=PRIVILEGED,
        subject=point.address,
        title=f"Port {point.port} belongs to the administrator",
        explain=f"Only the administrator may listen on ports below {below} here.",
        evidence=_bind(point),
        fixes=fixes,
    )


def _selinux(asked: Asked, point: Point) -> Finding:
    port, tcp = str(point.port), ("-t", "ssh_port_t", "-p", "tcp")
    allow = ("sudo", "semanage", "port", "-a", *tcp, port)
    undo = ("sudo", "semanage", "port", "-d", *tcp, port)
    note = "if what was denied is a program that may bind ports of that type"
    return Finding(
        code=SELINUX,
        confidence=Confidence.LIKELY,
        subject=point.address,
        title=f"SELinux does not allow listening on {point.address}",
        explain="The port is no privileged one, nothing holds it, and SELinux enforces its policy: "
        "ports have types there, and this program may not bind that one.",
        evidence=(*_bind(point), Evidence(_ENFORCE, "1")),
        fixes=(
            *elsewhere(asked.wanted, asked.next_port),
            Fix(("sudo", "ausearch", "-m", "AVC", "-ts", "recent"), note="shows what was denied"),
            Fix(allow, note=note, needs_admin=True, persistent=True, undo=undo),
        ),
    )


def _excluded(ports: PortFacts, asked: Asked, point: Point, excluded: Excluded) -> Finding:
    fixes = [*elsewhere(asked.wanted, asked.next_port)]
    if ports.ranges.low < WINDOWS_DYNAMIC_START:
        fixes += remedies.reset_dynamic()
    fixes.append(remedies.take_back(point.port))
    span = f"{excluded.low}-{excluded.high}"
    return Finding(
        code=EXCLUDED,
        subject=point.address,
        title=f"Windows keeps port {point.port} for itself (excluded range {span})",
        explain="Hyper-V, WSL and containers have it reserve blocks of ports, others after each "
        "restart; no listener is shown, and binding one fails with error 10013.",
        evidence=(*_bind(point), Evidence("excluded port range", span)),
        fixes=tuple(fixes),
    )


# --- will be taken some day ---


def _risks(ports: PortFacts, asked: Asked) -> list[Finding]:
    """Return why a port that can be bound today may not be tomorrow."""
    ranges = ports.ranges
    excluded = ranges.exclusion(asked.port)
    if not ranges.hands_out(asked.port) or (excluded is not None and excluded.administered):
        return []
    default = "" if ranges.known else " (default)"
    seen = Evidence("ports that are handed out", f"{ranges.low}-{ranges.high}{default}")
    if ports.os == "windows" and ranges.known and ranges.low < WINDOWS_DYNAMIC_START:
        return [_moved(ranges, asked, seen)]
    blocks = [
        each
        for each in ranges.excluded
        if not each.administered and each.high - each.low + 1 >= HNS_BLOCK
    ]
    if ports.os == "windows" and blocks:
        return [_near(ranges, asked, blocks, seen)]
    return [_ephemeral(ports, asked, seen)]


def _moved(ranges: Ranges, asked: Asked, seen: Evidence) -> Finding:
    return Finding(
        code=MOVED,
        severity=Severity.WARNING,
        subject=asked.points[0].address,
        title=f"Windows hands out ports from {ranges.low} on, port {asked.port} among them",
        explain=f"By default it starts at {WINDOWS_DYNAMIC_START}. Something has moved that, so "
        "services and Hyper-V may take the port after any restart.",
        evidence=(seen,),
        fixes=(*elsewhere(asked.wanted, asked.next_port), *remedies.reset_dynamic()),
    )


def _ephemeral(ports: PortFacts, asked: Asked, seen: Evidence) -> Finding:
    low, high = ports.ranges.low, ports.ranges.high
    return Finding(
        code=EPHEMERAL,
        severity=Severity.INFO,
        subject=asked.points[0].address,
        title=f"Port {asked.port} is one of those that the system hands out ({low}-{high})",
        explain="Any outgoing connection may have it when the tunnel is to start; below "
        f"{low} that does not happen.",
        evidence=(seen,),
        fixes=(
            *elsewhere(asked.wanted, asked.next_port),
            *remedies.reserve(ports.os, ports.ranges, asked.port),
        ),
    )


def _near(ranges: Ranges, asked: Asked, blocks: list[Excluded], seen: Evidence) -> Finding:
    port = asked.port
    nearest = min(blocks, key=lambda each: _distance(each, port))
    span, distance = f"{nearest.low}-{nearest.high}", _distance(nearest, port)
    keep = remedies.reserve("windows", ranges, port)
    return Finding(
        code=NEAR,
        severity=Severity.WARNING,
        confidence=Confidence.POSSIBLE,
        subject=asked.points[0].address,
        title=f"Port {port} is {distance} away from a block that Windows keeps ({span})",
        explain="Such blocks lie elsewhere in the range after each restart, so this port may be "
        "in one then.",
        evidence=(seen, Evidence("nearest excluded range", span)),
        fixes=(
            *elsewhere(asked.wanted, asked.next_port),
            *keep,
        ),
    )


def _distance(block: Excluded, port: int) -> int:
    return max(block.low - port, port - block.high, 0)


# --- ssh and browsers ---


def _old_ssh(facts: Facts, asked: Asked) -> list[Finding]:
    match = _VERSION.match(facts.ssh_version)
    if asked.port >= 1024 or match is None:
        return []
    if (int(match[1]), int(match[2])) >= _FIRST_WITHOUT_CHECK:
        return []
    return [
        Finding(
            code=OLD_SSH,
            severity=Severity.INFO,
            subject=asked.points[0].address,
            title=f"The ssh.exe of this machine refuses to forward port {asked.port}",
            explain="Windows has no privileged ports and netkit can use it; OpenSSH for Windows "
            "before 7.8 asks for root all the same.",
            evidence=(Evidence("ssh -V", facts.ssh_version),),
            fixes=elsewhere(asked.wanted, asked.next_port),
        )
    ]


def _is_web(asked: Asked, protocol: str) -> bool:
    return protocol.lower() in _WEB_PROTOCOLS or asked.wanted.to_port in WEB


def _browser(asked: Asked) -> Finding:
    wanted = asked.wanted
    return Finding(
        code=BROWSER,
        severity=Severity.WARNING,
        subject=f"{wanted.host or 'localhost'}:{wanted.port}",
        title=f"Browsers refuse to open port {wanted.port}",
        explain="It is on the list of ports that belong to other protocols; Chrome says "
        f"ERR_UNSAFE_PORT. The target {wanted.to} looks like a web server.",
        evidence=(Evidence("leads to", clean(wanted.to)),),
        fixes=elsewhere(wanted, asked.next_port),
    )


CHECK = Check(
    code="port-limits",
    title="what the system and browsers allow at the local ports",
    probe=probe,
    judge=judge,
    finds=(
        Kind(PRIVILEGED, "the port belongs to the administrator"),
        Kind(SELINUX, "SELinux does not allow to bind the port"),
        Kind(REFUSED, "the system does not allow to bind the port"),
        Kind(EXCLUDED, "Windows keeps the port in an excluded range"),
        Kind(NEAR, "the port may be in an excluded range of Windows after a restart"),
        Kind(MOVED, "Windows hands out ports from too low a number on"),
        Kind(EPHEMERAL, "the port may become the source port of a connection"),
        Kind(OLD_SSH, "ssh.exe is too old to forward a low port"),
        Kind(BROWSER, "browsers refuse to open the port"),
    ),
    after=("port-in-use", "port-neighbours"),
    effects=(Effect.BINDS, Effect.RUNS_TOOLS),
    timeout=15.0,
    applies=applies,
)
