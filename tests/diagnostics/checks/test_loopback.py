"""The loopback interface: down, without 127.0.0.1, filtered, or fine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.loopback import CHECK, Facts, judge, probe
from diagnostics.model import Finding, Target, Unknown
from diagnostics.system import ConnectBack, Interface, InterfaceAddress
from netkit.model import Endpoint
from support.machine import LOOPBACK, FakeSystem

BAD = ConnectBack(Endpoint("127.0.0.1", 0), "bind-failed", "EADDRNOTAVAIL")
CODES = {kind.code for kind in CHECK.finds}


def examine(interface: Interface | None, os: str = "linux", back: ConnectBack = BAD):
    interfaces = () if interface is None else (interface,)
    system = FakeSystem(os, interfaces=interfaces, back=lambda *_: back)
    return judge(probe(Target(), system))


def test_a_healthy_machine():
    assert judge(probe(Target(), FakeSystem())) == ()


def test_down():
    (finding,) = examine(replace(LOOPBACK, is_up=False))
    assert finding.code == "loopback-down"
    assert finding.fixes[0].argv == ("sudo", "ip", "link", "set", "lo", "up")
    assert finding.fixes[0].undo[-1] == "down"


@pytest.mark.parametrize(("os", "tool"), [("linux", "ip"), ("darwin", "ifconfig")])
def test_without_its_address(os, tool):
    (finding,) = examine(replace(LOOPBACK, addresses=()), os)
    assert finding.code == "loopback-without-127"
    assert finding.fixes[0].argv[1] == tool


def test_no_command_where_none_is_known():
    (finding,) = examine(replace(LOOPBACK, addresses=()), "windows")
    assert finding.fixes == ()


def test_filtered():
    (finding,) = examine(LOOPBACK, back=replace(BAD, outcome="timed-out", error=""))
    assert finding.code == "loopback-broken"


def test_no_interface_is_unknown():
    (unknown,) = examine(None)
    assert isinstance(unknown, Unknown)


TEXT = st.text(max_size=8)
INTERFACES = st.builds(
    Interface, TEXT, st.booleans(), addresses=st.tuples(st.builds(InterfaceAddress, TEXT, TEXT))
)


@given(
    st.builds(
        Facts,
        TEXT,
        st.none() | INTERFACES,
        st.builds(ConnectBack, st.just(BAD.address), TEXT, TEXT),
    )
)
def test_is_total(facts):
    assert {each.code for each in judge(facts) if isinstance(each, Finding)} <= CODES
