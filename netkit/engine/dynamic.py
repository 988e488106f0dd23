"""Dynamic forwards: clients that say in SOCKS or HTTP where they want to go.

`ProxyClient` is a local connection of ``-D``; `ReverseProxy` is a channel of ``-R port``, whose
client sits on the gateway's side.  Both answer only after the channel or connection is there or
failed, with the true reason in the protocol's own code.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from netkit.engine.goodbye import Farewell, reset
from netkit.engine.loop import ERROR, READ
from netkit.engine.relay import Flow
from netkit.wire.messages import string, u32
from netkit.wire.open_failures import Failure, classify_open_failure, failure_code
from netkit.wire.proxy import NeedMore, ProxyServer, Refused, Request

if TYPE_CHECKING:
    from netkit.engine.dial import Dial, Dialer
    from netkit.engine.link import Link
    from netkit.model import Endpoint, ForwardSpec
    from netkit.wire.channel import Channel

HANDSHAKE_TIME = 10.0
"""Seconds a client has for its request."""


def direct_tcpip(target: Endpoint, source: tuple[str, int]) -> bytes:
    """Return the type-specific data of a ``direct-tcpip`` open (RFC 4254 section 7.2)."""
    return string(target.host) + u32(target.port) + string(source[0]) + u32(source[1])


def _allows(link: Link, target: Endpoint, forward: ForwardSpec, source: str) -> bool:
    """Tell whether a client may reach ``target``, and report where it may not."""
    if link.limits is None or link.limits.allows(target):
        return True
    why = Failure.RULED_OUT
    number = next(link.numbers)
    link.report.denied(number, forward, source, str(target), failure_code(why), why.value)
    return False


class ProxyClient:
    """One accepted connection of a dynamic forward, until its channel is open."""

    def __init__(
        self, link: Link, sock: socket.socket, forward: ForwardSpec, source: tuple[str, int]
    ) -> None:
        self._link = link
        self._sock = sock
        self._forward = forward
        self._source = source
        self._server = ProxyServer()
        link.handshakes.add(self)
        self._timer = link.loop.call_later(HANDSHAKE_TIME, self._expired)
        link.loop.add(sock.fileno(), READ, self._ready)

    def _ready(self, events: int) -> None:
        if events & ERROR:
            self.abort()
            return
        while True:
            try:
                data = self._sock.recv(ProxyServer.LIMIT)
            except (BlockingIOError, InterruptedError):
                self._link.loop.rearm_read(self._sock.fileno())
                return
            except OSError:
                data = b""
            if not data:
                self.abort()
                return
            if not isinstance(event := self._server.receive(data), NeedMore):
                break
            if not self._say(self._server.take_output()):
                return
        self._decide(event)

    def _say(self, data: bytes) -> bool:
        try:
            if not data or self._sock.send(data) == len(data):
                return True
        except OSError:
            pass
        self.abort()
        return False

    def _decide(self, event: Request | Refused) -> None:
        output = self._server.take_output()
        if isinstance(event, Refused):
            self._leave()
            self._link.report.caused(event.code, event.text)
            Farewell(self._link, self._sock, output + event.reply)
            return
        if not self._say(output):
            return
        self._leave()
        source = f"{self._source[0]}:{self._source[1]}"
        if not _allows(self._link, event.target, self._forward, source):
            Farewell(self._link, self._sock, self._server.failed(Failure.RULED_OUT, ""))
            return
        data = direct_tcpip(event.target, self._source)
        flow = self._link.start_flow(self._sock, "direct-tcpip", data, self._forward, self)
        flow.prefix = self._server.leftover
        flow.source = source
        flow.target = str(event.target)

    def _expired(self) -> None:
        self._leave()
        Farewell(self._link, self._sock, self._server.failed(Failure.TIMED_OUT, ""))

    def _leave(self) -> None:
        self._timer.cancel()
        self._link.handshakes.discard(self)
        self._link.loop.remove(self._sock.fileno())

    def abort(self) -> None:
        """Give the client up: it left, or asked for nothing in time."""
        self._leave()
        reset(self._sock)

    def opened(self, _flow: Flow) -> bytes:
        """The channel is open: the reply goes before any data."""
        return self._server.succeeded()

    def failed(self, _flow: Flow, reason: int, text: str) -> bytes | None:
        """The channel was refused: the protocol's own code for the reason."""
        return self._server.failed(classify_open_failure(reason, text), text) or None


class ReverseProxy:
    """A channel of a remote dynamic forward, until its target is connected from here."""

    prefix = b""
    readable = False

    def __init__(
        self, link: Link, dialer: Dialer, channel: Channel, forward: ForwardSpec, source: str
    ) -> None:
        self._link = link
        self._dialer = dialer
        self._channel = channel
        self._forward = forward
        self._source = source
        self._server = ProxyServer()
        self._dial: Dial | None = None
        self._early = bytearray()
        self._eof = False
        channel.user = self
        link.handshakes.add(self)
        link.mux.confirm(channel)
        self._timer = link.loop.call_later(HANDSHAKE_TIME, self.abort)

    def deliver(self, view: memoryview) -> None:
        """Take bytes of the client; behind the request they wait for the target."""
        if self._dial is not None:
            # Not credited before the target takes it, so the window bounds it.
            self._early += view
            return
        event = self._server.receive(view)
        self._link.mux.taken(self._channel, max(len(view) - len(self._server.leftover), 0))
        self._say(self._server.take_output())
        if isinstance(event, Refused):
            self._say(event.reply)
            self.abort()
        elif isinstance(event, Request):
            if not _allows(self._link, event.target, self._forward, self._source):
                self._refuse(Failure.RULED_OUT, "")
                return
            self._timer.cancel()
            self._early += self._server.leftover
            target = event.target
            self._dial = self._dialer.connect(
                target, lambda sock, error: self._connected(target, sock, error)
            )

    def _say(self, data: bytes) -> None:
        if data:
            self._link.mux.send(self._channel, data)

    def _connected(
        self, target: Endpoint, sock: socket.socket | None, error: OSError | None
    ) -> None:
        if sock is None:
            error = error or OSError(errno.EHOSTUNREACH, "unreachable")
            text = error.strerror or str(error)
            self._refuse(classify_open_failure(2, text), text)
            return
        self._leave()
        self._say(self._server.succeeded())
        flow = self._link.adopt_flow(sock, self._channel, self._forward)
        flow.source, flow.target = self._source, str(target)
        self._link.report.opened(flow)
        flow.deliver(memoryview(self._early))
        if self._eof:
            flow.peer_eof()

    def _refuse(self, failure: Failure, text: str) -> None:
        self._say(self._server.failed(failure, text))
        self._link.mux.eof(self._channel)
        self.abort()

    def peer_eof(self) -> None:
        """The client sends no more; half a request is none."""
        self._eof = True
        if self._dial is None:
            self.abort()

    def peer_closed(self) -> None:
        """The client has gone."""
        self.abort()

    def flush(self) -> None:
        """Nothing waits here."""

    def _leave(self) -> None:
        self._timer.cancel()
        self._link.handshakes.discard(self)

    def abort(self, _error: str = "") -> None:
        """Give the channel up."""
        self._leave()
        if self._dial is not None:
            self._dial.cancel()
        self._channel.user = None
        self._link.mux.close(self._channel)
