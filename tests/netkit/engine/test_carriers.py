from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from netkit.engine import carriers
from netkit.engine.carriers import Carrier, Carriers
from netkit.engine.hold import Held
from netkit.model import ForwardKind
from netkit.plan.link_choice import Traffic
from netkit.text.forwards import parse_forward

DB = parse_forward(ForwardKind.LOCAL, "5432:db:5432")
RDP = parse_forward(ForwardKind.LOCAL, "3389:desk:3389")


class Chain:
    """A link that does what is posted when it is told to."""

    def __init__(self) -> None:
        self.posted: list[Any] = []
        self.flows: set[Any] = set()
        self.link = SimpleNamespace(
            loop=SimpleNamespace(post=self.posted.append), flows=self.flows, carried=[]
        )

    def turn(self) -> None:
        while self.posted:
            self.posted.pop(0)()


@pytest.fixture(autouse=True)
def acceptor(monkeypatch):
    def accept(link, spec):
        return lambda sock, peer: link.carried.append((spec, sock, peer))

    monkeypatch.setattr(carriers, "acceptor", accept)


@pytest.fixture
def held():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Held(DB, ours, ("127.0.0.1", 1))


class FlowLike:
    def __init__(self, forward, moved: int, started: float) -> None:
        self.forward, self.sent, self.started = forward, moved, started
        self.delivered = 0


def flow(forward=DB, moved: int = 0, started: float = 0.0) -> Any:
    return FlowLike(forward, moved, started)


def up(*chains: Any, now: float = 100.0) -> Carriers:
    made = Carriers(clock=lambda: now)
    for number, chain in enumerate(chains, 1):
        made.add(Carrier(number, chain))
    return made


def test_a_connection_is_carried_in_the_links_thread(held):
    chain: Any = Chain()
    assert up(chain).give(held)
    assert chain.link.carried == []
    chain.turn()
    assert chain.link.carried == [(DB, held.sock, held.peer)]


def test_none_is_up(held):
    assert not Carriers().give(held)


def test_what_a_link_did_not_get_to_is_given_back(held):
    chain: Any = Chain()
    made = up(chain)
    made.give(held)
    assert made.remove(chain) == [held]
    chain.turn()
    assert chain.link.carried == []
    assert not made.give(held)
    assert len(made) == 0


def test_one_that_has_ended_meanwhile_is_passed_over(held):
    gone, other = (Chain() for _ in range(2))
    made = up(gone, other)
    made.all()[0].end()
    assert made.give(held)
    other.turn()
    assert other.link.carried


def test_those_on_their_way_count(held):
    chains: list[Any] = [Chain(), Chain()]
    made = up(*chains)
    made.give(held)
    made.give(held)
    for chain in chains:
        chain.turn()
    assert [len(chain.link.carried) for chain in chains] == [1, 1]


def test_flows_are_judged_and_forwards_learned(held):
    busy, idle = (Chain() for _ in range(2))
    busy.flows.add(flow(moved=50 << 20, started=99.0))
    idle.flows.add(flow(RDP, started=99.0))
    made = up(busy, idle)
    first, second = made.loads()
    assert first.counts == {Traffic.BULK: 1}
    assert second.counts == {Traffic.INTERACTIVE: 1}
    made.give(held)  # as bulk as the one before it
    busy.turn()
    assert busy.link.carried


def test_what_is_learned_of_forwards_is_bounded_and_stays_new(held, monkeypatch):
    monkeypatch.setattr(carriers, "LEARNED", 1)
    chain: Any = Chain()
    made = up(chain)
    first, second = (parse_forward(ForwardKind.LOCAL, f"{port}:db:5432") for port in (1, 2))
    for forward, moved, kind in (
        (first, 10, Traffic.INTERACTIVE),
        (second, 10, Traffic.INTERACTIVE),
        (second, 10**9, Traffic.BULK),
    ):
        chain.flows.clear()
        chain.flows.add(flow(forward, moved))
        made._counted = 0.0
        made.loads()
        assert made._known(forward) is kind
    assert made._known(first) is None
