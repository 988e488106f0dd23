"""Connections that do not come about: what refused them, and what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.gateway_tcp import CHECK, Facts, judge, probe
from diagnostics.model import Finding, Severity, Target, Unknown
from diagnostics.ssh import HopFacts, Login, Route
from diagnostics.system import Connected
from netkit.model import Endpoint
from support.any_values import any_of
from support.machine import HOP, LOGIN, FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
TARGET = Target(gateway="gw")
JUMP = HopFacts(alias="jump", host="jump.example")


def look(
    login: Login,
    *hops: HopFacts,
    outcome: str = "refused",
    addresses: tuple[str, ...] = ("192.0.2.9",),
    **words: Any,
) -> Facts:
    ssh = FakeSsh(route=Route(hops=hops or (HOP,)), login=login)
    system = FakeSystem(
        ssh=ssh,
        names={"gw.example": addresses},
        connect=lambda address: Connected(address, outcome, "E"),
        **words,
    )
    return probe(TARGET, system)


def failed(code: str, **words: str) -> Login:
    return Login(stage="tcp", hop="gw", error_code=code, error="it failed", **words)  # type: ignore[arg-type]


def only(facts: Facts) -> Finding:
    (found,) = judge(facts)
    assert isinstance(found, Finding)
    return found


def test_a_login_is_fine_and_nothing_else_is_connected_to():
    def connect(address: Endpoint) -> Connected:
        raise AssertionError(address)

    system = FakeSystem(names={"gw.example": ("198.51.100.1",)}, connect=connect)
    assert judge(probe(TARGET, system)) == ()


@pytest.mark.parametrize("os", ["linux", "darwin", "windows"])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("connection-refused", "gateway-refused"),
        ("timed-out", "gateway-timed-out"),
        ("no-route", "gateway-unreachable"),
        ("connection-reset", "gateway-reset"),
        ("blocked-locally", "gateway-blocked-locally"),
        ("bind-address-unavailable", "bind-address-unavailable"),
        ("dns-failed", "gateway-connect-failed"),
    ],
)
def test_each_way_to_fail(error: str, code: str, os: str):
    found = only(look(failed(error), os=os))
    assert (found.code, found.severity) == (code, Severity.ERROR)
    assert found.fixes
    assert found.evidence[0].what == "192.0.2.9:22"


def test_a_second_attempt_that_succeeds():
    found = only(look(failed("connection-refused"), outcome="ok"))
    assert found.code == "gateway-connect-failed"
    assert "unreliable" in found.explain


def test_private_addresses_belong_to_a_network():
    assert "VPN" in only(look(failed("timed-out"), addresses=("10.0.0.1",))).explain
    assert "VPN" not in only(look(failed("timed-out"), addresses=("8.8.8.8",))).explain
    assert "private" not in only(look(failed("no-route"), addresses=("127.0.0.1",))).explain
    six = only(look(failed("no-route"), addresses=("2001:4860::1",)))
    assert six.fixes[0].argv == ("ip", "-6", "route")


@pytest.mark.parametrize("code", ["proxy-unreachable", "proxy-refused"])
def test_a_proxy(code: str):
    hop = replace(HOP, proxy_command="socks5://proxy:1080")
    login = replace(failed(code), error="the proxy socks5://proxy:1080 says no")
    found = only(look(login, hop))
    assert (found.code, found.title) == (code, f"The way to gw (gw.example) ends: {login.error}")


def test_a_proxy_command():
    hop = replace(HOP, proxy_command="nc %h")
    found = only(look(failed("proxy-command-failed", cause="no shell"), hop))
    assert (found.code, found.explain) == ("proxy-command-failed", "no shell")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ("forwarding-prohibited", "jump-forwarding-prohibited", "does not allow"),
        ("target-refused", "jump-target-unreachable", "nothing listens there"),
        ("target-name-unknown", "jump-target-unreachable", "does not know that name"),
        ("gateway-out-of-resources", "jump-target-unreachable", "it failed"),
    ],
)
def test_behind_a_jump_host(error: str, code: str, words: str):
    found = only(look(failed(error), JUMP, HOP))
    assert found.code == code
    assert words in found.title
    assert "jump host jump" in found.title


def test_the_jump_host_itself():
    login = replace(failed("connection-refused"), hop="jump")
    assert only(look(login, JUMP, HOP)).subject == "jump.example:22"


def test_an_address_that_was_skipped():
    login = replace(LOGIN, peer=Endpoint("192.0.2.9", 22), seconds_tcp=0.3)
    found = only(look(login, addresses=("192.0.2.8", "192.0.2.9")))
    assert (found.code, found.severity) == ("gateway-address-dead", Severity.INFO)
    assert found.title.endswith("did not answer in time: 192.0.2.8")
    assert judge(look(login, addresses=("2001:db8::1", "192.0.2.9"))) == ()
    assert judge(look(login, addresses=("192.0.2.9", "2001:db8::1"))) == ()
    assert judge(look(login, addresses=("192.0.2.1",))) == ()
    assert judge(look(replace(login, seconds_tcp=0.1), addresses=("::1", "192.0.2.9"))) == ()


def test_what_cannot_be_known():
    assert isinstance(judge(look(Login()))[0], Unknown)
    assert isinstance(judge(look(failed("cancelled")))[0], Unknown)
    facts = probe(TARGET, FakeSystem(ssh=FakeSsh(route=Route(), login=failed("timed-out"))))
    assert only(facts).code == "gateway-timed-out"


@given(any_of(Facts))
def test_is_total(facts: Facts):
    for stage in ("tcp", facts.approach.login.stage):
        login = replace(facts.approach.login, stage=stage)
        for found in judge(replace(facts, approach=replace(facts.approach, login=login))):
            if isinstance(found, Finding):
                assert found.code in CODES
                assert found.title.isprintable()
