"""Finding IP and MAC addresses in text, in whatever form tools print them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from diagnostics.redaction.stand_ins import IPAddress

_MAC = re.compile(
    r"(?<![0-9A-Fa-f:-])(?:"
    r"[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}"
    r")(?![:-]?[0-9A-Fa-f])"
)
_IPV6 = r"(?<![0-9A-Za-z])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:(?:\.\d{1,3}){3})?"
_IPV4 = r"(?<!\d)(?<!\d\.)(?:(?:\d{1,3}\.){3}\d{1,3}|(?:\d{1,3}-){3}\d{1,3})(?!\d)"
_FOUR = re.compile(_IPV4)
_IP = re.compile(f"(?P<six>{_IPV6})|(?P<four>{_IPV4})")
_MAX_SIX = 45
_NOBODY = frozenset({"000000000000", "ffffffffffff"})


def replaced(
    text: str, on_ip: Callable[[IPAddress], str | None], on_mac: Callable[[str], str]
) -> str:
    """Return ``text`` with each address replaced; ``on_ip`` says None for one that stays."""
    if "." not in text and ":" not in text and "-" not in text:
        return text

    def mac(match: re.Match[str]) -> str:
        plain = normal_mac(match[0])
        return match[0] if plain in _NOBODY else on_mac(plain)

    def ip(match: re.Match[str]) -> str:
        if match["four"] is not None:
            return _four(match["four"], on_ip)
        return _six(match["six"], on_ip)

    pieces = []
    at = 0
    for match in _MAC.finditer(text):
        pieces += [_IP.sub(ip, text[at : match.start()]), mac(match)]
        at = match.end()
    return "".join([*pieces, _IP.sub(ip, text[at:])])


def normal_mac(text: str) -> str:
    """Return the twelve digits of a MAC address, ``0:1c:b3`` written as ``001cb3``."""
    return "".join(part.zfill(2) for part in re.split("[:-]", text)).lower()


def _four(text: str, on_ip: Callable[[IPAddress], str | None]) -> str:
    octets = [int(part) for part in re.split("[.-]", text)]
    if max(octets) > 255:
        return text
    address = ipaddress.IPv4Address(bytes(octets))
    if stays(address):
        return text
    found = on_ip(address)
    if found is None:
        return text
    return found.replace(".", "-") if "-" in text else found


def _six(text: str, on_ip: Callable[[IPAddress], str | None]) -> str:
    """Replace the address in a run of digits and colons, of which the ends may be prose."""
    for before, body, after in _readings(text):
        try:
            address = ipaddress.IPv6Address(body)
        except ValueError:
            continue
        if stays(address):
            return text
        found = on_ip(address)
        return text if found is None else before + found + after
    # The tail behind the last colon may still be an IPv4 address.
    return _FOUR.sub(lambda match: _four(match[0], on_ip), text)


def _readings(text: str) -> list[tuple[str, str, str]]:
    """Return (before, address, after) as which a run may be understood, the likeliest first."""
    if len(text) > _MAX_SIX:
        return []
    ways = [("", text, "")]
    if text.endswith(":"):
        ways.append(("", text[:-1], ":"))
    if text.startswith(":"):
        ways.append((":", text[1:], ""))
    if text.startswith(":") and text.endswith(":"):
        ways.append((":", text[1:-1], ":"))
    head, dot, tail = text.partition(".")
    if dot:
        ways += [("", head, dot + tail)]
    return ways


_MULTICAST = ipaddress.IPv4Network("224.0.0.0/4")


def stays(address: IPAddress) -> bool:
    """Tell whether an address says nothing about anybody."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return stays(address.ipv4_mapped)
        return int(address) < 2 or address.is_multicast or _is_mask(int(address), 128)
    number = int(address)
    return number == 0 or number >> 24 == 127 or address in _MULTICAST or _is_mask(number, 32)


def _is_mask(number: int, bits: int) -> bool:
    """Tell whether ``number`` is a netmask of at least 8 bits."""
    inverted = ~number & (1 << bits) - 1
    return number >> bits - 8 == 255 and inverted & (inverted + 1) == 0
