"""A link to a port of this machine that is as slow, far and lossy as asked for.

`Shaper` listens on loopback and carries every connection to its target over one `Line` each way
(see `netkit.bench.link_model` for what is imitated and what is not).  Whoever sends more than the
line takes is held back by TCP itself: small receive buffers, and segments of Ethernet's size,
without which the kernel hides megabytes in the sender's buffer on loopback.  Linux sizes that
buffer also by what it remembers of earlier connections between the two addresses (tcp_metrics), so
the shaper has an address that nobody has used before.

The three-way handshake cannot be delayed from here, so ``connect`` returns at once.  What follows
it is late by what it should have taken: the first bytes leave a round trip after the connection
was accepted, and the target sees it half a round trip later.
"""

from __future__ import annotations

import contextlib
import heapq
import ipaddress
import itertools
import secrets
import select
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable
from random import Random
from types import TracebackType
from typing import Final, Self

from netkit.bench.link_model import SEGMENT, Line
from netkit.bench.shaped import Connection, Way
from netkit.errors import BindError, ResourceError
from netkit.model import Endpoint
from netkit.text.link_shapes import LinkShape

LOOPBACK: Final = "127.0.0.1"

MIN_BUFFER: Final = 8 << 10
MAX_BUFFER: Final = 1 << 20
BUFFER_TIME: Final = 0.004
"""What to ask for as a receive buffer: seconds of the line's rate, within bounds in bytes.

Linux doubles it.  With 4 KiB, TCP on loopback stalls for delayed acknowledgements.
"""

ACCEPT_PAUSE: Final = 0.5
"""Seconds without accepting when this process has no descriptors left."""

STOP_LIMIT: Final = 5.0
_TIMESTAMPS: Final = 12  # bytes of every segment (RFC 7323 section 3.2)
_FD_SETSIZE: Final = 1024  # select(2)


class Shaper:
    """A listening port on loopback that leads to ``target`` over a link of ``shape``.

    One thread carries everything.  ``random`` decides which segments are lost.
    """

    def __init__(self, target: Endpoint, shape: LinkShape, *, random: Random | None = None) -> None:
        self.shape = shape
        self._target = target
        self._random = random or Random()  # noqa: S311 (losses are no secret)
        self._loop: _Loop | None = None

    @property
    def address(self) -> Endpoint:
        """Where it listens.

        Raises:
            RuntimeError: it is not started.
        """
        if self._loop is None:
            raise RuntimeError("the shaper is not started")
        return self._loop.address

    def start(self) -> Endpoint:
        """Listen and carry, and return where; nothing more if it does already.

        Raises:
            BindError: no port can be listened on.
            ResourceError: no thread can be started.
        """
        if self._loop is None:
            try:
                loop = _Loop(self._target, self.shape, self._random)
            except OSError as error:
                raise BindError(
                    f"no port of loopback can be listened on: {error.strerror}", retryable=True
                ) from error
            loop.start()
            self._loop = loop
        return self._loop.address

    def stop(self) -> None:
        """Reset what is open, close everything and wait for it; nothing if it is not started."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def bind_anew(sock: socket.socket) -> None:
    """Bind to a port of a loopback address that is new, or of 127.0.0.1 where it is the only one.

    Raises:
        OSError: not even that can be had.
    """
    if sys.platform == "linux":
        number = (127 << 24) + (1 << 16) + secrets.randbelow(253 << 16)
        with contextlib.suppress(OSError):
            sock.bind((str(ipaddress.IPv4Address(number)), 0))
            return
    sock.bind((LOOPBACK, 0))


class _Loop:
    """The thread: a selector, timers, a line each way and the connections."""

    def __init__(self, target: Endpoint, shape: LinkShape, random: Random) -> None:
        self._target = target
        self._up = Way(self, Line(shape, random))
        self._down = Way(self, Line(shape, random))
        size = int(shape.rate * BUFFER_TIME)
        self._buffer = min(max(size, MIN_BUFFER), MAX_BUFFER)
        self._connections: set[Connection] = set()
        self._timers: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()
        self._stopping = False
        with contextlib.ExitStack() as undo:
            self._listener = undo.enter_context(self._new_socket())
            if sys.platform == "win32":
                self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            bind_anew(self._listener)
            self._listener.listen(128)
            self.address = Endpoint(*self._listener.getsockname()[:2])
            self._bell, self._ring = map(undo.enter_context, socket.socketpair())
            self._bell.setblocking(False)
            self.selector = undo.enter_context(selectors.DefaultSelector())
            self.selector.register(self._listener, selectors.EVENT_READ, self._accept)
            self.selector.register(self._bell, selectors.EVENT_READ, lambda _mask: None)
            self._held = undo.pop_all()
        name = f"netkit-shaper-{self.address.port}"
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; raises ResourceError."""
        try:
            self.thread.start()
        except RuntimeError as error:
            self._held.close()
            raise ResourceError(f"no thread for an imitated link: {error}") from error

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping = True
        with contextlib.suppress(OSError):  # it has ended by itself
            self._ring.send(b"\0")
        self.thread.join(STOP_LIMIT)

    def now(self) -> float:
        """Return `time.monotonic`."""
        return time.monotonic()

    def at(self, when: float, call: Callable[[float], None]) -> None:
        """Have ``call(now)`` called at ``when`` or a little later."""
        heapq.heappush(self._timers, (when, next(self._numbers), call))

    def dial(self) -> tuple[socket.socket, int]:
        """Begin to connect to the target; return the socket and an errno; raises OSError."""
        sock = self._new_socket()
        try:
            if self._target.host.startswith("127."):
                sock.bind((self.address.host, 0))
            return sock, sock.connect_ex((self._target.host, self._target.port))
        except OSError:
            sock.close()
            raise

    def forget(self, connection: Connection) -> None:
        """The connection is closed."""
        self._connections.discard(connection)

    def _new_socket(self) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_MAXSEG"):
            with contextlib.suppress(OSError):  # not everywhere before it is connected
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT + _TIMESTAMPS)
        return sock

    def _run(self) -> None:
        with self._held:
            try:
                while not self._stopping:
                    for key, mask in self._wait():
                        key.data(mask)
                    now = time.monotonic()
                    while self._timers and self._timers[0][0] <= now:
                        heapq.heappop(self._timers)[2](now)
            finally:
                for connection in list(self._connections):
                    connection.close(reset=True)

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for sockets or the next timer, to a fraction of a millisecond where that goes."""
        timeout = None
        if self._timers:
            timeout = max(0.0, self._timers[0][0] - time.monotonic())
            # epoll counts whole milliseconds, but its descriptor can be waited for with select
            descriptor = getattr(self.selector, "fileno", lambda: _FD_SETSIZE)()
            if 0 < timeout < 1 and descriptor < _FD_SETSIZE:
                select.select([descriptor], [], [], timeout)
                timeout = 0
        return self.selector.select(timeout)

    def _accept(self, _mask: int) -> None:
        try:
            near, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:
            self.selector.unregister(self._listener)
            self.at(time.monotonic() + ACCEPT_PAUSE, self._accept_again)
            return
        near.setblocking(False)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.add(Connection(self, near, self._up, self._down))

    def _accept_again(self, _now: float) -> None:
        self.selector.register(self._listener, selectors.EVENT_READ, self._accept)
