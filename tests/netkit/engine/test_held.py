"""Flows that wait for an early credit are let go when none comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netkit.engine.held import HeldFlows
from netkit.wire.pacing import STALL_LIMIT


class FakePacer:
    lifted = False

    def lift(self) -> None:
        self.lifted = True


class FakeFlow:
    def __init__(self) -> None:
        self.is_held = True
        self.pacer = FakePacer()


class FakeLink:
    """A link with a clock that the test moves."""

    def __init__(self) -> None:
        self.loop = self
        self.now = 0.0
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.ready: dict[object, None] = {}

    def call_later(self, delay, call) -> None:
        self.due.append((self.now + delay, call))

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.due and self.due[0][0] <= end:
            self.now, call = self.due.pop(0)
            call()
        self.now = end


def test_flow_is_let_go_after_the_limit():
    link: Any = FakeLink()
    flow: Any = FakeFlow()
    HeldFlows(link).add(flow)
    link.pass_time(STALL_LIMIT * 0.9)
    assert not flow.pacer.lifted
    link.pass_time(STALL_LIMIT * 0.2)
    assert flow.pacer.lifted
    assert flow in link.ready


def test_flow_that_got_its_credit_is_left_alone():
    link: Any = FakeLink()
    flow: Any = FakeFlow()
    HeldFlows(link).add(flow)
    flow.is_held = False
    link.pass_time(STALL_LIMIT * 3)
    assert not flow.pacer.lifted
    assert not link.ready
    assert not link.due


def test_flow_that_came_late_waits_its_own_time():
    link: Any = FakeLink()
    early: Any = FakeFlow()
    late: Any = FakeFlow()
    held = HeldFlows(link)
    held.add(early)
    link.pass_time(STALL_LIMIT * 0.8)
    held.add(late)
    link.pass_time(STALL_LIMIT * 0.3)
    assert early.pacer.lifted
    assert not late.pacer.lifted
    link.pass_time(STALL_LIMIT)
    assert late.pacer.lifted
