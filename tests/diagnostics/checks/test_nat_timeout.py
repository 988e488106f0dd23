"""What measured idle times say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.nat_timeout import CHECK, Facts, Learnt, judge, learnt, probe
from diagnostics.model import Confidence, Finding, NatOptions, Severity, Target, Unknown
from diagnostics.ssh import IdleProbe, IdleRun, Route
from diagnostics.system import Clocks
from netkit.model import Endpoint
from support.machine import HOP, LOGIN, FakeSsh, FakeSystem

TARGET = Target(gateway="gw", nat=NatOptions(budget=45))


def push(idle, outcome="alive", **more):
    return IdleProbe(mode="push", idle=idle, outcome=outcome, **more)


def echo(idle, outcome="alive", **more):
    return IdleProbe(mode="echo", idle=idle, outcome=outcome, **more)


def facts(*probes, **more):
    values = {"gateway": "gw", "method": "exec", "seconds": 48.0, "interval": 2.0, **more}
    return Facts(probes=probes, **values)


DEAD = (push(4), push(10), push(15, "silence"), push(20, "silence"))


def by_code(given_facts):
    return {each.code if isinstance(each, Finding) else "?": each for each in judge(given_facts)}


class TestProbe:
    def test_it_measures_the_grid_both_ways(self):
        asked = []

        def idle(times, modes, progress):
            asked.append((times, modes))
            progress("on the way")
            return IdleRun(probes=DEAD, method="exec", text="t", seconds=50.0)

        system = FakeSystem(ssh=FakeSsh(idle=idle))
        found = probe(TARGET, system)
        assert asked == [((4.0, 10.0, 15.0, 20.0, 28.0, 45.0), ("push", "echo"))]
        assert system.said == ["on the way"]
        assert (found.probes, found.method, found.text) == (DEAD, "exec", "t")
        assert (found.gateway, found.interval, found.budget) == ("gw", 30.0, 45)
        assert found.source_before == found.source_after == "192.0.2.10"

    def test_without_an_address_of_the_peer(self):
        ssh = FakeSsh(login=replace(LOGIN, peer=None), route=Route())
        found = probe(TARGET, FakeSystem(ssh=ssh, source="x"))
        assert (found.gateway, found.source_before) == ("gw", "")

    def test_only_where_it_was_asked_for(self):
        assert "--nat" in CHECK.applies(Target(gateway="gw"))
        assert CHECK.applies(Target()) == "no gateway is named"
        assert CHECK.applies(TARGET) == ""

    def test_its_time_is_that_of_the_budget_and_the_logins(self):
        assert callable(CHECK.timeout)
        assert 45 * 1.15 < CHECK.timeout(TARGET) < 45 * 1.15 + 300
        assert CHECK.timeout(Target()) > 0


class TestBracket:
    def test_measured(self):
        finding = by_code(facts(*DEAD))["nat-timeout-measured"]
        assert finding.severity is Severity.INFO
        assert finding.confidence is Confidence.CERTAIN
        assert finding.title.endswith("that are idle for 10 to 15 s")
        assert "without a word" in finding.explain
        assert "--keepalive 5;" in finding.explain
        assert finding.fixes[0].argv[-4:] == ("--keepalive", "5", "--keepalive-count", "18")
        seen = {each.what: each.value for each in finding.evidence}
        assert seen["idle seconds survived"] == "10"
        assert seen["idle seconds not survived"] == "15"
        assert seen["failure mode"] == "silence"
        assert seen["the gateway speaks first, after seconds"] == "alive 4, 10; silence 15, 20"
        assert seen["method"] == "exec"

    def test_even_the_shortest_was_fatal(self):
        finding = by_code(facts(push(4, "rst")))["nat-timeout-measured"]
        assert finding.title.endswith("idle for 4 s or less")
        assert "reset (RST)" in finding.explain

    def test_a_suspect_is_named(self):
        finding = by_code(facts(push(340), push(590, "rst")))["nat-timeout-measured"]
        assert "AWS NAT gateway (350 s)" in finding.explain

    def test_an_odd_survivor_makes_it_less_sure(self):
        finding = by_code(facts(push(4), push(10, "silence"), push(20)))["nat-timeout-measured"]
        assert finding.confidence is Confidence.LIKELY
        assert "One of 20 s lived" in finding.explain

    def test_an_orderly_end_is_no_nat(self):
        found = by_code(facts(push(28), push(45, "fin", ended=30.0)))
        assert set(found) == {"idle-connection-closed"}
        assert found["idle-connection-closed"].severity is Severity.WARNING
        assert "28 to 30 s" in found["idle-connection-closed"].title
        assert "orderly end" in found["idle-connection-closed"].explain

    def test_nothing_died(self):
        found = by_code(facts(push(4), push(340)))
        assert set(found) == {"nat-timeout-none"}
        assert "survive 340 s" in found["nat-timeout-none"].title
        assert found["nat-timeout-none"].severity is Severity.OK

    def test_a_gateway_that_speaks_by_itself(self):
        found = by_code(facts(push(4), push(28, "refreshed", refresh=15.02)))
        assert set(found) == {"nat-timeout-hidden"}
        assert "every 15 s" in found["nat-timeout-hidden"].title

    def test_both(self):
        probes = (push(4), push(10, "silence"), push(28, "refreshed", refresh=5.0))
        assert {"nat-timeout-hidden", "nat-timeout-measured"} <= set(by_code(facts(*probes)))


class TestOneWay:
    def test_we_can_speak_where_the_gateway_cannot(self):
        found = by_code(facts(*DEAD, echo(10), echo(20)))
        assert "After 15 s" in found["nat-push-lost"].title
        assert found["nat-push-lost"].severity is Severity.INFO

    @pytest.mark.parametrize("probes", [(echo(10), echo(20, "silence")), (echo(4),), ()])
    def test_or_we_cannot_either(self, probes):
        assert "nat-push-lost" not in by_code(facts(*DEAD, *probes))


class TestKeepalive:
    @pytest.mark.parametrize("interval", [1, 5, 10])
    def test_one_that_holds(self, interval):
        assert "keepalive-above-timeout" not in by_code(facts(*DEAD, interval=interval))

    @pytest.mark.parametrize(
        ("interval", "severity", "words"),
        [
            (12, Severity.WARNING, "The keepalive of 12 s may not keep"),
            (15, Severity.ERROR, "The keepalive of 15 s does not keep"),
            (30, Severity.ERROR, "The keepalive of 30 s does not keep"),
            (0, Severity.ERROR, "No keepalive is sent"),
        ],
    )
    def test_one_that_does_not(self, interval, severity, words):
        finding = by_code(facts(*DEAD, interval=interval))["keepalive-above-timeout"]
        assert finding.severity is severity
        assert words in finding.title
        assert "--keepalive" in finding.fixes[0].argv

    def test_none_is_no_fault_where_nothing_died(self):
        assert "keepalive-above-timeout" not in by_code(facts(push(4), interval=0))


class TestUnknown:
    def test_what_could_not_be_measured(self):
        no = "the gateway runs no commands for this account"
        found = by_code(facts(push(4, "not-started", text=no), echo(4), method=""))
        assert set(found) == {"?"}
        assert no in found["?"].reason

    def test_the_run_says_why(self):
        assert "logins" in by_code(facts(text="no more logins are tried"))["?"].reason
        assert "no connection" in by_code(facts())["?"].reason

    def test_an_interrupt_keeps_what_is_known(self):
        found = by_code(facts(push(4), push(10, "unfinished")))
        assert set(found) == {"nat-timeout-none", "?"}
        assert found["?"].reason.endswith("was interrupted")

    def test_an_interrupt_before_anything_is_known(self):
        (unknown,) = judge(facts(push(10, "unfinished")))
        assert isinstance(unknown, Unknown)
        assert unknown.reason.endswith("nothing is known yet")

    @pytest.mark.parametrize(
        ("before", "after", "slept"),
        [
            (Clocks(100, 10, 10), Clocks(150, 60, 60), False),
            (Clocks(100, 10, 10), Clocks(450, 60, 360), True),
            # a clock that was set is no sleep where there is a better one
            (Clocks(100, 10, 10), Clocks(450, 60, 60), False),
            (Clocks(100, 10, None), Clocks(150, 60, None), False),
            (Clocks(100, 10, None), Clocks(450, 60, None), True),
            (Clocks(100, 10, None), Clocks(0, 60, None), True),
        ],
    )
    def test_a_sleep_spoils_it(self, before, after, slept):
        found = by_code(facts(*DEAD, before=before, after=after))
        assert (set(found) == {"?"}) is slept
        assert (learnt(facts(*DEAD, before=before, after=after)) is None) is slept

    @pytest.mark.parametrize(("before", "after"), [("10.0.0.1", "10.0.0.2"), ("10.0.0.1", "")])
    def test_another_network_spoils_it(self, before, after):
        found = by_code(facts(*DEAD, source_before=before, source_after=after))
        assert set(found) == {"?"}
        assert "address changed" in found["?"].reason


class TestPorts:
    def seen(self, *probes):
        finding = by_code(facts(push(4, "silence"), *probes))["nat-timeout-measured"]
        return {each.what: each.value for each in finding.evidence}.get("source ports")

    def test_kept(self):
        assert self.seen(push(2, source="1.2.3.4:5", local="10.0.0.1:5")) == (
            "kept, on all of 1 connections"
        )

    def test_changed(self):
        probes = (
            push(2, source="1.2.3.4:5", local="10.0.0.1:5"),
            push(3, source="1.2.3.4:6", local="10.0.0.1:7"),
        )
        assert self.seen(*probes) == "changed, on 1 of 2 connections"

    def test_not_known(self):
        assert self.seen(push(2, source="1.2.3.4:5")) is None


class TestLearnt:
    def test_the_bracket_and_the_keepalive(self):
        assert learnt(facts(*DEAD)) == Learnt(alive=10, dead=15, how="silence", interval=5)
        assert learnt(facts(push(340))) == Learnt(alive=340, dead=0, how="", interval=120)

    @pytest.mark.parametrize(
        "probes",
        [
            (),
            (push(4), push(10, "unfinished")),
            (push(4), push(10, "refreshed", refresh=5.0)),
        ],
    )
    def test_what_says_too_little_is_not_kept(self, probes):
        assert learnt(facts(*probes)) is None

    def test_an_interrupt_after_the_limit_does_not_matter(self):
        assert learnt(facts(*DEAD, push(90, "unfinished"))) is not None


clocks = st.none() | st.builds(Clocks, st.floats(), st.floats(), st.none() | st.floats())


@given(
    st.builds(
        Facts,
        os=st.sampled_from(["linux", "windows", ""]),
        gateway=st.text(),
        budget=st.floats(),
        probes=st.lists(
            st.builds(
                IdleProbe,
                mode=st.sampled_from(["push", "echo"]) | st.text(),
                idle=st.floats(),
                outcome=st.sampled_from(
                    ["alive", "silence", "rst", "fin", "not-started", "unfinished", "refreshed"]
                )
                | st.text(),
                text=st.text(),
                refresh=st.floats(),
                ended=st.floats(),
                source=st.text(),
                local=st.text(),
            ),
            max_size=6,
        ).map(tuple),
        method=st.text(),
        text=st.text(),
        seconds=st.floats(),
        interval=st.floats(),
        before=clocks,
        after=clocks,
        source_before=st.just("") | st.text(),
        source_after=st.just("") | st.text(),
    )
)
def test_total(given_facts):
    assert set(by_code(given_facts)) <= {kind.code for kind in CHECK.finds} | {"?"}
    found = learnt(given_facts)
    assert found is None or math.isfinite(found.interval)


def test_the_gateway_is_called_as_ssh_config_does():
    hop = replace(HOP, alias="work")
    system = FakeSystem(
        ssh=FakeSsh(route=Route(hops=(hop,)), login=replace(LOGIN, peer=Endpoint("::1", 1)))
    )
    assert probe(TARGET, system).gateway == "work"
