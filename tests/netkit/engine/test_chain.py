"""The hops of one way to the gateway; over real gateways in tests/conformance/test_chain.py."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from netkit.engine.chain import Chain
from netkit.engine.hop_link import Company
from netkit.errors import GatewayUnreachableError, LinkLostError, NetkitError
from netkit.events import Connecting, LinkUp
from netkit.model import Hop, Plan
from support.hostile import HostileServer
from support.tunnels import Events


class Made:
    """A chain to one hop, its events, and how it ended."""

    def __init__(self, hop: Hop) -> None:
        self.events = Events()
        self.cancelled = threading.Event()
        self.ended: list[tuple[Chain, NetkitError | None, bool]] = []
        self.over = threading.Event()
        company = Company(
            prompter=None,
            password=None,
            emit=self.events,
            notice=lambda _code, _text: None,
            cancelled=self.cancelled,
        )
        self.chain = Chain(Plan(hops=(hop,)), company, self._end)
        self.prepared: list[object] = []

    def connect(self) -> None:
        self.chain.connect(itertools.count(7), self.prepared.append)

    def _end(self, chain, error) -> None:
        self.ended.append((chain, error, chain.has_ended))
        self.over.set()


@pytest.fixture
def server():
    with HostileServer() as made:
        yield made


def test_up_and_down(server):
    made = Made(server.hop())
    assert not made.chain.since
    made.connect()
    assert 0 <= time.monotonic() - made.chain.since < 30
    assert [type(event) for event in made.events.all] == [Connecting, LinkUp]
    assert made.prepared == [made.chain.link]
    assert made.chain.last.link is made.chain.link
    assert next(made.chain.link.numbers) == 7
    assert not made.chain.has_ended
    made.chain.close(5)
    assert made.chain.has_ended
    assert made.ended == [(made.chain, None, True)]


def test_end_is_told_once_and_why(server):
    made = Made(server.hop())
    made.connect()
    server.stop()
    assert made.over.wait(10)
    made.chain.close(5)
    ((_, error, has_ended),) = made.ended
    assert isinstance(error, LinkLostError)
    assert has_ended


def test_nobody_there():
    made = Made(Hop(alias="nobody", host="127.0.0.1", port=1, user="x"))
    with pytest.raises(GatewayUnreachableError):
        made.connect()
    assert not made.chain.since
    made.chain.close(1)


def test_closed_before_it_was_connected(server):
    """Whoever stops meanwhile leaves nothing behind."""
    made = Made(server.hop())
    made.chain.close(1)
    with pytest.raises(LinkLostError) as caught:
        made.connect()
    assert caught.value.code == "stopped"
    assert made.chain.link.has_ended
