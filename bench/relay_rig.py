"""A link, its peer and its local clients in one thread and one loop, over socketpairs.

The engine relays as in a tunnel; its peer and the clients are driven by the link's loop.  So a
measurement holds no other thread, no encryption and no network; the two ends are part of it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self

from relay_peer import DONE, Peer

from netkit.engine.link import Link
from netkit.engine.loop import READ, WRITE
from netkit.engine.relay import Flow

_SCRATCH = bytearray(1 << 20)
_BLOCK = memoryview(bytes(range(256)) * 1024)


class Client:
    """The local side of one flow.

    Attributes:
        to_send: bytes it still has to say.
        received: bytes that came.
        after: called whenever some came.
    """

    def __init__(self, rig: Rig, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.to_send = 0
        self.received = 0
        self.after: Callable[[Client], None] = lambda _client: None
        self._rig = rig
        rig.link.loop.add(sock.fileno(), READ | WRITE, self._ready)

    def send(self, count: int) -> None:
        """Say ``count`` bytes, as the socket takes them."""
        self.to_send += count
        try:
            while self.to_send:
                self.to_send -= self.sock.send(_BLOCK[: self.to_send])
        except BlockingIOError:
            self._rig.link.loop.want(self.sock.fileno(), WRITE)

    def _ready(self, _events: int) -> None:
        if self.to_send:
            self.send(0)
        try:
            while count := self.sock.recv_into(_SCRATCH):
                self.received += count
                self.after(self)
                if self.sock.fileno() < 0:
                    return
        except BlockingIOError:
            self._rig.link.loop.rearm_read(self.sock.fileno())

    def close(self) -> None:
        """Leave."""
        self._rig.link.loop.remove(self.sock.fileno())
        self.sock.close()
        self._rig.clients.remove(self)


class Rig:
    """The link with its peer.

    Attributes:
        clients: those that `client` made and that have not left.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.link = Link(ours)
        self.link.authenticated = True
        self.link.peer_version = "SSH-2.0-netkit_0"
        self.link.stream.in_kex = False
        self.peer = Peer(self.link.loop, theirs)
        self.clients: list[Client] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for client in list(self.clients):
            client.close()
        self.peer.close()
        self.link.end(None)

    def client(self) -> tuple[Client, Flow]:
        """A local client and the flow that carries it, which is not open yet."""
        near, ours = socket.socketpair()
        ours.setblocking(False)
        flow = self.link.start_flow(ours, "direct-tcpip", b"")
        client = Client(self, near)
        self.clients.append(client)
        return client, flow

    def run(self) -> None:
        """Drive everything until the peer says that it is done."""
        while self.link.next_message()[0] != DONE:
            pass

    def settle(self) -> None:
        """Drive everything until what was said before has been read by both sides."""
        self.peer.done()
        self.run()
