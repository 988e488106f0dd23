"""IP addresses as text: what kind one is, and the network it is in.

Whatever is no address is no error here, it is simply not of the kind asked about.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LINK_LOCAL = ipaddress.IPv4Network("169.254.0.0/16")
_LONGEST = 64


def literal(text: str) -> Address | None:
    """Return the address that ``text`` is, without its scope; None for a name."""
    try:
        return ipaddress.ip_address(text[:_LONGEST].partition("%")[0])
    except ValueError:
        return None


def is_loopback(text: str) -> bool:
    """Return whether ``text`` is an address of this machine's loopback, whatever its family."""
    address = literal(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address is not None and address.is_loopback


def is_link_local_4(text: str) -> bool:
    """Return whether ``text`` is in 169.254.0.0/16 (RFC 3927)."""
    address = literal(text)
    return isinstance(address, ipaddress.IPv4Address) and address in _LINK_LOCAL


def is_ipv6(text: str) -> bool:
    """Return whether ``text`` is an IPv6 address."""
    return isinstance(literal(text), ipaddress.IPv6Address)


def prefix_length(netmask: str) -> int | None:
    """Return how many bits ``255.255.255.0``, ``ffff:ffff::`` or ``24`` masks; None: no mask."""
    if netmask.isascii() and netmask.isdecimal() and len(netmask) < 4:
        return int(netmask)
    mask = literal(netmask)
    if mask is None:
        return None
    bits = f"{int(mask):0{mask.max_prefixlen}b}"
    ones = len(bits.rstrip("0"))
    return ones if "0" not in bits[:ones] else None


def network_of(address: str, netmask: str) -> Network | None:
    """Return the network in which an interface with this address and mask is."""
    found, length = literal(address), prefix_length(netmask)
    if found is None or length is None or length > found.max_prefixlen:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        return ipaddress.IPv6Network((int(found), length), strict=False)
    return ipaddress.IPv4Network((int(found), length), strict=False)
