"""What a client of netkit's own gateway may do once logged in: forward (RFC 4254 section 7).

All of it runs in the loop of the client's link.  Nothing blocks: names are resolved elsewhere
(`Dialer`), and listening points take literal addresses only.
"""

from __future__ import annotations

import errno
import functools
import ipaddress
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from netkit.engine import listeners
from netkit.engine.dial import Dial, Dialer
from netkit.engine.link import Link
from netkit.errors import BindError, NetkitError
from netkit.events import Event, FlowFailed, Notice
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from netkit.text.authorized_keys import AuthorizedKey, permits
from netkit.wire.channel import Channel, ChannelState
from netkit.wire.messages import (
    CONNECT_FAILED,
    PROHIBITED,
    RESOURCE_SHORTAGE,
    UNKNOWN_TYPE,
    Fields,
    string,
    u32,
)
from netkit.wire.mux import GlobalRequest, OpenRequest
from netkit.wire.open_failures import classify_open_failure, failure_code
from netkit.wire.untrusted import printable

log = logging.getLogger("netkit.gateway")

MAX_HOST = 255
MAX_LISTENERS = 256
"""Listening points per client."""

NO_SHELL = "this gateway only forwards and has no shell; use ssh -N"
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class BadTargetError(Exception):
    """A target or listening point that cannot be; the text says why."""


@dataclass(frozen=True, slots=True)
class ForwardRules:
    """What all clients may do.

    Attributes:
        allow: targets; None for any.  Port 0 is any port, and unix sockets are then not allowed.
        forwarding: whether connections are made and accepted for clients at all.
        remote_forwarding: whether clients may have the gateway listen.
        gateway_ports: whether it may listen on more than loopback addresses.
    """

    allow: tuple[Endpoint, ...] | None = None
    forwarding: bool = True
    remote_forwarding: bool = True
    gateway_ports: bool = False


class GatewaySession:
    """The forwards of one client over ``link``; ``key`` is what it logged in with."""

    def __init__(
        self,
        link: Link,
        rules: ForwardRules,
        key: AuthorizedKey | None,
        emit: Callable[[Event], None],
    ) -> None:
        self._link = link
        self._rules = rules
        self._key = key
        self._emit = emit
        self._dialer = Dialer(link.loop)
        self._dials: set[Dial] = set()
        self._listeners: dict[Address, listeners.Listener] = {}
        self._global_requests: dict[str, Callable[[GlobalRequest], bool]] = {
            "tcpip-forward": self._listen_tcp,
            "cancel-tcpip-forward": self._cancel_tcp,
            "streamlocal-forward@openssh.com": self._listen_unix,
            "cancel-streamlocal-forward@openssh.com": self._cancel_unix,
        }
        link.on_open = self._open
        link.on_global = self._global
        link.on_ended = self._ended

    @property
    def _may_forward(self) -> bool:
        return self._rules.forwarding and (self._key is None or self._key.forwarding)

    # --- channels the client opens ---

    def _open(self, event: OpenRequest) -> None:
        fields = Fields(event.data, 0)
        try:
            match event.kind:
                case "direct-tcpip":
                    host, port = bytes(fields.string()), fields.u32()
                    origin, origin_port = fields.string(), fields.u32()
                    target = _target(host, port)
                    source = f"{printable(bytes(origin), 80)}:{origin_port}"
                    self._connect(event.channel, target, source)
                case "direct-streamlocal@openssh.com":
                    path = _unix_path(bytes(fields.string()))
                    self._connect(event.channel, path, "")
                case "session":
                    self._refuse(event.channel, PROHIBITED, NO_SHELL)
                case _:
                    text = "this gateway does not know this kind of channel"
                    self._refuse(event.channel, UNKNOWN_TYPE, text)
        except BadTargetError as error:
            self._refuse(event.channel, CONNECT_FAILED, str(error))

    def _may_open(self, target: Address) -> bool:
        if not self._may_forward:
            return False
        if isinstance(target, UnixPath):
            opens = self._key.permit_open if self._key is not None else None
            return self._rules.allow is None and opens is None
        return permits(self._rules.allow, target.host, target.port) and (
            self._key is None or permits(self._key.permit_open, target.host, target.port)
        )

    def _connect(self, channel: Channel, target: Address, source: str) -> None:
        if not self._may_open(target):
            text = "administratively prohibited"
            self._refuse(channel, PROHIBITED, text, source, str(target))
            return
        dials: list[Dial] = []

        def done(sock: socket.socket | None, error: OSError | None) -> None:
            self._dials.difference_update(dials)
            if sock is None:
                assert error is not None
                code = RESOURCE_SHORTAGE if error.errno in _SHORTAGES else CONNECT_FAILED
                self._refuse(channel, code, error.strerror or str(error), source, str(target))
            elif channel.state is not ChannelState.OFFERED:
                sock.close()
            else:
                flow = self._link.accept_flow(sock, channel)
                flow.source, flow.target = source, str(target)
                self._link.report.opened(flow)

        dial = self._dialer.connect(target, done)
        if channel.state is ChannelState.OFFERED:
            dials.append(dial)
            self._dials.add(dial)

    def _refuse(
        self, channel: Channel, code: int, text: str, source: str = "", target: str = ""
    ) -> None:
        if channel.state is not ChannelState.OFFERED:
            return
        self._link.mux.refuse(channel, code, text)
        self._emit(
            FlowFailed(
                flow=0,
                forward=None,
                source=source,
                target=target or printable(channel.kind),
                code=failure_code(classify_open_failure(code, text)),
                reason=text,
            )
        )

    # --- listening points the client asks for ---

    def _global(self, event: GlobalRequest) -> bool:
        handler = self._global_requests.get(event.kind)
        return handler is not None and handler(event)

    def _succeed(self, event: GlobalRequest, data: bytes = b"") -> bool:
        if event.want_reply:
            self._link.mux.answer_global(ok=True, data=data)
        return True

    def _listen_tcp(self, event: GlobalRequest) -> bool:
        fields = Fields(event.data, 0)
        asked, port = bytes(fields.string()), fields.u32()
        try:
            bind = _bind_address(asked, port)
        except BadTargetError as error:
            return self._not_listening(printable(asked), str(error))
        if not _is_loopback(bind.host) and not self._rules.gateway_ports:
            return self._not_listening(str(bind), "only loopback addresses are listened on")
        name = asked.decode("utf-8", "replace")
        if self._key is not None and not permits(self._key.permit_listen, name or "*", port):
            return self._not_listening(str(bind), "the key does not permit it")
        listener = self._bind(bind)
        if listener is None:
            return False
        bound = listener.addresses[0]
        assert isinstance(bound, Endpoint)
        head = string(asked) + u32(bound.port)
        self._listen(Endpoint(name, bound.port), listener, "forwarded-tcpip", head)
        return self._succeed(event, u32(bound.port) if port == 0 else b"")

    def _listen_unix(self, event: GlobalRequest) -> bool:
        asked = bytes(Fields(event.data, 0).string())
        try:
            path = _unix_path(asked)
        except BadTargetError as error:
            return self._not_listening(printable(asked), str(error))
        if self._key is not None and self._key.permit_listen is not None:
            return self._not_listening(str(path), "the key does not permit it")
        listener = self._bind(path)
        if listener is None:
            return False
        head = string(asked)
        self._listen(path, listener, "forwarded-streamlocal@openssh.com", head)
        return self._succeed(event)

    def _bind(self, bind: Address) -> listeners.Listener | None:
        if not (self._may_forward and self._rules.remote_forwarding):
            self._not_listening(str(bind), "forwarding is not allowed")
            return None
        if len(self._listeners) >= MAX_LISTENERS:
            self._not_listening(str(bind), f"there are {MAX_LISTENERS} listening points already")
            return None
        try:
            text = (
                str(bind) if isinstance(bind, UnixPath) or bind.host else f"localhost:{bind.port}"
            )
            listener = listeners.bind(ForwardSpec(ForwardKind.REMOTE, bind, None, text))
            try:
                listener.listen()
            except BindError:
                listener.close()
                raise
        except (BindError, OSError) as error:
            self._not_listening(str(bind), str(error))
            return None
        return listener

    def _listen(self, key: Address, listener: listeners.Listener, kind: str, head: bytes) -> None:
        def accepted(sock: socket.socket, peer: object) -> None:
            if isinstance(peer, tuple):
                data = head + string(peer[0]) + u32(peer[1])
                source = str(Endpoint(peer[0], peer[1]))
            else:
                data, source = head + string(""), ""
            flow = self._link.start_flow(sock, kind, data, listener.forward)
            flow.source, flow.target = source, str(key)

        self._listeners[key] = listener
        exhausted = functools.partial(self._notice, "gateway-out-of-descriptors")
        listener.attach(self._link.loop, accepted, exhausted)
        addresses = ", ".join(map(str, listener.addresses))
        self._notice("gateway-listening", f"listening on {addresses} for a client")

    def _cancel_tcp(self, event: GlobalRequest) -> bool:
        fields = Fields(event.data, 0)
        name = bytes(fields.string()).decode("utf-8", "replace")
        return self._cancel(event, Endpoint(name, fields.u32()))

    def _cancel_unix(self, event: GlobalRequest) -> bool:
        path = os.fsdecode(bytes(Fields(event.data, 0).string()))
        return self._cancel(event, UnixPath(path))

    def _cancel(self, event: GlobalRequest, key: Address) -> bool:
        listener = self._listeners.pop(key, None)
        if listener is None:
            return False
        listener.detach()
        listener.close()
        return self._succeed(event)

    def _not_listening(self, where: str, why: str) -> bool:
        self._notice("gateway-not-listening", f"not listening on {where} for a client: {why}")
        return False

    def _notice(self, code: str, text: str) -> None:
        log.info("%s", text)
        self._emit(Notice(code=code, text=text))

    # --- the end ---

    def _ended(self, _error: NetkitError | None) -> None:
        for dial in self._dials:
            dial.cancel()
        self._dials.clear()
        for listener in self._listeners.values():
            listener.detach()
            listener.close()
        self._listeners.clear()


def _target(host: bytes, port: int) -> Endpoint:
    """Return the target of a direct-tcpip channel, or the reason there is none."""
    name = host.decode("ascii", "replace")
    # What is no name must not reach getaddrinfo, whose errors for it differ between systems.
    if not name or len(name) > MAX_HOST or any(not "!" <= char <= "~" for char in name):
        raise BadTargetError("Name or service not known")
    if port > 65535:
        raise BadTargetError("Servname not supported for ai_socktype")
    return Endpoint(name, port)


def _unix_path(path: bytes) -> UnixPath:
    if not path.startswith(b"/") or b"\0" in path:
        raise BadTargetError("No such file or directory")
    if len(path) > listeners.UNIX_PATH_LIMIT:
        raise BadTargetError(os.strerror(errno.ENAMETOOLONG))
    return UnixPath(os.fsdecode(path))


def _bind_address(asked: bytes, port: int) -> Endpoint:
    """Return where to listen: RFC 4254 section 7.1's names for all and for loopback addresses."""
    host = asked.decode("ascii", "replace").lower()
    if port > 65535:
        raise BadTargetError(f"{port} is no port")
    if host in ("", "*"):
        return Endpoint("*", port)
    if host == "localhost":
        return Endpoint("", port)
    try:
        return Endpoint(str(ipaddress.ip_address(host)), port)
    except ValueError:
        raise BadTargetError("only addresses are listened on, not names") from None


def _is_loopback(host: str) -> bool:
    return host == "" or (host != "*" and ipaddress.ip_address(host).is_loopback)
