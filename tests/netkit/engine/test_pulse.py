from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from netkit.engine.pulse import Pulse
from netkit.events import Event
from netkit.model import Hop, Keepalive, Plan

HOPS = (Hop(alias="gw", host="gw"),)


def link(silence: float = 0.0, survived: float = 0.0) -> Any:
    clock = SimpleNamespace(silence=silence, survived=survived, changed=[])
    clock.change = clock.changed.append
    return SimpleNamespace(keepalive=clock, loop=SimpleNamespace(post=lambda call: call()))


def pulse(told: list[Event], *, adapts: bool = True) -> Pulse:
    return Pulse(Plan(hops=HOPS, keepalive=Keepalive(30, 3), adapts=adapts), told.append)


def test_a_drop_after_silence_makes_it_shorter_and_the_outage_stays():
    told: list[Any] = []
    made, following = pulse(told), link()
    made.lost(link(silence=30, survived=12), "gw:22")
    made.came(following, "gw:22")
    assert made.keepalive == Keepalive(15, 6)
    assert following.keepalive.changed == [Keepalive(15, 6)]
    assert [(each.code, each.way, each.alive, each.dead, each.interval) for each in told] == [
        ("keepalive-tightened", "gw:22", 12, 30, 15)
    ]
    made.came(link(), "gw:22")
    assert len(told) == 1


@pytest.mark.parametrize(
    ("broken", "adapts"),
    [(link(), True), (link(silence=30), False), (link(silence=30, survived=31), True)],
)
def test_others_change_nothing(broken, adapts):
    told: list[Event] = []
    made = pulse(told, adapts=adapts)
    made.lost(broken, "gw:22")
    made.came(link(), "gw:22")
    assert made.keepalive == Keepalive(30, 3)
    assert told == []


def test_a_link_by_another_way_tells_nothing_of_the_one_that_broke():
    """The gateway may have died, or only its way forget: the other one says neither."""
    told: list[Any] = []
    made = pulse(told)
    made.lost(link(silence=30), "one:22")
    made.came(link(), "other:22")
    assert told == []
    made.lost(link(survived=40), "other:22")
    made.came(link(), "one:22")
    made.lost(link(silence=30), "one:22")
    made.came(link(), "one:22")
    assert [(each.way, each.alive) for each in told] == [("one:22", 0)]
