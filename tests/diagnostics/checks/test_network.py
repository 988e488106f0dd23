"""Networks: none, without a default route, without one to the gateway; and the way there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.network import CHECK, Facts, judge, probe
from diagnostics.model import Confidence, Severity, Target
from diagnostics.ssh import Route
from diagnostics.system import DefaultRoute, InterfaceAddress
from support.any_values import any_of
from support.machine import ETHERNET, HOP, LOOPBACK, FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
OSES = ("linux", "darwin", "windows", "freebsd")
SELF_ASSIGNED = replace(ETHERNET, addresses=(InterfaceAddress("inet", "169.254.7.8", "16"),))
DOWN = replace(ETHERNET, is_up=False)


def examine(host: str = "", os: str = "linux", **machine):
    """Judge a machine; ``host`` is the gateway."""
    hops = (replace(HOP, host=host),) if host else ()
    ssh = FakeSsh(route=Route(hops=hops))
    target = Target(gateway="gw" if host else "")
    return judge(probe(target, FakeSystem(os, ssh=ssh, **machine)))


@pytest.mark.parametrize("os", OSES)
def test_a_healthy_machine(os):
    assert examine(os=os) == ()


def test_the_way_to_the_gateway():
    argv = ("ip", "-o", "route", "get", "198.51.100.7")
    told = "198.51.100.7 via 192.0.2.1 dev eth0 src 192.0.2.10"
    (finding,) = examine("198.51.100.7", tools={argv: told})
    assert (finding.code, finding.severity) == ("network-path", Severity.OK)
    assert finding.title == "198.51.100.7 is reached through eth0 by the router 192.0.2.1"
    (finding,) = examine("198.51.100.7", source="192.0.2.99")
    assert finding.title == "198.51.100.7 is reached through an interface"
    assert examine("127.0.0.1", interfaces=(LOOPBACK,), routes=()) != ()


@pytest.mark.parametrize("interfaces", [(LOOPBACK,), (LOOPBACK, DOWN), (DOWN, DOWN)])
@pytest.mark.parametrize("os", OSES)
def test_no_network(interfaces, os):
    (finding,) = examine(os=os, interfaces=interfaces, routes=())
    assert (finding.code, finding.severity) == ("no-network", Severity.INFO)
    assert bool(finding.fixes) == (os == "linux" and interfaces == (LOOPBACK, DOWN))
    (finding,) = examine("198.51.100.7", os, interfaces=interfaces, routes=(), source="")
    assert (finding.code, finding.severity) == ("no-network", Severity.ERROR)


def test_an_interface_that_has_a_link_local_ipv6_address_alone_leads_nowhere():
    six = replace(ETHERNET, addresses=(InterfaceAddress("inet6", "FE80::1"),))
    (finding,) = examine(interfaces=(LOOPBACK, six), routes=())
    assert finding.code == "no-network"


@pytest.mark.parametrize("source", ["", "127.0.0.1"])
def test_a_gateway_on_this_machine_needs_no_network(source):
    found = examine("127.0.0.1", interfaces=(LOOPBACK,), routes=(), source=source)
    assert [(each.code, each.severity) for each in found] == [("no-network", Severity.INFO)]


@pytest.mark.parametrize("os", OSES)
def test_no_default_route(os):
    (finding,) = examine(os=os, routes=())
    assert (finding.code, finding.severity) == ("no-default-route", Severity.INFO)
    assert finding.fixes
    (finding,) = examine("198.51.100.7", os, routes=(), source="")
    assert finding.severity is Severity.ERROR
    assert "198.51.100.7 is not in its own network" in finding.title
    assert finding.confidence is Confidence.CERTAIN
    (finding,) = examine("gw.example", os, routes=())  # the name is not known
    assert (finding.severity, finding.confidence) == (Severity.ERROR, Confidence.LIKELY)
    found = examine("192.0.2.7", os, routes=())
    assert [each.severity for each in found] == [Severity.INFO, Severity.OK]


def test_a_proxy_command_says_nothing_of_the_network():
    ssh = FakeSsh(route=Route(hops=(replace(HOP, proxy_command="nc"),)))
    (finding,) = judge(probe(Target(gateway="gw"), FakeSystem(ssh=ssh, routes=())))
    assert finding.severity is Severity.INFO


def test_no_route_to_the_gateway():
    (finding,) = examine("198.51.100.7", source="")
    assert (finding.code, finding.severity) == ("gateway-unroutable", Severity.ERROR)
    assert "not even" in finding.explain
    names = {"gw.example": ("2001:db8::1",)}
    (finding,) = examine("gw.example", names=names, source="")
    assert "IPv6 addresses alone" in finding.explain
    routes = (DefaultRoute("inet6", "fe80::1", "eth0"),)
    (finding,) = examine("gw.example", names=names, source="", routes=routes)
    assert "not even" in finding.explain


@pytest.mark.parametrize("os", OSES)
def test_self_assigned(os):
    (route, finding) = examine(os=os, interfaces=(LOOPBACK, SELF_ASSIGNED), routes=())
    assert (finding.code, finding.severity) == ("address-self-assigned", Severity.INFO)
    assert bool(finding.fixes) == (os != "freebsd")
    kinds = {kind.code: kind for kind in CHECK.finds}
    assert kinds[route.code].caused_by == (finding.code,)
    machine = {"interfaces": (LOOPBACK, SELF_ASSIGNED), "routes": (), "source": ""}
    assert examine("198.51.100.7", os, **machine)[1].severity is Severity.ERROR


def test_a_self_assigned_address_beside_a_better_one_is_nothing():
    wifi = replace(SELF_ASSIGNED, name="wlan0")
    assert examine(interfaces=(LOOPBACK, ETHERNET, wifi)) == ()


def test_several_default_routes():
    routes = (DefaultRoute("inet", "192.0.2.1", "eth0"), DefaultRoute("inet", "", "tun0", False))
    (finding,) = examine(routes=routes)
    assert (finding.code, finding.severity) == ("several-default-routes", Severity.INFO)
    assert finding.title.endswith("eth0 (192.0.2.1) is used")
    assert "tun0 (direct)" in finding.evidence[0].value


@given(st.sampled_from(OSES), any_of(Facts))
def test_is_total(os, facts):
    assert {each.code for each in judge(replace(facts, os=os))} <= CODES


@given(any_of(Facts))
def test_is_total_on_what_looks_right(facts):
    facts = replace(facts, interfaces=(ETHERNET, LOOPBACK), hop=None)
    assert {each.code for each in judge(facts)} <= CODES
