"""The VPNs of a machine: their interfaces, their routes, and the networks beside it.

For probes; asks and does not judge.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from diagnostics.knowledge.vpn_interfaces import is_vpn
from diagnostics.parsers import routes as parsers
from diagnostics.parsers.addresses import literal, network_of
from diagnostics.parsers.routes import Route
from diagnostics.parsers.text import clean
from diagnostics.system import Interface, System
from diagnostics.ways import Destination, way_to

_MOST_LANS, _MOST_ROUTES = 4, 200


@dataclass(frozen=True, slots=True)
class Lan:
    """The network of an interface that belongs to no VPN, and the way to some of its addresses."""

    interface: str
    prefix: str
    samples: tuple[Destination, ...] = ()

    @property
    def network(self) -> ipaddress.IPv4Network:
        """The prefix; 0.0.0.0/32 for text that is none."""
        return Route(self.prefix, self.interface).network

    def holds(self, address: str) -> bool:
        """Return whether ``address`` is in the network."""
        found = literal(address)
        return isinstance(found, ipaddress.IPv4Address) and found in self.network


@dataclass(frozen=True, slots=True)
class Vpns:
    """``names`` are the interfaces that are up; nothing else is known where there is none."""

    names: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    lans: tuple[Lan, ...] = ()

    def has(self, interface: str) -> bool:
        """Return whether an interface is that of a VPN."""
        return interface in self.names

    def described(self) -> str:
        """Return the routes for people."""
        shown = (f"{each.prefix} through {clean(each.interface, 40)}" for each in self.routes[:8])
        return clean(", ".join(shown), 400) or "none in the main table"


NONE = Vpns()


def look(system: System, interfaces: tuple[Interface, ...]) -> Vpns:
    """Return the VPNs that are up; asks for nothing more where there is none."""
    up = [each for each in interfaces if each.is_up and not each.is_loopback]
    vpns = [each for each in up if is_vpn(each.name, system.os, _link_type(system, each.name))][:16]
    if not vpns:
        return NONE
    names = tuple(each.name for each in vpns)
    own = {address.address: each.name for each in vpns for address in each.addresses}
    routes = (
        Route(route.prefix, own.get(route.interface, route.interface), route.router, route.metric)
        for route in _routes(system)
    )
    return Vpns(
        names,
        tuple(route for route in routes if route.interface in names)[:_MOST_ROUTES],
        tuple(_lans([each for each in up if each.name not in names], interfaces, system)),
    )


def _link_type(system: System, name: str) -> int:
    if system.os != "linux":
        return 0
    text = system.read(f"/sys/class/net/{name}/type", 16).data.strip()
    return int(text) if text.isdigit() else 0


def _routes(system: System) -> tuple[Route, ...]:
    if system.os == "linux":
        return parsers.proc_net_route(system.read("/proc/net/route").data)
    if system.os == "windows":
        return parsers.route_print(system.run(("route.exe", "print", "-4")).stdout)
    return parsers.netstat_bsd(system.run(("netstat", "-rn", "-f", "inet")).stdout)


def _lans(
    plain: list[Interface], interfaces: tuple[Interface, ...], system: System
) -> Iterator[Lan]:
    found = [
        (interface, own.address, network)
        for interface in plain
        for own in interface.addresses
        if isinstance(network := network_of(own.address, own.netmask), ipaddress.IPv4Network)
        and 8 <= network.prefixlen <= 30
    ]
    for interface, own_address, network in found[:_MOST_LANS]:
        places = (1, network.num_addresses // 2, network.num_addresses - 2)
        chosen = dict.fromkeys(str(network[place]) for place in places)
        samples = [way_to(system, each, interfaces) for each in chosen if each != own_address]
        yield Lan(interface.name, str(network), tuple(samples))
