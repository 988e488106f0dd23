"""A connection that passes over an imitated link: two sockets and a pipe each way.

The edge of `netkit.bench.link_model`: it reads what a line has room for, and writes what has
arrived.  Everything runs in the thread of one `Driver`.
"""

from __future__ import annotations

import contextlib
import errno
import math
import selectors
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from netkit.bench.link_model import SEGMENT, Line, Sender
from netkit.engine.goodbye import reset as close_with_reset

PIECE: Final = 64 << 10
"""Bytes of one read at most."""

_POLL_STEP: Final = 0.0005
_CONNECTING: Final = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0)}


class Driver(Protocol):
    """What drives connections: a selector whose data are callbacks, and timers."""

    @property
    def selector(self) -> selectors.BaseSelector: ...

    def now(self) -> float:
        """Return the time in seconds, which never goes back."""

    def at(self, when: float, call: Callable[[float], None]) -> None:
        """Have ``call(now)`` called at ``when`` or a little later."""

    def dial(self) -> tuple[socket.socket, int]:
        """Begin to connect to the target; return the socket and an errno; raises OSError."""

    def forget(self, connection: Connection) -> None:
        """The connection is closed."""


class Way:
    """One direction of the link, and the pipes that wait for room on it, in turn."""

    def __init__(self, driver: Driver, line: Line) -> None:
        self.driver = driver
        self.line = line
        self._waiting: deque[Pipe] = deque()
        self._is_due = False

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for room."""
        return bool(self._waiting)

    def wait(self, pipe: Pipe, now: float) -> None:
        """Have ``pipe`` read when it is its turn and there is room."""
        pipe.is_waiting = True
        self._waiting.append(pipe)
        self._schedule(now)

    def _schedule(self, now: float) -> None:
        if self._waiting and not self._is_due:
            self._is_due = True
            self.driver.at(max(self.line.room_at(), now + _POLL_STEP), self._serve)

    def _serve(self, now: float) -> None:
        self._is_due = False
        for _ in range(len(self._waiting)):
            room = self.line.room(now)
            if room < SEGMENT:
                break
            share = room // len(self._waiting)
            pipe = self._waiting.popleft()
            pipe.is_waiting = False
            pipe.read(now, most=max(SEGMENT, share))
        self._schedule(now)


class Pipe:
    """One direction of one connection.

    Attributes:
        source, sink: None before they are connected, and when they are gone.
        is_reading: the source is waited for.
        is_waiting: it is in the line's queue for room.
        is_blocked: what has arrived waits for the sink.
        is_finished: the sink got the FIN.
    """

    def __init__(self, connection: Connection, way: Way) -> None:
        self.source: socket.socket | None = None
        self.sink: socket.socket | None = None
        self.is_reading = False
        self.is_waiting = False
        self.is_blocked = False
        self.is_finished = False
        self._connection = connection
        self._way = way
        self._sender = Sender(way.line)
        self._pieces: deque[tuple[float, memoryview]] = deque()
        self._eof_due = math.inf
        self._reset_due = math.inf
        self._delivers_at = math.inf
        self._retries_at = math.inf

    # --- from the source ---

    def read(self, now: float, most: int = PIECE) -> None:
        """Take what the line has room for from the source; see to what comes next."""
        if self.source is None or self.is_waiting or self._is_ended:
            return
        allowed = min(self._sender.allowance(now), most, PIECE)
        if allowed < SEGMENT:
            self._hold(now)
        else:
            try:
                self._take(self.source.recv(allowed - allowed % SEGMENT), now)
            except BlockingIOError:
                self.is_reading = True
            except OSError:
                self._connection.lose(self.source, now)
                return
        self._connection.watch(self.source)

    def end(self, now: float, *, reset: bool = False) -> None:
        """Nothing more comes from the source: a FIN or an RST is on its way."""
        self.is_reading = False
        due = self._sender.end(now)
        if reset:
            self._reset_due = due
        else:
            self._eof_due = due
        self._schedule()

    @property
    def _is_ended(self) -> bool:
        return self._eof_due < math.inf or self._reset_due < math.inf

    def _take(self, data: bytes, now: float) -> None:
        if not data:
            self.end(now)
            return
        at = 0
        view = memoryview(data)
        for due, size in self._sender.put(len(data), now):
            self._pieces.append((due, view[at : at + size]))
            at += size
        self._schedule()
        self.is_reading = not self._way.is_wanted
        if self._sender.allowance(now) < SEGMENT:
            self._hold(now)
        elif not self.is_reading:
            self._way.wait(self, now)

    def _hold(self, now: float) -> None:
        """Read no more until there is room, an acknowledgement, or the sink takes something."""
        self.is_reading = False
        if self._sender.is_full:
            return
        news = self._sender.next_news()
        if news is None or self._way.line.room(now) < SEGMENT:
            self._way.wait(self, now)
        elif self._retries_at == math.inf:
            self._retries_at = news
            self._way.driver.at(news, self._retry)

    def _retry(self, now: float) -> None:
        self._retries_at = math.inf
        self.read(now)

    # --- to the sink ---

    def deliver(self, now: float) -> None:
        """Give the sink what has arrived; see to what comes next."""
        if self.sink is None:
            return
        was_full = self._sender.is_full
        try:
            self._send(self.sink, now)
        except OSError:
            self._connection.lose(self.sink, now)
            return
        if self._reset_due <= now:
            self._connection.close(reset=True)
            return
        if not self._pieces and self._eof_due <= now and not self.is_finished:
            self.is_finished = True
            with contextlib.suppress(OSError):
                self.sink.shutdown(socket.SHUT_WR)
            if self._connection.is_finished:
                self._connection.close(reset=False)
                return
        self._schedule()
        self._connection.watch(self.sink)
        if was_full and not self._sender.is_full:
            self.read(now)

    def discard(self) -> None:
        """Drop what is on its way."""
        self._sender.taken(sum(len(piece) for _due, piece in self._pieces))
        self._pieces.clear()
        self.is_reading = False

    def _send(self, sink: socket.socket, now: float) -> None:
        self.is_blocked = False
        while self._pieces and self._pieces[0][0] <= now:
            due, piece = self._pieces[0]
            try:
                sent = sink.send(piece)
            except BlockingIOError:
                sent = 0
            self._sender.taken(sent)
            if sent < len(piece):
                self._pieces[0] = (due, piece[sent:])
                self.is_blocked = True
                return
            self._pieces.popleft()

    def _schedule(self) -> None:
        """Have `deliver` called when the next thing is due, unless it waits for the sink."""
        due = self._reset_due
        if self._pieces:
            due = due if self.is_blocked else min(due, self._pieces[0][0])
        elif not self.is_finished:
            due = min(due, self._eof_due)
        if due < self._delivers_at:
            self._delivers_at = due
            self._way.driver.at(due, self._due)

    def _due(self, now: float) -> None:
        if now >= self._delivers_at:  # else another timer took its place
            self._delivers_at = math.inf
            self.deliver(now)


class Connection:
    """A client, the target, and a pipe each way.

    ``near`` is the accepted socket, non-blocking.  The target is dialled when it would have heard
    of a client that is so far away.
    """

    def __init__(self, driver: Driver, near: socket.socket, up: Way, down: Way) -> None:
        self._driver = driver
        self._near = near
        self._far: socket.socket | None = None
        self._masks: dict[socket.socket, int] = {}
        self._is_far_open = False
        self._is_closed = False
        self._lost = 0
        self._up, self._down = Pipe(self, up), Pipe(self, down)
        self._up.source = self._down.sink = near
        now, round_trip = driver.now(), up.line.round_trip
        driver.at(now + round_trip, self._up.read)
        driver.at(now + 1.5 * round_trip, self._dial)

    @property
    def is_finished(self) -> bool:
        """Whether each side got the other's FIN."""
        return self._up.is_finished and self._down.is_finished

    def watch(self, sock: socket.socket) -> None:
        """Tell the selector what is wanted of a socket now."""
        if sock.fileno() < 0:
            return
        source, sink = self._sides(sock)
        mask = selectors.EVENT_READ if source.is_reading else 0
        if sink.is_blocked or (sock is self._far and not self._is_far_open):
            mask |= selectors.EVENT_WRITE
        before = self._masks.get(sock, 0)
        if mask == before:
            return
        self._masks[sock] = mask
        if not mask:
            self._driver.selector.unregister(sock)
        elif before:
            self._driver.selector.modify(sock, mask, lambda ready: self._ready(sock, ready))
        else:
            self._driver.selector.register(sock, mask, lambda ready: self._ready(sock, ready))

    def lose(self, sock: socket.socket, now: float) -> None:
        """One side is gone: what was on its way there is lost, and the other side gets an RST."""
        outgoing, incoming = self._sides(sock)
        self._drop(sock)
        self._lost += 1
        if self._lost == 2:
            self.close(reset=True)
            return
        outgoing.source = incoming.sink = None
        incoming.discard()
        if incoming.source is not None:
            self.watch(incoming.source)
        outgoing.end(now, reset=True)

    def close(self, *, reset: bool) -> None:
        """Close what is open: with an RST, or silently after both FINs."""
        if self._is_closed:
            return
        self._is_closed = True
        for pipe in (self._up, self._down):
            pipe.discard()
            pipe.source = pipe.sink = None
        for sock in (self._near, self._far):
            if sock is not None and sock.fileno() >= 0:
                self._drop(sock, reset=reset)
        self._driver.forget(self)

    def _sides(self, sock: socket.socket) -> tuple[Pipe, Pipe]:
        """Return the pipe that comes from a socket and the one that leads there."""
        return (self._up, self._down) if sock is self._near else (self._down, self._up)

    def _dial(self, now: float) -> None:
        if self._is_closed:
            return
        try:
            self._far, error = self._driver.dial()
        except OSError:
            self.close(reset=True)
            return
        if error in _CONNECTING:
            self.watch(self._far)
        else:
            self.lose(self._far, now)

    def _ready(self, sock: socket.socket, mask: int) -> None:
        if self._is_closed:
            return
        now = self._driver.now()
        if sock is self._far and not self._is_far_open:
            self._dialled(sock, now)
            return
        source, sink = self._sides(sock)
        if mask & selectors.EVENT_WRITE and sink.is_blocked:
            sink.deliver(now)
        if mask & selectors.EVENT_READ and source.is_reading:
            source.read(now)

    def _dialled(self, far: socket.socket, now: float) -> None:
        if far.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.lose(far, now)
            return
        self._is_far_open = True
        self._up.sink = self._down.source = far
        self._down.read(now)
        self._up.deliver(now)

    def _drop(self, sock: socket.socket, *, reset: bool = False) -> None:
        if self._masks.pop(sock, 0):
            self._driver.selector.unregister(sock)
        if reset:
            close_with_reset(sock)
        else:
            sock.close()
