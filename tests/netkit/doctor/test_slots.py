"""Turns: many together, or one alone."""

from __future__ import annotations

import threading
import time

from netkit.doctor.slots import Slots
from support.waiting import wait_until


def soon() -> float:
    return time.monotonic() + 10


def test_many_share():
    slots = Slots()
    with slots.shared(soon()) as one, slots.shared(soon()) as two:
        assert one
        assert two


def test_alone_means_alone():
    slots = Slots()
    with slots.alone(soon()) as mine:
        assert mine
        with slots.shared(time.monotonic() + 0.05) as other:
            assert not other
        with slots.alone(time.monotonic() + 0.05) as other:
            assert not other
    with slots.shared(soon()) as mine:
        assert mine
        with slots.alone(time.monotonic()) as other:
            assert not other
    with slots.alone(soon()) as mine:
        assert mine


def test_who_waits_to_be_alone_comes_before_newcomers():
    slots = Slots()
    order: list[str] = []
    entered = threading.Event()

    def alone() -> None:
        entered.set()
        with slots.alone(soon()) as mine:
            assert mine
            order.append("alone")

    def shared() -> None:
        with slots.shared(soon()) as mine:
            assert mine
            order.append("shared")

    with slots.shared(soon()):
        first = threading.Thread(target=alone)
        first.start()
        entered.wait(10)
        wait_until(lambda: slots._waiting == 1)
        second = threading.Thread(target=shared)
        second.start()
    for thread in (first, second):
        thread.join(10)
    assert order == ["alone", "shared"]


def test_an_error_gives_the_turn_back():
    slots = Slots()
    for turn in (slots.alone, slots.shared):
        try:
            with turn(soon()):
                raise KeyError
        except KeyError:
            pass
    with slots.alone(soon()) as mine:
        assert mine
