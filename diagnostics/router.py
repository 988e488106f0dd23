"""What identifies the network this machine is in: its default router's IP and MAC addresses."""

from __future__ import annotations

from diagnostics.parsers.neighbours import mac_of
from diagnostics.system import DefaultRoute, System

_LIMIT = 2.0


def router_of(system: System) -> str:
    """Return a text that only this network has; empty where the router cannot be told.

    An IP address alone identifies nothing: half of all homes have 192.168.1.1.  Asks the machine
    only, and sends nothing.
    """
    for route in system.default_routes():
        if route.router and (mac := _mac(system, route)):
            return f"{route.router} {mac}"
    return ""


def _mac(system: System, route: DefaultRoute) -> str:
    router = route.router
    if system.os == "linux":
        if route.family == "inet" and (mac := mac_of(system.read("/proc/net/arp").data, router)):
            return mac
        argv: tuple[str, ...] = ("ip", "neigh", "show", router)
        if route.interface:
            argv = (*argv, "dev", route.interface)
    elif route.family == "inet6":
        argv = ("netsh", "interface", "ipv6", "show", "neighbors")
        if system.os != "windows":
            argv = ("ndp", "-an")
    else:
        argv = ("arp", "-a", router) if system.os == "windows" else ("arp", "-n", router)
    return mac_of(system.run(argv, timeout=_LIMIT).stdout, router)
