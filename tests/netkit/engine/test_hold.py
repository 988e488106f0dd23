"""Connections that wait for a link."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import threading

import pytest

from netkit.engine import hold as engine
from netkit.engine.hold import Held, Hold
from netkit.engine.listeners import Listener, bind
from netkit.model import Endpoint, ForwardKind, ForwardSpec
from support.tunnels import dial, outcome
from support.waiting import wait_until

SPEC = ForwardSpec(ForwardKind.LOCAL, Endpoint("127.0.0.1", 0), Endpoint("x", 1))


@pytest.fixture
def listener():
    made = bind(SPEC)
    made.listen()
    yield made
    made.close()


@contextlib.contextmanager
def holding(*listeners: Listener, limit: float = 60.0, **more):
    came = threading.Semaphore(0)
    made = Hold(limit, came=came.release, **more)
    made.start(listeners)
    try:
        yield made, came
    finally:
        made.stop()


def test_hands_over_what_waits_in_order_and_unread(listener):
    with holding(listener) as (hold, came):
        clients = [dial(listener.addresses[0]) for _ in range(3)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
            assert came.acquire(timeout=5)
        assert hold.is_occupied
        assert hold.counts() == {id(SPEC): 3}
        held = hold.hand_over()
        assert [each.peer for each in held] == [client.getsockname() for client in clients]
        for number, each in enumerate(held):
            each.sock.settimeout(5)
            assert each.sock.recv(10) == b"%d" % number
            each.sock.close()
            clients[number].close()
        assert not hold.is_occupied


def test_port_stays_bound_between_two(listener):
    for _ in range(2):
        with holding(listener) as (hold, came):
            with dial(listener.addresses[0]):
                assert came.acquire(timeout=5)
                for each in hold.hand_over():
                    each.sock.close()


def test_resets_what_waited_long_enough(listener):
    with holding(listener, limit=0.1) as (hold, _), dial(listener.addresses[0]) as client:
        assert outcome(client) == "reset"
        wait_until(lambda: not hold.is_occupied, what="it to be forgotten")


def test_time_that_it_waited_before_counts(listener):
    ours, theirs = socket.socketpair()
    with theirs, holding(listener, limit=60) as (hold, _):
        hold._call(lambda: hold._take(Held(SPEC, ours, None, since=-1000.0)))
        wait_until(lambda: not hold.is_occupied, what="it to be forgotten")


def end_of_one_more(listener: Listener) -> str:
    """Connect and return how that ends, which may be before connect() has returned."""
    try:
        client = dial(listener.addresses[0])
    except ConnectionResetError:
        return "reset"
    with client:
        return outcome(client)


def test_no_time_resets_at_once(listener):
    with holding(listener, limit=0) as (hold, came):
        assert end_of_one_more(listener) == "reset"
        assert not hold.is_occupied
        assert not came.acquire(blocking=False)


def test_stop_resets_everything(listener):
    with holding(listener) as (hold, came), dial(listener.addresses[0]) as client:
        assert came.acquire(timeout=5)
        hold.stop()
        assert outcome(client) == "reset"
        hold.stop()


def test_beyond_the_most_is_reset(listener, monkeypatch):
    monkeypatch.setattr(engine, "MOST", 2)
    with holding(listener) as (hold, came):
        clients = [dial(listener.addresses[0]) for _ in range(2)]
        for _ in clients:
            assert came.acquire(timeout=5)
        assert end_of_one_more(listener) == "reset"
        assert hold.counts() == {id(SPEC): 2}
        for client in clients:
            client.close()


def test_client_that_breaks_off_is_forgotten(listener):
    with holding(listener) as (hold, came):
        with dial(listener.addresses[0]) as client:
            assert came.acquire(timeout=5)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(lambda: not hold.is_occupied, what="it to be forgotten")


def test_client_that_only_sends_no_more_still_waits(listener):
    """It may well listen: `nc host 13 </dev/null`."""
    with holding(listener) as (hold, came), dial(listener.addresses[0]) as client:
        assert came.acquire(timeout=5)
        client.shutdown(socket.SHUT_WR)
        (held,) = hold.hand_over()
        with held.sock as sock:
            sock.sendall(b"answer")
        assert client.recv(100) == b"answer"


def test_listeners_come_and_go(listener):
    other = bind(SPEC)
    other.listen()
    with holding() as (hold, came):
        hold.add(other)
        with dial(other.addresses[0]) as client:
            assert came.acquire(timeout=5)
            hold.remove(other)
            assert outcome(client) == "reset"
    other.close()


def test_descriptors_that_run_out_are_told_of(listener, monkeypatch):
    told = threading.Event()

    def full(_self):
        raise OSError(errno.EMFILE, "Too many open files")

    with holding(listener, exhausted=lambda _text: told.set()):
        monkeypatch.setattr(socket.socket, "accept", full)
        with dial(listener.addresses[0]):
            assert told.wait(5)
        monkeypatch.undo()


def test_ticks_while_it_lives():
    ticks = threading.Semaphore(0)
    with holding(tick=ticks.release, every=0.01):
        assert ticks.acquire(timeout=5)
        assert ticks.acquire(timeout=5)


def test_what_is_reset_is_told_with_the_reason(listener, monkeypatch):
    told = []

    def lost(held, why):
        told.append((held.forward, why))

    monkeypatch.setattr(engine, "MOST", 1)
    with holding(listener, limit=0.3, lost=lost) as (_, came), dial(listener.addresses[0]) as one:
        assert came.acquire(timeout=5)
        assert end_of_one_more(listener) == "reset"
        assert outcome(one) == "reset"
        wait_until(lambda: len(told) == 2)
    assert told == [
        (SPEC, "1 connections wait for the link already"),
        (SPEC, "there was no link for 0.3 s"),
    ]


def test_descriptors_are_left_for_the_link(listener, monkeypatch):
    told = []
    monkeypatch.setattr(engine, "most_descriptors", lambda: engine.SPARE + 3)
    with holding(listener, lost=lambda _held, why: told.append(why)) as (hold, _):
        assert end_of_one_more(listener) == "reset"
        wait_until(lambda: told)
        assert not hold.is_occupied
    assert "ulimit -n" in told[0]
