from __future__ import annotations

from netkit.engine.ways import Ways
from netkit.errors import AuthenticationError, GatewayUnreachableError
from netkit.model import Endurance, Hop, Plan

A, B, C = ((Hop(alias=name, host=name),) for name in "abc")
AWAY, REFUSED = GatewayUnreachableError("away"), AuthenticationError("refused")


def ways(*more, spread: bool = False) -> Ways:
    return Ways(Plan(hops=A, ways=more, endurance=Endurance(spread=spread)))


def names(plans) -> list[str]:
    return [plan.hops[-1].alias for plan in plans]


def test_one_way_is_for_the_supervisor():
    made = ways()
    (way,) = made.in_turn()
    assert not made.failed(way, REFUSED)
    assert names(made.in_turn()) == ["a"]


def test_the_one_that_worked_is_first():
    made = ways(B, C)
    assert names(made.in_turn()) == ["a", "b", "c"]
    made.worked(list(made.in_turn())[1])
    assert names(made.in_turn()) == ["b", "c", "a"]
    assert made.of(5) == B


def test_each_is_tried_before_the_error_counts():
    made = ways(B, C)
    assert [made.failed(way, AWAY) for way in made.in_turn()] == [True, True, False]
    assert names(made.in_turn()) == ["a", "b", "c"]


def test_one_that_refuses_is_not_tried_again():
    made = ways(B)
    first = next(made.in_turn())
    assert made.failed(first, REFUSED)
    assert names(made.in_turn()) == ["b"]
    assert made.of(1) == B
    assert not made.failed(next(made.in_turn()), REFUSED)
    assert names(made.in_turn()) == []
    assert made.refused() is REFUSED


def test_links_are_spread():
    made = ways(B, C, spread=True)
    assert [made.of(number) for number in (1, 2, 3, 4)] == [A, B, C, A]
