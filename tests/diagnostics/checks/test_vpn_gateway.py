"""VPNs on the way to the gateway: with an answer at the end, and without one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.vpn_gateway import CHECK, Facts, judge, probe
from diagnostics.model import Confidence, Finding, Severity, Target
from diagnostics.parsers import routes as parsed
from diagnostics.ssh import Login, Route
from diagnostics.system import DefaultRoute, Interface, InterfaceAddress
from diagnostics.vpns import Lan, Vpns
from diagnostics.ways import Destination
from support.any_values import any_of
from support.machine import ETHERNET, HOP, LOOPBACK, FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
TUN = Interface("tun0", is_up=True, addresses=(InterfaceAddress("inet", "10.8.0.2", "32"),))
SILENT = Login(stage="tcp", error_code="timed-out")
ROUTES = (DefaultRoute("inet", "", "tun0"), DefaultRoute("inet", "192.0.2.1", "eth0"))


def examine(host: str = "198.51.100.7", login: Login | None = None, *, vpn: bool = True, **machine):
    given: dict[str, Any] = {"login": login} if login else {}
    ssh = FakeSsh(route=Route(hops=(replace(HOP, host=host),)), **given)
    interfaces = (LOOPBACK, ETHERNET, *((TUN,) if vpn else ()))
    machine.setdefault("source", "10.8.0.2")
    system = FakeSystem(ssh=ssh, interfaces=interfaces, **machine)
    return judge(probe(Target(gateway="gw"), system))


def test_what_it_applies_to():
    assert CHECK.applies(Target()) != ""


def test_no_vpn_or_none_on_the_way():
    assert examine(vpn=False) == ()
    assert examine(source="192.0.2.10") == ()


@pytest.mark.parametrize("login", [None, Login(stage="auth", error_code="auth-failed")])
def test_the_gateway_answers(login):
    (finding,) = examine(login=login)
    assert (finding.code, finding.severity) == ("vpn-carries-gateway", Severity.INFO)


def test_nothing_answers():
    (finding,) = examine(login=SILENT, routes=ROUTES)
    assert (finding.code, finding.severity) == ("vpn-captures-gateway", Severity.ERROR)
    assert finding.confidence is Confidence.LIKELY
    assert (
        finding.fixes[0].command == "sudo ip route replace 198.51.100.7/32 via 192.0.2.1 dev eth0"
    )
    assert finding.fixes[0].undo == ("sudo", "ip", "route", "del", "198.51.100.7/32")
    assert examine(login=SILENT, routes=ROUTES[:1])[0].fixes == ()


def test_nothing_answers_although_it_is_beside_us():
    (finding,) = examine("192.0.2.7", SILENT, routes=())
    assert finding.confidence is Confidence.CERTAIN
    assert "in the network of eth0" in finding.title
    assert finding.fixes[0].command == "sudo ip route replace 192.0.2.7/32 dev eth0"


@pytest.mark.parametrize(
    ("router", "undo"),
    [
        ("", "sudo ip route replace 192.0.2.7/32 dev tun0"),
        ("10.8.0.1", "sudo ip route replace 192.0.2.7/32 via 10.8.0.1 dev tun0"),
    ],
)
def test_the_route_of_the_vpn_comes_back(router, undo):
    ways = (Destination("192.0.2.7", "tun0", "10.8.0.2"),)
    routes = (
        parsed.Route("192.0.2.0/25", "tun0"),
        parsed.Route("192.0.2.7/32", "tun0", router),
    )
    vpns = Vpns(("tun0",), routes, (Lan("eth0", "192.0.2.0/24"),))
    (finding,) = judge(Facts("linux", "gw", ways, vpns, (), "tcp", "timed-out"))
    assert finding.fixes[0].command == "sudo ip route replace 192.0.2.7/32 dev eth0"
    assert " ".join(finding.fixes[0].undo) == undo


LAN = Lan("en0", "192.0.2.0/24")


@pytest.mark.parametrize(
    ("os", "address", "lans", "command"),
    [
        ("linux", "2001:db8::1", (), "sudo ip route replace 2001:db8::1/128 via fe80::1 dev en0"),
        ("darwin", "198.51.100.7", (), "sudo route add -host 198.51.100.7 192.0.2.1"),
        ("darwin", "2001:db8::1", (), "sudo route add -inet6 -host 2001:db8::1 fe80::1"),
        ("darwin", "192.0.2.7", (LAN,), "sudo route add -host 192.0.2.7 -interface en0"),
        ("windows", "198.51.100.7", (), "route add 198.51.100.7 mask 255.255.255.255 192.0.2.1"),
        ("windows", "2001:db8::1", (), None),
    ],
)
def test_the_route_of_its_own(os, address, lans, command):
    defaults = (DefaultRoute("inet", "192.0.2.1", "en0"), DefaultRoute("inet6", "fe80::1", "en0"))
    ways = (Destination(address, "utun4", "10.8.0.2"),)
    vpns = Vpns(("utun4",), (), lans)
    facts = Facts(os, "gw", ways, vpns, defaults, "tcp", "timed-out")
    (finding,) = judge(facts)
    assert [each.command for each in finding.fixes] == ([command] if command else [])


def test_windows_needs_a_router():
    ways = (Destination("192.0.2.7", "VPN", "10.8.0.2"),)
    facts = Facts("windows", "gw", ways, Vpns(("VPN",), (), (LAN,)), (), "tcp", "timed-out")
    assert judge(facts)[0].fixes == ()


@given(st.sampled_from(["linux", "darwin", "windows"]), any_of(Facts))
def test_is_total(os, facts):
    found = judge(replace(facts, os=os))
    assert all(isinstance(each, Finding) and each.code in CODES for each in found)


@given(st.sampled_from(["linux", "darwin", "windows"]), any_of(Facts))
def test_is_total_where_a_vpn_has_it(os, facts):
    ways = (Destination("192.0.2.7", "tun0"),)
    vpns = replace(facts.vpns, names=("tun0",))
    facts = replace(facts, os=os, ways=ways, vpns=vpns, stage="tcp", error_code="timed-out")
    (finding,) = judge(facts)
    assert isinstance(finding, Finding)
    assert finding.code == "vpn-captures-gateway"
