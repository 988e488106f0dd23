"""Does a VPN take what is meant for the gateway: with an answer, or without one.

The login says whether the gateway answers; nothing is connected to besides.
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
    with_gateway,
)
from diagnostics.parsers.addresses import is_ipv6
from diagnostics.parsers.text import clean
from diagnostics.system import DefaultRoute, System
from diagnostics.vpns import NONE, Lan, Vpns, look
from diagnostics.ways import Destination, first_hop, way_to
from netkit.model import Fix

CAPTURED, CARRIES = "vpn-captures-gateway", "vpn-carries-gateway"

_CUT = {"timed-out", "no-route", "connection-reset"}
"""Codes of netkit for a connection that came about nowhere."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The ways to the gateway; the login's ``stage`` and ``error_code`` where a VPN is on them."""

    os: str
    host: str = ""
    ways: tuple[Destination, ...] = ()
    vpns: Vpns = NONE
    defaults: tuple[DefaultRoute, ...] = ()
    stage: str = ""
    error_code: str = ""


def probe(_target: Target, system: System) -> Facts:
    """Ask for the way to the gateway where a VPN is up, and whether it answers."""
    interfaces = system.interfaces()
    vpns = look(system, interfaces)
    if not vpns.names:
        return Facts(system.os)
    hop = first_hop(system)
    ways = tuple(way_to(system, each, interfaces) for each in hop.addresses)
    if not any(vpns.has(way.interface) for way in ways):
        return Facts(system.os, hop.host, ways, vpns)
    login = system.ssh.login()
    defaults = system.default_routes()
    return Facts(system.os, hop.host, ways, vpns, defaults, login.stage, login.error_code)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say that the VPN carries the gateway, as a fault where nothing answers."""
    way = next((each for each in facts.ways if facts.vpns.has(each.interface)), None)
    if way is None:
        return ()
    host, vpn, address = clean(facts.host, 80), clean(way.interface, 40), clean(way.address, 60)
    seen = (
        Evidence(f"the way to {address}", f"{vpn}, from {clean(way.source, 60)}"),
        Evidence("routes of the VPN", facts.vpns.described()),
    )
    if facts.stage != "tcp" or facts.error_code not in _CUT:
        return (
            Finding(
                code=CARRIES,
                severity=Severity.INFO,
                subject=host,
                title=f"The way to {host} goes through the VPN {vpn}",
                explain="Tunnels end with the VPN; its MTU and its limits for idle connections "
                "count.",
                evidence=seen,
            ),
        )
    lan = next((each for each in facts.vpns.lans if each.holds(way.address)), None)
    beside = f", although {address} is in the network of {clean(lan.interface, 40)}" if lan else ""
    return (
        Finding(
            code=CAPTURED,
            subject=host,
            title=f"What is sent to {host} goes into the VPN {vpn}{beside}, and nothing answers",
            explain="Routes of the VPN cover its address. If the gateway is not behind the VPN, "
            "give it a route of its own, or end the VPN.",
            evidence=(*seen, Evidence("netkit's code", clean(facts.error_code, 60))),
            fixes=_own_route(facts, way, lan),
            confidence=Confidence.CERTAIN if lan else Confidence.LIKELY,
        ),
    )


def _own_route(facts: Facts, way: Destination, lan: Lan | None) -> tuple[Fix, ...]:
    """Return a route to the gateway alone that goes past the VPN."""
    family = "inet6" if is_ipv6(way.address) else "inet"
    past = [
        each
        for each in facts.defaults
        if each.family == family and each.router and not facts.vpns.has(each.interface)
    ]
    router = clean(past[0].router, 60) if past else ""
    device = clean(lan.interface if lan else past[0].interface if past else "", 40)
    address = clean(way.address.partition("%")[0], 60)
    if not device:
        return ()
    take: tuple[str, ...]
    if facts.os == "linux":
        prefix = f"{address}/{128 if family == 'inet6' else 32}"
        tool: tuple[str, ...] = ("sudo", "ip", "route")
        # the VPN may have a route to this very address, beside which "add" would fail
        add = ("replace", prefix, *(() if lan else ("via", router)), "dev", device)
        take = _restored(facts, way, prefix)
    elif facts.os == "windows":
        if not router or family == "inet6":
            return ()
        tool, take = ("route",), ("delete", address)
        add = ("add", address, "mask", "255.255.255.255", router)
    else:
        tool = ("sudo", "route")
        where = ("-interface", device) if lan else (router,)
        add = ("add", *(("-inet6",) if family == "inet6" else ()), "-host", address, *where)
        take = ("delete", "-host", address)
    note = "goes past the VPN until the next restart"
    return (Fix((*tool, *add), needs_admin=True, undo=(*tool, *take), note=note),)


def _restored(facts: Facts, way: Destination, prefix: str) -> tuple[str, ...]:
    """Return what takes the route away, and gives back the one that it took the place of."""
    for route in facts.vpns.routes:
        if (route.prefix, route.interface) == (prefix, way.interface):
            via = ("via", clean(route.router, 60)) if route.router else ()
            return ("replace", prefix, *via, "dev", clean(route.interface, 40))
    return ("del", prefix)


CHECK = Check(
    code="vpn-gateway",
    title="whether a VPN takes the gateway",
    probe=probe,
    judge=judge,
    finds=(
        Kind(CAPTURED, "a VPN takes what is meant for the gateway, and nothing answers"),
        Kind(CARRIES, "the way to the gateway goes through a VPN"),
    ),
    effects=(Effect.RUNS_TOOLS, Effect.LOGS_IN),
    timeout=LOGIN_TIME + 10.0,
    applies=with_gateway,
)
