"""What is kept, told and left out."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from netkit.bench.measuring.ends import FlowBrokenError
from netkit.bench.measuring.record import Progress, Record, Route
from netkit.bench.model import Login, Setting, Skipped
from netkit.errors import LinkLostError, OpenError


def record(seconds=10.0, told=None):
    told = [] if told is None else told
    return Record(Setting(gateway="gate"), seconds, threading.Event(), told.append)


def test_what_is_kept_is_measured():
    subject = record()
    login = Login(
        cipher="c", compression=False, tcp=0.1, key_exchange=0.2, authentication=0.3, total=0.6
    )
    subject.logins.append(login)
    subject.skip("this", "that")
    measured = subject.measured()
    assert measured.logins == (login,)
    assert measured.skipped == (Skipped("this", "that"),)
    assert not measured.interrupted
    assert measured.setting.took > 0
    subject.cancelled.set()
    assert subject.measured().interrupted


def test_progress_is_between_nothing_and_all():
    told: list[Progress] = []
    subject = record(10, told)
    subject.tell("first")
    assert told[0].text == "first"
    assert 0 <= told[0].done < 0.5
    assert 5 < told[0].left <= 10
    late = record(0.0, told)
    late.tell("last")
    assert (told[1].done, told[1].left) == (1.0, 0.0)


@pytest.mark.parametrize("error", [FlowBrokenError("broke", cause="of age"), OpenError("broke")])
def test_a_part_that_fails_is_left_out(error):
    subject = record()
    with subject.part("echo"):
        raise error
    (skipped,) = subject.skipped
    assert skipped.what == "echo"
    assert skipped.why.startswith("broke")
    assert ("of age" in skipped.why) == bool(error.cause)


def test_a_link_that_ends_ends_it():
    with pytest.raises(LinkLostError), record().part("echo"):
        raise LinkLostError("gone")


def test_an_interrupt_ends_it():
    subject = record()
    subject.cancelled.set()
    with pytest.raises(FlowBrokenError), subject.part("echo"):
        raise FlowBrokenError("interrupted")
    assert subject.skipped == []


def test_a_route_is_closed_as_a_whole():
    closed = []

    class Part:
        def __init__(self, name):
            self.name = name
            self.session = self

        def close(self):
            closed.append(self.name)

    logged_in: Any = Part("session")
    way: Any = Part("way")
    Route(logged_in, way).close()
    assert closed == ["way", "session"]
