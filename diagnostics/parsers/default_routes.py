"""Default routes: Linux's ``/proc/net``, ``route -n get default``, ``netstat -rn``.

What is printed is read by its shape alone, so that the language of the system does not matter.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from dataclasses import dataclass

from diagnostics.parsers.text import lines

_UP, _GATEWAY, _REJECT = 0x1, 0x2, 0x200  # <linux/route.h>
_MAX_ROUTES = 64


@dataclass(frozen=True, slots=True)
class FoundRoute:
    """A default route.  ``router`` is empty for one that leads straight into an interface.

    ``interface`` is a name, or on Windows the address of one.  The lowest ``metric`` wins.
    """

    family: str
    router: str
    interface: str
    metric: int = 0


def proc_net_route(data: bytes, byteorder: str = sys.byteorder) -> tuple[FoundRoute, ...]:
    """Parse ``/proc/net/route`` (IPv4), whose addresses are in the machine's byte order."""
    found = []
    for line in lines(data, width=512):
        words = line.split()
        if len(words) < 8 or words[1] != "00000000" or words[7] != "00000000":
            continue
        router, flags, metric = _hex(words[2], 8), _hex(words[3], 8), _decimal(words[6])
        if router is None or flags is None or metric is None or not _usable(flags):
            continue
        order = "little" if byteorder == "little" else "big"
        address = str(ipaddress.IPv4Address(router.to_bytes(4, "big")[:: _step(order)]))
        found.append(FoundRoute("inet", address if flags & _GATEWAY else "", words[0][:64], metric))
    return _sorted(found)


def _step(byteorder: str) -> int:
    return -1 if byteorder == "little" else 1


def proc_net_ipv6_route(data: bytes) -> tuple[FoundRoute, ...]:
    """Parse ``/proc/net/ipv6_route``."""
    found = []
    for line in lines(data, width=512):
        words = line.split()
        if len(words) != 10 or words[0] != "0" * 32 or words[1] != "00":
            continue
        router, metric, flags = _hex(words[4], 32), _hex(words[5], 8), _hex(words[8], 8)
        if router is None or flags is None or metric is None or not _usable(flags):
            continue
        if words[9] == "lo":  # the null entry that every table ends with
            continue
        address = str(ipaddress.IPv6Address(router)) if flags & _GATEWAY else ""
        found.append(FoundRoute("inet6", address, words[9][:64], metric))
    return _sorted(found)


def _usable(flags: int) -> bool:
    return bool(flags & _UP) and not flags & _REJECT


def _hex(word: str, length: int) -> int | None:
    if len(word) > length or not re.fullmatch(r"[0-9A-Fa-f]+", word):
        return None
    return int(word, 16)


def _decimal(word: str) -> int | None:
    return int(word) if word.isascii() and word.isdecimal() and len(word) < 11 else None


_GET_GATEWAY = re.compile(r"^\s*gateway:\s*(\S{1,64})\s*$")
_GET_INTERFACE = re.compile(r"^\s*interface:\s*(\S{1,64})\s*$")


def route_get(data: bytes, family: str) -> tuple[FoundRoute, ...]:
    """Parse ``route -n get default`` of macOS and BSD, which is not translated."""
    router = interface = ""
    for line in lines(data, 100):
        if match := _GET_GATEWAY.match(line):
            router = _address(match[1], family)
        elif match := _GET_INTERFACE.match(line):
            interface = match[1]
    return (FoundRoute(family, router, interface),) if router or interface else ()


def netstat(data: bytes) -> tuple[FoundRoute, ...]:
    """Parse ``netstat -rn`` of Linux, macOS, BSD and Windows, and Windows' ``route print``."""
    found = []
    for line in lines(data, width=512):
        words = line.split()
        if len(words) < 3:
            continue
        if words[0] == "default":  # macOS, BSD: Destination Gateway Flags Netif
            route = _bsd(words)
        elif words[:1] == ["0.0.0.0"] and words[2] == "0.0.0.0":  # Linux: Genmask is third
            route = _unix(words)
        elif words[:2] == ["0.0.0.0", "0.0.0.0"]:
            route = _windows(words)
        else:
            continue
        if route is not None:
            found.append(route)
    return _sorted(found)


def _bsd(words: list[str]) -> FoundRoute | None:
    # Destination Gateway Flags [Refs Use] Netif [Expire]; the counters are gone since macOS 11
    place = 5 if len(words) > 5 and words[3].isdecimal() else 3
    if len(words) <= place or "R" in words[2]:
        return None
    family = "inet6" if ":" in words[1] else "inet"
    router = "" if words[1].startswith("link#") else _address(words[1], family)
    # With I in its flags (RTF_IFSCOPE) it serves sockets bound to the interface alone.
    metric = 1 if "I" in words[2] else 0
    return FoundRoute(family, "" if router == "fe80::" else router, words[place][:64], metric)


def _unix(words: list[str]) -> FoundRoute | None:
    router = _address(words[1], "inet")
    if len(words) < 8 or not router:
        return None
    return FoundRoute("inet", "" if router == "0.0.0.0" else router, words[7][:64])


def _windows(words: list[str]) -> FoundRoute | None:
    # Destination Netmask Gateway Interface Metric; "On-link" is translated
    if len(words) < 5:
        return None
    interface, metric = _address(words[-2], "inet"), _decimal(words[-1])
    if not interface or metric is None:
        return None
    return FoundRoute("inet", _address(words[2], "inet"), interface, metric)


def _address(text: str, family: str) -> str:
    """Return the literal in ``text`` without its scope, or nothing."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    return str(address) if (address.version == 6) is (family == "inet6") else ""


def _sorted(found: list[FoundRoute]) -> tuple[FoundRoute, ...]:
    return tuple(sorted(found, key=lambda route: route.metric)[:_MAX_ROUTES])
