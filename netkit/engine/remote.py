"""Remote forwards: what the gateway is asked to listen on, and what its connections reach here.

Requests are matched to replies by their order (RFC 4254 section 4), incoming channels to forwards
by (address, port) as asked, then by port alone, because servers echo either what was asked or
what they made of it.  What was not asked for is refused.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netkit.engine.dial import Dialer
from netkit.engine.dynamic import ReverseProxy
from netkit.errors import LinkLostError, RemoteForwardError, RemoteProtocolError
from netkit.model import Endpoint, Fix, ForwardSpec, UnixPath
from netkit.wire.messages import CONNECT_FAILED, PROHIBITED, UNKNOWN_TYPE, Fields, string, u32
from netkit.wire.untrusted import printable

if TYPE_CHECKING:
    from netkit.engine.dial import Dial
    from netkit.engine.link import Link
    from netkit.wire.mux import OpenRequest

REPLY_TIME = 30.0
"""Seconds a gateway has to say whether it listens."""

_OVERRIDDEN = re.compile(r'Forwarding listen address "([^"]*)" overridden by server GatewayPorts')

Accept = Callable[["OpenRequest", str], None]


@dataclass(slots=True)
class RemoteListener:
    """One remote forward as the gateway runs it; ``port`` is the allocated one.

    A cancelled one stays as long as the gateway has not confirmed that, and is given nothing.
    ``accept`` takes its channels, with the address they came from, in place of a local target.
    """

    forward: ForwardSpec
    host: str
    port: int
    cancelled: bool = False
    accept: Accept | None = None

    @property
    def address(self) -> Endpoint | UnixPath:
        """Where the gateway was asked to listen, with the port it chose."""
        if isinstance(self.forward.bind, UnixPath):
            return self.forward.bind
        return Endpoint(self.host or "*", self.port)


class Connecting:
    """A channel of the gateway whose local target is being connected."""

    prefix = b""
    readable = False

    def __init__(self, remotes: RemoteForwards, request: OpenRequest) -> None:
        self.remotes = remotes
        self.channel = request.channel
        self.dial: Dial | None = None

    def abort(self) -> None:
        """Give up; the link ends."""
        self.remotes.link.handshakes.discard(self)
        if self.dial is not None:
            self.dial.cancel()


class RemoteForwards:
    """All remote forwards of one link; everything but `request` is of the loop's thread.

    Attributes:
        on_x11: takes channels of type ``x11``; they are refused where nobody asked for any.
        again: the same was asked for on a link before, and what is to be known of it was said.
    """

    def __init__(self, link: Link, *, again: bool = False) -> None:
        self.link = link
        self.again = again
        self.dialer = Dialer(link.loop)
        self.table: list[RemoteListener] = []
        self.on_x11: Callable[[OpenRequest], None] | None = None
        link.on_open = self.open_request
        link.on_debug = self._debug

    # --- asking ---

    def request(
        self,
        forward: ForwardSpec,
        *,
        accept: Accept | None = None,
        limit: float | None = None,
        port: int = 0,
    ) -> RemoteListener:
        """Ask the gateway to listen; from any other thread.

        Waits for the answer for ``limit`` seconds, `REPLY_TIME` by default.
        ``accept`` is called in the loop's thread with what comes, and confirms or refuses it.
        ``port`` is the one that the gateway chose last time, for a forward that leaves it the
        choice.

        Raises:
            RemoteForwardError: it refused, or gave no answer.
            LinkLostError: the link ended meanwhile.
        """
        entered: list[RemoteListener] = []

        def reply(ok: bool, data: bytes) -> None:  # noqa: FBT001 (a wire field)
            if ok:
                entered.append(self._enter(forward, data, accept, port))

        kind, data = _request_of(forward, port)
        self._ask(kind, data, reply, f"whether it listens on {forward.bind}", limit)
        if not entered:
            raise _refused(forward, port)
        if isinstance(forward.bind, Endpoint) and not (
            self.again or _is_loopback(forward.bind.host)
        ):
            # sshd answers "yes" and listens on loopback alone unless GatewayPorts is set.
            self.link.report.notice(
                "gateway-ports-unverified",
                f"the gateway agreed to listen on {forward.bind}; an sshd whose GatewayPorts is "
                "no (the default) agrees too, and listens on its loopback alone",
            )
        return entered[0]

    def cancel(self, listener: RemoteListener, *, limit: float | None = None) -> None:
        """Have the gateway stop listening; open connections go on.  From any other thread.

        Raises:
            RemoteForwardError: it refused or gave no answer; what still comes is then refused here.
            LinkLostError: the link ended meanwhile.
        """
        done: list[bool] = []

        def reply(ok: bool, _data: bytes) -> None:  # noqa: FBT001 (a wire field)
            done.append(ok)
            if ok and listener in self.table:
                self.table.remove(listener)

        listener.cancelled = True
        kind, data = _cancel_of(listener)
        self._ask(kind, data, reply, f"whether it still listens on {listener.address}", limit)
        if not done[0]:
            raise RemoteForwardError(
                f"the gateway refused to stop listening on {listener.address}",
                code="remote-cancel-refused",
                cause="connections that it still accepts there are refused here",
            )

    def cancel_all(self) -> None:
        """Have the gateway stop listening and refuse what comes all the same; do not wait."""
        self.on_x11 = None
        for listener in self.table:
            if not listener.cancelled:
                listener.cancelled = True
                self.link.ask(*_cancel_of(listener), _ignore)

    def _ask(
        self,
        kind: str,
        data: bytes,
        reply: Callable[[bool, bytes], None],
        what: str,
        limit: float | None,
    ) -> None:
        """Make a global request and wait until ``reply`` was called, or raise."""
        answered = threading.Event()

        def answer(ok: bool, rest: bytes) -> None:  # noqa: FBT001 (a wire field)
            reply(ok, rest)
            answered.set()

        self.link.run(lambda: self.link.ask(kind, data, answer))
        waited = 0.0
        while not answered.wait(0.2):
            waited += 0.2
            if self.link.has_ended:
                raise self.link.error or LinkLostError("the link was closed", code="stopped")
            if waited >= (REPLY_TIME if limit is None else limit):
                raise RemoteForwardError(
                    f"the gateway did not say {what}", code="remote-forward-unanswered"
                )

    def _enter(
        self, forward: ForwardSpec, data: bytes, accept: Accept | None, wanted: int
    ) -> RemoteListener:
        if isinstance(forward.bind, UnixPath):
            listener = RemoteListener(forward, forward.bind.path, 0, accept=accept)
            self.table.append(listener)
            return listener
        port = forward.bind.port or wanted
        if port == 0:
            port = Fields(data, 0).u32()
            if not 0 < port < 65536:
                raise RemoteProtocolError(f"listens on port {port}, which does not exist")
        listener = RemoteListener(forward, _wire_host(forward.bind.host), port, accept=accept)
        self.table.append(listener)
        return listener

    def _debug(self, text: str) -> None:
        """sshd tells in a debug message alone that GatewayPorts changed a bind address."""
        found = _OVERRIDDEN.search(text)
        if found is not None and not self.again:
            asked = printable(found.group(1), 100)
            self.link.report.notice(
                "gateway-ports-override",
                f"the gateway overrides the bind address {asked or '*'!r}: its GatewayPorts "
                "setting decides who can reach the forwarded port",
            )

    # --- incoming channels ---

    def open_request(self, request: OpenRequest) -> None:
        """Connect an incoming channel to the target of its forward, or refuse it."""
        fields = Fields(request.data, 0)
        if request.kind == "forwarded-tcpip":
            host, port = fields.text(limit=1024), fields.u32()
            source = f"{printable(fields.text(limit=1024), 100)}:{fields.u32()}"
            listener = self._match(host, port)
        elif request.kind == "forwarded-streamlocal@openssh.com":
            listener = self._match(fields.text(limit=1024), 0)
            source = "unix"
        elif request.kind == "x11" and self.on_x11 is not None:
            self.on_x11(request)
            return
        else:
            self.link.mux.refuse(request.channel, UNKNOWN_TYPE, "unknown channel type")
            return
        if listener is None or listener.cancelled:
            self.link.mux.refuse(request.channel, PROHIBITED, "this forward was not asked for")
        elif refusal := self._refusal(listener, request, source):
            self.link.mux.refuse(request.channel, *refusal)
        elif listener.accept is not None:
            listener.accept(request, source)
        elif listener.forward.to is None:
            ReverseProxy(self.link, self.dialer, request.channel, listener.forward, source)
        else:
            self._connect(request, listener.forward, source)

    def _refusal(
        self, listener: RemoteListener, request: OpenRequest, source: str
    ) -> tuple[int, str] | None:
        limits = self.link.limits
        if limits is None:
            return None
        return limits.refusal(listener.forward, request.channel, source)

    def _match(self, host: str, port: int) -> RemoteListener | None:
        exact = [entry for entry in self.table if entry.port == port and entry.host == host]
        if exact:
            return exact[0]
        by_port = [entry for entry in self.table if port and entry.port == port]
        return by_port[0] if len(by_port) == 1 else None

    def _connect(self, request: OpenRequest, forward: ForwardSpec, source: str) -> None:
        target = forward.to
        assert target is not None
        connecting = Connecting(self, request)
        self.link.handshakes.add(connecting)

        def done(sock: socket.socket | None, error: OSError | None) -> None:
            self.link.handshakes.discard(connecting)
            if sock is None:
                text = (error.strerror if error else "") or str(error)
                self.link.mux.refuse(request.channel, CONNECT_FAILED, text)
                self.link.report.caused(
                    "local-target-failed",
                    f"forward {forward}: this machine cannot connect to {target}: {text}",
                    about=str(forward),
                )
                return
            flow = self.link.accept_flow(sock, request.channel, forward)
            flow.source, flow.target = source, str(target)
            self.link.report.opened(flow)

        connecting.dial = self.dialer.connect(target, done)


def _wire_host(host: str) -> str:
    """Return the bind address as ssh sends it: loopback by default, empty for every address."""
    if host == "":
        return "localhost"
    return "" if host == "*" else host


def _is_loopback(host: str) -> bool:
    return host in ("", "localhost", "::1") or host.startswith("127.")


def _request_of(forward: ForwardSpec, port: int = 0) -> tuple[str, bytes]:
    if isinstance(forward.bind, UnixPath):
        return "streamlocal-forward@openssh.com", string(forward.bind.path)
    bind = forward.bind
    return "tcpip-forward", string(_wire_host(bind.host)) + u32(bind.port or port)


def _cancel_of(listener: RemoteListener) -> tuple[str, bytes]:
    """Return the request that undoes a forward: as it was asked, with the allocated port."""
    kind, _ = _request_of(listener.forward)
    data = string(listener.host)
    if not isinstance(listener.forward.bind, UnixPath):
        data += u32(listener.port)
    return f"cancel-{kind}", data


def _ignore(_ok: bool, _data: bytes) -> None:  # noqa: FBT001 (a wire field)
    """The answer to a question that nobody waits for."""


def _refused(forward: ForwardSpec, port: int) -> RemoteForwardError:
    bind = forward.bind
    if isinstance(bind, Endpoint):  # with the port that the gateway chose last time
        bind = Endpoint(bind.host, bind.port or port)
    shown = str(bind)
    if isinstance(bind, Endpoint) and not bind.host:
        shown = f"port {bind.port}" if bind.port else "a port of its choice"
    fixes = (Fix(("ss", "-ltnp"), where="gateway", note="shows who listens there"),)
    if isinstance(bind, UnixPath):
        cause = (
            "the path exists there or its directory does not, or the gateway's sshd_config "
            "(AllowStreamLocalForwarding) forbids it"
        )
        fixes = (Fix(("ls", "-l", bind.path), where="gateway", note="shows whether it exists"),)
    elif bind.port == 0:
        cause = "the gateway's sshd_config (AllowTcpForwarding, PermitListen) forbids it"
        fixes = (
            Fix(("sshd", "-T"), where="gateway", needs_admin=True, note="prints its settings"),
        )
    elif 0 < bind.port < 1024:
        cause = "ports below 1024 need root there, or AllowTcpForwarding/PermitListen forbids it"
    else:
        cause = (
            "the port is taken there (an earlier session may still hold it), "
            "or AllowTcpForwarding/PermitListen forbids it"
        )
    return RemoteForwardError(
        f"the gateway refused to listen on {shown}",
        cause=cause,
        fixes=fixes,
        retryable=True,
    )
