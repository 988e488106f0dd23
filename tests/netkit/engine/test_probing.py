"""Proving a forward by opening its target."""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import random

import pytest

from netkit.engine.forwards import Forwards
from netkit.engine.probing import Prober, can_prove, prove
from netkit.events import Event, Health, HealthChanged
from netkit.model import Endpoint, ForwardKind, ForwardSpec
from netkit.wire.messages import CONNECT_FAILED
from support.links import LinkPair

SPEC = ForwardSpec(ForwardKind.LOCAL, Endpoint("", 0), Endpoint("db", 5432))


@pytest.mark.parametrize(
    ("spec", "can"),
    [
        (SPEC, True),
        (ForwardSpec(ForwardKind.DYNAMIC, Endpoint("", 0)), False),
        (ForwardSpec(ForwardKind.REMOTE, Endpoint("", 0), Endpoint("db", 5432)), False),
    ],
)
def test_only_what_has_a_target_there(spec: ForwardSpec, can: bool):
    assert can_prove(spec) is can


def test_target_that_answers_is_up_and_nothing_is_left():
    with LinkPair() as pair:
        assert prove(pair.near, SPEC, 10) == (Health.UP, "")
        pair.far_socket().close()
        assert pair.is_idle()
        assert not pair.near.flows


def test_target_that_refuses():
    with LinkPair(answer=False) as pair:

        def refuse() -> None:
            channel = pair.offers.get(timeout=10).channel
            pair.far.run(lambda: pair.far.mux.refuse(channel, CONNECT_FAILED, "Connection refused"))

        refuser = threading.Thread(target=refuse)
        refuser.start()
        health, reason = prove(pair.near, SPEC, 10)
        refuser.join()
        assert health is Health.REFUSED
        assert reason == "db:5432: nothing accepts connections at this address and port"


def test_target_that_says_nothing():
    with LinkPair(answer=False) as pair:
        assert prove(pair.near, SPEC, 0.05) == (
            Health.REFUSED,
            "db:5432 did not answer within 0.05 s",
        )


def test_link_that_is_lost_proves_nothing():
    with LinkPair() as pair:
        pair.near.stop()
        assert pair.near.wait(5)
        assert prove(pair.near, SPEC, 1)[0] is Health.UNVERIFIED


def prober(
    every: float, *, stopped: Callable[[], bool] = lambda: False
) -> tuple[Prober, list[Event]]:
    told: list[Event] = []
    forwards = Forwards(told.append, None, random)
    forwards.add(SPEC, None, SPEC.bind)
    told.clear()
    return Prober(every, forwards, stopped), told


def test_it_proves_each_time_it_is_due():
    proves, told = prober(60)
    with LinkPair() as pair:
        due = proves.run(pair.near)
        assert due is not None
        assert 55 < due <= 60
        pair.far_socket().close()
        assert told == [HealthChanged(forward=SPEC, health=Health.UP, reason="")]
        proves.run(pair.near)
        assert not pair.has_unclaimed, "it is not due"
        proves.now()
        proves.run(pair.near)
        pair.far_socket().close()


@pytest.mark.parametrize(("every", "stopped", "due"), [(0, False, None), (60, True, 60)])
def test_it_proves_nothing_unless_asked_nor_after_the_end(every, stopped, due):
    proves, told = prober(every, stopped=lambda: stopped)
    with LinkPair() as pair:
        assert proves.run(pair.near) == pytest.approx(due, abs=5)
        assert not pair.has_unclaimed
    assert not told
