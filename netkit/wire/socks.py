"""The server side of SOCKS 4, 4a and 5 (sans-IO).

Sources: "SOCKS: A protocol for TCP proxy across firewalls" (SOCKS4) and its 4A extension, RFC 1928
(SOCKS5), RFC 1929 (user name and password).

Names go on unresolved, so that the gateway's resolver decides.  Only CONNECT is served: BIND and
UDP ASSOCIATE have no counterpart in SSH.  A client that can only log in with a user name and
password may use any: the listener is open to everyone who reaches it, so a password protects
nothing, and refusing would lock out programs that cannot do without.
"""

from __future__ import annotations

import enum
import ipaddress
from typing import Final

from netkit.model import Endpoint
from netkit.wire.handshake import (
    NAME_LIMIT,
    NEED_MORE,
    ProxyEvent,
    ProxyProtocol,
    Refused,
    Request,
    decode_name,
)
from netkit.wire.open_failures import Failure
from netkit.wire.untrusted import printable

_CONNECT: Final = 1
_COMMANDS = {2: "BIND", 3: "UDP ASSOCIATE", 0xF0: "RESOLVE", 0xF1: "RESOLVE_PTR"}

_V4_GRANTED: Final = 90
_V4_REJECTED: Final = 91

_NO_LOGIN: Final = 0
_PASSWORD: Final = 2
_NO_METHOD: Final = 0xFF

_GENERAL: Final = 1
_BAD_COMMAND: Final = 7
_BAD_ADDRESS_TYPE: Final = 8

# RFC 1928 section 6.  It has no code for a time-out; 6 (TTL expired) is what clients show as one.
_V5_REPLIES = {
    Failure.PROHIBITED: 2,
    Failure.RULED_OUT: 2,
    Failure.NETWORK_UNREACHABLE: 3,
    Failure.UNREACHABLE: 4,
    Failure.NAME: 4,
    Failure.REFUSED: 5,
    Failure.TIMED_OUT: 6,
    Failure.UNSUPPORTED: _BAD_COMMAND,
}


class _Step(enum.Enum):
    METHODS = enum.auto()
    LOGIN = enum.auto()
    REQUEST = enum.auto()


class Socks4Server:
    """SOCKS 4 and 4a: one request, one reply of 8 bytes."""

    leading = b""

    def take_output(self) -> bytes:
        """Return nothing: SOCKS4 says nothing before its reply."""
        return b""

    def advance(self, buffer: bytearray) -> ProxyEvent:
        """Read ``VN CD DSTPORT DSTIP USERID NUL [NAME NUL]``; the first byte is already known."""
        if len(buffer) < 8:
            return NEED_MORE
        command, port = buffer[1], int.from_bytes(buffer[2:4])
        if command != _CONNECT:
            return self._refuse("proxy-command-unsupported", _unsupported("SOCKS4", command))
        if port == 0:
            return self._refuse("proxy-request-malformed", "SOCKS4 request for port 0")
        user_end = buffer.find(0, 8, 8 + NAME_LIMIT + 1)
        if user_end < 0:
            if len(buffer) <= 8 + NAME_LIMIT:
                return NEED_MORE
            return self._refuse("proxy-request-too-large", "SOCKS4 user id over 255 bytes")
        # 0.0.0.x with x != 0 is no address but says that a name follows (SOCKS 4A).
        if any(buffer[4:7]) or not buffer[7]:
            host = str(ipaddress.IPv4Address(bytes(buffer[4:8])))
            return self._accept(buffer, user_end, Endpoint(host, port), "socks4")
        return self._read_name(buffer, user_end + 1, port)

    def _read_name(self, buffer: bytearray, start: int, port: int) -> ProxyEvent:
        end = buffer.find(0, start, start + NAME_LIMIT + 1)
        if end < 0:
            if len(buffer) <= start + NAME_LIMIT:
                return NEED_MORE
            return self._refuse("proxy-request-too-large", "SOCKS4a host name over 255 bytes")
        raw = bytes(buffer[start:end])
        name = decode_name(raw)
        if name is None:
            return self._refuse("proxy-request-malformed", _bad_name("SOCKS4a", raw))
        return self._accept(buffer, end, Endpoint(name, port), "socks4a")

    def succeeded(self, bound: Endpoint | None, /) -> bytes:
        """Return "request granted" with ``bound`` where it is IPv4 (clients ignore it)."""
        return _v4_reply(_V4_GRANTED, bound)

    def failed(self, _failure: Failure, _text: str, /) -> bytes:
        """Return "request rejected or failed", the only code of SOCKS4 that fits any cause."""
        return _v4_reply(_V4_REJECTED, None)

    @staticmethod
    def _accept(
        buffer: bytearray, last: int, target: Endpoint, protocol: ProxyProtocol
    ) -> ProxyEvent:
        del buffer[: last + 1]
        return Request(target, protocol)

    @staticmethod
    def _refuse(code: str, text: str) -> Refused:
        return Refused(code, text, _v4_reply(_V4_REJECTED, None))


class Socks5Server:
    """SOCKS5: a choice of method, a login if the client insists, a request."""

    leading = b""

    def __init__(self) -> None:
        self._step = _Step.METHODS
        self._output = bytearray()

    def take_output(self) -> bytes:
        """Return the choice of method and the answer to a login, once."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def advance(self, buffer: bytearray) -> ProxyEvent:
        """Run the steps for which ``buffer`` holds the whole message."""
        event: ProxyEvent | None = None
        if self._step is _Step.METHODS:
            event = self._read_methods(buffer)
        if self._step is _Step.LOGIN:
            event = self._read_login(buffer)
        if self._step is _Step.REQUEST:
            event = self._read_request(buffer)
        return event or NEED_MORE

    def succeeded(self, bound: Endpoint | None, /) -> bytes:
        """Return "succeeded" with ``bound``, or zeros where it is unknown or a name."""
        return _v5_reply(0, bound)

    def failed(self, failure: Failure, _text: str, /) -> bytes:
        """Return the reply of RFC 1928 section 6 nearest to ``failure``."""
        if self._step is not _Step.REQUEST:
            return b""  # the client still waits for its method, where no such reply is legal
        return _v5_reply(_V5_REPLIES.get(failure, _GENERAL), None)

    def _read_methods(self, buffer: bytearray) -> Refused | None:
        if len(buffer) < 2 or len(buffer) < 2 + buffer[1]:
            return None
        offered = bytes(buffer[2 : 2 + buffer[1]])
        del buffer[: 2 + len(offered)]
        if _NO_LOGIN in offered:
            self._output += bytes((5, _NO_LOGIN))
            self._step = _Step.REQUEST
        elif _PASSWORD in offered:
            self._output += bytes((5, _PASSWORD))
            self._step = _Step.LOGIN
        else:
            text = f"SOCKS5 client offers only login methods {list(offered)[:8]}"
            return Refused("proxy-login-unsupported", text, bytes((5, _NO_METHOD)))
        return None

    def _read_login(self, buffer: bytearray) -> Refused | None:
        if not buffer:
            return None
        if buffer[0] != 1:
            text = f"SOCKS5 login has version {buffer[0]}, not 1"
            return Refused("proxy-request-malformed", text, b"\x01\x01")
        if len(buffer) < 2 or len(buffer) < 3 + buffer[1]:
            return None
        end = 3 + buffer[1] + buffer[2 + buffer[1]]
        if len(buffer) < end:
            return None
        del buffer[:end]
        self._output += b"\x01\x00"
        self._step = _Step.REQUEST
        return None

    def _read_request(self, buffer: bytearray) -> ProxyEvent:
        if len(buffer) < 4:
            return NEED_MORE
        version, command, _, kind = buffer[:4]
        if version != 5:
            return self._refuse(f"SOCKS5 request has version {version}, not 5")
        if command != _CONNECT:
            text = _unsupported("SOCKS5", command)
            return Refused("proxy-command-unsupported", text, _v5_reply(_BAD_COMMAND, None))
        if kind not in (1, 3, 4):
            text = f"SOCKS5 request has address type {kind}"
            return Refused("proxy-request-malformed", text, _v5_reply(_BAD_ADDRESS_TYPE, None))
        start = 5 if kind == 3 else 4
        if len(buffer) < start:
            return NEED_MORE
        end = start + {1: 4, 3: buffer[4] if start == 5 else 0, 4: 16}[kind]
        if len(buffer) < end + 2:
            return NEED_MORE
        raw, port = bytes(buffer[start:end]), int.from_bytes(buffer[end : end + 2])
        host = decode_name(raw) if kind == 3 else _format_address(raw)
        if host is None:
            return self._refuse(_bad_name("SOCKS5", raw))
        if port == 0:
            return self._refuse("SOCKS5 request for port 0")
        del buffer[: end + 2]
        return Request(Endpoint(host, port), "socks5")

    @staticmethod
    def _refuse(text: str) -> Refused:
        return Refused("proxy-request-malformed", text, _v5_reply(_GENERAL, None))


def _v4_reply(code: int, bound: Endpoint | None) -> bytes:
    address, port = _pack_address(bound)
    if len(address) != 4:
        address, port = bytes(4), 0
    return bytes((0, code)) + port.to_bytes(2) + address


def _v5_reply(code: int, bound: Endpoint | None) -> bytes:
    address, port = _pack_address(bound)
    return bytes((5, code, 0, 1 if len(address) == 4 else 4)) + address + port.to_bytes(2)


def _pack_address(bound: Endpoint | None) -> tuple[bytes, int]:
    if bound is not None and 0 <= bound.port <= 0xFFFF:
        try:
            return ipaddress.ip_address(bound.host).packed, bound.port
        except ValueError:
            pass  # a name: the client would have to resolve it to no use
    return bytes(4), 0


def _format_address(raw: bytes) -> str:
    address = ipaddress.ip_address(raw)
    # As inet_ntop(3) and thus ssh write them: sshd's PermitOpen compares text.
    mapped = getattr(address, "ipv4_mapped", None)
    return f"::ffff:{mapped}" if mapped else str(address)


def _unsupported(protocol: str, command: int) -> str:
    return f"{protocol} command {_COMMANDS.get(command, command)}: only CONNECT is served"


def _bad_name(protocol: str, raw: bytes) -> str:
    return f"{protocol} host name is not valid: {printable(raw, 80) or 'empty'}"
