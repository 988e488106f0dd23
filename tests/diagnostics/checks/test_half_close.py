"""An end of data that is passed on alone, or ends everything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.half_close import CHECK, Facts, judge, probe
from diagnostics.model import Severity, Target, Unknown
from diagnostics.ssh import HalfClose
from support.any_values import any_of
from support.machine import FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def judged(facts: Facts) -> tuple[Any, ...]:
    """Return what is judged, as values whose attributes are looked at."""
    return judge(facts)


def look(outcome: str, text: str = "") -> Facts:
    ssh = FakeSsh(half_close=HalfClose(outcome=outcome, text=text))
    return probe(Target(gateway="gw"), FakeSystem(ssh=ssh))


def test_kept():
    assert judge(look("kept")) == ()


def test_lost():
    (found,) = judged(look("lost", "closed"))
    assert (found.code, found.severity) == ("half-close-lost", Severity.WARNING)
    assert [each.value for each in found.evidence] == ["closed", "SSH-2.0-OpenSSH_9.2p1"]


@pytest.mark.parametrize(
    ("outcome", "text", "told"),
    [
        ("prohibited", "no", "refuses one"),
        ("no-login", "", "no login"),
        ("timed-out", "", "in time"),
    ],
)
def test_not_known(outcome, text, told):
    (found,) = judged(look(outcome, text))
    assert isinstance(found, Unknown)
    assert told in found.reason
    assert len(found.evidence) == len(text[:1])


@given(any_of(Facts))
def test_judge_is_total(facts):
    for found in judge(facts):
        assert isinstance(found, Unknown) or found.code in CODES
