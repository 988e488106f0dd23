"""An SSH server that does on the connection layer exactly what a test says.

    def script(server, kind, fields):
        if kind == CHANNEL_OPEN:
            server.send(confirmation(...))

    with HostileServer(script) as server, tunnel(server.hop(), forwards=[...]) as run: ...

paramiko exchanges keys and lets everybody in; every message from 80 on goes to ``script``, in the
server's thread, and to ``messages``.
"""

from __future__ import annotations

import functools
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import paramiko
from paramiko.common import AUTH_SUCCESSFUL
from paramiko.message import Message

from netkit.model import Hop, HostKeyPolicy
from netkit.wire import messages as wire
from netkit.wire.messages import Fields, string, u32


class _AnyoneMayEnter(paramiko.ServerInterface):
    def __init__(self, server: HostileServer) -> None:
        self._server = server

    def get_allowed_auths(self, username: str) -> str:
        return "none"

    def check_auth_none(self, username: str) -> int:
        self._server.before_login()
        return AUTH_SUCCESSFUL


Script = Callable[["HostileServer", int, Fields], None]


def _nothing(_server: HostileServer, _kind: int, _fields: Fields) -> None:
    """The script of a server that never says anything."""


class HostileServer:
    """Listens on 127.0.0.1; one client at a time.

    Attributes:
        messages: ``(type, rest)`` of everything the client sent on the connection layer.
        before_login: called before the client is let in.
        opened: our copy of the client's channel numbers, in the order of its opens.
    """

    def __init__(self, script: Script = _nothing, *, receive_buffer: int | None = None) -> None:
        self.script = script
        self.messages: list[tuple[int, bytes]] = []
        self.opened: list[int] = []
        self.transport: Any = None
        self.rules: type[_AnyoneMayEnter] = _AnyoneMayEnter
        self.before_login: Callable[[], None] = lambda: None
        self._came = threading.Condition()
        self._listener = socket.socket()
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self._key = paramiko.ECDSAKey.generate()
        self._thread = threading.Thread(target=self._serve, name="hostile server")
        self._thread.start()

    def hop(self, **more: Any) -> Hop:
        """The hop that leads here."""
        values: dict[str, Any] = {
            "alias": "hostile",
            "host": "127.0.0.1",
            "port": self.port,
            "user": "tester",
            "host_key": HostKeyPolicy.ACCEPT_NEW,
            "connect_timeout": 10.0,
            **more,
        }
        return Hop(**values)

    def send(self, *payloads: bytes) -> None:
        """Send messages as they are."""
        assert self.transport is not None
        for payload in payloads:
            self.transport._send_message(Message(payload))

    def send_raw(self, content: bytes) -> None:
        """Send bytes that are no packets."""
        assert self.transport is not None
        self.transport.sock.sendall(content)

    def handle(self, kind: int, call: Callable[[], None]) -> None:
        """Do nothing else but ``call`` with messages of ``kind`` from now on."""
        assert self.transport is not None
        self.transport._handler_table[kind] = lambda _message: call()

    def wait_for(self, kind: int, count: int = 1, timeout: float = 10.0) -> bytes:
        """Wait for the ``count``-th message of ``kind`` and return what follows its type."""
        with self._came:
            found = self._came.wait_for(
                lambda: (
                    len(fit := [rest for k, rest in self.messages if k == kind]) >= count and fit
                ),
                timeout,
            )
        assert found, f"no message {kind} within {timeout} s: {[k for k, _ in self.messages]}"
        return found[count - 1]

    def count(self, kind: int) -> int:
        """How many messages of ``kind`` have come."""
        with self._came:
            return sum(k == kind for k, _ in self.messages)

    def channel(self, index: int = 0, timeout: float = 10.0) -> int:
        """The client's number for its ``index``-th channel, once it asked for it."""
        self.wait_for(wire.CHANNEL_OPEN, index + 1, timeout)
        return self.opened[index]

    def stop(self) -> None:
        """End everything; twice is fine."""
        self._listener.close()
        # a thread in accept() does not notice that; a connection does
        with socket.socket() as knock:
            knock.connect_ex(("127.0.0.1", self.port))
        self._thread.join(10)
        if self.transport is not None:
            self.transport.active = False
            self.transport.packetizer.close()
            self.transport.packetizer.complete_handshake()
            self.transport.sock.close()
            self.transport.join(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _serve(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        self._listener.close()
        transport: Any = paramiko.Transport(sock)
        transport.add_server_key(self._key)
        transport._handler_table = {
            **transport._handler_table,
            **{kind: functools.partial(self._got, kind) for kind in range(80, 128)},
        }
        self.transport = transport
        transport.start_server(event=threading.Event(), server=self.rules(self))

    def _got(self, kind: int, message: Message) -> None:
        rest = message.get_remainder()
        with self._came:
            if kind == wire.CHANNEL_OPEN:
                fields = Fields(rest, 0)
                fields.string()
                self.opened.append(fields.u32())
            self.messages.append((kind, rest))
            self._came.notify_all()
        if kind == wire.GLOBAL_REQUEST and b"keepalive@openssh.com" in rest:
            self.send(bytes([wire.REQUEST_FAILURE]))
            return
        self.script(self, kind, Fields(rest, 0))


def confirmation(
    channel: int, ours: int = 7, window: int = 1 << 21, packet: int = 1 << 15
) -> bytes:
    """Return a CHANNEL_OPEN_CONFIRMATION."""
    head = bytes([wire.CHANNEL_OPEN_CONFIRMATION])
    return head + u32(channel) + u32(ours) + u32(window) + u32(packet)


def refusal(channel: int, reason: int, text: str) -> bytes:
    """Return a CHANNEL_OPEN_FAILURE."""
    head = bytes([wire.CHANNEL_OPEN_FAILURE]) + u32(channel) + u32(reason)
    return head + string(text) + string("")


def data(channel: int, content: bytes) -> bytes:
    """Return a CHANNEL_DATA."""
    return bytes([wire.CHANNEL_DATA]) + u32(channel) + string(content)


def about(kind: int, channel: int, *more: int) -> bytes:
    """Return a message of ``kind`` about a channel, with further numbers."""
    return bytes([kind]) + u32(channel) + b"".join(map(u32, more))


def forwarded(ours: int, host: str, port: int) -> bytes:
    """Return a CHANNEL_OPEN of type forwarded-tcpip."""
    head = bytes([wire.CHANNEL_OPEN]) + string("forwarded-tcpip")
    head += u32(ours) + u32(1 << 21) + u32(1 << 15)
    return head + string(host) + u32(port) + string("192.0.2.1") + u32(4000)


def confirm_all(server: HostileServer, kind: int, fields: Fields) -> None:
    """A script that confirms every channel."""
    if kind == wire.CHANNEL_OPEN:
        server.send(confirmation(server.opened[-1], ours=len(server.opened)))
