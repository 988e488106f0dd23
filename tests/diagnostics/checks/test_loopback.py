"""The loopback interface: down, without 127.0.0.1, filtered, virtualised, or fine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.loopback import BULK, CHECK, Facts, judge, probe
from diagnostics.model import Finding, Severity, Target, Unknown
from diagnostics.system import ConnectBack, Interface, InterfaceAddress
from netkit.model import Endpoint
from support.any_values import any_of
from support.machine import LOOPBACK, FakeSystem

FOUR = Endpoint("127.0.0.1", 0)
BAD = ConnectBack(FOUR, "bind-failed", "EADDRNOTAVAIL")
CODES = {kind.code for kind in CHECK.finds}
SELF_ASSIGNED = InterfaceAddress("inet", "169.254.3.4", "255.255.0.0")
OSES = ("linux", "darwin", "windows", "freebsd")


def examine(
    interface: Interface | None, os: str = "linux", back: ConnectBack = BAD, six: str = "ok"
):
    """Judge a machine on which 127.0.0.1 answers with ``back``, and ::1 with ``six``."""

    def answer(address, size):
        assert size == BULK
        return back if address == FOUR else ConnectBack(address, six)

    interfaces = () if interface is None else (interface,)
    return judge(probe(Target(), FakeSystem(os, interfaces=interfaces, back=answer)))


def works(interface: Interface, os: str = "linux"):
    return examine(interface, os, ConnectBack(FOUR, "ok"))


@pytest.mark.parametrize("os", OSES)
def test_a_healthy_machine(os):
    assert judge(probe(Target(), FakeSystem(os))) == ()


@pytest.mark.parametrize(("os", "tool"), [("linux", "ip"), ("darwin", "ifconfig")])
def test_down(os, tool):
    back = ConnectBack(FOUR, "connect-failed", "ENETUNREACH", bound=FOUR)
    interface = replace(LOOPBACK, is_up=False, addresses=())
    (finding,) = examine(interface, os, back)
    assert finding.code == "loopback-down"
    assert finding.fixes[0].argv[1] == tool
    assert finding.fixes[0].argv[-1] == "up"
    assert finding.fixes[0].undo[-1] == "down"


def test_down_on_windows_has_no_command():
    (finding,) = examine(replace(LOOPBACK, is_up=False, addresses=()), "windows")
    assert (finding.code, finding.fixes) == ("loopback-down", ())


@pytest.mark.parametrize(
    ("os", "words"), [("linux", "ip addr add"), ("darwin", "ifconfig lo"), ("windows", "netsh int")]
)
def test_without_its_address(os, words):
    (finding,) = examine(replace(LOOPBACK, addresses=()), os)
    assert finding.code == "loopback-without-127"
    assert words in finding.fixes[0].command


def test_without_its_address_and_not_listed():
    assert [each.subject for each in examine(None)] == ["lo"]
    assert [each.subject for each in examine(None, "darwin")] == ["lo0"]


def test_self_assigned_instead_of_its_address():
    missing, held = examine(replace(LOOPBACK, addresses=(SELF_ASSIGNED,)))
    assert missing.code == "loopback-without-127"
    assert "169.254.3.4 instead" in missing.title
    assert held.code == "loopback-link-local"
    kinds = {kind.code: kind for kind in CHECK.finds}
    assert kinds[held.code].caused_by == (missing.code,)


@pytest.mark.parametrize(
    ("os", "severity"),
    [("linux", Severity.INFO), ("darwin", Severity.INFO), ("windows", Severity.WARNING)],
)
def test_a_self_assigned_address_beside_its_own(os, severity):
    adapter = replace(LOOPBACK, addresses=(*LOOPBACK.addresses, SELF_ASSIGNED))
    (finding,) = works(adapter, os)
    assert (finding.code, finding.severity) == ("loopback-link-local", severity)


def test_the_loopback_adapter_of_windows_counts_too():
    adapter = Interface("Npcap Loopback Adapter", is_up=True, addresses=(SELF_ASSIGNED,))
    (finding,) = works(adapter, "windows")
    assert "name=Npcap Loopback Adapter" in finding.fixes[0].argv
    assert finding.fixes[0].undo[-1] == "source=dhcp"


@pytest.mark.parametrize(
    ("outcome", "error", "word"),
    [
        ("timed-out", "", "dropped"),
        ("connect-failed", "ECONNREFUSED", "refused (ECONNREFUSED)"),
        ("someone-else", "", "another program"),
        ("wrong-data", "", "changed"),
    ],
)
@pytest.mark.parametrize("os", OSES)
def test_filtered(outcome, error, word, os):
    (finding,) = examine(LOOPBACK, os, replace(BAD, outcome=outcome, error=error, bound=FOUR))
    assert (finding.code, finding.severity) == ("loopback-broken", Severity.ERROR)
    assert word in finding.title
    assert bool(finding.fixes) == (os != "freebsd")


def test_ipv6_alone_is_filtered():
    (finding,) = examine(LOOPBACK, back=ConnectBack(FOUR, "ok"), six="timed-out")
    assert (finding.subject, finding.severity) == ("::1", Severity.WARNING)


def test_ipv6_that_cannot_be_bound_is_unknown():
    (unknown,) = examine(LOOPBACK, back=ConnectBack(FOUR, "ok"), six="bind-failed")
    assert isinstance(unknown, Unknown)


def test_stalled():
    (finding,) = examine(LOOPBACK, back=ConnectBack(FOUR, "stalled", bound=FOUR, size=1448))
    assert finding.code == "loopback-stalled"
    assert finding.evidence[-1].value == "1448"


def test_virtualised():
    bound = Endpoint("127.0.0.2", 40000)
    back = ConnectBack(FOUR, "connect-failed", "ECONNREFUSED", bound=bound)
    (finding,) = examine(LOOPBACK, "windows", back)
    assert (finding.code, finding.severity) == ("loopback-virtualised", Severity.WARNING)
    assert "use 127.0.0.2" in finding.explain
    assert "[uint32]0" in finding.fixes[0].argv[-1]
    assert "[uint32]1" in finding.fixes[0].undo[-1]


def test_what_cannot_be_bound_for_another_reason_is_unknown():
    (unknown,) = examine(LOOPBACK, back=replace(BAD, error="EMFILE"))
    assert isinstance(unknown, Unknown)
    assert "EMFILE" in unknown.reason


@pytest.mark.parametrize(
    ("os", "mtu", "severity"),
    [
        ("linux", 65536, None),
        ("linux", 16436, None),  # before Linux 3.6
        ("linux", 1500, Severity.INFO),
        ("linux", 1279, Severity.WARNING),
        ("linux", 0, None),
        ("darwin", 16384, None),
        ("darwin", 1200, Severity.WARNING),
        ("windows", 1500, None),
    ],
)
def test_mtu(os, mtu, severity):
    found = works(replace(LOOPBACK, mtu=mtu), os)
    assert [each.severity for each in found] == ([severity] if severity else [])
    if found:
        assert found[0].code == "loopback-mtu"
        assert found[0].fixes[0].undo[-1] == str(mtu)


def test_mtu_of_what_is_down_or_no_loopback():
    assert works(replace(LOOPBACK, mtu=1200, is_up=False)) == ()
    assert works(replace(LOOPBACK, mtu=1200, is_loopback=False, name="loopback7")) == ()


@given(st.sampled_from(OSES), any_of(Facts))
def test_is_total(os, facts):
    judged = judge(replace(facts, os=os))
    assert {each.code for each in judged if isinstance(each, Finding)} <= CODES
