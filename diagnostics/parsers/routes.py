"""Routes to networks, and the way to one address: ``/proc/net/route``, ``ip``, ``netstat``.

IPv4 tables alone: nobody's VPN captures an IPv6 network by accident.  Everything is read by its
shape, so that the language of the system does not matter.
"""

from __future__ import annotations

import ipaddress
import sys
from dataclasses import dataclass

from diagnostics.parsers.addresses import literal, prefix_length
from diagnostics.parsers.text import lines

_UP, _REJECT = 0x1, 0x200  # <linux/route.h>
_MAX_ROUTES = 2000
_MAX_LINES = 8000


@dataclass(frozen=True, slots=True)
class Route:
    """A route: ``prefix`` is like ``10.0.0.0/8``; ``router`` is empty for a network on the link.

    ``interface`` is a name, or on Windows the address of one.
    """

    prefix: str
    interface: str
    router: str = ""
    metric: int = 0

    @property
    def network(self) -> ipaddress.IPv4Network:
        """The prefix; 0.0.0.0/32 for text that is none."""
        try:
            return ipaddress.IPv4Network(self.prefix, strict=False)
        except ValueError:
            return ipaddress.IPv4Network("0.0.0.0/32")


@dataclass(frozen=True, slots=True)
class Way:
    """How a packet leaves: ``router`` is empty where the destination is on the link."""

    interface: str = ""
    source: str = ""
    router: str = ""


def proc_net_route(data: bytes, byteorder: str = sys.byteorder) -> tuple[Route, ...]:
    """Parse ``/proc/net/route``, the main table, whose addresses are in the host's byte order."""
    found = []
    for line in lines(data, _MAX_LINES, 512):
        words = line.split()
        if len(words) < 8:
            continue
        numbers = [_hex(words[at]) for at in (1, 2, 3, 7)]
        if None in numbers or not words[6].isascii() or not words[6].isdecimal():
            continue
        destination, router, flags, mask = (each or 0 for each in numbers)
        if not flags & _UP or flags & _REJECT:
            continue
        order = -1 if byteorder == "little" else 1
        prefix = _prefix(_dotted(destination, order), _dotted(mask, order))
        if prefix:
            via = _dotted(router, order) if router else ""
            found.append(Route(prefix, words[0][:64], via, int(words[6][:10])))
    return tuple(found[:_MAX_ROUTES])


def _hex(word: str) -> int | None:
    try:
        return int(word, 16) if len(word) <= 8 and word.isalnum() else None
    except ValueError:
        return None


def _dotted(number: int, order: int) -> str:
    return ".".join(str(each) for each in number.to_bytes(4, "big")[::order])


def _prefix(address: str, netmask: str) -> str:
    length = prefix_length(netmask)
    found = literal(address)
    if length is None or not isinstance(found, ipaddress.IPv4Address) or length > 32:
        return ""
    return str(ipaddress.IPv4Network((int(found), length), strict=False))


def ip_route_get(data: bytes) -> Way:
    """Parse ``ip route get ADDRESS`` of iproute2: ``... via A dev D src S ...``."""
    words = " ".join(lines(data, 4, 1024)).split()
    found = {"dev": "", "src": "", "via": ""}
    for at, word in enumerate(words[:-1]):
        if word in found and not found[word]:
            value = words[at + 1]
            if word == "via" and value in ("inet", "inet6") and at + 2 < len(words):
                value = words[at + 2]
            found[word] = value[:64]
    if not literal(found["src"]):
        return Way(found["dev"])
    return Way(found["dev"], found["src"], found["via"] if literal(found["via"]) else "")


def netstat_bsd(data: bytes) -> tuple[Route, ...]:
    """Parse ``netstat -rn -f inet`` of macOS and BSD, which shortens ``10.0.0.0/8`` to ``10/8``."""
    found = []
    for line in lines(data, _MAX_LINES, 512):
        words = line.split()
        if len(words) < 4:
            continue
        prefix = _bsd_prefix(words[0])
        # Destination Gateway Flags [Refs Use] Netif [Expire]
        place = 5 if len(words) > 5 and words[3].isdecimal() else 3
        if prefix and "R" not in words[2]:
            router = words[1] if literal(words[1]) else ""
            found.append(Route(prefix, words[place][:64], router))
    return tuple(found[:_MAX_ROUTES])


def _bsd_prefix(word: str) -> str:
    if word == "default":
        return "0.0.0.0/0"
    address, slash, mask = word[:32].partition("/")
    octets = address.split(".")
    if len(octets) > 4 or not all(each.isascii() and each.isdecimal() for each in octets):
        return ""
    length = mask if slash else str(8 * len(octets))
    return _prefix(".".join([*octets, "0", "0", "0"][:4]), length)


def route_print(data: bytes) -> tuple[Route, ...]:
    """Parse ``route print -4`` of Windows: five columns, of which "On-link" is translated."""
    found = []
    for line in lines(data, _MAX_LINES, 512):
        words = line.split()
        if len(words) < 5 or not isinstance(literal(words[-2]), ipaddress.IPv4Address):
            continue
        prefix = _prefix(words[0], words[1]) if "." in words[1] else ""
        if prefix and words[-1].isascii() and words[-1].isdecimal():
            router = words[2] if literal(words[2]) else ""
            found.append(Route(prefix, words[-2], router, int(words[-1][:10])))
    return tuple(found[:_MAX_ROUTES])
