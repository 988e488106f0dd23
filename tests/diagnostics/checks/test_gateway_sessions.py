"""Sessions and shells of the gateway: worth knowing, and never an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.gateway_sessions import CHECK, Facts, judge, probe
from diagnostics.model import Severity, Target, Unknown
from diagnostics.parsers.gateway_survey import ASK_SHELL
from support.any_values import any_of
from support.machine import FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def judged(facts: Facts) -> tuple[Any, ...]:
    """Return what is judged, as values whose attributes are looked at."""
    return judge(facts)


SHELL = "netkit-42\nnetkit-part id\n1000\nme\nLinux\n/home/me\n\nnetkit-part end\n"


def look(sessions: int, answer: str = SHELL) -> Facts:
    ssh = FakeSsh(sessions=sessions, run={ASK_SHELL: answer})
    return probe(Target(gateway="gw"), FakeSystem(ssh=ssh))


def test_everything_is_given():
    assert judge(look(10)) == ()


@pytest.mark.parametrize(
    ("sessions", "answer", "codes"),
    [
        (0, SHELL, ["gateway-no-sessions"]),
        (1, SHELL, ["gateway-one-session"]),
        (3, "This account is not available.\n", ["gateway-no-shell"]),
        (1, "", ["gateway-one-session", "gateway-no-shell"]),
    ],
)
def test_less_is_given(sessions, answer, codes):
    found = judged(look(sessions, answer))
    assert [each.code for each in found] == codes
    assert {each.severity for each in found} == {Severity.INFO}


def test_what_came_in_place_of_a_shell():
    (found,) = judged(look(3, "This account is not available.\n"))
    assert "which answered: This account is not available. Tunnels" in found.explain
    (found,) = judged(look(3, ""))
    assert "on the gateway. Tunnels" in found.explain


@given(any_of(Facts))
def test_judge_is_total(facts):
    for found in judge(facts):
        assert isinstance(found, Unknown) or found.code in CODES
