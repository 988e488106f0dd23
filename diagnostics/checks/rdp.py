"""Which address and port a Terminal Services client accepts, and the line that starts it.

mstsc refuses its own machine at port 3389 (error 0x708), by whatever address but a 127.0.0.x other
than the first.  Other clients, and mstsc at another port, take any.
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
)
from diagnostics.parsers.addresses import is_loopback, literal
from diagnostics.parsers.text import clean
from diagnostics.system import System
from netkit.model import Endpoint, Fix, ForwardKind, ForwardSpec

OWN, SERVICE = "rdp-own-address", "rdp-local-service"
CLIENT, NO_CLIENT = "rdp-client-line", "rdp-no-client"

RDP = 3389
ALIAS = "127.0.0.2"
_PORTS = (3390, 3391, 3392, 13389, 33389)
_PROGRAMS = ("xfreerdp3", "xfreerdp", "wlfreerdp3", "wlfreerdp", "rdesktop", "remmina")
_DIRECTORIES = ("/usr/bin", "/usr/local/bin", "/snap/bin")
_MOST = 16


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens on port 3389 of this machine."""

    host: str
    pid: int | None = None
    name: str = ""
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """``client`` is a program that is installed; ``free`` a port of 127.0.0.2 that is free."""

    os: str
    forwards: tuple[ForwardSpec, ...]
    listeners: tuple[Listener, ...] = ()
    client: str = ""
    own: tuple[str, ...] = ()
    free: int = 0
    is_wsl: bool = False


def _concerned(target: Target) -> tuple[ForwardSpec, ...]:
    return tuple(
        forward
        for forward in target.forwards
        if forward.kind is ForwardKind.LOCAL
        and isinstance(forward.bind, Endpoint)
        and (forward.bind.port == RDP or _leads_there(forward))
    )[:_MOST]


def _leads_there(forward: ForwardSpec) -> bool:
    return isinstance(forward.to, Endpoint) and forward.to.port == RDP


def applies(target: Target) -> str:
    """Apply to forwards of a Terminal Services port."""
    return "" if _concerned(target) else "no forward has to do with port 3389"


def probe(target: Target, system: System) -> Facts:
    """Look at who listens on 3389, which client is there, and which port is free."""
    os = system.os
    is_wsl = os == "linux" and b"microsoft" in system.read("/proc/version", 1024).data.lower()
    windows = os == "windows"
    free = 0
    if windows or is_wsl:
        # What the client sees is Windows; of WSL, Windows reaches 127.0.0.1 alone.
        host = ALIAS if windows else "127.0.0.1"
        tried = (system.bind(Endpoint(host, port)) for port in _PORTS)
        free = next((each.address.port for each in tried if not each.error), 0)
    return Facts(
        os,
        _concerned(target),
        _listeners(system),
        _client(system),
        tuple(each.address for one in system.interfaces() for each in one.addresses)
        if windows
        else (),
        free,
        is_wsl,
    )


def _listeners(system: System) -> tuple[Listener, ...]:
    found = []
    for row in system.sockets().rows:
        if row.port == RDP and row.state == "LISTEN":
            process = None if row.pid is None else system.process(row.pid)
            name = process.name if process else ""
            services = process.services if process else ()
            found.append(Listener(row.host, row.pid, name, services))
    return tuple(found[:_MOST])


def _client(system: System) -> str:
    if system.os in ("windows", "darwin"):
        return ""
    for program in _PROGRAMS:
        if any(system.stat(f"{each}/{program}").kind == "file" for each in _DIRECTORIES):
            return program
    return ""


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say of each forward whether the client accepts it, and how to start it."""
    found: list[Finding] = []
    for forward in facts.forwards:
        if isinstance(forward.bind, Endpoint):
            found += _judge(facts, forward, forward.bind)
    if facts.forwards and facts.os not in ("windows", "darwin") and not facts.client:
        found.append(_no_client(facts))
    return tuple(found)


def _judge(facts: Facts, forward: ForwardSpec, bind: Endpoint) -> list[Finding]:
    windows = facts.os == "windows"
    if (windows or facts.is_wsl) and bind.port == RDP and _is_own(facts, bind.host):
        return [_own(facts, forward, bind)]
    service = next((each for each in facts.listeners if _is_service(each)), None)
    if windows and bind.port == RDP and service is not None:
        return [_service(facts, forward, service)]
    if not _leads_there(forward):
        return []
    return [_line(facts, bind)]


def _is_own(facts: Facts, host: str) -> bool:
    if host.lower() in ("", "localhost"):
        return True
    address = literal(host)
    if address is None or address.is_unspecified:
        return False  # a wildcard is reached at 127.0.0.2 too
    if address.is_loopback:
        return str(address) in ("127.0.0.1", "::1") or facts.is_wsl
    return any(literal(each) == address for each in facts.own)


def _is_service(listener: Listener) -> bool:
    names = {listener.name.lower(), *(each.lower() for each in listener.services)}
    return bool(names & {"termservice", "svchost.exe", "system"}) or listener.pid == 4


def _elsewhere(facts: Facts, forward: ForwardSpec) -> tuple[Fix, ...]:
    """Return the same forward where the client accepts it, and the client's line for it."""
    if not facts.free:
        return ()
    there = Endpoint("127.0.0.1" if facts.is_wsl else ALIAS, facts.free)
    option = ("-L", f"{there}:{forward.to}")
    return (
        Fix(("netkit", "forward", "...", *option), note=f"port {there.port} is free"),
        Fix(("mstsc", f"/v:{there}"), note="then, on Windows"),
    )


def _own(facts: Facts, forward: ForwardSpec, bind: Endpoint) -> Finding:
    where = str(bind) if bind.host else f"localhost:{bind.port}"
    return Finding(
        code=OWN,
        severity=Severity.WARNING if facts.is_wsl else Severity.ERROR,
        subject=clean(where, 80),
        title=f"The Terminal Services client of Windows refuses {clean(where, 80)}",
        explain="mstsc takes its own machine at port 3389 for a console session that exists "
        "already (error 0x708); it accepts 127.0.0.2, and any other port.",
        evidence=(Evidence("the forward", clean(str(forward))),),
        fixes=_elsewhere(facts, forward),
        confidence=Confidence.LIKELY,
    )


def _service(facts: Facts, forward: ForwardSpec, service: Listener) -> Finding:
    name = ", ".join(service.services) or service.name or "the system"
    return Finding(
        code=SERVICE,
        subject=f"{clean(service.host, 60)}:{RDP}",
        title=f"Port {RDP} belongs to the Remote Desktop service of this machine itself",
        explain="Windows lets nobody else listen on that port at any address while it runs.",
        evidence=(
            Evidence(f"listens on {clean(service.host, 60)}:{RDP}", clean(name)),
            Evidence("the forward", clean(str(forward))),
        ),
        fixes=_elsewhere(facts, forward),
        confidence=Confidence.LIKELY,
    )


def _line(facts: Facts, bind: Endpoint) -> Finding:
    host = bind.host
    address = literal(host)
    if host.lower() in ("", "localhost"):
        host = "127.0.0.1"
    elif host == "*" or (address is not None and address.is_unspecified):
        host = "::1" if host == "::" else ALIAS if facts.os == "windows" else "127.0.0.1"
    there = Endpoint(host, bind.port)
    shown = clean(str(there), 80)
    if bind.port == 0:
        shown = clean(host, 60) + ":PORT"
    return Finding(
        code=CLIENT,
        severity=Severity.OK,
        subject=clean(str(there), 80),
        title=f"Start the Terminal Services client with: {_command(facts, shown)}",
        explain="PORT is the one that netkit says it listens on."
        if bind.port == 0
        else "The server's certificate names another machine, so the client asks whether to go on."
        if is_loopback(host)
        else "",
    )


def _command(facts: Facts, where: str) -> str:
    if facts.os == "windows" or facts.is_wsl:
        return f"mstsc /v:{where}"
    if facts.os == "darwin":
        return f"open 'rdp://full%20address=s:{where}'"
    if facts.client == "rdesktop":
        return f"rdesktop {where}"
    if facts.client == "remmina":
        return f"remmina -c rdp://{where}"
    return f"{facts.client or 'xfreerdp'} /v:{where}"


def _no_client(facts: Facts) -> Finding:
    install = ("sudo", "pkg", "install", "freerdp")
    if facts.os == "linux":
        install = ("sudo", "apt-get", "install", "freerdp2-x11")
    return Finding(
        code=NO_CLIENT,
        severity=Severity.INFO,
        subject="xfreerdp",
        title="No Terminal Services client was found on this machine",
        explain="The forward works without one; the client may also run elsewhere.",
        fixes=(
            Fix(
                install,
                needs_admin=True,
                persistent=True,
                note="freerdp3-x11 on Debian 13 and later; other systems have it too",
            ),
        ),
    )


CHECK = Check(
    code="rdp",
    title="the address for a Terminal Services client",
    probe=probe,
    judge=judge,
    finds=(
        Kind(OWN, "mstsc refuses the address that the forward listens on"),
        Kind(SERVICE, "the machine's own Remote Desktop service has the port"),
        Kind(CLIENT, "the line that starts the client"),
        Kind(NO_CLIENT, "no Terminal Services client was found"),
    ),
    effects=(Effect.BINDS,),
    applies=applies,
)
