"""The gateway's name: unknown, misspelt, slow, of a family that this machine lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.gateway_name import CHECK, SLOW_AFTER, Facts, judge, probe
from diagnostics.model import Finding, Severity, Target, Unknown
from diagnostics.ssh import HopFacts, Route
from diagnostics.system import Resolution
from support.any_values import any_of
from support.machine import HOP, FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
TARGET = Target(gateway="gw")
NONE = Resolution("gw.example", error="EAI_NONAME", text="Name or service not known")


def look(answer: Resolution | dict[str, Resolution], hop: HopFacts = HOP, **words: Any) -> Facts:
    def names(_name: str, family: str) -> Resolution:
        return answer[family] if isinstance(answer, dict) else answer

    ssh = FakeSsh(route=Route(hops=(hop,)))
    return probe(TARGET, FakeSystem(ssh=ssh, names=names, **words))


def only(facts: Facts) -> Finding:
    (found,) = judge(facts)
    assert isinstance(found, Finding)
    return found


def test_a_name_with_an_address_is_fine():
    assert judge(look(Resolution("gw.example", ("192.0.2.1",)))) == ()


def test_a_proxy_command_needs_no_name():
    assert judge(look(NONE, replace(HOP, proxy_command="nc gw 22"))) == ()


def test_without_a_plan_it_is_unknown():
    facts = probe(TARGET, FakeSystem(ssh=FakeSsh(route=Route())))
    assert isinstance(judge(facts)[0], Unknown)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("EAI_NONAME", "gateway-name-unknown"),
        ("EAI_NODATA", "gateway-name-unknown"),
        ("EAI_AGAIN", "gateway-dns-failed"),
        ("timeout", "gateway-dns-failed"),
        ("invalid", "gateway-name-invalid"),
    ],
)
@pytest.mark.parametrize("os", ["linux", "darwin", "windows"])
def test_no_address(error: str, code: str, os: str):
    found = only(look(replace(NONE, error=error), os=os))
    assert (found.code, found.severity) == (code, Severity.ERROR)


def test_an_answer_without_addresses_and_errors_is_unknown():
    assert isinstance(judge(look(Resolution("gw")))[0], Unknown)


def test_a_misspelt_name():
    files = {
        "/home/me/.ssh/config": b"Host gateway-1\n",
        "/home/me/.ssh/known_hosts": b"gw.exampel k",
    }
    hop = replace(HOP, host="gw.examlpe")
    found = only(look(NONE, hop, files=files))
    assert found.explain == "Did you mean gw.exampel?"
    assert found.fixes[0].argv == ("netkit", "doctor", "me@gw.exampel")
    nobody = only(look(NONE, replace(hop, user=""), files=files))
    assert nobody.fixes[0].argv == ("netkit", "doctor", "gw.exampel")


def test_a_name_without_a_dot_may_be_an_alias():
    assert "alias" in only(look(NONE, replace(HOP, host="gw"))).explain
    assert "VPN" in only(look(NONE)).explain


def test_only_addresses_of_the_other_family():
    six = Resolution("gw.example", ("2001:db8::7",))

    def source(address: str) -> str:
        return "" if ":" in address else "192.0.2.10"

    for os, tool in (("linux", "ip"), ("windows", "route"), ("darwin", "netstat")):
        found = only(look(six, source=source, os=os))
        assert found.code == "gateway-family-mismatch"
        assert "has only IPv6 addresses, and this machine has no IPv6" in found.title
        assert found.fixes[0].argv[0] == tool
    four = Resolution("gw.example", ("192.0.2.7",))
    found = only(look(four, source=lambda a: "::9" if ":" in a else "", os="darwin"))
    assert "no IPv4" in found.title
    assert found.fixes[0].argv[-1] == "inet"


def test_an_offline_machine_is_not_told_about_families():
    assert judge(look(Resolution("gw", ("2001:db8::7",)), source="")) == ()
    both = Resolution("gw", ("2001:db8::7", "192.0.2.7"))
    assert judge(look(both, source=lambda a: "x" if a == "192.0.2.1" else "")) == ()


def test_address_family_leaves_nothing():
    answers = {"inet6": NONE, "inet": NONE, "any": Resolution("gw", ("192.0.2.1",))}
    found = only(look(answers, replace(HOP, address_family="inet6")))
    assert found.code == "gateway-address-family"
    assert "only IPv6" in found.title
    answers["any"] = Resolution("gw", ("2001:db8::1",))
    assert "only IPv4" in only(look(answers, replace(HOP, address_family="inet"))).title
    answers["any"] = NONE
    found = only(look(answers, replace(HOP, address_family="inet")))
    assert found.code == "gateway-name-unknown"


def test_a_name_that_is_blocked():
    assert only(look(Resolution("gw", ("0.0.0.0", "::")))).code == "gateway-name-blocked"


def test_a_slow_name():
    found = only(look(Resolution("gw", ("192.0.2.1",), seconds=SLOW_AFTER)))
    assert (found.code, found.severity) == ("gateway-name-slow", Severity.WARNING)
    literal = replace(HOP, host="192.0.2.1")
    assert judge(look(Resolution("gw", ("192.0.2.1",), seconds=9), literal)) == ()


@given(any_of(Facts), st.booleans())
def test_is_total(facts: Facts, plan: bool):
    for found in judge(replace(facts, hop=facts.hop if plan else HOP)):
        if isinstance(found, Finding):
            assert found.code in CODES
            assert found.title.isprintable()
