"""Does the loopback interface work: up, with 127.0.0.1, and does what is sent to it arrive.

The truth is a connection to ourselves; what the interface is configured to be explains it.
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
from diagnostics.parsers.addresses import is_link_local_4
from diagnostics.parsers.text import clean
from diagnostics.system import ConnectBack, Interface, System
from netkit.model import Endpoint, Fix

DOWN, WITHOUT, BROKEN = "loopback-down", "loopback-without-127", "loopback-broken"
STALLED, VIRTUAL = "loopback-stalled", "loopback-virtualised"
LINK_LOCAL, MTU = "loopback-link-local", "loopback-mtu"

FOUR, SIX = Endpoint("127.0.0.1", 0), Endpoint("::1", 0)
BULK = 64 << 10
"""Bytes passed: many packets on any interface, so that size matters."""

_PATIENCE = 2.0
_MTU_IPV6 = 1280  # RFC 8200 section 5; Linux switches IPv6 off on an interface below it
_MTU_USUAL = {"linux": 65536, "darwin": 16384}  # drivers/net/loopback.c; bsd/net/if_loop.c (LOMTU)


@dataclass(frozen=True, slots=True)
class Facts:
    """The loopback interfaces, and what came of using them; ``six`` where there is a ::1."""

    os: str
    interfaces: tuple[Interface, ...]
    four: ConnectBack
    six: ConnectBack | None = None


def probe(_target: Target, system: System) -> Facts:
    """Look at the interface, and pass a nonce and some bulk through 127.0.0.1 and ::1."""
    found = tuple(each for each in system.interfaces() if _is_loopback(each))
    four = system.connect_back(FOUR, BULK, _PATIENCE)
    has_six = any(each.address == SIX.host for one in found for each in one.addresses)
    six = system.connect_back(SIX, BULK, _PATIENCE) if has_six else None
    return Facts(system.os, found[:16], four, six)


def _is_loopback(interface: Interface) -> bool:
    """Windows: also the adapter "KM-TEST Loopback", which is no loopback to the system."""
    return interface.is_loopback or "loopback" in interface.name.lower()


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say why 127.0.0.1 cannot be used, then what else is odd."""
    found: list[Judgement] = []
    if facts.four.outcome != "ok":
        found.append(_broken(facts, facts.four))
    if facts.six is not None and facts.six.outcome != "ok":
        found.append(_broken(facts, facts.six))
    found += [_link_local(facts.os, each) for each in facts.interfaces if _held(each)]
    found += [each for one in facts.interfaces for each in _mtu(facts.os, one)]
    return tuple(found)


def _broken(facts: Facts, back: ConnectBack) -> Judgement:
    own = [each for each in facts.interfaces if each.is_loopback]
    seen = (Evidence(back.address.host, clean(f"{back.outcome} {back.error}".strip())),)
    if back.bound is not None and back.bound.host != back.address.host:
        return _virtual(back.bound.host, seen)
    if own and not any(each.is_up for each in own):
        return _down(facts.os, own[0], seen)
    missing = back.error == "EADDRNOTAVAIL" and back.outcome == "bind-failed"
    if missing and back is facts.four:
        return _without(facts, own, seen)
    if back.outcome == "bind-failed":
        reason = f"{back.address.host} cannot be bound: {clean(back.error)}"
        return Unknown(reason=reason, subject=back.address.host, evidence=seen)
    if back.outcome == "stalled":
        return _stalled(back, seen)
    return _unreachable(facts, back, seen)


def _down(os: str, interface: Interface, seen: tuple[Evidence, ...]) -> Finding:
    fixes: tuple[Fix, ...] = ()
    if os != "windows":
        tool = ("ip", "link", "set") if os == "linux" else ("ifconfig",)
        argv = ("sudo", *tool, interface.name)
        fixes = (Fix((*argv, "up"), needs_admin=True, undo=(*argv, "down")),)
    return Finding(
        code=DOWN,
        subject=interface.name,
        title=f"The loopback interface {clean(interface.name, 60)} is down",
        explain="Nothing on this machine can reach anything on it, 127.0.0.1 included.",
        evidence=seen,
        fixes=fixes,
    )


def _without(facts: Facts, own: list[Interface], seen: tuple[Evidence, ...]) -> Finding:
    name = clean(own[0].name, 60) if own else "lo0" if facts.os == "darwin" else "lo"
    held = next((_held(each) for each in own if _held(each)), "")
    instead = f"; it holds {held} instead, which it gave itself" if held else ""
    return Finding(
        code=WITHOUT,
        subject=name,
        title=f"The loopback interface {name} has no address 127.0.0.1{instead}",
        explain="Programs that listen on localhost cannot be reached, and most cannot start.",
        evidence=seen + tuple(_addresses(each) for each in own),
        fixes=(_give_address(facts.os, name),),
    )


def _give_address(os: str, name: str) -> Fix:
    if os == "linux":
        add = ("ip", "addr", "add", "127.0.0.1/8", "dev", name)
        undo = ("sudo", "ip", "addr", "del", *add[3:])
        return Fix(("sudo", *add), needs_admin=True, undo=undo)
    if os == "windows":
        note = "then restart; resets every IPv4 setting"
        return Fix(("netsh", "int", "ip", "reset"), needs_admin=True, persistent=True, note=note)
    argv = ("sudo", "ifconfig", name, "127.0.0.1", "netmask", "255.0.0.0", "up")
    return Fix(argv, needs_admin=True)


def _addresses(interface: Interface) -> Evidence:
    own = [each.address for each in interface.addresses if each.family != "link"]
    return Evidence(f"addresses of {clean(interface.name, 60)}", clean(", ".join(own)) or "none")


def _virtual(bound: str, seen: tuple[Evidence, ...]) -> Finding:
    # Win32_TSVirtualIP, Remote Desktop Services WMI provider (Windows Server 2012 and later)
    command = (
        r"Get-CimInstance -Namespace root\CIMV2\TerminalServices -ClassName Win32_TSVirtualIP"
        " | Invoke-CimMethod -MethodName SetVirtualizeLoopbackAddressesEnabled"
        " -Arguments @{VirtualizeLoopbackAddressesEnabled=[uint32]%d}"
    )
    return Finding(
        code=VIRTUAL,
        severity=Severity.WARNING,
        subject=FOUR.host,
        title=f"In this session 127.0.0.1 is {clean(bound, 60)} for programs that listen there",
        explain=f"Connections to 127.0.0.1 do not arrive: clients have to use {clean(bound, 60)}. "
        "The session host gives each session a loopback address of its own.",
        evidence=(*seen, Evidence("bound to 127.0.0.1, became", clean(bound, 60))),
        fixes=(
            Fix(
                ("powershell", "-Command", command % 0),
                needs_admin=True,
                persistent=True,
                undo=("powershell", "-Command", command % 1),
                note="switches it off for the whole session host",
            ),
        ),
    )


def _stalled(back: ConnectBack, seen: tuple[Evidence, ...]) -> Finding:
    return Finding(
        code=STALLED,
        subject=back.address.host,
        title=f"Small data reaches {back.address.host}, and {BULK >> 10} KiB do not",
        explain="A product that inspects loopback traffic, or a bad MTU of the loopback "
        "interface, holds it up; tunnels will hang in the middle of transfers.",
        evidence=(*seen, Evidence("bytes that arrived", str(back.size))),
    )


def _unreachable(facts: Facts, back: ConnectBack, seen: tuple[Evidence, ...]) -> Finding:
    host = back.address.host
    main = back is facts.four
    how = {
        "timed-out": "is dropped without a word",
        "someone-else": "arrives at another program",
        "wrong-data": "arrives changed",
    }.get(back.outcome, f"is refused ({clean(back.error, 40) or clean(back.outcome, 40)})")
    return Finding(
        code=BROKEN,
        severity=Severity.ERROR if main else Severity.WARNING,
        subject=host,
        title=f"{host} is configured, and what is sent to it {how}",
        explain="A firewall or a security product stands in the way of loopback traffic; "
        + ("no tunnel can be used." if main else "clients that try IPv6 first wait or fail."),
        evidence=seen,
        fixes=_show_filter(facts.os),
        confidence=Confidence.LIKELY,
    )


def _show_filter(os: str) -> tuple[Fix, ...]:
    """Return what shows the rules: which of them is to go, only a person can decide."""
    note = "shows the rules; let through what comes from the loopback interface"
    if os == "linux":
        nft = Fix(("sudo", "nft", "list", "ruleset"), needs_admin=True, note=note)
        accept = ("iptables", "-I", "INPUT", "1", "-i", "lo", "-j", "ACCEPT")
        undo = ("sudo", "iptables", "-D", "INPUT", "-i", "lo", "-j", "ACCEPT")
        return (
            nft,
            Fix(("sudo", *accept), needs_admin=True, undo=undo, note="if the rules are iptables'"),
        )
    if os == "darwin":
        return (Fix(("sudo", "pfctl", "-s", "rules"), needs_admin=True, note=note),)
    if os == "windows":
        argv = ("netsh", "advfirewall", "show", "allprofiles")
        return (Fix(argv, note="shows the firewall; look at other security products too"),)
    return ()


def _held(interface: Interface) -> str:
    """Return the self-assigned address of an interface."""
    own = (each.address for each in interface.addresses)
    return next((each for each in own if is_link_local_4(each)), "")


def _link_local(os: str, interface: Interface) -> Finding:
    name, held = clean(interface.name, 60), clean(_held(interface), 60)
    if os != "windows":
        return Finding(
            code=LINK_LOCAL,
            severity=Severity.INFO,
            subject=name,
            title=f"The loopback interface {name} holds {held}",
            explain="That is usually deliberate (a node-local name server or metadata service).",
            evidence=(_addresses(interface),),
        )
    argv = ("netsh", "interface", "ipv4", "set", "address", f"name={name}", "source=static")
    return Finding(
        code=LINK_LOCAL,
        severity=Severity.WARNING,
        subject=name,
        title=f"The loopback adapter {name} gave itself {held}: it waits for a DHCP server",
        explain="No DHCP server can answer there, and the address may change at each start. "
        "127.0.0.0/8 is not affected; whatever is to listen on this adapter is.",
        evidence=(_addresses(interface),),
        fixes=(
            Fix(
                (*argv, "address=10.254.254.1", "mask=255.255.255.252"),
                needs_admin=True,
                persistent=True,
                undo=(*argv[:-1], "source=dhcp"),
                note="any private address that is in use nowhere else will do",
            ),
        ),
    )


def _mtu(os: str, interface: Interface) -> list[Finding]:
    usual = _MTU_USUAL.get(os, 0)
    if not interface.is_loopback or not interface.is_up or not 0 < interface.mtu < usual:
        return []
    # The kernels before Linux 3.6 had 16436.
    if interface.mtu >= _MTU_USUAL["darwin"]:
        return []
    name, low = clean(interface.name, 60), interface.mtu < _MTU_IPV6
    linux = ("ip", "link", "set", "dev", name, "mtu")
    setting = linux if os == "linux" else ("ifconfig", name, "mtu")
    return [
        Finding(
            code=MTU,
            severity=Severity.WARNING if low else Severity.INFO,
            subject=name,
            title=f"The loopback interface {name} has an MTU of {interface.mtu} instead of {usual}",
            explain="IPv6 does not work on an interface below 1280 bytes, so there is no ::1."
            if low
            else "Everything works, with more packets and so more CPU time per byte.",
            evidence=(Evidence(f"MTU of {name}", str(interface.mtu)),),
            fixes=(
                Fix(
                    ("sudo", *setting, str(usual)),
                    needs_admin=True,
                    undo=("sudo", *setting, str(interface.mtu)),
                ),
            ),
        )
    ]


_CAUSES = (DOWN, WITHOUT)

CHECK = Check(
    code="loopback",
    title="the loopback interface",
    probe=probe,
    judge=judge,
    finds=(
        Kind(DOWN, "the loopback interface is down"),
        Kind(WITHOUT, "the loopback interface lacks 127.0.0.1"),
        Kind(BROKEN, "what is sent to 127.0.0.1 or ::1 does not arrive", caused_by=_CAUSES),
        Kind(STALLED, "large data does not get through loopback", caused_by=(DOWN,)),
        Kind(
            VIRTUAL,
            "the session has a loopback address of its own",
            caused_by=("address-virtualised",),
        ),
        Kind(LINK_LOCAL, "a loopback interface holds a 169.254 address", caused_by=(WITHOUT,)),
        Kind(MTU, "the MTU of the loopback interface is small"),
    ),
    effects=(Effect.BINDS,),
)
