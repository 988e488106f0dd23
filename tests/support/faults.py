"""A TCP proxy that does to a connection what networks do: delay, freeze, cut, garble.

``with FaultProxy(port) as proxy:`` listens on ``proxy.port`` and leads to ``port``.  Faults apply
to connections that are open and to those to come, at once or when a number of bytes has passed,
so that a test needs no clock: ``proxy.cut(after=1_000_000)``.

One thread with a selector carries every connection.
"""

from __future__ import annotations

import contextlib
import enum
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from support.waiting import wait_until

_CHUNK = 256 * 1024
_IN_FLIGHT = 64 * 1024 * 1024
"""Bytes one direction may hold back: 500 MB/s over 100 ms."""


class Direction(enum.Enum):
    TO_TARGET = "to target"
    TO_CLIENT = "to client"


BOTH = (Direction.TO_TARGET, Direction.TO_CLIENT)


class _Pipe:
    """One direction of one connection."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.queue: deque[tuple[float, memoryview]] = deque()
        self.queued = 0
        self.eof_due: float | None = None
        self.is_finished = False
        self.discards = False

    def is_reading(self) -> bool:
        return self.eof_due is None and self.queued < _IN_FLIGHT

    def is_over(self) -> bool:
        """Both sides know that nothing more comes."""
        return self.is_finished and not (self.discards and self.eof_due is None)


class _Rule:
    """How one direction of every connection is treated."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.frozen = False
        self.passed = 0
        self.garble_at: int | None = None
        self.cut_at: int | None = None
        self.freeze_at: int | None = None


class FaultProxy:
    """A proxy on 127.0.0.1 that leads to ``target_host:target_port``.

    ``delay`` is seconds added each way.  ``after`` counts the bytes of one direction, over all
    connections, from the call on.
    """

    def __init__(
        self, target_port: int, *, target_host: str = "127.0.0.1", delay: float = 0.0
    ) -> None:
        self._target = (target_host, target_port)
        self._rules = {direction: _Rule() for direction in Direction}
        for rule in self._rules.values():
            rule.delay = delay
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._orders: deque[tuple[Callable[[], None], threading.Event]] = deque()
        self._pipes: list[tuple[_Pipe, _Pipe]] = []
        self._stopping = False
        # One moment for all decisions of a step: what becomes due between two of them is next.
        self._looked = 0.0
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run, name=f"fault proxy :{self.port}")
        self._thread.start()

    # ------------------------------------------------------------ faults, from any thread

    def set_delay(self, seconds: float, *directions: Direction) -> None:
        """Hold back what comes from now on by ``seconds``; what is on its way keeps its time."""

        def order() -> None:
            for direction in directions or BOTH:
                self._rules[direction].delay = seconds

        self._do(order)

    def freeze(self, *directions: Direction, after: int | None = None) -> None:
        """Let nothing through any more, and read nothing, until ``thaw``.

        With ``after`` it starts when that many bytes have passed; those bytes still arrive.
        """

        def order() -> None:
            for direction in directions or BOTH:
                if after is None:
                    self._rules[direction].frozen = True
                else:
                    rule = self._rules[direction]
                    rule.freeze_at = rule.passed + after

        self._do(order)

    def thaw(self) -> None:
        """Go on after ``freeze``; nothing has been lost."""

        def order() -> None:
            for rule in self._rules.values():
                rule.frozen, rule.freeze_at = False, None

        self._do(order)

    def cut(self, *, after: int | None = None, direction: Direction = Direction.TO_CLIENT) -> None:
        """Reset every open connection on both sides, at once or when bytes have passed."""

        def order() -> None:
            if after is None:
                self._cut_all()
            else:
                rule = self._rules[direction]
                rule.cut_at = rule.passed + after

        self._do(order)

    def half_close(self, direction: Direction) -> None:
        """End one direction of every open connection with a FIN; what comes later is dropped."""

        def order() -> None:
            for pair in self._pipes:
                pipe = pair[BOTH.index(direction)]
                pipe.discards = True
                if not pipe.is_finished:
                    pipe.is_finished = True
                    with contextlib.suppress(OSError):
                        pipe.sink.shutdown(socket.SHUT_WR)

        self._do(order)

    def garble(self, direction: Direction, *, after: int = 0) -> None:
        """Flip one bit of the byte that comes after ``after`` more bytes."""

        def order() -> None:
            rule = self._rules[direction]
            rule.garble_at = rule.passed + after

        self._do(order)

    # ------------------------------------------------------------ what happened

    def passed(self, direction: Direction) -> int:
        """Return the bytes that came in for one direction since the start."""
        return self._rules[direction].passed

    def wait_passed(self, direction: Direction, size: int, *, timeout: float = 30.0) -> None:
        """Wait until ``size`` bytes of one direction have come in."""
        wait_until(
            lambda: self.passed(direction) >= size,
            timeout=timeout,
            what=f"{size} bytes {direction.value}, got {self.passed(direction)}",
        )

    @property
    def open_connections(self) -> int:
        """How many connections are carried now."""
        return len(self._pipes)

    def stop(self) -> None:
        """Reset what is open, close everything, join the thread; twice is fine."""
        if not self._thread.is_alive():
            return

        def order() -> None:
            self._stopping = True

        self._do(order)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # ------------------------------------------------------------ the proxy's thread

    def _do(self, order: Callable[[], None]) -> None:
        done = threading.Event()
        self._orders.append((order, done))
        self._wake_write.send(b"!")
        if not done.wait(10):
            raise TimeoutError("the fault proxy does not answer")

    def _run(self) -> None:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        try:
            while not self._stopping:
                self._step()
        finally:
            self._cut_all()
            self._selector.close()
            for sock in (self._listener, self._wake_read, self._wake_write):
                sock.close()

    def _step(self) -> None:
        ready = {key.fileobj: mask for key, mask in self._selector.select(self._timeout())}
        if self._wake_read in ready:
            self._wake_read.recv(4096)
            while self._orders:
                order, done = self._orders.popleft()
                order()
                done.set()
        if self._listener in ready:
            self._accept()
        self._looked = time.monotonic()
        for pair in list(self._pipes):
            try:
                for direction, pipe in zip(BOTH, pair, strict=True):
                    if ready.get(pipe.source, 0) & selectors.EVENT_READ:
                        self._read(direction, pipe)
                    self._flush(direction, pipe)
            except OSError:
                self._drop(pair)
                continue
            if pair in self._pipes:
                if all(pipe.is_over() for pipe in pair):
                    self._drop(pair)
                else:
                    self._watch(pair)

    def _timeout(self) -> float | None:
        due = [
            pipe.queue[0][0] if pipe.queue else pipe.eof_due
            for pair in self._pipes
            for direction, pipe in zip(BOTH, pair, strict=True)
            if not self._rules[direction].frozen and not pipe.is_finished
        ]
        now = time.monotonic()
        # What is due already waits for the sink to become writable, not for the clock.
        later = [
            max(moment - now, 0.0) for moment in due if moment is not None and moment > self._looked
        ]
        return min(later) if later else None

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            client, _ = self._listener.accept()
            try:
                target = socket.create_connection(self._target, 10)
            except OSError:
                _reset(client)
                return
            for sock in (client, target):
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = (_Pipe(client, target), _Pipe(target, client))
            self._pipes.append(pair)
            self._watch(pair)

    def _read(self, direction: Direction, pipe: _Pipe) -> None:
        rule = self._rules[direction]
        try:
            data = bytearray(pipe.source.recv(_CHUNK))
        except BlockingIOError:
            return
        due = time.monotonic() + rule.delay
        if not data:
            pipe.eof_due = due
            return
        if pipe.discards:
            return
        if rule.garble_at is not None and rule.garble_at < rule.passed + len(data):
            data[rule.garble_at - rule.passed] ^= 1
            rule.garble_at = None
        rule.passed += len(data)
        pipe.queue.append((due, memoryview(data)))
        pipe.queued += len(data)
        if rule.cut_at is not None and rule.passed >= rule.cut_at:
            rule.cut_at = None
            self._cut_all()
        if rule.freeze_at is not None and rule.passed >= rule.freeze_at:
            rule.freeze_at = None
            self._flush(direction, pipe)
            rule.frozen = True

    def _flush(self, direction: Direction, pipe: _Pipe) -> None:
        if self._rules[direction].frozen or pipe.is_finished or pipe.sink.fileno() < 0:
            return
        now = time.monotonic()
        while pipe.queue and pipe.queue[0][0] <= now:
            due, data = pipe.queue[0]
            try:
                sent = pipe.sink.send(data)
            except BlockingIOError:
                return
            pipe.queued -= sent
            if sent == len(data):
                pipe.queue.popleft()
            else:
                pipe.queue[0] = (due, data[sent:])
        if not pipe.queue and pipe.eof_due is not None and pipe.eof_due <= now:
            pipe.is_finished = True
            pipe.sink.shutdown(socket.SHUT_WR)

    def _watch(self, pair: tuple[_Pipe, _Pipe]) -> None:
        now = self._looked
        for index, pipe in enumerate(pair):
            back = pair[1 - index]
            wanted = 0
            if pipe.is_reading() and not self._rules[BOTH[index]].frozen:
                wanted |= selectors.EVENT_READ
            # `back` writes to the socket that `pipe` reads.
            if back.queue and back.queue[0][0] <= now and not self._rules[BOTH[1 - index]].frozen:
                wanted |= selectors.EVENT_WRITE
            self._interest(pipe.source, wanted)

    def _interest(self, sock: socket.socket, wanted: int) -> None:
        known = self._selector.get_map().get(sock)
        if known is None:
            if wanted:
                self._selector.register(sock, wanted)
        elif not wanted:
            self._selector.unregister(sock)
        elif known.events != wanted:
            self._selector.modify(sock, wanted)

    def _cut_all(self) -> None:
        for pair in list(self._pipes):
            self._drop(pair)

    def _drop(self, pair: tuple[_Pipe, _Pipe]) -> None:
        if pair not in self._pipes:
            return
        self._pipes.remove(pair)
        is_clean = all(pipe.is_finished for pipe in pair)
        for pipe in pair:
            self._interest(pipe.source, 0)
            if is_clean:
                pipe.source.close()
            else:
                _reset(pipe.source)


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
