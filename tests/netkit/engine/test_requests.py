"""Requests of the peer, and its answers; over two links."""

from __future__ import annotations

import threading

import pytest

from netkit.wire.channel import ChannelState
from support.links import LinkPair
from support.waiting import wait_until


@pytest.fixture
def pair():
    with LinkPair() as made:
        yield made


def ask(pair: LinkPair) -> bool:
    """Make a global request of the far link and return its answer."""
    answers: list[bool] = []
    done = threading.Event()

    def answered(ok: bool, _data: bytes) -> None:
        answers.append(ok)
        done.set()

    pair.near.run(lambda: pair.near.ask("x@netkit", b"", answered))
    assert done.wait(5)
    return answers[0]


def test_what_nobody_takes_is_refused(pair: LinkPair):
    assert ask(pair) is False


def test_what_somebody_takes_is_his_to_answer(pair: LinkPair):
    def take(event) -> bool:
        pair.far.mux.answer_global(ok=event.kind == "x@netkit")
        return True

    pair.far.on_global = take
    assert ask(pair) is True


@pytest.mark.parametrize("takes", [False, True])
def test_of_a_channel(pair: LinkPair, takes: bool):
    asked = threading.Event()

    def take(event) -> bool:
        if takes:
            pair.far.mux.answer(event.channel, ok=True)
        asked.set()
        return takes

    pair.far.on_request = take
    sock, flow = pair.flow()
    with sock, pair.far_socket():
        wait_until(lambda: flow.channel.state is ChannelState.OPEN, what="an open channel")
        pair.near.run(lambda: pair.near.mux.request(flow.channel, "x@netkit", b"", want_reply=True))
        assert asked.wait(5)
        assert ask(pair) is False  # the link goes on: an answer for a flow is nobody's
