from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

from netkit.engine.branches import Branches, Owner, heard_of_branches
from netkit.errors import AuthenticationError, GatewayUnreachableError, NetkitError
from netkit.events import Connecting, Event, Notice
from netkit.model import Endurance
from netkit.plan.link_choice import Load, Traffic
from netkit.plan.retries import Moment
from support.waiting import wait_until

BUSY = {Traffic.UNKNOWN: 1}


class World:
    """Makes links that are up until they are told otherwise."""

    def __init__(self, *errors: NetkitError) -> None:
        self.errors = list(errors)
        self.up: dict[int, Any] = {}
        self.told: list[Event] = []
        self.owner = Owner(
            make=self.make,
            up=self.up.__setitem__,
            loads=list,
            emit=self.told.append,
            look=lambda: Moment(time.time(), time.monotonic()),
            random=lambda: 0.0,
        )

    def make(self, number: int, _cancelled: threading.Event) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        chain = SimpleNamespace(number=number, has_ended=False)

        def close(_limit: float = 0.0) -> None:
            chain.has_ended = True

        chain.close = close
        chain.link = SimpleNamespace(
            wait=lambda _limit: True, is_stopping=False, error=None, prove_alive=lambda _limit: None
        )
        return chain


def branches(links: int, world: World, *, reconnect: bool = True) -> Branches:
    made = Branches(links, lambda _number: "gw", Endurance(reconnect=reconnect))
    made.start(world.owner)
    return made


def test_as_many_as_are_asked_for():
    world = World()
    made = branches(4, world)
    wait_until(lambda: sorted(world.up) == [2, 3, 4])
    made.consider([Load(n, BUSY) for n in range(1, 5)])
    made.close(1.0)
    assert all(each.has_ended for each in world.up.values())
    assert sorted(world.up) == [2, 3, 4]


def test_a_tunnel_that_ends_with_its_link_has_them_too():
    world = World()
    made = branches(3, world, reconnect=False)
    wait_until(lambda: sorted(world.up) == [2, 3])
    made.close(1.0)
    assert not world.told


def test_with_auto_one_more_than_is_used():
    world = World()
    made = branches(0, world)
    wait_until(lambda: sorted(world.up) == [2])
    made.consider([Load(1, BUSY), Load(2)])
    assert sorted(world.up) == [2]
    made.consider([Load(1, BUSY), Load(2, BUSY)])
    wait_until(lambda: sorted(world.up) == [2, 3])
    made.close(1.0)


def test_one_that_is_lost_is_remade():
    world = World()
    made = branches(2, world)
    wait_until(lambda: 2 in world.up)
    first = world.up.pop(2)
    first.has_ended = True
    assert made.ended(first)
    wait_until(lambda: 2 in world.up)
    assert not made.ended(first)
    made.close(1.0)


def test_one_that_cannot_be_had_is_said_once():
    world = World(AuthenticationError("the gateway refused the key"))
    made = branches(2, world)
    wait_until(lambda: world.told)
    assert [each.code for each in world.told if isinstance(each, Notice)] == ["fewer-links"]
    made.close(1.0)
    assert world.up == {}


def test_one_that_comes_late_is_said_once():
    world = World(*(GatewayUnreachableError("full") for _ in range(3)))
    made = branches(2, world)
    wait_until(lambda: 2 in world.up)
    assert [each.code for each in world.told if isinstance(each, Notice)] == ["fewer-links"]
    made.close(1.0)


def test_links_that_come_and_go_are_no_events_of_the_tunnel():
    told: list[Event] = []
    hear = heard_of_branches(told.append)
    hear(Connecting(gateway="gw", hop=1, hops=1))
    hear(Notice(code="x", text="heard"))
    assert [type(each) for each in told] == [Notice]


def test_a_refused_login_is_not_tried_again_before_the_first_link_is_new():
    world = World(*(AuthenticationError("no second factor here") for _ in range(2)))
    made = branches(0, world)
    wait_until(lambda: len(world.told) == 1)
    for _ in range(5):
        made.consider([Load(1, BUSY)])
    assert len(world.errors) == 1
    made.renew()
    made.consider([Load(1, BUSY)])
    wait_until(lambda: len(world.told) == 2)
    made.renew()
    made.consider([Load(1, BUSY)])
    wait_until(lambda: 2 in world.up)
    made.close(1.0)


def test_one_of_a_number_that_was_refused_is_made_beside_the_next_first_link():
    world = World(AuthenticationError("not now"))
    made = branches(2, world)
    wait_until(lambda: world.told)
    made.renew()
    wait_until(lambda: 2 in world.up)
    made.renew()
    made.close(1.0)
    assert sorted(world.up) == [2]


def test_a_number_of_retries_is_none_of_theirs():
    world = World(GatewayUnreachableError("full"))
    made = Branches(2, lambda _number: "gw", Endurance(retries=0))
    made.start(world.owner)
    wait_until(lambda: 2 in world.up)
    made.close(1.0)
