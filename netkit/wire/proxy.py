"""What a dynamic forward speaks: SOCKS 4, 4a, 5 and HTTP on one port, told apart by the first byte.

Sans-IO: the engine moves bytes, keeps the time limit, and opens the channel::

    server = ProxyServer()
    event = server.receive(data)              # until it is not NeedMore
    send(server.take_output())                # after every receive
    Request -> open a channel to event.target
               confirmed: send(server.succeeded()); channel gets server.leftover first
               failed:    send(server.failed(failure, text)); close
    Refused -> send(event.reply); close

"Close" means FIN, then reading and dropping for a moment: closing a socket with unread bytes
resets it, and the reset can overtake the reply.
"""

from __future__ import annotations

import logging

from netkit.errors import LocalProtocolError
from netkit.model import Endpoint
from netkit.wire.handshake import (
    HANDSHAKE_LIMIT,
    NEED_MORE,
    Handshake,
    NeedMore,
    ProxyEvent,
    ProxyProtocol,
    Refused,
    Request,
)
from netkit.wire.http_connect import HttpServer
from netkit.wire.open_failures import Failure
from netkit.wire.socks import Socks4Server, Socks5Server

__all__ = [
    "Failure",
    "NeedMore",
    "ProxyEvent",
    "ProxyProtocol",
    "ProxyServer",
    "Refused",
    "Request",
]

_log = logging.getLogger("netkit.proxy")


class ProxyServer:
    """The server side of one client's handshake.

    Attributes:
        leftover: after a ``Request``, what the target must get before anything else: the bytes
            the client sent behind its request, for plain HTTP the rewritten head before them.
    """

    LIMIT = HANDSHAKE_LIMIT

    __slots__ = ("_buffer", "_handshake", "_open", "_replied", "leftover")

    def __init__(self) -> None:
        self.leftover = b""
        self._buffer = bytearray()
        self._handshake: Handshake | None = None
        self._open = True
        self._replied = False

    def receive(self, data: bytes | memoryview) -> ProxyEvent:
        """Take bytes of the client.

        Total over any bytes: whatever the client sends ends in NeedMore, Request or Refused, and
        is the same however it is chunked.  At most ``LIMIT`` bytes are ever kept while more are
        needed.

        Raises:
            LocalProtocolError: after a Request or Refused; later bytes belong to the channel.
        """
        if not self._open:
            raise LocalProtocolError("the proxy handshake is over; later bytes are the channel's")
        self._buffer += data
        event = self._advance()
        if not isinstance(event, NeedMore):
            self._open = False
            if isinstance(event, Request) and self._handshake is not None:
                self.leftover = self._handshake.leading + bytes(self._buffer)
            self._buffer = bytearray()
        return event

    def take_output(self) -> bytes:
        """Return what must go to the client now, once; empty most of the time."""
        return self._handshake.take_output() if self._handshake is not None else b""

    def succeeded(self, bound: Endpoint | None = None) -> bytes:
        """Return the reply for a confirmed channel; ``bound`` is shown to SOCKS clients.

        Raises:
            LocalProtocolError: without a Request, or after another reply.
        """
        if self._open or self._replied or self._handshake is None:
            raise LocalProtocolError("there is no proxy request to answer")
        self._replied = True
        return self._handshake.succeeded(bound)

    def failed(self, failure: Failure, text: str) -> bytes:
        """Return the reply for a failed channel, in the protocol's own code.

        ``text`` is what the gateway said; it may hold anything.  Where no reply is possible (a
        handshake in its middle, one already answered) nothing is returned, so this is always safe
        to call.
        """
        if self._replied or self._handshake is None:
            return b""
        self._replied = True
        return self._handshake.failed(failure, text)

    def _advance(self) -> ProxyEvent:
        if not self._buffer:
            return NEED_MORE
        if self._handshake is None:
            self._handshake = _recognize(self._buffer[0])
            if self._handshake is None:
                return _unknown(self._buffer[0])
        event = self._handshake.advance(self._buffer)
        if isinstance(event, Refused):
            self._replied = True
            _log.debug("proxy handshake refused: %s", event.text)
        return event


def _recognize(first: int) -> Handshake | None:
    if first == 4:
        return Socks4Server()
    if first == 5:
        return Socks5Server()
    if bytes((first,)).isalpha():
        return HttpServer()
    return None


def _unknown(first: int) -> Refused:
    hint = " (TLS: use an http:// or socks5:// proxy address, not https://)" if first == 22 else ""
    text = f"a client spoke neither SOCKS nor HTTP: its first byte is 0x{first:02x}{hint}"
    return Refused("proxy-protocol-unknown", text)
