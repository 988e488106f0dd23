"""The readiness loop, on both of its pollers."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from netkit.engine import loop as engine
from netkit.engine.loop import ERROR, HANGUP, READ, WRITE, Loop
from support.links import play, running_loop, tcp_pair


@pytest.fixture(params=["epoll", "selectors"])
def loop(request, monkeypatch):
    play(request.param, monkeypatch)
    made = Loop()
    yield made
    made.close()


@pytest.fixture
def pair():
    one, two = socket.socketpair()
    with one, two:
        one.setblocking(False)
        yield one, two


class Reports(list[int]):
    """A handler that remembers."""

    def __call__(self, events: int) -> None:
        self.append(events)


class TestReadiness:
    def test_is_reported_once_until_reading_would_block(self, loop, pair):
        one, two = pair
        got = Reports()
        loop.add(one.fileno(), READ, got)
        two.send(b"x")
        loop.run_once(wait=True)
        assert len(got) == 1
        assert got[0] & READ
        loop.run_once(wait=False)
        assert len(got) == 1
        assert one.recv(10) == b"x"
        loop.rearm_read(one.fileno())
        loop.run_once(wait=False)
        assert len(got) == 1
        two.send(b"y")
        loop.run_once(wait=True)
        assert len(got) == 2

    def test_what_came_before_the_watch_is_reported(self, loop, pair):
        one, two = pair
        two.send(b"x")
        got = Reports()
        loop.add(one.fileno(), READ, got)
        loop.run_once(wait=True)
        assert got[0] & READ

    def test_interest_in_writing_is_taken_when_needed(self, loop, pair):
        one, two = pair
        two.setblocking(False)
        got = Reports()
        loop.add(one.fileno(), READ, got)
        with pytest.raises(BlockingIOError):
            while True:
                one.send(bytes(65536))
        loop.want(one.fileno(), WRITE)
        loop.run_once(wait=False)
        assert not [events for events in got if events & WRITE]
        with pytest.raises(BlockingIOError):
            while two.recv(1 << 20):
                pass
        loop.run_once(wait=True)
        assert [events for events in got if events & WRITE]

    def test_same_interest_again_is_reported_again(self, loop, pair):
        """After a write that would have blocked, the second time as well as the first."""
        one, _ = pair
        got = Reports()
        loop.add(one.fileno(), READ, got)
        loop.want(one.fileno(), WRITE)
        loop.run_once(wait=True)
        loop.want(one.fileno(), READ | WRITE)
        loop.run_once(wait=False)
        assert got[0] & WRITE

    def test_without_interest_only_the_end_is_reported(self, loop, pair):
        one, two = pair
        got = Reports()
        loop.add(one.fileno(), 0, got)
        two.send(b"x")
        loop.run_once(wait=False)
        assert got == []
        loop.want(one.fileno(), READ)
        loop.run_once(wait=True)
        assert got[-1] & READ

    def test_end_is_reported_once_although_nothing_is_done_about_it(self, pair):
        one, two = pair
        made = Loop()
        got = Reports()
        made.add(one.fileno(), 0, got)
        two.close()
        for _ in range(5):
            made.run_once(wait=False)
        assert len(got) <= 1
        made.close()

    def test_reset_is_an_error(self):
        one, two = tcp_pair()
        with one:
            made = Loop()
            got = Reports()
            made.add(one.fileno(), READ, got)
            two.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            two.close()
            made.run_once(wait=True)
            assert got[0] & (ERROR | HANGUP)
            made.close()

    def test_removed_is_forgotten(self, loop, pair):
        one, two = pair
        got = Reports()
        loop.add(one.fileno(), READ, got)
        loop.remove(one.fileno())
        loop.remove(one.fileno())
        two.send(b"x")
        loop.run_once(wait=False)
        assert got == []

    def test_handler_that_removes_another(self, loop):
        """A report of the same batch for something that is gone goes nowhere."""
        pairs = [socket.socketpair() for _ in range(2)]
        got: list[int] = []

        def handler(index: int):
            def report(_events: int) -> None:
                got.append(index)
                loop.remove(pairs[1 - index][0].fileno())

            return report

        for index, (one, two) in enumerate(pairs):
            loop.add(one.fileno(), READ, handler(index))
            two.send(b"x")
        loop.run_once(wait=True)
        loop.run_once(wait=False)
        assert len(got) == 1
        for one, two in pairs:
            one.close()
            two.close()

    def test_closed_before_it_was_removed(self, loop):
        one, two = socket.socketpair()
        number = one.fileno()
        loop.add(number, READ, Reports())
        one.close()
        two.close()
        loop.remove(number)
        loop.run_once(wait=False)

    def test_removal_after_the_end(self, loop, pair):
        one, _ = pair
        loop.add(one.fileno(), READ, Reports())
        loop.close()
        loop.remove(one.fileno())
        loop.close()


class TestTimers:
    def test_due_in_order(self, loop):
        called = []
        for delay in (0.03, 0.01, 0.02):
            loop.call_later(delay, lambda delay=delay: called.append(delay))
        until = time.monotonic() + 5
        while len(called) < 3 and time.monotonic() < until:
            loop.run_once(wait=True)
        assert called == [0.01, 0.02, 0.03]

    def test_not_before_it_is_due(self, loop):
        called = []
        loop.call_later(60, lambda: called.append(1))
        loop.run_once(wait=False)
        assert called == []

    def test_cancelled(self, loop):
        called = []
        loop.call_later(0, lambda: called.append(1)).cancel()
        late = loop.call_later(0, lambda: called.append(2))
        loop.run_once(wait=True)
        assert called == [2]
        late.cancel()

    def test_equal_times_keep_their_order(self, loop):
        called = []
        for number in range(20):
            timer = loop.call_later(0, lambda number=number: called.append(number))
            timer.due = 0.0
        loop.run_once(wait=True)
        loop.run_once(wait=False)
        assert called == list(range(20))

    def test_wait_is_bounded(self, loop):
        loop.call_later(60, lambda: None)
        began = time.monotonic()
        loop.run_once(wait=True, at_most=0.02)
        assert time.monotonic() - began < 5


class TestOtherThreads:
    def test_call_that_was_given_up_is_not_made(self, loop):
        calls: list[int] = []
        with pytest.raises(TimeoutError):
            loop.call(lambda: calls.append(1), 0.05, threading.Event())
        loop.run_once(wait=False)
        assert calls == []

    def test_call_that_has_begun_is_waited_for(self):
        begun, over = threading.Event(), threading.Event()

        def work() -> str:
            over.set()
            begun.wait(2 * engine.POLL)
            return "done"

        with running_loop() as loop:
            assert loop.call(work, 10, over) == "done"

    def test_post_runs_in_the_loops_thread(self):
        where: list[threading.Thread] = []
        done = threading.Event()
        with running_loop() as subject:

            def call() -> None:
                where.append(threading.current_thread())
                done.set()

            subject.post(call)
            assert done.wait(10)
            assert where == [subject.thread]

    def test_many_posts_are_all_called_in_order(self):
        called: list[int] = []
        done = threading.Event()
        with running_loop() as subject:
            for number in range(20_000):
                subject.post(lambda number=number: called.append(number))
            subject.post(done.set)
            assert done.wait(10)
        assert called == list(range(20_000))

    def test_what_a_call_posts_has_its_turn_later(self, loop):
        rounds = []

        def again() -> None:
            rounds.append(1)
            loop.post(again)

        loop.post(again)
        loop.run_once(wait=True)
        assert len(rounds) == 1
        loop.run_once(wait=True)
        assert len(rounds) == 2

    def test_post_after_the_end_is_quiet(self, loop):
        loop.close()
        loop.post(lambda: None)
        loop.wake()


class TestLimit:
    def test_of_select_on_windows(self, monkeypatch):
        """Without epoll and kqueue the number of sockets is bounded, and the loop says so."""
        monkeypatch.delattr("netkit.engine.loop.select.epoll")
        monkeypatch.setattr(engine, "make_poller", engine._SelectorPoller)
        monkeypatch.setattr(engine, "WINDOWS_SELECT_LIMIT", 3)
        made = Loop()
        assert not made.is_full
        pairs = [socket.socketpair() for _ in range(2)]
        for one, _ in pairs:
            made.add(one.fileno(), READ, Reports())
        assert made.is_full
        for one, two in pairs:
            one.close()
            two.close()
        made.close()

    def test_none_with_epoll(self, loop):
        if loop.limit is None:
            assert not loop.is_full


def test_make_poller_without_epoll(monkeypatch):
    monkeypatch.delattr("netkit.engine.loop.select.epoll")
    poller = engine.make_poller()
    assert isinstance(poller, engine._SelectorPoller)
    poller.close()
