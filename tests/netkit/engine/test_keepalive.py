"""When a peer is asked, and when it is dead."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from netkit.engine.keepalive import REQUEST, KeepaliveClock
from netkit.errors import LinkLostError
from netkit.model import Keepalive


class FakeLink:
    """A link with a clock that the test moves."""

    peer = "gateway"

    def __init__(self) -> None:
        self.loop = self.stream = self
        self.now = 100.0
        self.last_received = 100.0
        self.round_trip = 0.0
        self.asked: list[float] = []
        self.replies: list[Callable[[bool, bytes], None]] = []
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.overdue: list[bool] = []
        self.on_stale = self.overdue.append

    def ask(self, kind, data, reply) -> None:
        assert (kind, data) == (REQUEST, b"")
        self.asked.append(self.now)
        self.replies.append(reply)

    def call_later(self, delay, call) -> None:
        assert delay > 0
        self.due.append((self.now + delay, call))

    def measured(self, round_trip: float) -> None:
        self.round_trip = round_trip

    def run_until(self, end: float, alive=lambda _now: False) -> None:
        """Let time pass; ``alive(now)`` says whether a byte came."""
        while self.due and min(due for due, _ in self.due) <= end:
            self.due.sort(key=lambda entry: entry[0])
            self.now, call = self.due.pop(0)
            if alive(self.now):
                self.last_received = self.now
            call()
        self.now = end


@pytest.fixture
def link(monkeypatch):
    made = FakeLink()
    monkeypatch.setattr("netkit.engine.keepalive.time.monotonic", lambda: made.now)
    return made


def start(link, interval: float, count: int) -> KeepaliveClock:
    clock = KeepaliveClock(link)
    clock.start(Keepalive(interval=interval, count=count))
    return clock


@pytest.mark.parametrize(("interval", "count"), [(30, 3), (10, 1), (1, 10), (0.5, 2)])
def test_silence_ends_it_in_interval_times_count(link, interval, count):
    start(link, interval, count)
    with pytest.raises(LinkLostError) as caught:
        link.run_until(link.now + interval * count * 3)
    assert caught.value.code == "gateway-silent"
    assert caught.value.retryable
    assert interval * count <= link.now - 100 <= interval * count * 1.2 + 0.1
    assert [at for at in link.asked if at > 100], "it was asked before it was given up"


def test_any_byte_is_life(link):
    start(link, 10, 3)
    link.run_until(1100, alive=lambda _now: True)
    assert link.now >= 1100, "it is not over"


def test_life_after_some_silence_starts_the_count_again(link):
    start(link, 10, 3)
    # 20 s of silence, then a byte, again and again: never the 30 s that end it
    link.run_until(1100, alive=lambda now: now - link.last_received >= 20)
    assert len(link.asked) > 20


def test_it_is_asked_only_when_silent(link):
    start(link, 10, 3)
    before = len(link.asked)
    link.run_until(200, alive=lambda _now: True)
    quiet = [at for at in link.asked[before:] if at > 130]
    assert quiet == []


def test_off(link):
    start(link, 0, 3)
    before = len(link.asked)
    link.run_until(10_000)
    assert link.now >= 10_000, "it is not over"
    assert len(link.asked) == before


def test_answer_measures_the_round_trip(link):
    clock = KeepaliveClock(link)
    clock.ask()
    link.now += 0.25
    link.replies[-1](False, b"")
    assert link.round_trip == pytest.approx(0.25)


def test_answers_that_are_overdue_are_told_of_and_so_is_the_next_byte(link):
    start(link, 30, 3)
    link.run_until(134)
    assert link.overdue == []
    link.run_until(136)
    assert link.overdue == [True]
    link.last_received = link.now
    link.replies[-1](True, b"")
    assert link.overdue == [True, False]


def test_answers_in_time_are_no_news(link):
    start(link, 30, 3)
    link.run_until(1000, alive=lambda _now: True)
    assert link.overdue == []


class TestProof:
    def test_silence_ends_it_in_time(self, link):
        clock = start(link, 600, 3)
        clock.prove(5)
        with pytest.raises(LinkLostError) as caught:
            link.run_until(200)
        assert caught.value.code == "gateway-silent"
        assert link.now == 105

    def test_its_answer_will_do(self, link):
        clock = start(link, 600, 3)
        asked = len(link.asked)
        clock.prove(5)
        assert len(link.asked) == asked + 1
        link.replies[-1](False, b"")
        link.run_until(200)

    @pytest.mark.parametrize(("came", "lives"), [(101, False), (104, True)])
    def test_so_does_what_was_not_under_way_already(self, link, came: int, lives: bool):
        clock = start(link, 600, 3)
        clock.prove(5)
        link.last_received = came
        with contextlib.nullcontext() if lives else pytest.raises(LinkLostError):
            link.run_until(200)


def test_a_silence_ends_with_the_answer(link):
    """What breaks a link later, a silence that was answered did not."""
    clock = KeepaliveClock(link)
    clock.start(Keepalive(interval=10, count=3))
    link.run_until(111)
    assert (clock.silence, clock.survived) == (10, 0)
    link.replies[-1](False, b"")
    assert (clock.silence, clock.survived) == (0, 10)
