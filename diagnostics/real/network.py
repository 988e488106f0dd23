"""Interfaces, default routes, and the address of ours that leads somewhere."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from diagnostics.parsers import default_routes as parsers
from diagnostics.parsers.default_routes import FoundRoute
from diagnostics.real import files
from diagnostics.real.dialing import numeric
from diagnostics.system import (
    MAX_READ,
    DefaultRoute,
    Interface,
    InterfaceAddress,
    ToolOutput,
)
from netkit.model import Endpoint

Run = Callable[[tuple[str, ...]], ToolOutput]

_DISCARD = 9
"""The port a UDP socket is connected to in order to learn the route; nothing is sent."""

_MAX_INTERFACES = 4096


def interfaces() -> tuple[Interface, ...]:
    """Return every interface with its addresses, in the system's order."""
    import psutil  # noqa: PLC0415 (import cost)

    families = {socket.AF_INET: "inet", socket.AF_INET6: "inet6", psutil.AF_LINK: "link"}
    try:
        addresses, states = psutil.net_if_addrs(), psutil.net_if_stats()
    except (psutil.Error, OSError, RuntimeError):
        return ()
    found: dict[str, Interface] = {}
    for label in list(dict.fromkeys([*states, *addresses]))[:_MAX_INTERFACES]:
        # "eth0:1" is an address of eth0 with a label (Linux)
        name = label if label in states else label.partition(":")[0]
        state = states.get(name)
        usable = tuple(
            InterfaceAddress(families[each.family], _plain(each.address), each.netmask or "")
            for each in addresses.get(label, ())
            if each.family in families and each.address
        )
        before = found.get(name)
        if before is not None:
            found[name] = replace(before, addresses=before.addresses + usable)
            continue
        flags = getattr(state, "flags", "") if state is not None else ""
        found[name] = Interface(
            name,
            is_up=state is not None and state.isup,
            mtu=state.mtu if state is not None else 0,
            addresses=usable,
            is_loopback=_is_loopback(name, flags, usable),
        )
    return tuple(found.values())


def _plain(address: str) -> str:
    return address.partition("%")[0]


def _is_loopback(name: str, flags: str, addresses: tuple[InterfaceAddress, ...]) -> bool:
    if flags:
        return "loopback" in flags.split(",")
    own = (each.address for each in addresses)
    return "Loopback" in name or any(each == "::1" or each.startswith("127.") for each in own)


def default_routes(run: Run) -> tuple[DefaultRoute, ...]:
    """Return the default routes of both families, the one in force first."""
    found = _by_netifaces()
    if sys.platform.startswith("linux"):
        # netifaces passes over routes without a router, such as those of VPNs.
        ordered = _of_linux()
        known = {(each.family, each.router, each.interface) for each in ordered}
        rest = [each for each in found if (each.family, each.router, each.interface) not in known]
        families = {each.family for each in ordered}
        extra = [
            replace(each, is_default=False) if each.family in families else each for each in rest
        ]
        return (*ordered, *extra)
    return tuple(found) or _by_tools(run)


def _by_netifaces() -> list[DefaultRoute]:
    try:
        import netifaces  # noqa: PLC0415 (it may be missing, and Linux can do without)

        gateways: Any = netifaces.gateways()
        found = []
        for family, name in ((netifaces.AF_INET, "inet"), (netifaces.AF_INET6, "inet6")):
            for router, interface, *rest in gateways.get(family, ()):
                is_default = bool(rest[0]) if rest else True
                found.append(DefaultRoute(name, _plain(str(router)), str(interface), is_default))
    except (ImportError, OSError, ValueError, TypeError, AttributeError):
        return []
    return sorted(found, key=lambda route: not route.is_default)


def _of_linux() -> tuple[DefaultRoute, ...]:
    four = files.read("/proc/net/route", MAX_READ).data
    six = files.read("/proc/net/ipv6_route", MAX_READ).data
    return (
        *_defaults(parsers.proc_net_route(four)),
        *_defaults(parsers.proc_net_ipv6_route(six)),
    )


def _defaults(found: Iterable[FoundRoute]) -> list[DefaultRoute]:
    """Return routes of one family, the best first, of which that one is the default."""
    return [
        DefaultRoute(each.family, each.router, each.interface, is_default=index == 0)
        for index, each in enumerate(found)
    ]


def _by_tools(run: Run) -> tuple[DefaultRoute, ...]:
    if sys.platform == "win32":
        return _of_windows(parsers.netstat(run(("route.exe", "print", "0.0.0.0")).stdout))
    four = parsers.route_get(run(("route", "-n", "get", "default")).stdout, "inet")
    six = parsers.route_get(run(("route", "-n", "get", "-inet6", "default")).stdout, "inet6")
    if not four and not six:
        table = parsers.netstat(run(("netstat", "-rn")).stdout)
        four = tuple(each for each in table if each.family == "inet")
        six = tuple(each for each in table if each.family == "inet6")
    return (*_defaults(four), *_defaults(six))


def _of_windows(found: tuple[FoundRoute, ...]) -> tuple[DefaultRoute, ...]:
    """Put the names of interfaces in the place of their addresses."""
    names = {each.address: one.name for one in interfaces() for each in one.addresses}
    named = (replace(each, interface=names.get(each.interface, each.interface)) for each in found)
    return tuple(_defaults(named))


def source_address(destination: str) -> str:
    """Return the address this machine would use towards an IP literal; sends nothing."""
    try:
        family, where = numeric(Endpoint(destination, _DISCARD))
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect(where)
            return str(sock.getsockname()[0])
    except OSError:
        return ""
