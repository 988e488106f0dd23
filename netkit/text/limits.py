"""Limits as the user writes them: sizes, targets that may be reached, networks that may connect.

Sizes are those of curl --limit-rate: ``k``, ``M`` and ``G`` are powers of 1024.  Targets are
``HOST:PORT``: a host name in which ``*`` stands for any characters, a literal address, or a network
``10.0.0.0/8``; a port, a range ``8000-8099`` or ``*``.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from netkit.errors import UsageError
from netkit.model import Endpoint
from netkit.text.endpoints import check_host, is_ipv6, parse_port, quoted
from netkit.text.patterns import matches

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_BYTES: Final = 1 << 50
"""The largest size that may be said."""

_LONGEST: Final = 300
_MAPPED: Final = 96
"""Bits in front of the IPv4 address in an IPv6 address that stands for one (RFC 4291 2.5.5.2)."""

_SIZE: Final = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,6}))?([kmgt]?)(i?b)?(/s)?", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
# What a resolver may take for an address although it is not written as one: 127.1, 0x7f000001.
_NUMERIC: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.IGNORECASE)


def parse_size(text: str, what: str = "a size", *, lowest: int = 1) -> int:
    """Return bytes: ``4096``, ``512k``, ``1.5M``, ``10MiB``; of a rate, ``/s`` may follow.

    ``k``, ``M``, ``G`` and ``T`` are 1024 and its powers, with or without ``B`` or ``iB``.

    Raises:
        UsageError: it is none, or is not between ``lowest`` and 1024 T.
    """
    found = _SIZE.fullmatch(text.strip()) if text.isascii() and len(text) < _LONGEST else None
    if found is None:
        raise _bad(what, text, "it is a number of bytes, or one with k, M or G: 512k, 10M")
    whole, part, unit, *_ = found.groups()
    factor: int = 1 << 10 * _POWERS[unit.lower()]
    number: int = int(whole) * factor + int(part or "0") * factor // 10 ** len(part or "")
    if not lowest <= number <= MOST_BYTES:
        raise _bad(what, text, f"the least is {format_size(lowest)}, the most 1024T")
    return number


def format_size(number: int) -> str:
    """Return what `parse_size` reads back: the largest unit without a fraction."""
    for unit in ("T", "G", "M", "k"):
        factor = 1 << 10 * _POWERS[unit.lower()]
        if number and number % factor == 0:
            return f"{number // factor}{unit}"
    return str(number)


@dataclass(frozen=True, slots=True)
class TargetPattern:
    """Targets that may be reached: a network or a name pattern, and a range of ports.

    ``name`` is lower-case and has no dot at its end; it is ``*`` where everything is meant.  It
    means nothing where there is a ``network``.
    """

    network: Network | None
    name: str
    first: int
    last: int

    def matches(self, target: Endpoint) -> bool:
        """Tell whether ``target``, as a client asked for it, is one of them; nothing is resolved.

        A literal address is compared by its value, an IPv6 form of an IPv4 address as that.  What
        a resolver may take for an address, but is not written as one (``127.1``), matches only
        ``*``.
        """
        if not self.first <= target.port <= self.last:
            return False
        if self.network is None and self.name == "*":
            return True
        host = target.host.lower().removesuffix(".")
        address = parse_address(host)
        if address is not None:
            return self.network is not None and contains(self.network, address)
        if self.network is not None or _NUMERIC.fullmatch(host):
            return False
        return matches(host, self.name)


def parse_target(text: str) -> TargetPattern:
    """Return the targets that ``HOST:PORT`` names.

    Raises:
        UsageError: it names none.
    """
    what = "HOST:PORT of targets"
    if not text or len(text) > _LONGEST:
        raise _bad(what, text, "it is empty or too long")
    host, colon, port = text.rpartition(":")
    if not colon or is_ipv6(text):
        example = f"[{text}]" if is_ipv6(text) else text
        raise _bad(what, text, f"the port is missing; {example}:* is every port of it")
    first, last = _ports(port, text)
    inside, bracket, rest = host.removeprefix("[").partition("]")
    if host.startswith("[") != bool(bracket) or (rest and not rest.startswith("/")):
        raise _bad(what, text, "brackets enclose the whole address, as in [2001:db8::]/32:443")
    host = inside + rest
    if not bracket and ":" in host:
        raise _bad(what, text, f"an IPv6 address is written in brackets: [{host}]:{port}")
    if "/" in host:
        return TargetPattern(_network(host, what, text), "", first, last)
    address = parse_address(host)
    if address is not None:
        return TargetPattern(ipaddress.ip_network(address), "", first, last)
    if bracket:
        raise _bad(what, text, f"{quoted(host)} is no IPv6 address")
    return TargetPattern(None, _name(host, what, text), first, last)


def parse_source(text: str) -> Network:
    """Return the network that an address, or ``ADDRESS/BITS``, names.

    Raises:
        UsageError: it names none.
    """
    what = "a network of clients"
    plain = text.strip().removeprefix("[").replace("]", "", 1) if len(text) < _LONGEST else ""
    return _network(plain, what, text)


def parse_address(host: str) -> Address | None:
    """Return the address that ``host`` is written as; None for a name.

    An IPv6 form of an IPv4 address is that address; a zone is dropped.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def contains(network: Network, address: Address) -> bool:
    """Tell whether ``address`` is in ``network``; of different families, it never is."""
    return network.version == address.version and address in network


def _ports(text: str, whole: str) -> tuple[int, int]:
    if text == "*":
        return 0, 65535
    first, dash, last = text.partition("-")
    try:
        ports = parse_port(first), parse_port(last if dash else first)
    except UsageError:
        raise _bad("HOST:PORT of targets", whole, "a port is 1 to 65535, a-b or *") from None
    if ports[0] > ports[1]:
        raise _bad("HOST:PORT of targets", whole, f"the range {text} ends before it begins")
    return ports


def _network(text: str, what: str, whole: str) -> Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        try:
            better = ipaddress.ip_network(text, strict=False)
        except ValueError:
            why = "a network is written 10.0.0.0/8 or 2001:db8::/32"
        else:
            why = f"it has bits behind its {better.prefixlen}; {better} is the whole network"
        raise _bad(what, whole, why) from None
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= _MAPPED:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED))
    return network


def _name(host: str, what: str, whole: str) -> str:
    if host == "*":
        return host
    name = host.lower().removesuffix(".")
    try:
        check_host(name.replace("*", "x"), whole)
    except UsageError as error:
        raise _bad(what, whole, error.cause) from None
    if "?" in name or "!" in name:
        raise _bad(what, whole, "the only wildcard is *")
    last = name.rpartition(".")[2]
    looks_numeric = last != "*" and _NUMERIC.fullmatch(name.replace("*", "0")) is not None
    if looks_numeric or not name.strip("0123456789.*"):
        # 10.* would match the name 10.somebody.example.
        raise _bad(what, whole, "addresses are written whole or as a network: 10.0.0.0/8")
    return name


def _bad(what: str, text: str, why: str) -> UsageError:
    return UsageError(f"{quoted(text)} is not {what}", code="bad-limit", cause=why)
