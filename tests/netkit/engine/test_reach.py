from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from netkit.engine import reach
from netkit.engine.reach import Reach
from netkit.errors import AuthenticationError, GatewayUnreachableError, LinkLostError, NetkitError
from netkit.events import Event, Notice
from netkit.model import Endurance, Hop, Keepalive, Plan

A, B = ((Hop(alias=name, host=name),) for name in "ab")


class Chain:
    """Connects, unless its gateway is among those that fail."""

    failing: ClassVar[dict[str, NetkitError]] = {}
    made: ClassVar[list[Any]] = []

    def __init__(self, plan, company, ended):
        self.name, self.company, self.closed = plan.hops[-1].alias, company, 0
        Chain.made.append(self)

    def connect(self, numbers, prepare):
        if self.name in Chain.failing:
            raise Chain.failing[self.name]

    def close(self, _limit):
        self.closed += 1


@pytest.fixture
def told(monkeypatch) -> list[Event]:
    monkeypatch.setattr(reach, "Chain", Chain)
    monkeypatch.setattr(Chain, "failing", {})
    monkeypatch.setattr(Chain, "made", [])
    return []


def reaching(told: list[Event], *ways: Any, **more: Any) -> Reach:
    plan = Plan(hops=A, ways=ways, endurance=Endurance(**more))
    company: Any = lambda _cancelled, number: SimpleNamespace(number=number)  # noqa: E731
    return Reach(
        plan, company, told.append, lambda _link: None, lambda _chain, _error: None, Keepalive
    )


def trunk(made: Reach) -> Any:
    return made.trunk(threading.Event())


def test_the_first_way(told):
    assert trunk(reaching(told, B)).name == "a"
    assert told == []


def test_the_second_where_the_first_fails_and_then_that(told):
    Chain.failing["a"] = GatewayUnreachableError("away")
    made = reaching(told, B)
    assert trunk(made).name == "b"
    (notice,) = told
    assert isinstance(notice, Notice)
    assert notice.text == "a: away; trying another gateway"
    assert [each.closed for each in Chain.made] == [1, 0]
    Chain.failing.clear()
    assert trunk(made).name == "b"
    assert made.name_of(2) == "b"


def test_all_fail(told):
    Chain.failing.update(a=GatewayUnreachableError("away"), b=AuthenticationError("refused"))
    made = reaching(told, B)
    with pytest.raises(AuthenticationError):
        trunk(made)
    Chain.failing.clear()
    assert trunk(made).name == "a"


def test_none_is_left(told):
    Chain.failing.update(a=AuthenticationError("no"), b=AuthenticationError("no"))
    made = reaching(told, B)
    for _ in range(2):
        with pytest.raises(AuthenticationError):
            trunk(made)
    assert len(Chain.made) == 2, "who refuses is not asked again"


def test_further_links(told):
    made = reaching(told, B, spread=True)
    link: Any = made.branch(2, threading.Event())
    assert (link.name, link.company.number) == ("b", 2)


def test_nothing_is_made_after_the_end(told):
    made = reaching(told)
    made.close(1.0)
    with pytest.raises(LinkLostError):
        trunk(made)


def test_what_is_under_way_ends(told):
    made = reaching(told)
    chain = trunk(made)
    made.close(1.0)
    assert chain.closed == 1
    made.settled()
    made.close(1.0)
    assert chain.closed == 1


def test_a_refusal_does_not_end_what_another_gateway_may_carry(told):
    """The one that let us in is away for a moment, and the other refuses."""
    made = reaching(told, B)
    Chain.failing = {"a": GatewayUnreachableError("away")}
    assert trunk(made).name == "b"
    Chain.failing = {"a": AuthenticationError("no"), "b": GatewayUnreachableError("restarts")}
    with pytest.raises(GatewayUnreachableError, match="restarts"):
        trunk(made)
    said = told[-1]
    assert isinstance(said, Notice)
    assert said.text == "a: no; it is not asked again"
    Chain.made.clear()
    Chain.failing = {}
    assert trunk(made).name == "b"
    assert [each.name for each in Chain.made] == ["b"]


def test_the_last_one_that_refuses_counts(told):
    made = reaching(told, B)
    Chain.failing = {"a": AuthenticationError("not a"), "b": AuthenticationError("not b")}
    with pytest.raises(AuthenticationError, match="not b"):
        trunk(made)
