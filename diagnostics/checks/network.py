"""Is there a network at all, and a route to the gateway where one is named.

A machine without a default route is complete as long as nobody asks for what lies beyond: then
that is said, and no fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
from diagnostics.parsers.addresses import is_ipv6, is_link_local_4, is_loopback
from diagnostics.parsers.text import clean
from diagnostics.system import DefaultRoute, Interface, System
from diagnostics.ways import Destination, FirstHop, first_hop, way_to
from netkit.model import Fix

NONE, NO_ROUTE, UNROUTABLE = "no-network", "no-default-route", "gateway-unroutable"
SELF_ASSIGNED, SEVERAL, PATH = "address-self-assigned", "several-default-routes", "network-path"


@dataclass(frozen=True, slots=True)
class Facts:
    """The interfaces and default routes; ``hop`` and ``ways`` where a gateway is named."""

    os: str
    interfaces: tuple[Interface, ...]
    routes: tuple[DefaultRoute, ...]
    hop: FirstHop | None = None
    ways: tuple[Destination, ...] = ()


def probe(target: Target, system: System) -> Facts:
    """List interfaces and default routes, and ask for the way to each address of the gateway."""
    interfaces, routes = system.interfaces(), system.default_routes()
    if not target.gateway:
        return Facts(system.os, interfaces, routes)
    hop = first_hop(system)
    ways = tuple(way_to(system, each, interfaces) for each in hop.addresses)
    return Facts(system.os, interfaces, routes, hop, ways)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say what is missing, as an error where the named gateway needs it."""
    return tuple(_judge(facts))


def _judge(facts: Facts) -> Iterator[Finding]:
    needed, stuck = _needs_network(facts), _is_stuck(facts)
    if not _usable(facts.interfaces):
        yield _none(facts, needed=needed)
    elif not facts.routes:
        yield _no_route(facts, needed=needed)
    elif stuck:
        yield _unroutable(facts)
    yield from _self_assigned(facts, needed=needed)
    yield from _several(facts)
    if facts.hop is not None and facts.ways and not stuck and not is_loopback(facts.hop.host):
        yield _path(facts)


def _usable(interfaces: tuple[Interface, ...]) -> list[Interface]:
    """Return what leads out of this machine: up, and with an address of its own."""
    return [
        each
        for each in interfaces
        if each.is_up
        and not each.is_loopback
        and any(
            own.family != "link" and not own.address.lower().startswith("fe80")
            for own in each.addresses
        )
    ]


def _needs_network(facts: Facts) -> bool:
    """Return whether a gateway is named that cannot be reached as things are."""
    if facts.hop is None or not facts.hop.host:
        return False
    return _is_stuck(facts) if facts.ways else True


def _is_stuck(facts: Facts) -> bool:
    """Return whether no address is routed; loopback is another check's matter."""
    return bool(facts.ways) and not any(
        way.source or is_loopback(way.address) for way in facts.ways
    )


def _severity(*, needed: bool) -> Severity:
    return Severity.ERROR if needed else Severity.INFO


def _subject(facts: Facts) -> str:
    return clean(facts.hop.host, 100) if facts.hop else ""


def _seen(facts: Facts) -> tuple[Evidence, ...]:
    seen = [
        Evidence(
            clean(each.name, 40),
            ("up" if each.is_up else "down")
            + clean("".join(f" {a.address}" for a in each.addresses if a.family != "link"), 160),
        )
        for each in facts.interfaces[:16]
    ]
    if facts.hop is not None and facts.hop.addresses:
        name = clean(facts.hop.host, 60)
        seen.append(Evidence(f"addresses of {name}", clean(", ".join(facts.hop.addresses))))
    return tuple(seen)


def _none(facts: Facts, *, needed: bool) -> Finding:
    down = [each for each in facts.interfaces if not each.is_loopback and not each.is_up]
    fixes: tuple[Fix, ...] = ()
    if facts.os == "linux" and len(down) == 1:
        argv = ("sudo", "ip", "link", "set", clean(down[0].name, 40))
        fixes = (Fix((*argv, "up"), needs_admin=True, undo=(*argv, "down")),)
    return Finding(
        code=NONE,
        severity=_severity(needed=needed),
        subject=_subject(facts),
        title="This machine is in no network: no interface but loopback is up with an address",
        explain="The gateway cannot be reached from here."
        if needed
        else "Forwards on this machine work; every gateway elsewhere is out of reach.",
        evidence=_seen(facts),
        fixes=fixes,
    )


def _show_routes(os: str) -> Fix:
    argv = {"linux": ("ip", "route"), "windows": ("route", "print")}.get(os, ("netstat", "-rn"))
    return Fix(argv, note="shows the routes")


def _no_route(facts: Facts, *, needed: bool) -> Finding:
    fixes = [_show_routes(facts.os)]
    names = [clean(each.name, 40) for each in _usable(facts.interfaces)]
    if facts.os == "linux":
        note = "asks the router for an address and a route"
        fixes.insert(0, Fix(("sudo", "dhclient", names[0]), needs_admin=True, note=note))
    elif facts.os == "windows":
        fixes.insert(0, Fix(("ipconfig", "/renew"), note="asks the router for a route"))
    elif facts.os == "darwin":
        argv = ("sudo", "ipconfig", "set", names[0], "DHCP")
        fixes.insert(0, Fix(argv, needs_admin=True, note="asks the router for a route"))
    beyond = f", and {_subject(facts)} is not in its own network" if needed else ""
    return Finding(
        code=NO_ROUTE,
        severity=_severity(needed=needed),
        subject=_subject(facts),
        title=f"This machine has no default route{beyond}",
        explain="What is not in the network of an interface itself cannot be reached; "
        "a DHCP server that did not answer or a VPN that was cut may be why.",
        evidence=_seen(facts),
        fixes=tuple(fixes),
        confidence=Confidence.CERTAIN if facts.ways or not needed else Confidence.LIKELY,
    )


def _unroutable(facts: Facts) -> Finding:
    host = _subject(facts)
    addresses = [way.address for way in facts.ways]
    six = all(is_ipv6(each) for each in addresses)
    why = "No route of this machine leads there, not even the default route."
    if six and not any(route.family == "inet6" for route in facts.routes):
        why = "It has IPv6 addresses alone, and this machine has no way into the IPv6 network."
    return Finding(
        code=UNROUTABLE,
        subject=host,
        title=f"There is no route to {host} ({clean(', '.join(addresses), 120)})",
        explain=why,
        evidence=_seen(facts),
        fixes=(_show_routes(facts.os),),
    )


def _self_assigned(facts: Facts, *, needed: bool) -> Iterator[Finding]:
    """Report an interface without a DHCP server where there is no better one."""
    own = [
        (one, each.address)
        for one in _usable(facts.interfaces)
        for each in one.addresses
        if each.family == "inet"
    ]
    if not own or not all(is_link_local_4(address) for _, address in own):
        return
    interface, address = own[0]
    name = clean(interface.name, 40)
    fixes = {
        "linux": Fix(("sudo", "dhclient", name), needs_admin=True, note="asks for an address"),
        "windows": Fix(("ipconfig", "/renew"), note="asks for an address"),
        "darwin": Fix(("sudo", "ipconfig", "set", name, "DHCP"), needs_admin=True),
    }
    yield Finding(
        code=SELF_ASSIGNED,
        severity=_severity(needed=needed),
        subject=name,
        title=f"{name} gave itself the address {clean(address, 40)}: no DHCP server answered",
        explain="With such an address (RFC 3927) only machines on the same cable are reached.",
        evidence=_seen(facts),
        fixes=(fixes[facts.os],) if facts.os in fixes else (),
        confidence=Confidence.LIKELY,
    )


def _several(facts: Facts) -> Iterator[Finding]:
    routes = [route for route in facts.routes if route.family == "inet"]
    if len({route.interface for route in routes}) < 2:
        return
    shown = [
        f"{clean(each.interface, 40)} ({clean(each.router, 40) or 'direct'})" for each in routes
    ]
    yield Finding(
        code=SEVERAL,
        severity=Severity.INFO,
        title=f"There are several default routes; {shown[0]} is used",
        explain="When that one goes, connections move to another and break once.",
        evidence=(Evidence("in their order", clean(", ".join(shown[:8]))),),
    )


def _path(facts: Facts) -> Finding:
    way = next(each for each in facts.ways if each.source)
    through = clean(way.interface, 40) or "an interface"
    if way.router:
        through += f" by the router {clean(way.router, 60)}"
    return Finding(
        code=PATH,
        severity=Severity.OK,
        subject=_subject(facts),
        title=f"{clean(way.address, 60)} is reached through {through}",
        evidence=(Evidence("from our address", clean(way.source, 60)),),
    )


CHECK = Check(
    code="network",
    title="the network of this machine",
    probe=probe,
    judge=judge,
    finds=(
        Kind(NONE, "no interface but loopback is up with an address"),
        Kind(NO_ROUTE, "there is no default route", caused_by=(SELF_ASSIGNED,)),
        Kind(UNROUTABLE, "no route leads to the gateway"),
        Kind(SELF_ASSIGNED, "an interface got no address from a DHCP server"),
        Kind(SEVERAL, "several default routes compete"),
        Kind(PATH, "the way to the gateway"),
    ),
)
