"""A TCP proxy that is far away or thin: ``python delay.py PORT MILLISECONDS [RATE]``.

Listens on a port of 127.0.0.1 (printed as ``{"port": N}``), connects to PORT there and holds every
byte back for MILLISECONDS in each direction.  It acknowledges at once, so only the round trip of
the protocol above TCP is felt: its windows.  Leaves when its stdin ends.

Without RATE it has no bandwidth limit.  With RATE, bytes per second each way, it passes bytes on
at that pace, one hundredth of a second's worth at a time, and queues a quarter of a second's worth,
as a modem does; what it does not take fills the sender's socket, which is how a link is felt.

Bytes wait in a ring per direction with one (due time, length) note per receive; nothing is
allocated or copied between the two system calls.  A full ring stops reading (128 MiB hold more
than the largest window under test).
"""

from __future__ import annotations

import json
import mmap
import select
import socket
import sys
import time
from collections import deque

RING = 128 << 20
PIECE = 1 << 20
THIN_BUFFER = 32 << 10
"""Receive buffer of the kernel in front of a thin link (socket(7); Linux doubles it)."""


class Pipe:
    """One direction of one connection."""

    def __init__(
        self, source: socket.socket, sink: socket.socket, delay_ns: int, rate: float
    ) -> None:
        self.source, self.sink = source, sink
        self._delay_ns = delay_ns
        self._rate = rate
        self._piece = max(512, int(rate / 100)) if rate else PIECE
        self._room = min(RING, max(2 * self._piece, int(rate / 4))) if rate else RING
        self._free_ns = 0  # when the link has passed on what it was given
        self._ring = memoryview(mmap.mmap(-1, RING))
        self._head = 0  # where the oldest byte lies
        self._used = 0
        self._notes: deque[list[int]] = deque()
        self._ended_ns = 0
        self.finished = False
        self.blocked = False  # the sink takes no more at the moment

    @property
    def reading(self) -> bool:
        """Whether there is room, and something may still come."""
        return not self._ended_ns and self._used < self._room

    def due(self) -> int | None:
        """When the next thing is due, monotonic ns; None if nothing waits for time."""
        if self.blocked or self.finished:
            return None
        if self._notes:
            return self._notes[0][0]
        return self._ended_ns or None

    def receive(self) -> None:
        """One receive into the ring; raises OSError."""
        tail = (self._head + self._used) % RING
        room = min(self._piece, self._room - self._used, RING - tail)
        try:
            count = self.source.recv_into(self._ring[tail : tail + room])
        except BlockingIOError:
            return
        now = time.monotonic_ns()
        if self._rate:
            now = max(now, self._free_ns) + int(count / self._rate * 1e9)
            self._free_ns = now
        due = now + self._delay_ns
        if not count:
            self._ended_ns = due
            return
        self._notes.append([due, count])
        self._used += count

    def send(self, now: int) -> None:
        """Pass on everything that is due; raises OSError."""
        while self._notes and self._notes[0][0] <= now:
            ready = self._ready(now)
            try:
                count = self.sink.send(self._ring[self._head : self._head + ready])
            except BlockingIOError:
                self.blocked = True
                return
            self._taken(count)
        if not self._notes and self._ended_ns and self._ended_ns <= now and not self.finished:
            self.finished = True
            self.sink.shutdown(socket.SHUT_WR)

    def _ready(self, now: int) -> int:
        """How many due bytes lie in one stretch from the head, about a piece at most."""
        ready = 0
        for due, count in self._notes:
            if due > now or ready >= PIECE:
                break
            ready += count
        return min(ready, RING - self._head)

    def _taken(self, count: int) -> None:
        self._used -= count
        # An empty ring starts over, so that a slow flow stays in the processor's cache.
        self._head = (self._head + count) % RING if self._used else 0
        while count:
            note = self._notes[0]
            part = min(count, note[1])
            note[1] -= part
            count -= part
            if not note[1]:
                self._notes.popleft()


class Proxy:
    """The loop."""

    def __init__(self, port: int, delay_ns: int, rate: float = 0.0) -> None:
        self._port, self._delay_ns, self._rate = port, delay_ns, rate
        self._poll = select.epoll()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        if rate:
            # Connections inherit it; it must be known before they negotiate their windows.
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, THIN_BUFFER)
        self._from: dict[int, Pipe] = {}
        self._to: dict[int, Pipe] = {}
        self._masks: dict[int, int] = {}

    def serve(self) -> None:
        """Until stdin ends."""
        self._poll.register(self._server, select.EPOLLIN)
        self._poll.register(sys.stdin, select.EPOLLIN)
        print(json.dumps({"port": self._server.getsockname()[1]}), flush=True)
        while True:
            for number, mask in self._poll.poll(self._patience()):
                if number in self._from:
                    self._ready(number, mask)
                elif number == self._server.fileno():
                    self._accept()
                elif number == sys.stdin.fileno():
                    return
            now = time.monotonic_ns()
            for pipe in list(self._from.values()):
                self._pass_on(pipe, now)

    def _patience(self) -> float:
        dues = [due for pipe in self._from.values() if (due := pipe.due()) is not None]
        return max(0.0, (min(dues) - time.monotonic_ns()) / 1e9) if dues else -1

    def _accept(self) -> None:
        near, _ = self._server.accept()
        far = socket.socket()
        if self._rate:
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, THIN_BUFFER)
        try:
            far.connect(("127.0.0.1", self._port))
        except OSError:
            near.close()
            far.close()
            return
        for end, other in ((near, far), (far, near)):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setblocking(False)
            self._from[end.fileno()] = Pipe(end, other, self._delay_ns, self._rate)
            self._to[other.fileno()] = self._from[end.fileno()]
            self._masks[end.fileno()] = select.EPOLLIN
            self._poll.register(end, select.EPOLLIN)

    def _ready(self, number: int, mask: int) -> None:
        if mask & select.EPOLLOUT:
            self._to[number].blocked = False
        pipe = self._from[number]
        try:
            if mask & ~select.EPOLLOUT and pipe.reading:
                pipe.receive()
            elif mask & (select.EPOLLERR | select.EPOLLHUP):
                self._close(pipe)
        except OSError:
            self._close(pipe)

    def _pass_on(self, pipe: Pipe, now: int) -> None:
        if pipe.source.fileno() < 0:
            return
        try:
            if not pipe.blocked:
                pipe.send(now)
        except OSError:
            self._close(pipe)
            return
        back = self._to[pipe.source.fileno()]
        if pipe.finished and back.finished:
            self._close(pipe)
            return
        self._refresh(pipe)
        self._refresh(back)

    def _refresh(self, pipe: Pipe) -> None:
        number = pipe.source.fileno()
        mask = select.EPOLLIN if pipe.reading else 0
        mask |= select.EPOLLOUT if self._to[number].blocked else 0
        if mask != self._masks[number]:
            self._masks[number] = mask
            self._poll.modify(number, mask)

    def _close(self, pipe: Pipe) -> None:
        for end in (pipe.source, pipe.sink):
            number = end.fileno()
            if number >= 0:
                self._poll.unregister(number)
                del self._from[number], self._to[number], self._masks[number]
                end.close()


def main() -> None:
    """The command line."""
    if len(sys.argv) not in (3, 4):
        raise SystemExit("usage: delay.py PORT MILLISECONDS [BYTES_PER_SECOND]")
    port, milliseconds, *rate = sys.argv[1:]
    Proxy(int(port), int(float(milliseconds) * 1e6), *map(float, rate)).serve()


if __name__ == "__main__":
    main()
