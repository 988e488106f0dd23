"""Message numbers and field encodings of the SSH protocols (RFC 4250 section 4.1, RFC 4251 5)."""

from __future__ import annotations

from struct import Struct

from netkit.errors import RemoteProtocolError

DISCONNECT = 1
IGNORE = 2
UNIMPLEMENTED = 3
DEBUG = 4
SERVICE_REQUEST = 5
SERVICE_ACCEPT = 6
EXT_INFO = 7
KEXINIT = 20
NEWKEYS = 21
USERAUTH_SUCCESS = 52
GLOBAL_REQUEST = 80
REQUEST_SUCCESS = 81
REQUEST_FAILURE = 82
CHANNEL_OPEN = 90
CHANNEL_OPEN_CONFIRMATION = 91
CHANNEL_OPEN_FAILURE = 92
CHANNEL_WINDOW_ADJUST = 93
CHANNEL_DATA = 94
CHANNEL_EXTENDED_DATA = 95
CHANNEL_EOF = 96
CHANNEL_CLOSE = 97
CHANNEL_REQUEST = 98
CHANNEL_SUCCESS = 99
CHANNEL_FAILURE = 100

PROHIBITED = 1
CONNECT_FAILED = 2
UNKNOWN_TYPE = 3
RESOURCE_SHORTAGE = 4
"""Reasons of an open failure (RFC 4254 section 5.1)."""

MAX_NAME = 256
"""Longest channel type or request name we read; RFC 4250 section 4.6.1 allows 64."""

_U32 = Struct(">I")


def u32(value: int) -> bytes:
    """Encode a uint32."""
    return _U32.pack(value)


def string(value: str | bytes) -> bytes:
    """Encode a string: length and bytes; text as UTF-8."""
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    return _U32.pack(len(value)) + value


class Fields:
    """Reads the fields of one message behind its type; every read is checked against the end.

    Raises:
        RemoteProtocolError: from any read, when the message is too short.
    """

    __slots__ = ("_at", "_payload")

    def __init__(self, payload: memoryview | bytes, at: int = 1) -> None:
        self._payload = memoryview(payload)
        self._at = at

    def u32(self) -> int:
        """Read a uint32."""
        at = self._at
        if at + 4 > len(self._payload):
            raise RemoteProtocolError("sent a message that is too short")
        self._at = at + 4
        value: int = _U32.unpack_from(self._payload, at)[0]
        return value

    def boolean(self) -> bool:
        """Read a boolean; every value but 0 is true."""
        at = self._at
        if at >= len(self._payload):
            raise RemoteProtocolError("sent a message that is too short")
        self._at = at + 1
        return self._payload[at] != 0

    def string(self) -> memoryview:
        """Read a string as a view."""
        length = self.u32()
        at = self._at
        if at + length > len(self._payload):
            raise RemoteProtocolError("sent a message that is shorter than it says")
        self._at = at + length
        return self._payload[at : at + length]

    def text(self, limit: int = MAX_NAME) -> str:
        """Read a string as text; one over ``limit`` is cut (free text) or refused (a name)."""
        raw = self.string()
        if len(raw) > limit:
            if limit == MAX_NAME:
                raise RemoteProtocolError(f"sent a name of {len(raw)} bytes")
            raw = raw[:limit]
        return bytes(raw).decode("utf-8", "replace")

    def rest(self) -> bytes:
        """Return a copy of everything that has not been read."""
        return bytes(self._payload[self._at :])
