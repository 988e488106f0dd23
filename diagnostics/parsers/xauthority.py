"""``.Xauthority``: the cookies, and which of them an X program takes for which server.  Pure.

An entry is a family and four counted strings, all numbers big-endian: address, display number,
protocol, data (Xau(3)).  What cannot be read ends the file for libXau, and so it does here.  The
cookies themselves are secret: they leave this module for a handshake and for nothing else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from diagnostics.parsers.text import clean

INTERNET, INTERNET6 = 0, 6  # X11 protocol, appendix B
LOCAL, WILD = 256, 65535  # <X11/Xauth.h>
MAGIC_COOKIE = b"MIT-MAGIC-COOKIE-1"
MAX_ENTRIES = 10_000
_LOOPBACK = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))


@dataclass(frozen=True, slots=True)
class Key:
    """Under which an X program looks for a cookie."""

    family: int
    address: bytes
    number: bytes

    def __str__(self) -> str:
        """Return it as ``xauth list`` writes it."""
        number = clean(self.number, 20)
        if self.family == LOCAL:
            return f"{clean(self.address, 80)}/unix:{number}"
        if (self.family, len(self.address)) in ((INTERNET, 4), (INTERNET6, 16)):
            address = str(ipaddress.ip_address(self.address))
            return f"[{address}]:{number}" if ":" in address else f"{address}:{number}"
        if self.family == WILD:
            return f"*:{number}"
        return f"#{self.family:04x}#{self.address[:16].hex()}#:{number}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; ``data`` is the secret."""

    key: Key
    protocol: bytes
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authority:
    """The entries before the first that cannot be read, which begins at ``damaged`` (-1: none)."""

    entries: tuple[Entry, ...] = ()
    damaged: int = -1


def parse(data: bytes) -> Authority:
    """Parse a whole file; at most `MAX_ENTRIES` of it."""
    entries: list[Entry] = []
    at = 0
    while at < len(data) and len(entries) < MAX_ENTRIES:
        start = at
        family = int.from_bytes(data[at : at + 2], "big")
        at += 2
        fields = []
        for _ in range(4):
            length = int.from_bytes(data[at : at + 2], "big")
            value = data[at + 2 : at + 2 + length]
            if at + 2 > len(data) or len(value) < length:
                return Authority(tuple(entries), start)
            fields.append(value)
            at += 2 + length
        address, number, protocol, secret = fields
        entries.append(Entry(Key(family, address, number), protocol, secret))
    return Authority(tuple(entries))


def key_for(address: str, hostname: str, number: int) -> Key:
    """Return what libxcb looks for when its peer is ``address``; empty: a unix socket.

    Only 127.0.0.1 and ::1 count as this machine, as a unix socket does; neither 127.0.0.2 nor the
    127.0.1.1 that Debian gives a host's own name (xcb_auth.c, `get_authptr`).
    """
    digits = str(number).encode()
    host = hostname.encode("utf-8", "surrogateescape")
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0]) if address else _LOOPBACK[0]
    except ValueError:
        return Key(LOCAL, host, digits)
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    if parsed in _LOOPBACK:
        return Key(LOCAL, host, digits)
    return Key(INTERNET if parsed.version == 4 else INTERNET6, parsed.packed, digits)


def matches(entry: Entry, key: Key) -> bool:
    """Return whether libXau takes ``entry`` for ``key``: wild families and no numbers match all."""
    own = entry.key
    if own.family != WILD and (own.family, own.address) != (key.family, key.address):
        return False
    return not own.number or own.number == key.number


def find(entries: Sequence[Entry], key: Key) -> Entry | None:
    """Return the entry that a program would use, a magic cookie where there is one."""
    found = [entry for entry in entries if matches(entry, key)]
    return next((entry for entry in found if entry.protocol == MAGIC_COOKIE), None) or next(
        iter(found), None
    )
