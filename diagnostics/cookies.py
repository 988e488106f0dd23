"""Finding X cookies in whatever holds them, and putting others of the same length in their place.

A cookie lets everybody who has it watch and control a display.  It is in ``.Xauthority``, in what
``xauth list`` prints, and in the first message to an X server; the same one has to become the same
other one everywhere, or a recording would not fit together.
"""

from __future__ import annotations

import re
from typing import TypeVar

from diagnostics import values

T = TypeVar("T")

_PROTOCOLS = (
    *(b"MIT-MAGIC-COOKIE-1", b"XDM-AUTHORIZATION-1", b"SUN-DES-1", b"MIT-KERBEROS-5"),
    b"XC-QUERY-SECURITY-1",
)
_MAX_COOKIE = 1024
_LISTED = re.compile(
    rb"(?:MIT-MAGIC-COOKIE-1|XDM-AUTHORIZATION-1|SUN-DES-1)\s{1,16}([0-9A-Fa-f]{8,512})"
)
_MIN = 4
"""Shorter data is no secret worth the name, and would be replaced where it means nothing."""


class Cookies:
    """The cookies seen so far, each with what stands for it."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def learn(self, value: object) -> None:
        """Find the cookies in every text and bytes of ``value``."""
        for each in values.parts(value):
            if isinstance(each, bytes):
                self._scan(each)
            elif isinstance(each, str):
                self._scan(each.encode("ascii", "replace"))

    def _scan(self, data: bytes) -> None:
        for protocol in _PROTOCOLS:
            at = data.find(protocol)
            while at >= 0:
                self._after(data, at, protocol)
                at = data.find(protocol, at + 1)
        for match in _LISTED.finditer(data):
            digits = match[1][: len(match[1]) // 2 * 2]
            self._add(bytes.fromhex(digits.decode()))

    def _after(self, data: bytes, at: int, protocol: bytes) -> None:
        """Take the cookie behind the protocol's name: in a file, and in a setup message."""
        end = at + len(protocol)
        length = int.from_bytes(data[end : end + 2], "big")
        if data[max(0, at - 2) : at] == len(protocol).to_bytes(2, "big") and length:
            self._add(data[end + 2 : end + 2 + min(length, _MAX_COOKIE)])
        order = {b"B": "big", b"l": "little"}.get(data[at - 12 : at - 11] if at >= 12 else b"")
        if order is not None:  # X11 protocol, section 8: byte order, versions, lengths
            length = int.from_bytes(data[at - 4 : at - 2], "big" if order == "big" else "little")
            start = at + (len(protocol) + 3) // 4 * 4
            self._add(data[start : start + min(length, _MAX_COOKIE)])

    def _add(self, cookie: bytes) -> None:
        if len(cookie) < _MIN or not any(cookie) or cookie in self._known:
            return
        stand_in = b"%d-cookie-" % (len(self._known) + 1)
        stand_in = (stand_in * (len(cookie) // len(stand_in) + 1))[: len(cookie)]
        self._known[cookie] = stand_in

    def replaced(self, value: T) -> T:
        """Return ``value`` without any cookie that was learnt, in binary or in hexadecimal."""
        # A longer one may begin with a shorter one.
        pairs = sorted(self._known.items(), key=lambda pair: -len(pair[0]))
        return values.changed(value, lambda text: _replaced(text, pairs)) if pairs else value


def _replaced(text: str | bytes, pairs: list[tuple[bytes, bytes]]) -> str | bytes:
    for cookie, stand_in in pairs:
        digits = cookie.hex()
        if isinstance(text, str):
            for old in (digits, digits.upper()):
                text = text.replace(old, stand_in.hex())
        else:
            text = text.replace(cookie, stand_in)
            for old in (digits, digits.upper()):
                text = text.replace(old.encode(), stand_in.hex().encode())
    return text
