"""Can 127.0.0.2, and every address that a forward is to listen on, really be used.

Bound, connected to, and used for some bulk; never inferred from the name of the system.  Ports
are no matter here: the system chooses one.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from diagnostics.parsers.addresses import is_ipv6, is_loopback, literal
from diagnostics.parsers.text import clean
from diagnostics.system import ConnectBack, Interface, System
from netkit.model import Endpoint, Fix, ForwardKind, ForwardSpec

ABSENT, ALIAS, USABLE = "address-not-available", "loopback-alias-missing", "loopback-alias-usable"
UNREACHABLE, STALLED, VIRTUAL = "address-unreachable", "address-stalled", "address-virtualised"
SCOPE, NAME, WSL = "address-without-scope", "bind-name-unknown", "address-hidden-by-wsl"

ALIAS_HOST = "127.0.0.2"
BULK = 64 << 10
_PATIENCE = 1.0
_MOST = 16
_NOT_LITERAL = {"", "*", "localhost", "0.0.0.0", "::"}
_IPV6_SWITCH = "net.ipv6.conf.lo.disable_ipv6"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of using an address; ``forward`` is the one that is to listen there, if any."""

    back: ConnectBack
    forward: ForwardSpec | None = None


@dataclass(frozen=True, slots=True)
class Nameless:
    """A bind host that is neither an address nor a name that can be looked up."""

    host: str
    error: str
    forward: ForwardSpec


@dataclass(frozen=True, slots=True)
class Facts:
    """``wsl`` is the networking mode of WSL 2, "?" where it is not known, empty elsewhere."""

    os: str
    tried: tuple[Tried, ...]
    nameless: tuple[Nameless, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    ipv6_is_off: bool = False
    wsl: str = ""


def _binds(target: Target) -> list[tuple[ForwardSpec, str]]:
    return [
        (forward, forward.bind.host)
        for forward in target.forwards
        if forward.kind is not ForwardKind.REMOTE
        and isinstance(forward.bind, Endpoint)
        and forward.bind.host.lower() not in _NOT_LITERAL
    ][:_MOST]


def probe(target: Target, system: System) -> Facts:
    """Use each address once; ask for what would explain a failure."""
    wanted: dict[str, ForwardSpec | None] = {}
    nameless: list[Nameless] = []
    for forward, host in _binds(target):
        found: tuple[str, ...] = (host,)
        if literal(host) is None:
            resolution = system.resolve(host)
            found = resolution.addresses
            if not found:
                nameless.append(Nameless(host, resolution.error, forward))
        for address in found:
            wanted.setdefault(address, forward)
    wanted.setdefault(ALIAS_HOST, None)
    tried = tuple(
        Tried(system.connect_back(Endpoint(address, 0), BULK, _PATIENCE), forward)
        for address, forward in list(wanted.items())[-_MOST:]
    )
    failed = any(each.back.outcome == "bind-failed" for each in tried)
    six = any(is_ipv6(each.back.address.host) for each in tried)
    return Facts(
        system.os,
        tried,
        tuple(nameless),
        system.interfaces() if failed else (),
        ipv6_is_off=failed and six and _ipv6_is_off(system),
        wsl=_wsl(system, tried),
    )


def _ipv6_is_off(system: System) -> bool:
    path = "/proc/sys/" + _IPV6_SWITCH.replace(".", "/")
    return system.os == "linux" and system.read(path, 16).data.strip() == b"1"


def _wsl(system: System, tried: tuple[Tried, ...]) -> str:
    if system.os != "linux" or not any(_is_alias(each) for each in tried if each.forward):
        return ""
    if b"microsoft" not in system.read("/proc/version", 1024).data.lower():
        return ""
    said = system.run(("wslinfo", "--networking-mode"), 2.0)
    return clean(said.text.strip(), 20) if said.ok else "?"


def _is_alias(tried: Tried) -> bool:
    host = tried.back.address.host
    return is_loopback(host) and host not in ("127.0.0.1", "::1")


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say of each address what is in the way, and of 127.0.0.2 alone that nothing is."""
    return tuple(_judge(facts))


def _judge(facts: Facts) -> Iterator[Judgement]:
    for nameless in facts.nameless:
        yield _unknown_name(nameless)
    for tried in facts.tried:
        back = tried.back
        if back.bound is not None and _differs(back.bound.host, back.address.host):
            yield _virtual(tried, back.bound.host)
        elif back.outcome == "bind-failed":
            yield _not_bound(facts, tried)
        elif back.outcome == "stalled":
            yield _stalled(tried)
        elif back.outcome != "ok":
            yield _unreachable(tried)
        elif tried.forward is None:
            yield Finding(
                code=USABLE,
                severity=Severity.OK,
                subject=back.address.host,
                title=f"A forward can listen on {back.address.host}",
            )
        elif facts.wsl not in ("", "mirrored") and _is_alias(tried):
            yield _hidden_by_wsl(facts, tried, tried.forward)


def _differs(bound: str, asked: str) -> bool:
    one, other = literal(bound), literal(asked)
    return one != other if one is not None and other is not None else False


def _seen(back: ConnectBack) -> tuple[Evidence, ...]:
    what = clean(f"{back.outcome} {back.error}".strip())
    return (Evidence(f"listen on and connect to {clean(back.address.host, 60)}", what),)


def _severity(tried: Tried) -> Severity:
    """An address that nobody asked for is no more than a hint."""
    return Severity.INFO if tried.forward is None else Severity.ERROR


def _unknown_name(nameless: Nameless) -> Finding:
    host = clean(nameless.host, 100)
    return Finding(
        code=NAME,
        subject=host,
        title=f"{host}, where a forward is to listen, is neither an address nor a known name",
        explain="It has to be an address of this machine.",
        evidence=(Evidence(f"looking up {host}", clean(nameless.error)),),
        fixes=_elsewhere(nameless.forward, "127.0.0.1"),
    )


def _not_bound(facts: Facts, tried: Tried) -> Judgement:
    back = tried.back
    address = literal(back.address.host)
    scoped = address is None or not (address.version == 6 and address.is_link_local)
    if not scoped and back.error in ("EINVAL", "EADDRNOTAVAIL") and "%" not in back.address.host:
        return _without_scope(facts, tried)
    if back.error not in ("EADDRNOTAVAIL", "EAFNOSUPPORT"):
        host = clean(back.address.host, 60)
        reason = f"{host} cannot be bound: {clean(back.error, 60)}"
        return Unknown(reason=reason, subject=host, evidence=_seen(back))
    return _absent(facts, tried)


def _without_scope(facts: Facts, tried: Tried) -> Finding:
    host = clean(tried.back.address.host, 60)
    names = _holders(facts.interfaces, host)
    scope = f"{host}%{names[0]}" if names else f"{host}%INTERFACE"
    return Finding(
        code=SCOPE,
        severity=_severity(tried),
        subject=host,
        title=f"{host} says nothing without the interface it belongs to: {scope}",
        explain="Addresses in fe80::/10 exist once on every interface (RFC 4007).",
        evidence=_seen(tried.back),
        fixes=_elsewhere(tried.forward, scope),
    )


def _holders(interfaces: tuple[Interface, ...], host: str) -> list[str]:
    wanted = literal(host)
    return [
        clean(each.name, 60)
        for each in interfaces
        if any(literal(own.address) == wanted for own in each.addresses)
    ]


def _absent(facts: Facts, tried: Tried) -> Finding:
    host = clean(tried.back.address.host, 60)
    mine = is_loopback(host)
    if tried.back.error == "EAFNOSUPPORT":
        why = "This system does without that family of addresses."
    elif facts.ipv6_is_off and is_ipv6(host):
        why = "IPv6 is switched off on the loopback interface."
    elif mine and facts.os in ("darwin", "freebsd"):
        why = "macOS and the BSDs configure 127.0.0.1 alone of 127.0.0.0/8; an alias adds this one."
    else:
        why = "Nothing can listen on an address that no interface has."
    own = [
        each.address for one in facts.interfaces for each in one.addresses if each.family != "link"
    ]
    fixes = () if tried.back.error == "EAFNOSUPPORT" else _alias(facts, host)
    fixes += _elsewhere(tried.forward, "127.0.0.1")
    show = {"linux": ("ip", "-br", "address"), "windows": ("ipconfig",)}.get(
        facts.os, ("ifconfig",)
    )
    return Finding(
        code=ABSENT if tried.forward else ALIAS,
        severity=_severity(tried),
        subject=host,
        title=f"{host} is no address of this machine, so nothing can listen there",
        explain=why,
        evidence=(*_seen(tried.back), Evidence("addresses of this machine", clean(", ".join(own)))),
        fixes=(*fixes, Fix(show, note="shows the addresses of this machine")),
    )


def _alias(facts: Facts, host: str) -> tuple[Fix, ...]:
    """Return what gives the loopback interface the address."""
    if facts.os == "linux" and is_ipv6(host):
        if facts.ipv6_is_off:
            on, off = (("sudo", "sysctl", f"{_IPV6_SWITCH}={value}") for value in (0, 1))
            return (Fix(on, needs_admin=True, undo=off),)
        return (_ip_alias(f"{host}/128"),)
    if not is_loopback(host) or is_ipv6(host):
        return ()
    if facts.os == "linux":
        return (_ip_alias(f"{host}/8"),)
    if facts.os not in ("darwin", "freebsd"):
        return ()
    alias = ("sudo", "ifconfig", "lo0", "alias", host)
    undo = ("sudo", "ifconfig", "lo0", "-alias", host)
    if facts.os == "darwin":
        return (Fix((*alias, "up"), needs_admin=True, undo=undo, note="gone after a restart"),)
    kept = f"ifconfig_lo0_alias0=inet {host} netmask 255.255.255.255"
    return (
        Fix((*alias, "netmask", "255.255.255.255"), needs_admin=True, undo=undo),
        Fix(
            ("sudo", "sysrc", kept),
            needs_admin=True,
            persistent=True,
            undo=("sudo", "sysrc", "-x", "ifconfig_lo0_alias0"),
            note="from the next start on",
        ),
    )


def _ip_alias(prefix: str) -> Fix:
    words = ("ip", "addr", "add", prefix, "dev", "lo")
    undo = ("sudo", "ip", "addr", "del", *words[3:])
    return Fix(("sudo", *words), needs_admin=True, undo=undo, note="gone after a restart")


def _elsewhere(forward: ForwardSpec | None, host: str, port: int = 0) -> tuple[Fix, ...]:
    """Return the same forward with another address to listen on, and another port if given."""
    if forward is None or not isinstance(forward.bind, Endpoint):
        return ()
    option = "-D" if forward.kind is ForwardKind.DYNAMIC else "-L"
    there = Endpoint(host, port or forward.bind.port)
    text = f"{there}:{forward.to}" if forward.to else str(there)
    return (Fix(("netkit", "forward", "...", option, text), note=f"listens on {there} instead"),)


def _virtual(tried: Tried, bound: str) -> Finding:
    host, bound = clean(tried.back.address.host, 60), clean(bound, 60)
    return Finding(
        code=VIRTUAL,
        severity=_severity(tried),
        subject=host,
        title=f"What is to listen on {host} listens on {bound} in this session",
        explain=f"A session host gives each session a loopback address of its own: "
        f"clients reach the forward at {bound} and not at {host}.",
        evidence=_seen(tried.back),
        fixes=_elsewhere(tried.forward, bound),
    )


def _stalled(tried: Tried) -> Finding:
    host = clean(tried.back.address.host, 60)
    return Finding(
        code=STALLED,
        severity=_severity(tried),
        subject=host,
        title=f"Small data reaches {host}, and {BULK >> 10} KiB do not",
        explain="A product that inspects local traffic holds it up; tunnels will hang.",
        evidence=(*_seen(tried.back), Evidence("bytes that arrived", str(tried.back.size))),
        fixes=_elsewhere(tried.forward, "127.0.0.1"),
    )


def _unreachable(tried: Tried) -> Finding:
    host = clean(tried.back.address.host, 60)
    how = {
        "timed-out": "does not arrive: something drops it",
        "someone-else": "arrives at another program",
        "wrong-data": "arrives changed",
    }.get(tried.back.outcome, f"is refused ({clean(tried.back.error, 40)})")
    return Finding(
        code=UNREACHABLE,
        severity=_severity(tried),
        subject=host,
        title=f"{host} can be listened on, and what is sent to it {how}",
        explain="A firewall, a redirection or a security product stands in the way.",
        evidence=_seen(tried.back),
        fixes=_elsewhere(tried.forward, "127.0.0.1"),
        confidence=Confidence.LIKELY,
    )


def _hidden_by_wsl(facts: Facts, tried: Tried, forward: ForwardSpec) -> Finding:
    host = clean(tried.back.address.host, 60)
    # mstsc refuses its own machine at 3389
    rdp = isinstance(forward.bind, Endpoint) and forward.bind.port == 3389
    return Finding(
        code=WSL,
        severity=Severity.WARNING,
        subject=host,
        title=f"Windows programs cannot reach {host} of this WSL machine",
        explain="Windows passes connections to 127.0.0.1 on to WSL, and those to no other address; "
        "programs inside WSL are not affected.",
        evidence=(Evidence("networking mode of WSL", clean(facts.wsl, 40)),),
        fixes=_elsewhere(forward, "127.0.0.1", 3390 if rdp else 0),
        confidence=Confidence.POSSIBLE,
    )


CHECK = Check(
    code="loopback-address",
    title="the addresses that forwards listen on",
    probe=probe,
    judge=judge,
    finds=(
        Kind(ABSENT, "no interface has the address that a forward is to listen on"),
        Kind(ALIAS, "127.0.0.2 needs an alias before a forward can listen there"),
        Kind(USABLE, "a forward can listen on 127.0.0.2"),
        Kind(UNREACHABLE, "an address can be bound and not be connected to"),
        Kind(STALLED, "an address passes small data and no bulk"),
        Kind(VIRTUAL, "the session puts another address in the place of the one asked for"),
        Kind(SCOPE, "a link-local IPv6 address lacks its interface"),
        Kind(NAME, "the name that a forward is to listen on is not known"),
        Kind(WSL, "Windows programs cannot reach the address inside WSL"),
    ),
    depends_on=("loopback",),
    effects=(Effect.BINDS,),
    timeout=lambda target: 6.0 + 2 * _PATIENCE * len(_binds(target)),
)
