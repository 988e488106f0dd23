"""Which way a packet takes: the addresses of the first gateway, and the interface towards them.

For probes; nothing is sent, and nothing is judged.
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.parsers.addresses import is_ipv6, literal
from diagnostics.parsers.default_routes import route_get
from diagnostics.parsers.routes import ip_route_get
from diagnostics.system import Interface, System

_MOST = 8
"""Addresses of one name that are looked at."""


@dataclass(frozen=True, slots=True)
class Destination:
    """An address and how a packet gets there; without ``source`` there is no route."""

    address: str
    interface: str = ""
    source: str = ""
    router: str = ""


@dataclass(frozen=True, slots=True)
class FirstHop:
    """Where the first TCP connection goes: the gateway, or the first jump host.

    Attributes:
        host: its name or address; empty where there is no plan or a ProxyCommand connects.
        addresses: what ``host`` stands for, in the resolver's order.
        error: why there are none.
    """

    host: str = ""
    port: int = 22
    addresses: tuple[str, ...] = ()
    error: str = ""


def first_hop(system: System, timeout: float = 2.0) -> FirstHop:
    """Resolve the gateway, or the jump host before it."""
    hops = system.ssh.route().hops
    if not hops or hops[0].proxy_command:
        return FirstHop()
    hop = hops[0]
    if literal(hop.host) is not None:
        return FirstHop(hop.host, hop.port, (hop.host,))
    family = hop.address_family if hop.address_family in ("inet", "inet6") else "any"
    found = system.resolve(hop.host, family, timeout)
    return FirstHop(hop.host, hop.port, found.addresses[:_MOST], found.error)


def way_to(system: System, address: str, interfaces: tuple[Interface, ...]) -> Destination:
    """Ask the system which way ``address`` is; sends nothing.

    The system's own tool is asked first: it names the interface.  An address of ours does so only
    indirectly, since an interface may borrow that of another.
    """
    source = system.source_address(address)
    if not source:
        return Destination(address)
    plain = address.partition("%")[0]
    if system.os == "linux":
        found = ip_route_get(system.run(("ip", "-o", "route", "get", plain), 2.0).stdout)
        if found.interface and found.source:
            return Destination(address, found.interface, found.source, found.router)
    elif system.os in ("darwin", "freebsd"):
        family = "inet6" if is_ipv6(address) else "inet"
        argv = ("route", "-n", "get", *(("-inet6",) if family == "inet6" else ()), plain)
        for route in route_get(system.run(argv, 2.0).stdout, family):
            if route.interface:
                return Destination(address, route.interface, source, route.router)
    return Destination(address, _holder(source, interfaces), source)


def _holder(source: str, interfaces: tuple[Interface, ...]) -> str:
    wanted = literal(source)
    for interface in interfaces:
        for each in interface.addresses:
            if wanted is not None and literal(each.address) == wanted:
                return interface.name
    return ""
