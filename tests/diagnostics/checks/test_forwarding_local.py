"""Does the gateway connect for us, and which rule forbids where not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.forwarding_local import CHECK, Facts, judge, probe, targets_of
from diagnostics.forwarding.shell import Asked
from diagnostics.model import Severity, Target, Unknown
from diagnostics.parsers.gateway_survey import ASK
from diagnostics.ssh import Opened, Route
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def judged(facts: Facts) -> tuple[Any, ...]:
    """Return what is judged, as values whose attributes are looked at."""
    return judge(facts)


OWN, WEB, SOCKET = Endpoint("127.0.0.1", 22), Endpoint("web", 80), UnixPath("/run/s")
SURVEY = "netkit-42\nnetkit-part id\n0\nroot\nLinux\n/root\n\nnetkit-part effective\n"


def target(*targets: Address, kind: ForwardKind = ForwardKind.LOCAL) -> Target:
    forwards = tuple(ForwardSpec(kind, Endpoint("", 8080), to) for to in targets)
    return Target(gateway="gw", forwards=forwards)


def opened(to: Address, kind: str = "prohibited") -> Opened:
    return Opened(target=to, outcome="refused-by-gateway", reason=1, kind=kind, text="no")


def look(
    *targets: Address, rules: str = "", allowed: tuple[Address, ...] = (), kind: str = "prohibited"
) -> Facts:
    def answer(to: Address) -> Opened:
        return Opened(target=to, outcome="ok") if to in allowed else opened(to, kind)

    ssh = FakeSsh(opened=answer, run={ASK: f"{SURVEY}{rules}\nnetkit-part end\n"})
    return probe(target(*targets), FakeSystem(ssh=ssh))


def test_what_it_concerns():
    remote = target(WEB, kind=ForwardKind.REMOTE)
    assert CHECK.applies(remote)
    assert CHECK.applies(Target())
    assert CHECK.applies(Target(gateway="gw")) == ""
    assert CHECK.applies(target(WEB)) == ""
    dynamic = Target(gateway="gw", forwards=(ForwardSpec(ForwardKind.DYNAMIC, OWN),))
    assert targets_of(dynamic) == ()
    assert targets_of(target(WEB, WEB, SOCKET)) == (WEB, SOCKET)


def test_allowed():
    facts = probe(target(WEB, SOCKET), FakeSystem())
    assert judge(facts) == ()
    assert facts.asked == Asked()
    assert judge(look(WEB, kind="refused")) == ()


def test_without_a_route():
    facts = probe(target(), FakeSystem(ssh=FakeSsh(route=Route())))
    assert facts.own is not None
    assert facts.own.target == OWN


def test_prohibited():
    (found,) = judged(look(WEB, rules="allowtcpforwarding no"))
    assert found.code == "local-forwarding-prohibited"
    assert "AllowTcpForwarding no" in found.explain
    assert [each.what for each in found.evidence[:2]] == [
        "channel to 127.0.0.1:22",
        "channel to web:80",
    ]


def test_a_list():
    assert judge(look(WEB, rules="permitopen a:1")) == ()
    assert judge(look(WEB, rules="permitopen web:80", allowed=(WEB,))) == ()
    (found,) = judged(look(rules="permitopen a:1"))
    assert (found.code, found.severity) == ("local-forwarding-restricted", Severity.INFO)
    assert found.title.endswith("only to: a:1")


def test_unsupported():
    (found,) = judged(look(kind="unsupported"))
    assert found.code == "local-forwarding-prohibited"
    assert found.fixes == ()


def test_sockets():
    facts = look(SOCKET, rules="allowstreamlocalforwarding no")
    assert facts.own is None
    (found,) = judged(facts)
    assert found.code == "streamlocal-forwarding-prohibited"
    assert judge(look(SOCKET)) == ()
    both = judged(look(SOCKET, WEB, rules="disableforwarding yes"))
    assert [each.code for each in both] == [
        "local-forwarding-prohibited",
        "streamlocal-forwarding-prohibited",
    ]


@pytest.mark.parametrize("outcome", ["timed-out", "link-lost", "no-login"])
def test_not_known(outcome):
    (found,) = judged(Facts(own=replace(opened(OWN), outcome=outcome)))
    assert isinstance(found, Unknown)


@given(any_of(Facts))
def test_judge_is_total(facts):
    for found in judge(facts):
        assert isinstance(found, Unknown) or found.code in CODES
