"""The relay between two links, on every kind of system."""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import threading

import pytest

from netkit.engine import relay as engine
from netkit.engine.goodbye import reset
from netkit.events import FlowClosed, FlowFailed, FlowOpened
from netkit.wire import mux
from support import targets
from support.links import PLATFORMS, LinkPair, play
from support.tunnels import outcome, read_all, read_exactly
from support.waiting import holds_within, wait_until

SIZE = 8 << 20


@pytest.fixture(params=PLATFORMS)
def pair(request, monkeypatch):
    play(request.param, monkeypatch)
    with LinkPair() as made:
        yield made


def send_all(sock: socket.socket, size: int) -> threading.Thread:
    def send() -> None:
        with contextlib.suppress(OSError):  # some tests end it
            for piece in targets.pattern(size):
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def closed(pair: LinkPair) -> list[FlowClosed]:
    return [event for event in pair.reports if isinstance(event, FlowClosed)]


class TestData:
    @pytest.mark.parametrize("size", [0, 1, 32767, 32768, 32769, SIZE])
    def test_both_ways_at_once(self, pair, size):
        one, two = pair.ends()
        with one, two:
            senders = [send_all(one, size), send_all(two, size)]
            for sock in (one, two):
                assert hashlib.sha256(read_all(sock)).hexdigest() == targets.pattern_digest(size)
            for sender in senders:
                sender.join()
        assert pair.is_idle()
        assert [event.error for event in closed(pair)] == ["", ""]
        assert {event.bytes_to_gateway for event in closed(pair)} == {size}
        assert {event.bytes_from_gateway for event in closed(pair)} == {size}

    def test_questions_and_answers(self, pair):
        one, two = pair.ends()
        with one, two:
            for number in range(300):
                text = str(number).encode() * (number % 50 + 1)
                one.sendall(text)
                assert read_exactly(two, len(text)) == text
                two.sendall(text)
                assert read_exactly(one, len(text)) == text
        assert pair.is_idle()

    def test_many_flows(self, pair):
        ends = [pair.ends() for _ in range(20)]
        senders = [send_all(one, 300_000) for one, _ in ends]
        for one, two in ends:
            assert hashlib.sha256(read_all(two)).hexdigest() == targets.pattern_digest(300_000)
            two.close()
            assert read_all(one) == b""
            one.close()
        for sender in senders:
            sender.join()
        assert pair.is_idle()

    def test_slow_reader_gets_everything(self, pair):
        one, two = pair.ends()
        with one, two:
            sender = send_all(one, SIZE)
            wait_until(
                lambda: any(flow.outbox.pending for flow in list(pair.far.flows)),
                what="bytes that wait",
            )
            assert hashlib.sha256(read_all(two)).hexdigest() == targets.pattern_digest(SIZE)
            sender.join()
        assert pair.is_idle()

    @pytest.mark.parametrize("packet", [1, 100, 40_000])
    def test_small_packets_and_windows_of_the_peer(self, pair, packet, monkeypatch):
        size = min(packet * 3000, 2 << 20)
        monkeypatch.setattr(mux, "MAXIMUM_PACKET", packet)
        one, two = pair.ends()
        with one, two:
            sender = send_all(one, size)
            assert hashlib.sha256(read_all(two)).hexdigest() == targets.pattern_digest(size)
            sender.join()


class TestEnds:
    def test_eof_each_way_alone(self, pair):
        one, two = pair.ends()
        with one, two:
            one.sendall(b"question")
            one.shutdown(socket.SHUT_WR)
            assert read_all(two) == b"question"
            two.sendall(b"answer")
            two.shutdown(socket.SHUT_WR)
            assert read_all(one) == b"answer"
        assert pair.is_idle()
        assert [event.error for event in closed(pair)] == ["", ""]

    def test_reset_closes_the_channel(self, pair):
        one, two = pair.ends()
        with two:
            one.sendall(b"x")
            assert two.recv(1) == b"x"
            reset(one)
            assert outcome(two) == "reset"
        assert pair.is_idle()
        assert all(event.error for event in closed(pair))

    def test_reader_that_leaves(self, pair, monkeypatch):
        """What is written to it is dropped; what it still said arrives."""
        monkeypatch.setattr(engine, "LINGER_LIMIT", 0.2)
        one, two = pair.ends()
        two.sendall(b"last words")
        two.close()
        with one:
            assert read_exactly(one, 10) == b"last words"
            sender = threading.Thread(target=send_until_it_breaks, args=(one,))
            sender.start()
            sender.join(20)
            assert not sender.is_alive()
        assert pair.is_idle()

    def test_far_side_that_ends_first_and_a_near_one_that_never_stops(self, pair, monkeypatch):
        """The channel is closed by the peer: what is still sent is read and dropped for a while."""
        monkeypatch.setattr(engine, "LINGER_LIMIT", 0.1)
        one, two = pair.ends()
        with one, two:
            pair.far.run(lambda: [pair.far.mux.eof(f.channel) for f in list(pair.far.flows)])
            pair.far.run(lambda: [f._finish() for f in list(pair.far.flows)])
            assert read_all(one) == b""
            sender = threading.Thread(target=send_until_it_breaks, args=(one,))
            sender.start()
            sender.join(20)
            assert not sender.is_alive()
        assert pair.is_idle()

    def test_slow_reader_of_a_closed_channel_is_given_up(self, pair, monkeypatch):
        monkeypatch.setattr(engine, "FLUSH_LIMIT", 0.2)
        one, two = pair.ends()
        with one, two:
            sender = send_all(one, 6 << 20)
            wait_until(
                lambda: any(flow.outbox.pending for flow in list(pair.far.flows)), what="pending"
            )
            pair.near.run(lambda: close_cleanly(pair))
            wait_until(lambda: not pair.far.flows, timeout=20, what="the flow to be given up")
            assert outcome(two) == "reset"
            assert "last bytes" in str([event.error for event in closed(pair)])
            one.shutdown(socket.SHUT_RDWR)
            sender.join(20)

    def test_end_of_the_link_resets(self, pair):
        one, two = pair.ends()
        with one, two:
            one.sendall(b"x")
            assert two.recv(1) == b"x"
            pair.near.stop()
            assert outcome(one) == "reset"
            assert outcome(two) == "reset"
        assert all(event.error for event in closed(pair))


class Quiet:
    """Far end of a channel that takes nothing and says what it is told to."""

    prefix = b""
    readable = False

    def __init__(self, pair: LinkPair, window: int | None = None) -> None:
        self.link = pair.far
        self.channel = pair.offers.get(timeout=10).channel
        self.channel.user = self
        self.link.run(lambda: self.link.mux.confirm(self.channel, window=window))

    def deliver(self, _view) -> None:
        """Leave it uncredited."""

    def peer_eof(self) -> None:
        """The mux remembers it."""

    peer_closed = peer_eof

    def say_all(self, size: int) -> None:
        """Send ``size`` bytes, EOF and CLOSE in one go."""

        def say() -> None:
            left = size
            while left:
                left -= self.link.mux.send(self.channel, bytes(min(left, 30_000)))
            self.link.mux.eof(self.channel)
            self.link.mux.close(self.channel)

        self.link.run(say)


@pytest.fixture(params=PLATFORMS)
def quiet_pair(request, monkeypatch):
    play(request.param, monkeypatch)
    with LinkPair(answer=False) as made:
        yield made


def unix_flow(pair: LinkPair) -> tuple[socket.socket, engine.Flow]:
    """Return a client whose flow has a small buffer, and that flow."""
    client, ours = socket.socketpair()
    client.settimeout(10)
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    return client, pair.near.run(lambda: pair.near.start_flow(ours, "direct-tcpip", b""))


class TestLastBytes:
    """The peer has closed the channel; the local side has not read everything."""

    SIZE = 300_000

    def test_reader_that_is_slow_and_steady_gets_them(self, quiet_pair, monkeypatch):
        monkeypatch.setattr(engine, "FLUSH_LIMIT", 0.4)
        client, flow = unix_flow(quiet_pair)
        with client:
            Quiet(quiet_pair).say_all(self.SIZE)
            wait_until(lambda: flow._peer_gone and flow.outbox.pending)
            got = 0
            while got < self.SIZE:
                assert not holds_within(lambda: flow.done, timeout=0.1)
                got += len(client.recv(50_000))

    def test_one_who_has_them_all_is_not_reset(self, quiet_pair, monkeypatch):
        monkeypatch.setattr(engine, "FLUSH_LIMIT", 0.3)
        client, flow = unix_flow(quiet_pair)
        with client:
            Quiet(quiet_pair).say_all(self.SIZE)
            wait_until(lambda: flow._peer_gone and flow.outbox.pending)
            assert len(read_all(client)) == self.SIZE
            assert not holds_within(lambda: flow.done, timeout=0.6)
        assert quiet_pair.report_of(FlowClosed).error == ""

    def test_one_who_stopped_reading_is_left(self, quiet_pair, monkeypatch):
        monkeypatch.setattr(engine, "LINGER_LIMIT", 0.1)
        client, flow = unix_flow(quiet_pair)
        with client:
            quiet = Quiet(quiet_pair)
            wait_until(lambda: flow.channel.sending and not flow.unwatched)
            client.shutdown(socket.SHUT_RD)
            quiet.say_all(10)
            wait_until(lambda: flow.done, what="the flow to be given up")
        assert quiet_pair.report_of(FlowClosed).error == engine.UNREAD


class TestReports:
    """What the kernel reports once must not be taken for less than it is."""

    @pytest.mark.skipif(not hasattr(select, "epoll"), reason="urgent data is reported by epoll")
    def test_what_follows_urgent_data_is_read(self):
        with LinkPair() as pair:
            one, two = pair.ends()
            with one, two:
                one.sendall(b"a")
                assert read_exactly(two, 1) == b"a"
                held, release = threading.Event(), threading.Event()

                def hold() -> None:
                    held.set()
                    release.wait(10)

                pair.near.loop.post(hold)
                assert held.wait(10)
                one.sendall(b"abc")
                one.send(b"!", socket.MSG_OOB)
                one.sendall(b"def")
                release.set()
                assert read_exactly(two, 6) == b"abcdef"

    def test_end_of_data_needs_no_window(self, quiet_pair):
        client, flow = quiet_pair.flow()
        with client:
            quiet = Quiet(quiet_pair, window=3)
            client.sendall(b"abc")
            wait_until(lambda: flow.channel.sending and flow.channel.send_window == 0)
            client.shutdown(socket.SHUT_WR)
            wait_until(lambda: quiet.channel.eof_received, what="the end of data")


def send_until_it_breaks(sock: socket.socket) -> None:
    try:
        while True:
            sock.sendall(bytes(65536))
    except OSError:
        pass


def close_cleanly(pair: LinkPair) -> None:
    for flow in pair.near.flows:
        pair.near.mux.eof(flow.channel)
        pair.near.mux.close(flow.channel)


class Waiter:
    """An `Opening` that remembers."""

    def __init__(self, greeting: bytes = b"", farewell: bytes | None = None) -> None:
        self.greeting, self.farewell = greeting, farewell
        self.calls: list[tuple[object, ...]] = []

    def opened(self, _flow) -> bytes:
        self.calls.append(("opened",))
        return self.greeting

    def failed(self, _flow, reason: int, text: str) -> bytes | None:
        self.calls.append(("failed", reason, text))
        return self.farewell


class TestOpening:
    def test_greeting_comes_first(self, pair):
        waiter = Waiter(b"granted ")
        sock, _ = pair.flow(opening=waiter)
        with sock, pair.far_socket() as far:
            far.sendall(b"hello")
            assert read_exactly(sock, 13) == b"granted hello"
            assert waiter.calls == [("opened",)]

    def test_prefix_goes_before_what_is_read(self, pair):
        sock, _ = pair.flow(prefix=b"early ")
        with sock:
            sock.sendall(b"late")
            with pair.far_socket() as far:
                assert read_exactly(far, 10) == b"early late"

    def test_prefix_in_small_packets(self, pair, monkeypatch):
        monkeypatch.setattr(mux, "MAXIMUM_PACKET", 3)
        sock, _ = pair.flow(prefix=b"longer than a packet")
        with sock, pair.far_socket() as far:
            assert read_exactly(far, 20) == b"longer than a packet"

    @pytest.mark.parametrize("farewell", [None, b"sorry"])
    def test_refused(self, monkeypatch, farewell):
        waiter = Waiter(farewell=farewell)
        with LinkPair(answer=False) as pair:
            sock, _ = pair.flow(opening=waiter)
            request = pair.offers.get(timeout=10)
            pair.far.run(lambda: pair.far.mux.refuse(request.channel, 2, "Connection refused"))
            with sock:
                if farewell:
                    assert read_all(sock) == b"sorry"
                else:
                    assert outcome(sock) == "reset"
            assert waiter.calls == [("failed", 2, "Connection refused")]
            assert pair.report_of(FlowFailed).code == "target-refused"
            assert pair.is_idle()

    def test_client_that_cannot_take_its_greeting(self, pair):
        """It reads nothing at all: it is given up, the link is not."""
        sock, _ = pair.flow(opening=Waiter(b"x" * (32 << 20)))
        with sock:
            assert outcome(sock) == "reset"
        pair.far_socket().close()
        wait_until(lambda: len(pair.reports) > 1)
        assert [type(event) for event in pair.reports[:2]] == [FlowOpened, FlowClosed]
        one, two = pair.ends()
        with one, two:
            one.sendall(b"fine")
            assert read_exactly(two, 4) == b"fine"


def test_repr_names_the_ends(pair):
    sock, flow = pair.flow()
    flow.source, flow.target = "a:1", "b:2"
    assert "a:1 -> b:2" in repr(flow)
    sock.close()


def test_close_alone_is_an_end_from_peers_that_may_not_say_eof(pair):
    pair.near.peer_version = pair.far.peer_version = "SSH-2.0-Go"
    one, two = pair.ends()
    with two:
        one.sendall(b"whole")
        assert two.recv(5) == b"whole"
        reset(one)
        assert outcome(two) == "eof"
    assert pair.is_idle()
    assert any("without an end of data" in event.error for event in closed(pair))
