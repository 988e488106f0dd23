"""VPNs that take the network beside us, a private range, or everything."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.vpn_routes import CHECK, Facts, judge, probe
from diagnostics.model import Severity, Target
from diagnostics.parsers.routes import Route
from diagnostics.system import Interface, InterfaceAddress
from diagnostics.vpns import Lan, Vpns
from diagnostics.ways import Destination
from support.any_values import any_of
from support.machine import ETHERNET, LOOPBACK, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
TUN = Interface("tun0", is_up=True, addresses=(InterfaceAddress("inet", "10.8.0.2", "32"),))
TAKEN = Lan("eth0", "192.168.7.0/24", (Destination("192.168.7.1", "tun0", "10.8.0.2"),))


def test_no_vpn():
    assert judge(probe(Target(), FakeSystem())) == ()


def test_a_vpn_that_takes_nothing_of_ours():
    system = FakeSystem(interfaces=(LOOPBACK, ETHERNET, TUN))
    assert judge(probe(Target(), system)) == ()


@pytest.mark.parametrize(
    ("os", "command"),
    [
        ("linux", "sudo ip route del 192.168.7.0/25 dev tun0"),
        ("darwin", "sudo route delete -net 192.168.7.0/25 -interface tun0"),
        ("windows", "route delete 192.168.7.0"),
    ],
)
def test_the_network_beside_us(os, command):
    routes = (Route("192.168.7.0/25", "tun0"), Route("192.168.7.128/25", "tun1"))
    routes += (Route("0.0.0.0/0", "tun9"), Route("junk", "tun0"))  # type: ignore[assignment]
    found = judge(Facts(os, Vpns(("tun0",), routes, (TAKEN,))))
    assert [each.code for each in found] == ["vpn-captures-lan", "vpn-takes-everything"]
    assert found[0].severity is Severity.WARNING
    assert [each.command for each in found[0].fixes] == [command]
    assert bool(found[0].fixes[0].undo) == (os != "windows")


@pytest.mark.parametrize(("os", "count"), [("linux", 1), ("darwin", 0)])
def test_by_rules_of_which_the_main_table_says_nothing(os, count):
    (finding,) = judge(Facts(os, Vpns(("tun0",), (), (TAKEN,))))
    assert [each.argv for each in finding.fixes] == [("ip", "rule", "show")] * count


def test_a_network_whose_way_is_its_own():
    lan = replace(TAKEN, samples=(Destination("192.168.7.1", "eth0", "192.168.7.2"),))
    assert judge(Facts("linux", Vpns(("tun0",), (), (lan,)))) == ()


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        ("10.0.0.0/8", "vpn-takes-private-range"),
        ("172.0.0.0/8", "vpn-takes-private-range"),
        ("192.168.128.0/17", "vpn-takes-private-range"),
        ("10.9.0.0/16", None),
        ("203.0.113.0/24", None),
        ("0.0.0.0/1", "vpn-takes-everything"),
    ],
)
def test_ranges(prefix, code):
    found = judge(Facts("linux", Vpns(("tun0",), (Route(prefix, "tun0"),))))
    assert [each.code for each in found] == ([code] if code else [])
    assert all(each.severity is Severity.INFO for each in found)


@given(st.sampled_from(["linux", "darwin", "windows"]), any_of(Facts))
def test_is_total(os, facts):
    assert {each.code for each in judge(replace(facts, os=os))} <= CODES
