"""Two links over a socketpair, each with a thread of its own: the engine without SSH's handshake.

    with LinkPair() as pair:
        sock, flow = pair.flow()      # `sock` talks through `pair.near` to `pair.far`
        other = pair.far_socket()     # where it comes out

Nothing is encrypted and nobody logs in; everything above is what runs in a tunnel.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from netkit.engine import loop, outbox, stream
from netkit.engine.link import Link, RekeyDueError
from netkit.engine.relay import Flow
from netkit.errors import NetkitError
from netkit.wire import mux as m
from support.waiting import holds_within, wait_until

E = TypeVar("E")

PLATFORMS = ("epoll", "selectors", "windows")
"""What a system may offer: epoll; selectors alone; neither epoll nor scattered reads and writes."""


def play(platform: str, monkeypatch: Any) -> None:
    """Make the engine believe that it runs on ``platform``; for links that are made later."""
    if platform != "epoll":
        monkeypatch.setattr(loop, "make_poller", loop._SelectorPoller)
    if platform == "windows":
        from netkit.engine import intake

        monkeypatch.setattr(stream, "HAS_SENDMSG", False)
        monkeypatch.setattr(outbox, "HAS_SENDMSG", False)
        monkeypatch.setattr(intake, "HAS_RECVMSG", False)


def drive(link: Link) -> None:
    """Run a link until it ends, as a transport's thread does."""
    link.loop.thread = threading.current_thread()
    try:
        while True:
            try:
                link.next_message()
            except RekeyDueError:
                continue
    except NetkitError as error:
        link.end(error)


class LinkPair:
    """``near`` opens channels, ``far`` accepts them all.

    Attributes:
        reports: every event of both links.
    """

    def __init__(self, *, answer: bool = True, buffer: int | None = None) -> None:
        one, two = socket.socketpair()
        if buffer is not None:
            for sock in (one, two):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        self.reports: list[Any] = []
        self.near = Link(one, observer=self.reports.append)
        self.far = Link(two, observer=self.reports.append, peer="client")
        self.offers: queue.Queue[m.OpenRequest] = queue.Queue()
        self._accepted: queue.Queue[tuple[socket.socket, Flow]] = queue.Queue()
        self.far.on_open = self._accept if answer else self.offers.put
        self._threads = []
        for link in (self.near, self.far):
            link.authenticated = True
            link.peer_version = "SSH-2.0-netkit_0"  # one that says EOF before a clean CLOSE
            link.stream.in_kex = False
            self._threads.append(threading.Thread(target=drive, args=(link,)))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for link in (self.near, self.far):
            link.stop()
        for thread in self._threads:
            thread.join(10)
        while not self._accepted.empty():
            self._accepted.get()[0].close()

    def _accept(self, request: m.OpenRequest) -> None:
        ours, theirs = tcp_pair()
        ours.setblocking(False)
        self._accepted.put((theirs, self.far.accept_flow(ours, request.channel)))

    def flow(self, *, opening: Any = None, prefix: bytes = b"") -> tuple[socket.socket, Flow]:
        """Return a client's socket and the near flow that carries it."""
        client, ours = tcp_pair()
        ours.setblocking(False)

        def begin() -> Flow:
            flow = self.near.start_flow(ours, "direct-tcpip", b"", None, opening)
            flow.prefix = prefix
            return flow

        return client, self.near.run(begin)

    def far_socket(self) -> socket.socket:
        """Return the socket at which the oldest unclaimed flow comes out."""
        return self._accepted.get(timeout=10)[0]

    @property
    def has_unclaimed(self) -> bool:
        """Whether a flow came out that `far_socket` has not returned."""
        return not self._accepted.empty()

    def ends(self) -> tuple[socket.socket, socket.socket]:
        """Return both ends of a new flow."""
        client, _ = self.flow()
        return client, self.far_socket()

    def on_near(self, call: Callable[[], Any]) -> Any:
        """Run ``call`` in the near link's thread."""
        return self.near.run(call)

    def report_of(self, kind: type[E]) -> E:
        """Return the first event of ``kind``, once it is there."""
        wait_until(lambda: any(isinstance(event, kind) for event in self.reports))
        return next(event for event in self.reports if isinstance(event, kind))

    def is_idle(self) -> bool:
        """Whether nothing is left of any flow, within ten seconds."""
        return holds_within(
            lambda: (
                not any(
                    link.flows or link.mux.channels or link.handshakes
                    for link in (self.near, self.far)
                )
            ),
            timeout=10,
        )


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected TCP sockets with a time limit on all they do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname(), 20)
        two, _ = listener.accept()
    two.settimeout(20)
    for sock in (one, two):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one, two


@contextlib.contextmanager
def running_loop():
    """A `Loop` in a thread of its own."""
    subject = loop.Loop()
    stopped = threading.Event()

    def run() -> None:
        subject.thread = threading.current_thread()
        while not stopped.is_set():
            subject.run_once(wait=True)
        subject.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield subject
    finally:
        stopped.set()
        subject.wake()
        thread.join(10)
