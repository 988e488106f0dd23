"""Keepalives: answered, late, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.gateway_keepalive import CHECK, Facts, judge, probe
from diagnostics.model import Severity, Target, Unknown
from diagnostics.ssh import Answered
from support.any_values import any_of
from support.machine import FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def judged(facts: Facts) -> tuple[Any, ...]:
    """Return what is judged, as values whose attributes are looked at."""
    return judge(facts)


def look(*answers: Answered, interval: float = 30.0) -> Facts:
    return Facts(gateway="gw", server="SSH-2.0-x", answers=answers, interval=interval)


def answer(outcome: str, seconds: float = 0.0) -> Answered:
    return Answered(outcome=outcome, seconds=seconds)


def test_a_quick_answer():
    facts = probe(Target(gateway="gw"), FakeSystem())
    (found,) = judged(facts)
    assert (found.code, found.severity) == ("keepalive-answered", Severity.OK)
    assert found.title == "gw answers to a keepalive after 10 ms"
    assert len(facts.answers) == 1


@pytest.mark.parametrize(
    ("given_answer", "times"),
    [(answer("ok", 3), 3), (answer("timed-out", 5), 3), (answer("link-lost"), 1)],
)
def test_how_often_is_asked(given_answer, times):
    facts = probe(Target(gateway="gw"), FakeSystem(ssh=FakeSsh(keepalive=given_answer)))
    assert len(facts.answers) == times


def test_a_late_answer():
    (found,) = judged(look(answer("timed-out", 5), answer("ok", 2.5)))
    assert (found.code, found.severity) == ("keepalive-slow", Severity.WARNING)
    assert "2.5 s" in found.title


@pytest.mark.parametrize(("interval", "told"), [(30.0, "after 90 s of silence"), (0.0, "stop.")])
def test_no_answer(interval, told):
    (found,) = judged(look(answer("timed-out"), interval=interval))
    assert found.code == "keepalive-unanswered"
    assert found.explain.rstrip(".").endswith(told.rstrip("."))


@pytest.mark.parametrize(
    ("outcome", "told"), [("link-lost", "was lost"), ("no-login", "there is no login")]
)
def test_not_known(outcome, told):
    (found,) = judged(look(answer(outcome)))
    assert isinstance(found, Unknown)
    assert told in found.reason


def test_nothing_was_asked():
    (found,) = judged(look())
    assert isinstance(found, Unknown)


@given(any_of(Facts))
def test_judge_is_total(facts):
    for found in judge(facts):
        assert isinstance(found, Unknown) or found.code in CODES
