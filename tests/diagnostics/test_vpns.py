"""VPNs of a machine: found, with their routes and the networks beside it; or nothing asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diagnostics.parsers.routes import Route
from diagnostics.system import Interface, InterfaceAddress
from diagnostics.vpns import NONE, Lan, look
from support.machine import ETHERNET, LOOPBACK, FakeSystem

RECORDED = Path(__file__).parents[1] / "recorded"
TUN = Interface("tun0", is_up=True, addresses=(InterfaceAddress("inet", "10.80.129.17", "32"),))


def test_no_vpn_asks_nothing_more():
    system = FakeSystem(tools=lambda argv: pytest.fail(str(argv)))
    assert look(system, (LOOPBACK, ETHERNET, replace(TUN, is_up=False))) == NONE
    assert NONE.described() == "none in the main table"
    assert not NONE.has("eth0")


def test_linux():
    files = {"/proc/net/route": (RECORDED / "linux/proc_net_route.txt").read_bytes()}
    found = look(FakeSystem(files=files), (LOOPBACK, ETHERNET, TUN))
    assert found.names == ("tun0",)
    assert found.has("tun0")
    assert found.routes == (Route("0.0.0.0/0", "tun0", "", 50),)
    assert found.described() == "0.0.0.0/0 through tun0"
    (lan,) = found.lans
    assert (lan.interface, lan.prefix) == ("eth0", "192.0.2.0/24")
    assert [each.address for each in lan.samples] == ["192.0.2.1", "192.0.2.128", "192.0.2.254"]


def test_the_kind_of_link_tells_too():
    office = replace(TUN, name="office")
    system = FakeSystem(files={"/sys/class/net/office/type": b"65534\n"})
    assert look(system, (office,)).names == ("office",)
    assert look(FakeSystem(files={"/sys/class/net/office/type": b"?"}), (office,)) == NONE


def test_macos():
    told = (RECORDED / "darwin/netstat_rn_vpn.txt").read_text()
    system = FakeSystem("darwin", tools={("netstat", "-rn", "-f", "inet"): told})
    found = look(system, (replace(TUN, name="utun4"),))
    assert [each.prefix for each in found.routes][:2] == ["10.9.0.0/24", "10.9.0.15/32"]
    assert {each.interface for each in found.routes} == {"utun4"}


def test_windows_names_interfaces_by_their_address():
    told = (RECORDED / "windows/route_print.txt").read_text()
    system = FakeSystem("windows", tools={("route.exe", "print", "-4"): told})
    found = look(system, (replace(TUN, name="Office VPN"),))
    assert [each.prefix for each in found.routes] == ["10.0.0.0/8", "10.80.129.0/24"]
    assert {each.interface for each in found.routes} == {"Office VPN"}


def test_networks_that_have_nobody_beside_us_are_left_out():
    def with_mask(mask):
        return replace(ETHERNET, addresses=(InterfaceAddress("inet", "10.0.0.2", mask),))

    many = [with_mask(mask) for mask in ("32", "31", "4", "", "24", "25", "26", "27", "28")]
    six = replace(ETHERNET, addresses=(InterfaceAddress("inet6", "fd00::2", "64"),))
    found = look(FakeSystem(), (TUN, six, *many))
    assert [each.prefix for each in found.lans] == [f"10.0.0.0/{n}" for n in (24, 25, 26, 27)]


def test_a_network_holds_addresses():
    lan = Lan("eth0", "192.0.2.0/24")
    assert lan.holds("192.0.2.7")
    assert not lan.holds("198.51.100.7")
    assert not lan.holds("2001:db8::1")
    assert not lan.holds("name")
    assert not Lan("eth0", "junk").holds("192.0.2.7")
