"""Connections over an imitated link, with a clock of the test's own: times are exact."""

from __future__ import annotations

import errno
import heapq
import itertools
import selectors
import socket
from collections.abc import Callable, Iterator
from random import Random

import pytest

from netkit.bench.link_model import MIN_QUEUE, SEGMENT, Line
from netkit.bench.shaped import Connection, Way
from netkit.text.link_shapes import parse_link


class Clockwork:
    """A `Driver` whose time passes when the test says so.

    Attributes:
        clients, targets: the outer ends of the connections, blocking with a time limit.
        open: connections that are not closed.
    """

    def __init__(self, text: str) -> None:
        shape = parse_link(text)
        self.time = 0.0
        self.selector = selectors.DefaultSelector()
        self.up, self.down = Way(self, Line(shape, Random(1))), Way(self, Line(shape, Random(2)))
        self.clients: list[socket.socket] = []
        self.targets: list[socket.socket] = []
        self.open: set[Connection] = set()
        self.refuses: Callable[[], int] | None = None
        self._sockets: list[socket.socket] = []
        self._timers: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self.time

    def at(self, when: float, call: Callable[[float], None]) -> None:
        heapq.heappush(self._timers, (when, next(self._numbers), call))

    def dial(self) -> tuple[socket.socket, int]:
        if self.refuses is not None:
            return socket.socket(), self.refuses()
        ours, theirs = self._pair()
        self.targets.append(theirs)
        return ours, errno.EINPROGRESS

    def forget(self, connection: Connection) -> None:
        self.open.discard(connection)

    def connect(self) -> socket.socket:
        """Return the client's end of a new connection."""
        ours, theirs = self._pair()
        self.open.add(Connection(self, ours, self.up, self.down))
        self.clients.append(theirs)
        return theirs

    def run(self, until: float) -> None:
        """Let everything happen up to and including ``until``."""
        while True:
            while ready := self.selector.select(0):
                for key, mask in ready:
                    key.data(mask)
            if not self._timers or self._timers[0][0] > until:
                break
            self.time = max(self.time, self._timers[0][0])
            heapq.heappop(self._timers)[2](self.time)
        self.time = until

    @property
    def timers(self) -> int:
        return len(self._timers)

    def close(self) -> None:
        for connection in list(self.open):
            connection.close(reset=False)
        for sock in self._sockets:
            sock.close()
        self.selector.close()

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self._sockets.append(theirs)
        return ours, theirs


@pytest.fixture
def make() -> Iterator[Callable[[str], Clockwork]]:
    made: list[Clockwork] = []

    def factory(text: str) -> Clockwork:
        made.append(Clockwork(text))
        return made[-1]

    yield factory
    for each in made:
        each.close()


def received(sock: socket.socket) -> bytes | None:
    """Return what has come, ``b""`` for an EOF, None for nothing."""
    try:
        return sock.recv(1 << 20)
    except BlockingIOError:
        return None


def is_reset(sock: socket.socket) -> bool:
    """Whether the other end is gone, as far as a unix socket can tell: nothing can be sent."""
    try:
        sock.send(b"x")
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def test_connection_is_opened_after_one_and_a_half_round_trips(make):
    link = make("1mbit/100ms")
    client = link.connect()
    client.send(b"hello")
    link.run(0.149)
    assert not link.targets
    link.run(0.1501)
    (target,) = link.targets
    assert received(target) == b"hello"  # it left when the client would have been connected
    target.send(b"welcome")
    link.run(0.199)
    assert received(client) is None
    link.run(0.201)
    assert received(client) == b"welcome"


def opened(link: Clockwork) -> tuple[socket.socket, socket.socket]:
    """Return both outer ends of a connection that has been there for a second."""
    client = link.connect()
    link.run(link.time + 1.0)
    return client, link.targets[-1]


def test_bytes_come_when_the_line_has_carried_them(make):
    link = make("1mbit/100ms")
    client, target = opened(link)
    client.send(bytes(3 * SEGMENT))
    for count in range(1, 4):
        link.run(1.0 + 0.05 + count * SEGMENT / 125_000 - 0.0005)
        assert received(target) is None
        link.run(1.0 + 0.05 + count * SEGMENT / 125_000 + 0.0005)
        assert received(target) == bytes(SEGMENT)


def test_the_two_directions_do_not_share_a_line(make):
    link = make("1mbit/100ms")
    client, target = opened(link)
    client.send(bytes(10 * SEGMENT))
    target.send(b"back")
    link.run(1.051)
    assert received(client) == b"back"


def test_what_the_queue_has_no_room_for_stays_with_the_sender(make):
    link = make("1mbit/0ms")
    client, target = opened(link)
    sent = client.send(bytes(100_000))
    link.run(1.0)
    taken = link.up.line.held
    assert MIN_QUEUE - SEGMENT <= taken <= MIN_QUEUE < sent
    link.run(1.0 + sent / 125_000 + 0.001)
    assert len(received(target) or b"") == sent
    assert link.up.line.held == 0


def test_full_line_is_not_polled(make):
    link = make("1mbit/0ms")
    client, _target = opened(link)
    client.send(bytes(100_000))
    asked: list[float] = []
    real: Callable[[float], int] = link.up.line.room

    def room(now: float) -> int:
        asked.append(now)
        return real(now)

    link.up.line.room = room
    link.run(1.5)
    assert len(asked) < 3 * 0.5 * 125_000 / SEGMENT + 50
    assert link.timers < 10


def test_full_line_is_shared_fairly(make):
    link = make("1mbit/0ms")
    pairs = [opened(link) for _ in range(3)]
    for client, _target in pairs:
        client.send(bytes(100_000))
    start = link.time
    link.run(start + 1.2)
    counts = [len(received(target) or b"") for _client, target in pairs]
    assert sum(counts) == pytest.approx(150_000, rel=0.02)
    # the first one had the queue for itself for a moment
    assert min(counts) > 0.5 * 150_000 / 3


def test_half_close_passes_behind_the_data_and_the_other_direction_stays(make):
    link = make("1mbit/100ms")
    client, target = opened(link)
    client.send(bytes(SEGMENT))
    client.shutdown(socket.SHUT_WR)
    link.run(1.0 + 0.05 + SEGMENT / 125_000 + 0.001)
    assert received(target) == bytes(SEGMENT)
    assert received(target) == b""
    target.send(b"still")
    link.run(1.5)
    assert received(client) == b"still"
    assert link.open
    target.shutdown(socket.SHUT_WR)
    link.run(1.549)
    assert received(client) is None
    link.run(1.551)
    assert received(client) == b""
    assert not link.open


def test_lost_client_resets_the_target_half_a_round_trip_later(make):
    link = make("1mbit/100ms")
    client, target = opened(link)
    target.send(bytes(10 * SEGMENT))
    link.run(1.01)
    client.close()  # with bytes on their way to it
    link.run(1.09)
    target.send(bytes(10 * SEGMENT))  # it knows of nothing yet
    assert link.open
    link.run(1.5)
    assert not link.open
    assert is_reset(target)
    assert link.up.line.held == link.down.line.held == 0


def test_refused_connection_resets_the_client(make):
    link = make("1mbit/100ms")
    link.refuses = lambda: errno.ECONNREFUSED
    client = link.connect()
    link.run(0.19)
    assert link.open
    link.run(0.21)
    assert not link.open
    assert is_reset(client)


def test_both_sides_lost_is_an_end_too(make):
    link = make("1mbit/100ms")
    client, target = opened(link)
    client.send(b"x" * SEGMENT)
    target.send(b"x" * SEGMENT)
    link.run(1.001)
    client.close()
    target.close()
    link.run(2.0)
    assert not link.open
    assert link.up.line.held == link.down.line.held == 0
    assert not link.selector.get_map()


def test_reader_that_stalls_holds_up_only_itself(make):
    link = make("1gbit/0ms")
    link.up.line.window = link.down.line.window = 1 << 20
    stalled, _target = opened(link)
    stalled_target = link.targets[0]
    client, target = opened(link)
    for _ in range(100):
        try:
            while stalled.send(bytes(1 << 16)):
                pass
        except BlockingIOError:
            link.run(link.time + 0.01)
    assert (1 << 20) - SEGMENT < link.up.line.held <= 1 << 20
    assert link.timers < 10
    client.send(b"passes")
    link.run(link.time + 0.01)
    assert received(target) == b"passes"
    # and goes on when it reads again
    before = link.up.line.held
    while received(stalled_target):
        link.run(link.time + 0.01)
    assert link.up.line.held < before
    assert received(stalled_target) is None


def test_window_of_a_lossy_link_limits_what_is_on_its_way(make):
    link = make("1gbit/100ms/0.0001%")
    client, target = opened(link)
    while True:
        try:
            client.send(bytes(1 << 16))
        except BlockingIOError:
            break
    link.run(1.0)
    assert link.up.line.held == 10 * SEGMENT
    link.run(1.09)
    assert len(received(target) or b"") == 10 * SEGMENT
    assert received(target) is None
    link.run(1.14)
    assert link.up.line.held == 20 * SEGMENT


def test_closed_connection_ignores_what_comes_late(make):
    link = make("1mbit/100ms")
    client = link.connect()
    client.send(b"hello")
    (connection,) = link.open
    connection.close(reset=True)
    connection.close(reset=True)
    link.run(5.0)
    assert not link.targets
    assert not link.open
