"""Proving a forward by opening its target."""

from __future__ import annotations

import threading

import pytest

from netkit.engine.probing import can_prove, prove
from netkit.events import Health
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
