"""The first words with an X server, and what it says to them.  Pure and total.

After the setup (X11 protocol, section 8) two questions follow at once, which a server answers only
to those it lets in: whether it has the SECURITY extension, and whom it lets in without a cookie.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from diagnostics.parsers.text import clean

MAX_REPLY = 1 << 19
"""Bytes of a reply: the setup has at most 8 + 4 * 65535, and a list of hosts is short."""

_EXTENSION = b"SECURITY"
_QUERY_EXTENSION = struct.pack("<BBHHH", 98, 0, 2 + len(_EXTENSION) // 4, len(_EXTENSION), 0)
_LIST_HOSTS = struct.pack("<BBH", 110, 0, 1)
QUESTIONS = _QUERY_EXTENSION + _EXTENSION + _LIST_HOSTS

_MAX_HOSTS = 50
_MAX_MESSAGES = 1000
_INTERNET, _SERVER_INTERPRETED, _INTERNET6 = 0, 5, 6


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said.

    Attributes:
        status: ``accepted``, ``rejected`` (see ``reason``), ``more`` (it wants to go on about
            authentication), ``nothing`` (not a byte came), ``cut`` (the beginning of a reply) or
            ``strange`` (what came is no X).
        reason: the server's own words; ``vendor`` and ``release`` its name and version.
        screens: how many it has.
        security: whether it has the SECURITY extension; None where it did not say.
        control: whether it asks anybody for a cookie; False is ``xhost +``.  None: not said.
        hosts: whom it lets in without one, as xhost(1) writes it.
    """

    status: str
    reason: str = ""
    vendor: str = ""
    release: int = 0
    screens: int = 0
    security: bool | None = None
    control: bool | None = None
    hosts: tuple[str, ...] = ()


def request(protocol: bytes = b"", cookie: bytes = b"") -> bytes:
    """Return the setup and the questions, in little-endian order."""
    head = struct.pack("<cxHHHHxx", b"l", 11, 0, len(protocol), len(cookie))
    return head + _padded(protocol) + _padded(cookie) + QUESTIONS


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def parse(data: bytes) -> Reply:
    """Parse what came."""
    data = data[:MAX_REPLY]
    if not data:
        return Reply("nothing")
    if data[0] > 2 or (len(data) >= 4 and struct.unpack_from("<H", data, 2)[0] not in (0, 11)):
        return Reply("strange", reason=clean(data, 80))
    if len(data) < 8:
        return Reply("cut")
    status, length, _major, _minor, words = struct.unpack_from("<BBHHH", data)
    body, rest = data[8 : 8 + 4 * words], data[8 + 4 * words :]
    if status == 0:
        return Reply("rejected", reason=_text(body[:length]))
    if status == 2:
        return Reply("more", reason=_text(body))
    if len(body) < 32:
        return Reply("cut")
    release, vendor, screens = *struct.unpack_from("<I12xH", body), body[20]
    named = Reply(
        "accepted", vendor=_text(body[32 : 32 + vendor]), release=release, screens=screens
    )
    return _with_answers(named, rest)


def _text(data: bytes) -> str:
    return clean(data.split(b"\0")[0].strip())


def _with_answers(reply: Reply, data: bytes) -> Reply:
    security: bool | None = None
    control: bool | None = None
    hosts: tuple[str, ...] = ()
    at = 0
    for _ in range(_MAX_MESSAGES):
        if len(data) < at + 32:
            break
        kind, detail, number, words = struct.unpack_from("<BBHI", data, at)
        size = 32 + (4 * words if kind in (1, 35) else 0)  # replies and generic events are longer
        if kind == 1 and number == 1:
            security = data[at + 8] != 0
        elif kind == 1 and number == 2:
            control = detail != 0
            hosts = _hosts(data[at + 32 : at + size])
        at += size
    return Reply(
        reply.status,
        vendor=reply.vendor,
        release=reply.release,
        screens=reply.screens,
        security=security,
        control=control,
        hosts=hosts,
    )


def _hosts(data: bytes) -> tuple[str, ...]:
    found: list[str] = []
    at = 0
    while at + 4 <= len(data) and len(found) < _MAX_HOSTS:
        family, length = struct.unpack_from("<BxH", data, at)
        found.append(_host(family, data[at + 4 : at + 4 + length]))
        at += 4 + length + -length % 4
    return tuple(found)


def _host(family: int, address: bytes) -> str:
    if family == _SERVER_INTERPRETED:
        kind, _, value = address.partition(b"\0")
        return clean(b"si:" + kind + b":" + value, 80)
    if (family, len(address)) in ((_INTERNET, 4), (_INTERNET6, 16)):
        prefix = "inet" if family == _INTERNET else "inet6"
        return f"{prefix}:{ipaddress.ip_address(address)}"
    return f"family {family}: {address[:16].hex()}"
