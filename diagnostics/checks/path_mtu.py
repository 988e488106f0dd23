"""Do large packets reach the gateway, or are they lost on the way without a word.

An MTU black hole: a router drops what is too large for the next link, and the message that says so
(ICMP type 3 code 4) is dropped too.  SSH then stops at the key exchange, whose packets are the
first large ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.approach import LOGIN_TIME
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
    with_gateway,
)
from diagnostics.parsers.addresses import is_ipv6, is_loopback, literal
from diagnostics.parsers.ping import ANSWERED, SILENT, TOO_BIG, UNUSABLE, Echo, ping
from diagnostics.parsers.text import clean
from diagnostics.system import Interface, System
from diagnostics.ways import Destination, first_hop, way_to
from netkit.model import Fix

HOLE, SHRINKS = "mtu-black-hole", "mtu-loses-large-pings"

KEX_TIMEOUT = "key-exchange-timeout"
"""netkit's code for a key exchange that began and did not end."""

FLOOR = 1200
"""Bytes that every way carries in practice; IPv6 asks for 1280 (RFC 8200 section 5)."""

_LADDER = (
    *(1280, 1300, 1320, 1340, 1360, 1380, 1400, 1412, 1420, 1430, 1436, 1440),
    *(1450, 1454, 1460, 1472, 1476, 1480, 1492, 1500, 4000, 9000),
)
_LARGEST, _USUAL = 9216, 1500
_HEADERS = {False: 28, True: 48}  # IP and ICMP
_MOST = 8


@dataclass(frozen=True, slots=True)
class Sized:
    """A ping of ``size`` bytes, all headers included, that must not be fragmented."""

    size: int
    echo: Echo


@dataclass(frozen=True, slots=True)
class Facts:
    """``way`` is that to the first hop; ``lost`` says that the key exchange with it stopped."""

    os: str
    host: str = ""
    way: Destination | None = None
    interface_mtu: int = 0
    pings: tuple[Sized, ...] = ()
    lost: bool = False
    sample: tuple[str, ...] = ()


def probe(_target: Target, system: System) -> Facts:
    """See how far the login got, then look for the largest packet that is answered."""
    hop = first_hop(system)
    login = system.ssh.login()
    interfaces = system.interfaces()
    own = {literal(each.address) for one in interfaces for each in one.addresses}
    addresses = [each for each in hop.addresses if literal(each) not in own]
    if not addresses or is_loopback(addresses[0]):
        return Facts(system.os, hop.host)
    peer = login.peer.host if login.peer is not None else ""
    way = way_to(system, peer if peer in addresses else addresses[0], interfaces)
    hops = system.ssh.route().hops
    first = bool(hops) and login.hop == hops[0].alias
    lost = first and (login.stage, login.error_code) == ("kex", KEX_TIMEOUT)
    if login.stage in ("none", "tcp") or not way.source:
        return Facts(system.os, hop.host, way)
    mtu = _mtu_of(way, interfaces)
    top = min(mtu or _USUAL, _LARGEST)
    pings = _search(system, way.address, top)
    sample = _argv(system.os, way.address, top)
    return Facts(system.os, hop.host, way, mtu, pings, lost, sample)


def _mtu_of(way: Destination, interfaces: tuple[Interface, ...]) -> int:
    return next((each.mtu for each in interfaces if each.name == way.interface), 0)


def _argv(os: str, address: str, size: int) -> tuple[str, ...]:
    """Return the ping of this system that fragments nothing; none where it has no such option."""
    six = is_ipv6(address)
    payload = str(size - _HEADERS[six])
    plain = address.partition("%")[0]
    if os == "linux":
        options = ("-n", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-s", payload)
        return ("ping", *options, plain)
    if six:
        return ()
    if os == "windows":
        return ("ping.exe", "-n", "2", "-w", "1000", "-f", "-l", payload, plain)
    return ("ping", "-n", "-c", "2", "-t", "2", "-D", "-s", payload, plain)


def _search(system: System, address: str, top: int) -> tuple[Sized, ...]:
    """Return pings that bracket what is lost; one is enough where the largest is answered."""
    done: list[Sized] = []

    def answered(size: int) -> bool:
        argv = _argv(system.os, address, size)
        output = system.run(argv, 4.0) if argv else None
        echo = Echo(UNUSABLE)
        if output is not None and output.outcome in ("ran", "timed-out"):
            echo = ping(output.stdout, output.stderr)
        done.append(Sized(size, echo))
        return echo.outcome == ANSWERED

    if answered(top) or done[0].echo.outcome != SILENT or top <= FLOOR or not answered(FLOOR):
        return tuple(done)
    between = [size for size in _LADDER if FLOOR < size < top]
    while between and len(done) < _MOST:
        middle = len(between) // 2
        between = between[middle + 1 :] if answered(between[middle]) else between[:middle]
    return tuple(done)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say whether the way swallows large packets, and how badly that hurts."""
    if facts.way is None or not facts.pings:
        return ()
    through = [each.size for each in facts.pings if each.echo.outcome == ANSWERED]
    silent = [each.size for each in facts.pings if each.echo.outcome == SILENT]
    most = max(through, default=0)
    least = min((size for size in silent if size > most), default=0)
    if most and least:
        return (_hole(facts, facts.way, most, least),)
    if not facts.lost or most or any(each.echo.outcome == TOO_BIG for each in facts.pings):
        return ()
    reason = f"nothing at {clean(facts.way.address, 60)} answers pings"
    fixes: tuple[Fix, ...] = ()
    if facts.pings[0].echo.outcome == UNUSABLE:
        reason = "there is no ping that can be told not to fragment"
        if facts.os == "linux":
            argv = ("sudo", "apt-get", "install", "iputils-ping")
            fixes = (Fix(argv, needs_admin=True, persistent=True),)
    elif facts.sample:
        fixes = (Fix(facts.sample, note="the same from another network tells"),)
    return (
        Unknown(
            reason=f"the key exchange stopped, and whether large packets are lost is not known: "
            f"{reason}",
            subject=clean(facts.host, 80),
            fixes=fixes,
            evidence=_seen(facts),
        ),
    )


def _seen(facts: Facts) -> tuple[Evidence, ...]:
    shown = [
        Evidence(
            f"ping of {each.size} bytes",
            each.echo.outcome + (f" (MTU {each.echo.mtu})" if each.echo.mtu else ""),
        )
        for each in facts.pings
    ]
    if facts.interface_mtu and facts.way is not None:
        name = clean(facts.way.interface, 40)
        shown.append(Evidence(f"MTU of {name}", str(facts.interface_mtu)))
    return tuple(shown)


def _hole(facts: Facts, way: Destination, most: int, least: int) -> Finding:
    host = clean(facts.host, 80)
    if facts.lost:
        return Finding(
            code=HOLE,
            subject=host,
            title=f"Packets of {least} bytes and more are lost on the way to {host}; "
            f"those of {most} arrive",
            explain="The connection is made and the key exchange stops. A router drops what is too "
            "large, and no message about it comes back (an MTU black hole).",
            evidence=_seen(facts),
            fixes=_fixes(facts, way, most),
            confidence=Confidence.LIKELY,
        )
    return Finding(
        code=SHRINKS,
        severity=Severity.INFO,
        subject=host,
        title=f"Pings of {least} bytes are lost on the way to {host} without a word; "
        f"those of {most} are answered",
        explain="The login works, so a router probably adjusts TCP to it (MSS clamping). If "
        "transfers stall, this is why.",
        evidence=_seen(facts),
        fixes=_fixes(facts, way, most),
        confidence=Confidence.POSSIBLE,
    )


def _fixes(facts: Facts, way: Destination, mtu: int) -> tuple[Fix, ...]:
    """Return what makes our own packets small enough, then what mends the network."""
    note = "on the router before the narrow link; it should let ICMP type 3 code 4 pass, too"
    match = ("-p", "tcp", "--tcp-flags", "SYN,RST", "SYN")
    clamp = ("iptables", "-t", "mangle", "-A", "FORWARD", *match, "-j", "TCPMSS")
    network = Fix((*clamp, "--clamp-mss-to-pmtu"), where="network", needs_admin=True, note=note)
    name, size = clean(way.interface, 40), str(mtu)
    before = str(facts.interface_mtu or _USUAL)
    if facts.os == "linux":
        return (*_on_linux(way, name, size), network)
    if facts.os == "windows":
        tool = ("netsh", "interface", "ipv4", "set", "subinterface", name)
        small, large = ((*tool, f"mtu={each}", "store=active") for each in (size, before))
        return (Fix(small, needs_admin=True, undo=large, note="until the next restart"), network)
    setting = ("sudo", "ifconfig", name, "mtu")
    return (Fix((*setting, size), needs_admin=True, undo=(*setting, before)), network)


def _on_linux(way: Destination, name: str, size: str) -> tuple[Fix, ...]:
    prefix = f"{clean(way.address, 60)}/{128 if is_ipv6(way.address) else 32}"
    via = ("via", clean(way.router, 60)) if way.router else ()
    route = ("sudo", "ip", "route", "replace", prefix, *via, "dev", name, "mtu", size)
    undo = ("sudo", "ip", "route", "del", prefix)
    note = "for this gateway alone, until the next restart"
    on, off = (("sudo", "sysctl", f"net.ipv4.tcp_mtu_probing={value}") for value in (1, 0))
    return (
        Fix(route, needs_admin=True, undo=undo, note=note),
        Fix(on, needs_admin=True, undo=off, note="lets TCP find it out by itself (RFC 4821)"),
    )


CHECK = Check(
    code="path-mtu",
    title="large packets on the way to the gateway",
    probe=probe,
    judge=judge,
    finds=(
        Kind(HOLE, "large packets are lost on the way, and the key exchange stops"),
        Kind(SHRINKS, "large pings are lost on the way, and the login works"),
    ),
    after=("gateway-login",),
    effects=(Effect.RUNS_TOOLS, Effect.LOGS_IN),
    timeout=LOGIN_TIME + 30.0,
    applies=with_gateway,
)
