"""The keepalive in force against what is remembered."""

from __future__ import annotations

import math
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.keepalive_setting import CHECK, Facts, judge, probe
from diagnostics.model import (
    Confidence,
    Finding,
    InconclusiveError,
    NatOptions,
    Remembered,
    Severity,
    Target,
)
from diagnostics.ssh import Route
from support.machine import HOP, FakeSsh, FakeSystem

KNOWN = Remembered(alive=10, dead=15, age=60)


def codes(**values):
    return [finding.code for finding in findings(Facts(gateway="gw", **values))]


def findings(facts):
    judged = judge(facts)
    assert all(isinstance(each, Finding) for each in judged)
    return cast("tuple[Finding, ...]", judged)


def only(**values):
    (finding,) = findings(Facts(gateway="gw", **values))
    return finding


class TestProbe:
    def test_it_takes_the_options_in_force(self):
        route = Route(hops=(HOP,), keepalive_interval=7.0, keepalive_count=5)
        target = Target(gateway="gw", remembered=KNOWN, nat=NatOptions())
        facts = probe(target, FakeSystem("darwin", ssh=FakeSsh(route=route)))
        assert facts == Facts(
            os="darwin", gateway="gw", interval=7, count=5, remembered=KNOWN, measuring=True
        )

    def test_without_a_plan_they_are_not_known(self):
        ssh = FakeSsh(route=Route(error_code="bad-config", error="line 3 is no option"))
        with pytest.raises(InconclusiveError, match="line 3"):
            probe(Target(gateway="gw"), FakeSystem(ssh=ssh))

    def test_it_needs_a_gateway(self):
        assert CHECK.applies(Target())
        assert not CHECK.applies(Target(gateway="gw"))


def test_the_default_is_fine_where_nothing_is_known():
    assert codes() == []


class TestTooLong:
    @pytest.mark.parametrize(
        ("interval", "severity", "words"),
        [
            (12, Severity.WARNING, "A keepalive every 12 s is too rare"),
            (30, Severity.ERROR, "A keepalive every 30 s is too rare"),
            (0, Severity.ERROR, "No keepalive is sent in this network"),
        ],
    )
    def test_found(self, interval, severity, words):
        finding = only(interval=interval, remembered=KNOWN)
        assert finding.code == "keepalive-too-long"
        assert finding.severity is severity
        assert finding.confidence is Confidence.LIKELY
        assert finding.title.startswith(words)
        assert "10 to 15 s" in finding.title
        assert finding.fixes[0].argv[-2:] == ("--keepalive", "auto")
        assert "--keepalive 5" in finding.fixes[1].command

    def test_where_even_the_shortest_silence_was_fatal(self):
        finding = only(remembered=Remembered(alive=math.nan, dead=4))
        assert "after at most 4 s" in finding.title

    @pytest.mark.parametrize(
        ("age", "words"),
        [
            (0, "today"),
            (90_000, "a day ago"),
            (86400 * 9.8, "10 days ago"),
            (-5, "earlier"),
            (math.inf, "earlier"),
        ],
    )
    def test_when_it_was_measured(self, age, words):
        finding = only(remembered=Remembered(alive=10, dead=15, age=age))
        assert f"measured {words}" in finding.explain

    @pytest.mark.parametrize(
        "values",
        [
            {"interval": 10, "count": 9, "remembered": KNOWN},
            {"remembered": Remembered(alive=20)},
            {"remembered": Remembered(alive=20, dead=math.nan)},
            {"remembered": KNOWN, "measuring": True},
            {"interval": 0, "measuring": True},
            {"interval": math.nan},
        ],
    )
    def test_not_found(self, values):
        assert codes(**values) == []


def test_off():
    finding = only(interval=0)
    assert (finding.code, finding.severity) == ("keepalive-off", Severity.WARNING)
    assert "--keepalive 30" in finding.fixes[0].command


def test_impatient():
    finding = only(interval=2, count=3, remembered=KNOWN)
    assert (finding.code, finding.severity) == ("keepalive-impatient", Severity.INFO)
    assert "6 s" in finding.title
    assert finding.fixes[0].argv[-2:] == ("--keepalive-count", "45")


@given(
    st.builds(
        Facts,
        os=st.text(),
        gateway=st.text(),
        interval=st.floats(),
        count=st.integers(-5, 10**9),
        remembered=st.none()
        | st.builds(Remembered, alive=st.floats(), dead=st.floats(), age=st.floats()),
        measuring=st.booleans(),
    )
)
def test_total(facts):
    assert {finding.code for finding in findings(facts)} <= {kind.code for kind in CHECK.finds}
