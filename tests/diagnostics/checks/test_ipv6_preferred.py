"""IPv6 first on the way to the gateway: silent, refused, or just slower."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.ipv6_preferred import CHECK, Facts, judge, probe
from diagnostics.model import Severity, Target
from diagnostics.ssh import Login, Route
from diagnostics.system import Connected
from support.any_values import any_of
from support.machine import HOP, LOGIN, FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
BOTH = ("2001:db8::7", "198.51.100.1")


def examine(outcome="timed-out", addresses=BOTH, login=LOGIN, os="linux", alias="gw"):
    hop = replace(HOP, alias=alias)
    system = FakeSystem(
        os,
        ssh=FakeSsh(route=Route(hops=(hop,)), login=login),
        names={"gw.example": addresses},
        connect=lambda address: Connected(address, outcome, "E"),
    )
    return judge(probe(Target(gateway="gw"), system))


def test_what_it_applies_to():
    assert CHECK.applies(Target()) != ""


def test_silent():
    (finding,) = examine()
    assert (finding.code, finding.severity) == ("ipv6-broken", Severity.WARNING)
    assert "2001:db8::7 first" in finding.title
    assert "Host gw\\n  AddressFamily inet" in finding.fixes[0].argv[-1]
    assert "gai.conf" in finding.fixes[1].argv[-1]


def test_refused():
    (finding,) = examine("refused")
    assert (finding.code, finding.severity) == ("ipv6-refused", Severity.INFO)


@pytest.mark.parametrize("outcome", ["ok", "unreachable", "denied"])
def test_what_costs_nothing(outcome):
    assert examine(outcome) == ()


@pytest.mark.parametrize(
    "addresses", [(), ("198.51.100.1", "2001:db8::7"), ("2001:db8::7",), ("198.51.100.1",)]
)
def test_ipv6_is_not_first_or_alone(addresses):

    assert examine(addresses=addresses) == ()


def test_the_login_used_ipv6_or_none():
    assert examine(login=replace(LOGIN, peer=replace(LOGIN.peer, host="2001:db8::7"))) == ()  # type: ignore[type-var]
    assert examine(login=Login(stage="tcp", error_code="timed-out")) == ()


def test_other_systems_and_names():
    (finding,) = examine(os="windows")
    assert [each.argv[0] for each in finding.fixes] == ["reg"]
    (finding,) = examine(os="darwin")
    assert [each.argv[0] for each in finding.fixes] == ["sh"]
    (finding,) = examine(os="darwin", alias="x'; reboot")
    assert finding.fixes == ()


@given(st.sampled_from(["linux", "darwin", "windows"]), any_of(Facts))
def test_is_total(os, facts):
    assert {each.code for each in judge(replace(facts, os=os))} <= CODES
