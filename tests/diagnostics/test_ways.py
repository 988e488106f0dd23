"""The way to the gateway: its addresses, and the interface towards them."""

from __future__ import annotations

from dataclasses import replace

from diagnostics.ssh import Route
from diagnostics.system import Resolution
from diagnostics.ways import Destination, FirstHop, first_hop, way_to
from support.machine import ETHERNET, HOP, LOOPBACK, FakeSsh, FakeSystem

INTERFACES = (LOOPBACK, ETHERNET)


def hop(system_names=None, **changes):
    ssh = FakeSsh(route=Route(hops=(replace(HOP, **changes),)))
    return first_hop(FakeSystem(ssh=ssh, names=system_names))


def test_the_first_hop():
    assert hop(host="192.0.2.7", port=2222) == FirstHop("192.0.2.7", 2222, ("192.0.2.7",))
    names = {"gw.example": ("2001:db8::1", "192.0.2.7")}
    assert hop(names).addresses == ("2001:db8::1", "192.0.2.7")
    assert hop(names, address_family="inet").addresses == ("192.0.2.7",)
    assert hop({"gw.example": Resolution("x", error="EAI_AGAIN")}).error == "EAI_AGAIN"


def test_no_first_hop():
    assert hop(proxy_command="nc %h %p") == FirstHop()
    assert first_hop(FakeSystem(ssh=FakeSsh(route=Route()))) == FirstHop()


def test_no_route():
    assert way_to(FakeSystem(source=""), "192.0.2.7", INTERFACES) == Destination("192.0.2.7")


def test_linux_asks_ip():
    argv = ("ip", "-o", "route", "get", "fe80::2")
    system = FakeSystem(tools={argv: "fe80::2 dev tun0 src fe80::1 uid 0"}, source="fe80::1")
    assert way_to(system, "fe80::2%tun0", ()) == Destination("fe80::2%tun0", "tun0", "fe80::1")


def test_macos_asks_route():
    argv = ("route", "-n", "get", "192.0.2.7")
    told = "   route to: x\n    gateway: 192.0.2.1\n  interface: en0\n"
    system = FakeSystem("darwin", tools={argv: told}, source="192.0.2.9")
    assert way_to(system, "192.0.2.7", ()) == Destination(
        "192.0.2.7", "en0", "192.0.2.9", "192.0.2.1"
    )
    argv = ("route", "-n", "get", "-inet6", "2001:db8::1")  # type: ignore[assignment]
    system = FakeSystem("darwin", tools={argv: "gateway: fe80::1\n"}, source="2001:db8::9")
    assert way_to(system, "2001:db8::1", ()).interface == ""


def test_without_a_tool_the_holder_of_the_source_is_meant():
    for os in ("linux", "darwin", "windows"):
        found = way_to(FakeSystem(os), "192.0.2.7", INTERFACES)
        assert found == Destination("192.0.2.7", "eth0", "192.0.2.10")
    assert way_to(FakeSystem(source="10.0.0.1"), "192.0.2.7", INTERFACES).interface == ""
    assert way_to(FakeSystem(source="?"), "192.0.2.7", INTERFACES).interface == ""
