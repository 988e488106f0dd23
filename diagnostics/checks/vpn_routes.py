"""Does a VPN take what is meant for the network next to us, or a whole private range."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from diagnostics.model import (
    Check,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
)
from diagnostics.parsers.routes import Route
from diagnostics.parsers.text import clean
from diagnostics.system import System
from diagnostics.vpns import NONE, Lan, Vpns, look
from diagnostics.ways import Destination
from netkit.model import Fix

LAN, RANGE, EVERYTHING = "vpn-captures-lan", "vpn-takes-private-range", "vpn-takes-everything"

_PRIVATE = tuple(
    ipaddress.IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
"""RFC 1918 section 3."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The VPNs, with the way to some addresses of each network beside this machine."""

    os: str
    vpns: Vpns = NONE


def probe(_target: Target, system: System) -> Facts:
    """Ask for the ways only where a VPN is up: nearly no machine has one."""
    return Facts(system.os, look(system, system.interfaces()))


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say what a VPN took away, then what it carries."""
    return tuple(_judge(facts))


def _judge(facts: Facts) -> Iterator[Finding]:
    for lan in facts.vpns.lans:
        taken = next((each for each in lan.samples if facts.vpns.has(each.interface)), None)
        if taken is not None:
            yield _lan(facts, lan, taken)
    whole = [route for route in facts.vpns.routes if route.network.prefixlen <= 1]
    if whole:
        yield _everything(whole[0])
    for block in _PRIVATE:
        yield from _ranges(facts, block)


def _lan(facts: Facts, lan: Lan, taken: Destination) -> Finding:
    vpn, interface, prefix = clean(taken.interface, 40), clean(lan.interface, 40), str(lan.network)
    # Only a route as narrow as that of the network itself can win over it.
    wrong = [
        route
        for route in facts.vpns.routes
        if route.interface == taken.interface and route.network.subnet_of(lan.network)
    ]
    fixes = tuple(_drop(facts.os, route) for route in wrong[:4])
    if not fixes and facts.os == "linux":
        fixes = (Fix(("ip", "rule", "show"), note="shows the rules that prefer the VPN"),)
    return Finding(
        code=LAN,
        severity=Severity.WARNING,
        subject=prefix,
        title=f"The VPN {vpn} takes what is meant for the network of {interface}, {prefix}",
        explain="Machines beside this one, the router included, are looked for in the VPN. Both "
        "networks use the same private addresses.",
        evidence=(
            Evidence(
                f"the way to {clean(taken.address, 60)}", f"{vpn}, from {clean(taken.source, 60)}"
            ),
            Evidence("routes of the VPN", facts.vpns.described()),
        ),
        fixes=fixes,
    )


def _drop(os: str, route: Route) -> Fix:
    name, network = clean(route.interface, 40), route.network
    if os == "windows":
        return Fix(("route", "delete", str(network.network_address)), needs_admin=True)
    tool: tuple[str, ...] = ("sudo", "ip", "route")
    take = "del"
    words: tuple[str, ...] = (str(network), "dev", name)
    if os != "linux":
        tool, take, words = ("sudo", "route"), "delete", ("-net", str(network), "-interface", name)
    return Fix((*tool, take, *words), needs_admin=True, undo=(*tool, "add", *words))


def _everything(route: Route) -> Finding:
    name = clean(route.interface, 40)
    return Finding(
        code=EVERYTHING,
        severity=Severity.INFO,
        subject=name,
        title=f"The VPN {name} carries everything that leaves this machine",
        explain="Tunnels end with the VPN; its MTU and its limits for idle connections count.",
        evidence=(Evidence("route", f"{route.network} through {name}"),),
    )


def _ranges(facts: Facts, block: ipaddress.IPv4Network) -> Iterator[Finding]:
    """Report a VPN that takes a private range whole, or half of it."""
    for route in facts.vpns.routes:
        network = route.network
        if not 2 <= network.prefixlen <= block.prefixlen + 1 or not network.overlaps(block):
            continue
        name = clean(route.interface, 40)
        yield Finding(
            code=RANGE,
            severity=Severity.INFO,
            subject=str(network),
            title=f"The VPN {name} takes {network}, which private networks use too",
            explain="A gateway with such an address is looked for in the VPN, wherever it is.",
            evidence=(Evidence("route", f"{network} through {name}"),),
        )
        return


CHECK = Check(
    code="vpn-routes",
    title="what a VPN takes",
    probe=probe,
    judge=judge,
    finds=(
        Kind(LAN, "a VPN takes what is meant for the local network"),
        Kind(RANGE, "a VPN takes a range of private addresses"),
        Kind(EVERYTHING, "a VPN carries everything"),
    ),
    effects=(Effect.RUNS_TOOLS,),
    timeout=10.0,
)
