"""The first packet of an X client: its cookie is checked and replaced by the X server's (sans-IO).

Programs on the gateway are given a cookie that opens nothing but this door; the real one never
leaves this machine (RFC 4254 section 6.3.1).  The packet is the connection setup of the X Window
System Protocol, section 8 and appendix B::

    byte order ('B' or 'l'), unused, major, minor, n, d, 2 unused, n bytes of name, pad,
    d bytes of data, pad                     numbers of 16 bits, pads to a multiple of four

::

    gate = SetupGate(fake, cookie)
    event = gate.receive(data)               # until it is not NeedMore
    Passed  -> connect to the X server; it gets event.setup, then gate.leftover
               cannot be connected: send(gate.failed(text)); close
    Refused -> send(event.reply); close
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass, field
from typing import Final

from netkit.errors import LocalProtocolError
from netkit.wire.handshake import NEED_MORE, NeedMore
from netkit.wire.untrusted import printable

MAGIC_COOKIE: Final = b"MIT-MAGIC-COOKIE-1"
"""The one protocol that is served: a secret that is sent as it is (Xsecurity(7))."""

COOKIE: Final = 16
"""Bytes of a cookie, as every X server makes them."""

MAX_NAME: Final = 64
MAX_COOKIE: Final = 256
"""Bytes of name and data that are read; the fields could announce 64 KiB each."""

MISMATCH: Final = "netkit: X11 cookie does not match"
MISSING: Final = "netkit: X11 cookie is missing"
"""What the client prints of a refusal."""

_HEAD: Final = 12
_ORDERS: Final = {0x42: ">", 0x6C: "<"}
_MAJOR: Final = 11
_MAX_REASON: Final = 200
_MAX_REPLY: Final = 1 << 19
_GENERIC: Final = 35


@dataclass(frozen=True, slots=True)
class Passed:
    """The client may go on: ``setup`` is its packet, with what the X server wants in it."""

    setup: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Denied:
    """The client may not: send ``reply``, then close.

    ``code`` is kebab-case: ``x11-cookie-mismatch``, ``x11-cookie-missing`` or ``x11-no-setup``;
    ``text`` tells a person.  There is no ``reply`` to what is no X client.
    """

    code: str
    text: str
    reply: bytes = b""


X11Event = NeedMore | Passed | Denied


class SetupGate:
    """What one client has to get past; total over any bytes, in any pieces.

    Attributes:
        leftover: after ``Passed``, what the client said behind its setup.
    """

    __slots__ = ("_buffer", "_cookie", "_fake", "_open", "_order", "leftover")

    def __init__(self, fake: bytes, cookie: bytes) -> None:
        """``fake`` is what the client has to send, ``cookie`` what the server gets in its place.

        With an empty ``cookie`` the server gets a setup without authorization.
        """
        self.leftover = b""
        self._fake = fake
        self._cookie = cookie
        self._buffer = bytearray()
        self._order = ""
        self._open = True

    def receive(self, data: bytes | memoryview) -> X11Event:
        """Take bytes of the client.

        Raises:
            LocalProtocolError: after anything but NeedMore; later bytes belong to the channel.
        """
        if not self._open:
            raise LocalProtocolError("the X11 setup is over; later bytes are the channel's")
        self._buffer += data
        event = self._advance()
        if not isinstance(event, NeedMore):
            self._open = False
            self._buffer = bytearray()
        return event

    def failed(self, text: str) -> bytes:
        """Return the refusal of a setup, in the client's byte order, as its X server would say it.

        It is empty where the client has not told its byte order.
        """
        if not self._order:
            return b""
        reason = text.encode("ascii", "replace")[:_MAX_REASON]
        padded = _padded(reason)
        head = struct.pack(f"{self._order}BBHHH", 0, len(reason), _MAJOR, 0, len(padded) // 4)
        return head + padded

    def _advance(self) -> X11Event:
        buffer = self._buffer
        if not buffer:
            return NEED_MORE
        order = _ORDERS.get(buffer[0])
        if order is None:
            seen = printable(f"0x{buffer[0]:02x}")
            return Denied("x11-no-setup", f"its first byte is {seen}, which no X client sends")
        self._order = order
        if len(buffer) < _HEAD:
            return NEED_MORE
        major, minor, name, size = struct.unpack_from(f"{order}HHHH", buffer, 2)
        if name > MAX_NAME or size > MAX_COOKIE:
            text = f"it announces {name} and {size} bytes of authorization"
            return self._deny("x11-no-setup", text, MISMATCH)
        at = _HEAD + _up(name)
        end = at + _up(size)
        if len(buffer) < end:
            return NEED_MORE
        # Both are always compared, and in constant time: how long it takes tells nothing.
        named = hmac.compare_digest(bytes(buffer[_HEAD : _HEAD + name]), MAGIC_COOKIE)
        right = hmac.compare_digest(bytes(buffer[at : at + size]), self._fake)
        if not (named and right and self._fake):
            return self._denied(empty=not name and not size)
        self.leftover = bytes(buffer[end:])
        protocol = MAGIC_COOKIE if self._cookie else b""
        return Passed(setup(order, protocol, self._cookie, (major, minor)))

    def _denied(self, *, empty: bool) -> Denied:
        if empty:
            return self._deny("x11-cookie-missing", "it sent no cookie", MISSING)
        return self._deny("x11-cookie-mismatch", "its cookie is not the one of this link", MISMATCH)

    def _deny(self, code: str, text: str, reason: str) -> Denied:
        return Denied(code, text, self.failed(reason))


class LimitProbe:
    """Whether a cookie gets us limited access and no more: asked of the server that made it.

    A server that has forgotten an untrusted cookie may still let the account in by its list of
    hosts, and then trusts it.  Who is limited does not see the SECURITY extension (Security
    Extension Specification, section 4), so that is what is asked for.

    Attributes:
        request: what to send.
    """

    __slots__ = ("_buffer", "_decided", "request")

    def __init__(self, cookie: bytes) -> None:
        name = b"SECURITY"
        query = struct.pack("<BxHHxx", 98, 2 + len(name) // 4, len(name)) + name
        self.request = setup("<", MAGIC_COOKIE, cookie) + query
        self._buffer = bytearray()
        self._decided: bool | None = None

    def receive(self, data: bytes) -> bool | None:
        """Take bytes of the server; return None until it is decided, and the same ever after.

        At most 512 KiB are kept, twice what a setup reply may have; what follows is dropped.
        """
        if self._decided is None:
            self._buffer += data
            self._decided = self._decide()
            if self._decided is not None:
                self._buffer = bytearray()
        return self._decided

    def _decide(self) -> bool | None:
        buffer = self._buffer
        if (buffer and buffer[0] != 1) or len(buffer) > _MAX_REPLY:
            return False
        if len(buffer) < 8:
            return None
        at = 8 + 4 * int.from_bytes(buffer[6:8], "little")
        while len(buffer) >= at + 32:
            kind = buffer[at] & 0x7F
            if kind == 1:
                return buffer[at + 8] == 0
            if kind in (0, _GENERIC):  # an error, or an event that nobody asked for
                return False
            at += 32
        return None


def setup(
    order: str, protocol: bytes, cookie: bytes, version: tuple[int, int] = (_MAJOR, 0)
) -> bytes:
    """Return a setup packet; ``order`` is ``<`` or ``>``."""
    first = b"B" if order == ">" else b"l"
    head = struct.pack(f"{order}cxHHHHxx", first, *version, len(protocol), len(cookie))
    return head + _padded(protocol) + _padded(cookie)


def _up(size: int) -> int:
    return size + -size % 4


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
