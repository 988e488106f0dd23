"""A link: dispatch, bounds, other threads, the end."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from netkit.engine import link as engine
from netkit.engine.link import BUDGET, Link, RekeyDueError
from netkit.engine.loop import READ
from netkit.engine.stream import HAS_LOW_WATER
from netkit.errors import LinkLostError, RemoteProtocolError
from netkit.events import FlowOpened, Notice
from netkit.wire import messages as wire
from netkit.wire import packets
from netkit.wire.messages import string, u32
from support.links import LinkPair, drive, play, tcp_pair
from support.tunnels import outcome, read_exactly
from support.waiting import wait_until


@pytest.fixture
def pair():
    with LinkPair() as made:
        yield made


def say(pair: LinkPair, payload: bytes) -> None:
    """Let the far side send ``payload`` as it is."""
    pair.far.loop.post(lambda: pair.far.stream.send(payload))


def ended(pair: LinkPair):
    assert pair.near.wait(10)
    return pair.near.error


class TestRules:
    def test_nothing_of_the_connection_layer_before_the_login(self):
        pair = LinkPair()
        pair.near.authenticated = False
        with pair:
            say(pair, bytes([wire.GLOBAL_REQUEST]) + string("x") + b"\0")
            error = ended(pair)
        assert isinstance(error, RemoteProtocolError)
        assert "before authentication" in error.summary

    @pytest.mark.parametrize(
        "payload",
        [
            bytes([wire.CHANNEL_DATA]) + u32(5) + string("x"),
            bytes([wire.CHANNEL_CLOSE]) + u32(5),
            bytes([101]),
            bytes([127]),
        ],
    )
    def test_broken_protocol_ends_the_link(self, pair, payload):
        say(pair, payload)
        assert isinstance(ended(pair), RemoteProtocolError)

    def test_opens_that_nobody_takes_are_refused(self, pair):
        head = bytes([wire.CHANNEL_OPEN]) + string("session") + u32(0) + u32(100) + u32(100)
        pair.far.run(lambda: pair.far.mux.open("session"))
        del head
        wait_until(lambda: not pair.far.mux.channels, what="the refusal")
        assert not pair.near.has_ended

    def test_requests_nobody_knows_are_answered(self, pair):
        answers: list[bool] = []
        for name in ("keepalive@openssh.com", "no-such-request", "tcpip-forward"):
            pair.far.run(
                lambda name=name: pair.far.ask(name, b"", lambda ok, _: answers.append(ok))
            )
        wait_until(lambda: len(answers) == 3, what="three answers")
        assert answers == [False] * 3

    def test_answers_keep_their_order(self, pair):
        got: list[tuple[int, bool]] = []
        pair.near.on_global = lambda event: (
            event.kind == "x" and (pair.near.mux.answer_global(ok=True) is None)
        )
        for number in range(50):
            pair.far.run(
                lambda n=number: pair.far.ask("xy"[n % 2], b"", lambda ok, _: got.append((n, ok)))
            )
        wait_until(lambda: len(got) == 50, what="answers")
        assert got == [(number, number % 2 == 0) for number in range(50)]

    def test_channel_requests_of_flows_are_refused(self, pair):
        one, two = pair.ends()
        with one, two:
            (flow,) = pair.far.flows
            pair.far.run(lambda: pair.far.mux.request(flow.channel, "exec", string("rm")))
            wait_until(lambda: flow.channel.replies == 0, what="the answer")
            one.sendall(b"x")
            assert two.recv(1) == b"x"

    def test_debug_messages_are_told(self):
        pair = LinkPair()
        told: list[str] = []
        pair.near.on_debug = told.append
        with pair:
            say(pair, bytes([wire.DEBUG, 1]) + string("hello \x1b[1m") + string(""))
            wait_until(lambda: told, what="the message")
        assert told == ["hello \x1b[1m"]

    def test_disconnect_is_remembered(self, pair):
        say(pair, bytes([wire.DISCONNECT]) + u32(11) + string("bye") + string(""))
        wait_until(lambda: pair.near.disconnect, what="the disconnect")
        assert pair.near.disconnect == (11, "bye")


class TestRekey:
    def test_is_due_once(self, monkeypatch):
        """The driver is told, and not again and again before there are new keys."""
        monkeypatch.setattr(packets, "REKEY_BYTES", 1000)
        told: list[int] = []
        pair = LinkPair()
        plain = pair.near.next_message

        def counting():
            try:
                return plain()
            except RekeyDueError:
                told.append(1)
                raise

        monkeypatch.setattr(pair.near, "next_message", counting)
        with pair:
            one, two = pair.ends()
            with one, two:
                one.sendall(bytes(100_000))
                assert len(read_exactly(two, 100_000)) == 100_000
        assert len(told) == 1

    def test_flows_wait_for_the_new_keys(self, pair):
        one, two = pair.ends()
        with one, two:
            pair.near.run(lambda: setattr(pair.near.stream, "in_kex", True))
            one.sendall(b"waits")
            pair.near.run(lambda: None)
            pair.near.run(lambda: None)
            assert pair.near.stream.queued == 0
            two.setblocking(False)
            with pytest.raises(BlockingIOError):
                two.recv(1)
            two.settimeout(10)
            pair.near.run(lambda: setattr(pair.near.stream, "in_kex", False))
            assert read_exactly(two, 5) == b"waits"


class TestOtherThreads:
    def test_run_returns_what_it_returns(self, pair):
        assert pair.near.run(lambda: 42) == 42
        assert pair.near.run(threading.current_thread) is pair.near.loop.thread

    def test_run_raises_what_it_raises(self, pair):
        with pytest.raises(KeyError):
            pair.near.run(lambda: dict[str, int]()["missing"])
        assert not pair.near.has_ended

    def test_run_after_the_end(self, pair):
        pair.near.stop()
        assert pair.near.wait(10)
        with pytest.raises(LinkLostError):
            pair.near.run(lambda: None)

    def test_run_that_is_not_reached_in_time(self):
        pair = LinkPair()  # nobody drives it yet
        with pytest.raises(LinkLostError):
            pair.near.run(lambda: None, timeout=0.2)
        with pair:
            pass


class TestEnd:
    def test_by_us_has_no_error(self, pair):
        pair.near.stop()
        assert pair.near.wait(10)
        assert pair.near.error is None
        assert pair.near.is_stopping

    def test_by_the_peer_has_one(self, pair):
        pair.far.stop()
        assert isinstance(ended(pair), LinkLostError)

    def test_is_told_once(self):
        pair = LinkPair()
        told: list[object] = []
        pair.near.on_ended = told.append
        with pair:
            pair.far.stop()
            error = ended(pair)
            pair.near.end(None)
        assert told == [error]

    def test_gives_every_window_back(self):
        before = BUDGET.granted
        with LinkPair() as pair:
            ends = [pair.ends() for _ in range(5)]
            assert BUDGET.granted > before
            for one, two in ends:
                one.close()
                two.close()
        assert BUDGET.granted == before

    def test_resets_flows_in_every_state(self):
        with LinkPair(answer=False) as pair:
            opening, _ = pair.flow()
            pair.offers.get(timeout=10)
            pair.near.stop()
            with opening:
                assert outcome(opening) == "reset"

    def test_of_a_link_that_never_ran(self):
        pair = LinkPair()
        for link in (pair.near, pair.far):
            link.end(LinkLostError("never"))
            assert link.has_ended
            link.end(None)
            assert "never" in str(link.error)


class TestTurns:
    @pytest.mark.skipif(not HAS_LOW_WATER, reason="only Linux keeps bytes back")
    def test_rest_of_a_fast_transfer_is_taken_whatever_else_is_reported(self):
        one, two = tcp_pair()
        noisy, other = socket.socketpair()
        link = Link(one)
        with two, noisy, other:
            link._turn(more=True)
            link.stream.receive()
            link.stream.is_bulk = True

            def again(_events: int) -> None:
                noisy.recv(10)
                other.send(b"x")

            link.loop.add(noisy.fileno(), READ, again)
            other.send(b"x")
            link.stream.before_wait(calm=True)
            two.sendall(b"rest")
            deadline = time.monotonic() + 2
            while not link.stream.received and time.monotonic() < deadline:
                link._turn(more=False)
            link.loop.remove(noisy.fileno())
            assert link.stream.received == 4
        link.end(None)

    def test_more_packets_than_are_parsed_at_once(self, pair, monkeypatch):
        """Local sockets get their turn between; nothing is lost or stuck."""
        monkeypatch.setattr(engine, "MAX_PARSE", 3)
        one, two = pair.ends()
        with one, two:
            for size in (100_000, 1 << 20):
                sender = threading.Thread(target=two.sendall, args=(bytes(size),))
                sender.start()
                assert len(read_exactly(one, size)) == size
                sender.join()

    def test_flow_that_says_little_goes_first(self, pair):
        quiet, far_quiet = pair.ends()
        loud, far_loud = pair.ends()
        stop = threading.Event()

        def shout() -> None:
            while not stop.is_set():
                loud.sendall(bytes(65536))

        def listen() -> None:
            while far_loud.recv(1 << 18):
                pass

        threads = [threading.Thread(target=shout), threading.Thread(target=listen)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(100):
                quiet.sendall(b"ping")
                assert read_exactly(far_quiet, 4) == b"ping"
        finally:
            stop.set()
            threads[0].join()
            loud.close()
            threads[1].join()
            for sock in (quiet, far_quiet, far_loud):
                sock.close()


@pytest.mark.parametrize("platform", ["selectors", "windows"])
def test_whole_link_without_epoll(platform, monkeypatch):
    play(platform, monkeypatch)
    with LinkPair() as pair:
        ends = [pair.ends() for _ in range(10)]
        for one, two in ends:
            one.sendall(b"to the gateway")
            two.sendall(b"and back")
        for one, two in ends:
            assert read_exactly(two, 14) == b"to the gateway"
            assert read_exactly(one, 8) == b"and back"
            one.close()
            two.close()
        assert pair.is_idle()


def test_notices_and_flows_are_reported(pair):
    pair.near.report.notice("code", "text")
    assert Notice(code="code", text="text") in pair.reports
    one, two = pair.ends()
    with one, two:
        one.sendall(b"x")
        two.recv(1)
        assert any(isinstance(event, FlowOpened) for event in pair.reports)


def test_drive_needs_no_rekey(pair):
    """The helper of these tests goes on after a rekey is due."""
    assert callable(drive)
    assert pair.near.run(lambda: 1) == 1
