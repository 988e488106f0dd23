"""X11 forwarding: channels of X programs on the gateway, led to the X server here.

Who comes has to show the cookie that was made for this link; it is replaced by the one that opens
the X server, which never leaves this machine (RFC 4254 section 6.3).  Nothing of a client reaches
the X server before that.  Everything here is of the thread of the link's loop.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netkit.wire.messages import PROHIBITED, RESOURCE_SHORTAGE, Fields, string, u32
from netkit.wire.untrusted import printable
from netkit.wire.x11 import MAGIC_COOKIE, Denied, Passed, SetupGate

if TYPE_CHECKING:
    from netkit.engine.dial import Dial, Dialer
    from netkit.engine.link import Link
    from netkit.model import Address, ForwardSpec
    from netkit.wire.mux import OpenRequest

HANDSHAKE_TIME = 15.0
"""Seconds a client has for its setup; every X client sends it at once."""

MAX_HANDSHAKES = 32
"""Clients that may be about their setup at once; further ones are refused."""

_MAX_NOTICES: Final = 5
"""Refused clients that are told of; one that tries again and again fills no screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class XServer:
    """An X server that may be lent.

    Attributes:
        name: what this machine calls it, such as ``:0``.
        address: where it is; a ``UnixPath`` that begins with NUL is of Linux' abstract sockets.
        cookie: the MIT-MAGIC-COOKIE-1 that opens it; empty where it wants none.  Secret.
        screen: which screen programs get that do not say.
        untrusted: the cookie is one that limits what programs may do, and they get nothing else.
    """

    name: str
    address: Address
    cookie: bytes = field(default=b"", repr=False)
    screen: int = 0
    untrusted: bool = False


class X11Door:
    """Where X programs of the gateway come in, as many as there are or a single one.

    ``forward`` is the remote forward that they come over; None for those of an ``x11-req``.
    """

    def __init__(
        self,
        link: Link,
        dialer: Dialer,
        server: XServer,
        fake: bytes,
        *,
        forward: ForwardSpec | None = None,
        single: bool = False,
    ) -> None:
        self.link = link
        self.dialer = dialer
        self.server = server
        self.fake = fake
        self.forward = forward
        self._single = single
        self._closed = False
        self._waiting: set[X11Handshake] = set()
        self._refused = 0

    def request(self) -> bytes:
        """Return the data of the ``x11-req`` that asks for it (RFC 4254 section 6.3.1)."""
        asked = bytes([self._single]) + string(MAGIC_COOKIE) + string(self.fake.hex())
        return asked + u32(self.server.screen)

    def open_request(self, request: OpenRequest) -> None:
        """Take a channel of type ``x11`` (RFC 4254 section 6.3.2)."""
        fields = Fields(request.data, 0)
        self.accept(request, f"{printable(fields.text(limit=1024), 100)}:{fields.u32()}")

    def accept(self, request: OpenRequest, source: str) -> None:
        """Take a channel of a client, or refuse it."""
        mux = self.link.mux
        if self._closed:
            mux.refuse(request.channel, PROHIBITED, "X11 is not forwarded any more")
        elif len(self._waiting) >= MAX_HANDSHAKES:
            mux.refuse(request.channel, RESOURCE_SHORTAGE, "too many X clients at once")
        else:
            self._closed = self._single
            self._waiting.add(X11Handshake(self, request, source))

    def close(self) -> None:
        """Let nobody in any more; who is in stays."""
        self._closed = True

    def forgotten(self) -> None:
        """The X server has forgotten the untrusted cookie: what it lets in now it may trust."""
        self.close()
        self.link.report.notice(
            "x11-cookie-forgotten",
            f"X server {self.server.name} ended or started afresh, and its untrusted cookie with "
            "it: no further programs are let in",
        )

    def done(self, handshake: X11Handshake) -> None:
        """A client is in, or has left."""
        self._waiting.discard(handshake)

    def denied(self, code: str, source: str, text: str) -> None:
        """Tell of a client that was not let in."""
        self._refused += 1
        if self._refused > _MAX_NOTICES:
            return
        more = "; further ones are not told of" if self._refused == _MAX_NOTICES else ""
        self.link.report.notice(code, f"an X client from {source} was not let in: {text}{more}")


class X11Handshake:
    """A channel of an X client, until it has shown its cookie and the X server is connected."""

    prefix = b""
    readable = False

    def __init__(self, door: X11Door, request: OpenRequest, source: str) -> None:
        self._door = door
        self._link = door.link
        self._channel = request.channel
        self._source = source
        self._gate = SetupGate(door.fake, door.server.cookie)
        self._passed: Passed | None = None
        self._early = bytearray()
        self._dial: Dial | None = None
        self._eof = False
        self._done = False
        self._channel.user = self
        self._link.handshakes.add(self)
        self._link.mux.confirm(self._channel)
        self._timer = self._link.loop.call_later(HANDSHAKE_TIME, self._expired)

    def deliver(self, view: memoryview) -> None:
        """Take bytes of the client; behind the setup they wait for the X server."""
        if self._passed is not None:
            # Not credited before the server takes it, so the window bounds it.
            self._early += view
            return
        event = self._gate.receive(view)
        self._link.mux.taken(self._channel, len(view) - len(self._gate.leftover))
        if isinstance(event, Denied):
            self._door.denied(event.code, self._source, event.text)
            self._leave(event.reply)
        elif isinstance(event, Passed):
            self._timer.cancel()
            self._passed = event
            self._early += self._gate.leftover
            self._dial = self._door.dialer.connect(self._door.server.address, self._connected)

    def _connected(self, sock: socket.socket | None, error: OSError | None) -> None:
        server = self._door.server
        if sock is not None and self._hands_over(sock):
            return
        text = (error.strerror if error else "") or str(error or "it hangs up")
        self._link.report.notice(
            "x11-server-unreachable",
            f"an X client from {self._source} finds no X server: {server.name}: {text}",
        )
        self._leave(self._gate.failed(f"netkit: X server {server.name} is not reached: {text}"))

    def _hands_over(self, sock: socket.socket) -> bool:
        """Give the client to the server; return False where that is gone already."""
        assert self._passed is not None
        with contextlib.suppress(OSError):
            # A few hundred bytes, which a socket that is new takes at once.
            if sock.send(self._passed.setup) == len(self._passed.setup):
                self._relay(sock)
                return True
        sock.close()
        return False

    def _relay(self, sock: socket.socket) -> None:
        self._forget()
        flow = self._link.adopt_flow(sock, self._channel, self._door.forward)
        flow.source, flow.target = self._source, f"X server {self._door.server.name}"
        self._link.report.opened(flow)
        if self._early:
            flow.deliver(memoryview(self._early))
        if self._eof:
            flow.peer_eof()

    def _expired(self) -> None:
        text = f"it sent no whole setup within {HANDSHAKE_TIME:g} s"
        self._door.denied("x11-no-setup", self._source, text)
        self._leave(self._gate.failed("netkit: X11 setup took too long"))

    def peer_eof(self) -> None:
        """The client sends no more; half a setup is none."""
        self._eof = True
        if self._passed is None:
            self.abort()

    def peer_closed(self) -> None:
        """The client has gone."""
        self.abort()

    def flush(self) -> None:
        """Nothing waits here."""

    def _leave(self, reply: bytes) -> None:
        """Close behind a last word."""
        if reply:
            self._link.mux.send(self._channel, reply)
            self._link.mux.eof(self._channel)
        self.abort()

    def _forget(self) -> None:
        self._done = True
        self._timer.cancel()
        self._link.handshakes.discard(self)
        self._door.done(self)

    def abort(self, _error: str = "") -> None:
        """Give the channel up."""
        if self._done:
            return
        self._forget()
        if self._dial is not None:
            self._dial.cancel()
        self._channel.user = None
        self._link.mux.close(self._channel)
