"""When a link is made again, and when not; against links that are made of values."""

from __future__ import annotations

import contextlib
import errno
import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from netkit.engine import supervisor as engine
from netkit.engine.supervisor import Supervisor
from netkit.errors import AuthenticationError, GatewayUnreachableError, LinkLostError
from netkit.events import Notice, Retrying
from netkit.model import Endurance
from netkit.plan.retries import Moment
from support.tunnels import Events
from support.waiting import wait_until

LOST = LinkLostError("cut", code="link-cut")
DOWN = GatewayUnreachableError("nobody there", code="refused")


class FakeLives:
    """Links whose fate the test decides.

    Attributes:
        fate: what attempts to connect raise, one after another; None and the end: they succeed.
    """

    gateway = "gw"

    def __init__(self, *fate: Exception | None) -> None:
        self.fate = list(fate)
        self.is_lost = False
        self.is_awaited = False
        self.attempts = 0
        self.proofs = threading.Semaphore(0)
        self.hangs = False
        self.error: LinkLostError | None = LOST

    def lost(self):
        return self.error, 100.0

    def connect(self, cancelled: threading.Event) -> None:
        self.attempts += 1
        if self.hangs:
            assert cancelled.wait(10)
            self.hangs = False
            raise GatewayUnreachableError("connecting was cancelled", code="cancelled")
        fate = self.fate.pop(0) if self.fate else None
        if fate is not None:
            raise fate
        self.is_lost = False

    def prove(self, _limit: float) -> None:
        self.proofs.release()

    def chores(self) -> float | None:
        return None


class World:
    """A supervisor with its links, events and end; time does not pass of itself."""

    def __init__(self, *fate: Exception | None, **endurance) -> None:
        self.lives = FakeLives(*fate)
        self.events = Events()
        self.ends: list[object] = []
        self.over = threading.Event()
        self.moments: Iterator[Moment] = itertools.repeat(Moment(0, 0))
        self.supervisor = Supervisor(
            Endurance(**endurance),
            self.lives,
            self.events,
            self._give_up,
            look=lambda: next(self.moments),
            random=lambda: 0.5,
        )

    def _give_up(self, error) -> None:
        self.ends.append(error)
        self.over.set()

    def lose(self) -> None:
        self.lives.is_lost = True
        self.supervisor.look_again()


@pytest.fixture
def world(request):
    made = World(*getattr(request, "param", ()))
    made.supervisor.start()
    yield made
    made.supervisor.stop()
    made.supervisor.join(5)


def test_link_is_made_again(world):
    world.lose()
    notice = world.events.wait(Notice, code="reconnected")
    assert notice.text.startswith("connected again after 0.")
    (retrying,) = world.events.of(Retrying)
    assert (retrying.attempt, retrying.seconds, retrying.code) == (1, 0.2, "link-cut")
    assert (world.supervisor.reconnects, world.supervisor.attempt) == (1, 0)
    assert not world.ends


@pytest.mark.parametrize("world", [(DOWN, DOWN)], indirect=True)
def test_again_and_again_with_the_reason_of_each(world):
    world.lose()
    world.events.wait(Notice, code="reconnected")
    told = [(event.attempt, event.code) for event in world.events.of(Retrying)]
    assert told == [(1, "link-cut"), (2, "refused"), (3, "refused")]


def test_refusal_is_the_end():
    refused = AuthenticationError("no")
    world = World(DOWN, refused)
    world.supervisor.start()
    world.lose()
    assert world.over.wait(5)
    assert world.ends == [refused]
    assert world.lives.attempts == 2
    world.supervisor.join(5)


def test_so_many_attempts_and_no_more():
    world = World(*[DOWN] * 9, retries=2)
    world.supervisor.start()
    world.lose()
    assert world.over.wait(5)
    assert (world.ends, world.lives.attempts) == ([DOWN], 2)
    world.supervisor.join(5)


@pytest.mark.parametrize("endurance", [{"retries": 0}, {"reconnect": False}])
def test_not_at_all(endurance):
    world = World(**endurance)
    world.supervisor.start()
    world.lose()
    assert world.over.wait(5)
    assert (world.ends, world.lives.attempts) == ([LOST], 0)
    world.supervisor.join(5)


def test_stop_ends_any_wait(world, monkeypatch):
    monkeypatch.setattr(engine, "Backoff", None)
    world.supervisor._backoff.next = lambda: 1000.0
    world.lose()
    world.events.wait(Retrying)
    wait_until(lambda: world.supervisor.due, what="an attempt to be due")
    world.supervisor.stop()
    world.supervisor.join(5)
    assert not world.supervisor._thread.is_alive()
    assert world.lives.attempts == 0


def test_stop_ends_an_attempt(world):
    world.lives.hangs = True
    world.lose()
    wait_until(lambda: world.lives.attempts, what="an attempt")
    world.supervisor.stop()
    world.supervisor.join(5)
    assert not world.supervisor._thread.is_alive()
    assert not world.ends


def test_kick_ends_the_wait(world):
    world.supervisor._backoff.next = lambda: 1000.0
    world.lose()
    wait_until(lambda: world.supervisor.due, what="an attempt to be due")
    world.supervisor.kick()
    world.events.wait(Notice, code="reconnected")
    assert world.lives.attempts == 1


def test_kick_ends_an_attempt_that_hangs(world, monkeypatch):
    monkeypatch.setattr(engine, "PATIENCE", -1.0)
    world.lives.hangs = True
    world.lose()
    wait_until(lambda: world.lives.attempts, what="an attempt")
    world.supervisor.kick()
    world.events.wait(Notice, code="reconnected")
    assert world.lives.attempts == 2


def test_somebody_who_waits_hurries_it(world):
    world.supervisor._backoff.next = lambda: 1000.0
    world.lives.is_awaited = True
    world.lose()
    world.events.wait(Notice, code="reconnected", timeout=5)
    assert world.lives.attempts == 1


def test_kick_makes_a_link_that_is_up_prove_itself(world):
    world.supervisor.kick()
    assert world.lives.proofs.acquire(timeout=5)
    assert world.lives.attempts == 0


@pytest.mark.parametrize(
    "then", [Moment(9999, 5), Moment(5, 5, "another network")], ids=["slept", "network"]
)
def test_a_better_moment(monkeypatch, then: Moment):
    """A link that is up has to prove itself; one that is to be made is made at once."""
    monkeypatch.setattr(engine, "POLL", 0.01)
    world = World()
    world.moments = itertools.chain([Moment(0, 0)], itertools.repeat(then))
    world.supervisor.start()
    assert world.lives.proofs.acquire(timeout=5)
    world.supervisor._backoff.next = lambda: 1000.0
    world.moments = itertools.repeat(Moment(0, 0))
    world.lose()
    wait_until(lambda: world.supervisor.due, what="an attempt to be due")
    world.moments = itertools.repeat(then)
    world.supervisor.tick()
    world.events.wait(Notice, code="reconnected")
    world.supervisor.stop()
    world.supervisor.join(5)


def test_idle_link_is_looked_at_every_few_seconds_only():
    assert engine.POLL >= 5


def test_an_attempt_that_a_kick_ended_has_not_failed(monkeypatch):
    monkeypatch.setattr(engine, "PATIENCE", -1.0)
    world = World(retries=1)
    world.lives.hangs = True
    world.supervisor.start()
    try:
        world.lose()
        wait_until(lambda: world.lives.attempts, what="an attempt")
        world.supervisor.kick()
        world.events.wait(Notice, code="reconnected")
        told = [(event.attempt, event.code) for event in world.events.of(Retrying)]
        assert told == [(1, LOST.code)] * 2
        assert not world.ends
    finally:
        world.supervisor.stop()
        world.supervisor.join(5)


def test_a_refusal_counts_although_a_kick_came(monkeypatch):
    """No key is offered twice because somebody was in a hurry."""
    monkeypatch.setattr(engine, "PATIENCE", -1.0)
    refused = AuthenticationError("no")
    world = World()

    def connect(cancelled: threading.Event) -> None:
        world.lives.attempts += 1
        world.supervisor.kick()
        assert cancelled.is_set()
        raise refused

    world.lives.connect = connect
    world.supervisor.start()
    try:
        world.lose()
        assert world.over.wait(5)
        assert world.ends == [refused]
        assert world.lives.attempts == 1
    finally:
        world.supervisor.stop()
        world.supervisor.join(5)


@pytest.mark.parametrize(
    "fault", [OSError(errno.EMFILE, "Too many open files"), RuntimeError("can't start new thread")]
)
def test_a_machine_with_nothing_left_to_connect_with_tries_again(fault):
    world = World(fault, fault)
    world.supervisor.start()
    world.lose()
    world.events.wait(Notice, code="reconnected")
    told = world.events.of(Retrying)[1:]
    assert {event.code for event in told} == {"out-of-resources"}
    assert str(fault).rpartition("] ")[2] in told[0].reason
    assert not world.ends
    world.supervisor.stop()
    world.supervisor.join(5)


def test_a_bug_is_none_of_that():
    world = World(RuntimeError("no such thing"))
    world.supervisor._thread = threading.Thread(target=_quietly(world.supervisor._run))
    world.supervisor.start()
    world.lose()
    assert world.over.wait(5)
    (error,) = world.ends
    assert isinstance(error, LinkLostError)
    assert error.code == "bug"
    world.supervisor.join(5)


def _quietly(run):
    def work() -> None:
        with contextlib.suppress(RuntimeError):
            run()

    return work


def test_what_is_late_is_known(world, monkeypatch):
    """A supervisor that hangs is to be seen from outside."""
    now = time.monotonic()
    assert world.supervisor.overdue(now) == 0
    world.supervisor.due = now - 7
    assert world.supervisor.overdue(now) == pytest.approx(7)
    world.supervisor.due = now + 7
    assert world.supervisor.overdue(now) == 0
    world.supervisor._trying = (threading.Event(), now - engine.LONGEST_TRY - 5)
    assert world.supervisor.overdue(now) == pytest.approx(5)
    world.supervisor._trying = (threading.Event(), now - 5)
    assert world.supervisor.overdue(now) == 0
    world.supervisor._trying = world.supervisor.due = None
