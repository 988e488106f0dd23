from __future__ import annotations

import builtins
import socket
import sys
import types
from pathlib import Path
from typing import Any

import psutil
import pytest

from diagnostics.real import network
from diagnostics.system import DefaultRoute, FileRead, Interface, InterfaceAddress, ToolOutput

RECORDED = Path(__file__).parents[2] / "recorded"


def no_tool(argv: tuple[str, ...]) -> ToolOutput:
    return ToolOutput(argv, "missing")


def test_this_machine():
    found = {each.name: each for each in network.interfaces()}
    if sys.platform.startswith("linux"):
        loopback = found["lo"]
        assert loopback.is_loopback
        assert InterfaceAddress("inet", "127.0.0.1", "255.0.0.0") in loopback.addresses
    for each in found.values():
        assert not any("%" in address.address for address in each.addresses)


def address(family: int, text: str | None, netmask: str | None = None):
    return types.SimpleNamespace(family=family, address=text, netmask=netmask)


def state(*, isup: bool, mtu: int = 1500, flags: str = ""):
    return types.SimpleNamespace(isup=isup, mtu=mtu, flags=flags)


def given(monkeypatch, addresses: dict[str, Any], states: dict[str, Any]) -> None:
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: addresses)
    monkeypatch.setattr(psutil, "net_if_stats", lambda: states)


def test_labels_are_no_interfaces(monkeypatch):
    """``ip addr add … label eth0:1`` (Linux): psutil lists the label as an interface."""
    given(
        monkeypatch,
        {
            "eth0": [
                address(socket.AF_INET, "192.0.2.1", "255.255.255.0"),
                address(socket.AF_INET6, "fe80::1%eth0", "ffff:ffff:ffff:ffff::"),
                address(psutil.AF_LINK, "02:00:00:00:00:01"),
                address(99, "x"),
                address(socket.AF_INET, None),
            ],
            "eth0:1": [address(socket.AF_INET, "192.0.2.2", "255.255.255.0")],
            "ghost": [address(socket.AF_INET, "192.0.2.3")],
        },
        {"eth0": state(isup=True, flags="up,broadcast,running"), "down": state(isup=False)},
    )
    assert network.interfaces() == (
        Interface(
            "eth0",
            is_up=True,
            mtu=1500,
            addresses=(
                InterfaceAddress("inet", "192.0.2.1", "255.255.255.0"),
                InterfaceAddress("inet6", "fe80::1", "ffff:ffff:ffff:ffff::"),
                InterfaceAddress("link", "02:00:00:00:00:01"),
                InterfaceAddress("inet", "192.0.2.2", "255.255.255.0"),
            ),
        ),
        Interface("down", is_up=False, mtu=1500),
        Interface("ghost", is_up=False, addresses=(InterfaceAddress("inet", "192.0.2.3"),)),
    )


@pytest.mark.parametrize(
    ("name", "flags", "literal", "loopback"),
    [
        ("lo", "up,loopback,running", None, True),
        ("dummy0", "up,running", "127.0.0.5", False),
        ("Loopback Pseudo-Interface 1", "", None, True),
        ("lo0", "", "127.0.0.1", True),
        ("lo0", "", "::1", True),
        ("en0", "", "192.0.2.1", False),
    ],
)
def test_loopback(monkeypatch, name: str, flags: str, literal: str | None, *, loopback: bool):
    family = socket.AF_INET6 if literal and ":" in literal else socket.AF_INET
    given(monkeypatch, {name: [address(family, literal)]}, {name: state(isup=True, flags=flags)})
    (found,) = network.interfaces()
    assert found.is_loopback is loopback


def test_psutil_fails(monkeypatch):
    def fail() -> None:
        raise OSError

    monkeypatch.setattr(psutil, "net_if_addrs", fail)
    assert network.interfaces() == ()


# --- default routes ---


def with_netifaces(monkeypatch, gateways: object) -> None:
    module = types.SimpleNamespace(AF_INET=2, AF_INET6=10)

    def asked() -> object:
        if isinstance(gateways, Exception):
            raise gateways
        return gateways

    module.gateways = asked
    monkeypatch.setitem(sys.modules, "netifaces", module)


def without_netifaces(monkeypatch) -> None:
    real: Any = builtins.__import__

    def refuse(name: str, *arguments: object, **keywords: object) -> object:
        if name == "netifaces":
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)


def on(monkeypatch, platform: str) -> None:
    monkeypatch.setattr(network.sys, "platform", platform)


def recorded_proc(monkeypatch, *names: str) -> None:
    def read(path: str, _limit: int) -> FileRead:
        name = path.replace("/proc/net/", "proc_net_") + ".txt"
        if name not in names:
            return FileRead(path, "ENOENT")
        return FileRead(path, "", (RECORDED / "linux" / name).read_bytes())

    monkeypatch.setattr(network.files, "read", read)


def test_this_machine_with_and_without_netifaces(monkeypatch):
    """Both ways have to agree where both know."""
    pytest.importorskip("netifaces")
    found = network.default_routes(no_tool)
    without_netifaces(monkeypatch)
    if sys.platform.startswith("linux"):
        assert set(network.default_routes(no_tool)) == set(found)


def test_linux_knows_routes_without_a_router(monkeypatch):
    """netifaces passes over ``default dev tun0``, which is in force here."""
    on(monkeypatch, "linux")
    with_netifaces(
        monkeypatch,
        {
            2: [("192.168.0.1", "enp68s0", True), ("10.9.9.9", "eth9", False)],
            "default": {2: ("192.168.0.1", "enp68s0")},
        },
    )
    recorded_proc(monkeypatch, "proc_net_route.txt", "proc_net_ipv6_route.txt")
    assert network.default_routes(no_tool) == (
        DefaultRoute("inet", "", "tun0"),
        DefaultRoute("inet", "192.168.0.1", "enp68s0", is_default=False),
        DefaultRoute("inet", "192.168.0.1", "wlp69s0", is_default=False),
        DefaultRoute("inet6", "", "tun0"),
        DefaultRoute("inet6", "fe80::211:22ff:fe33:4455", "wlp69s0", is_default=False),
        DefaultRoute("inet", "10.9.9.9", "eth9", is_default=False),
    )


def test_linux_without_proc(monkeypatch):
    on(monkeypatch, "linux")
    recorded_proc(monkeypatch)
    with_netifaces(
        monkeypatch,
        {2: [("10.0.0.2", "b", False), ("10.0.0.1", "a", True)], 10: [("fe80::1%en0", "c", True)]},
    )
    assert network.default_routes(no_tool) == (
        DefaultRoute("inet", "10.0.0.1", "a"),
        DefaultRoute("inet6", "fe80::1", "c"),
        DefaultRoute("inet", "10.0.0.2", "b", is_default=False),
    )


@pytest.mark.parametrize("gateways", [OSError("x"), {2: 7}, {2: [1]}, {2: [("only",)]}, None])
def test_netifaces_answers_oddly(monkeypatch, gateways: object):
    with_netifaces(monkeypatch, gateways)
    on(monkeypatch, "darwin")
    assert network.default_routes(no_tool) == ()


def test_netifaces_without_a_mark(monkeypatch):
    on(monkeypatch, "darwin")
    with_netifaces(monkeypatch, {2: [("10.0.0.1", "en0")]})
    assert network.default_routes(no_tool) == (DefaultRoute("inet", "10.0.0.1", "en0"),)


class Tools:
    def __init__(self, printed: dict[tuple[str, ...], str]) -> None:
        self.printed = printed

    def __call__(self, argv: tuple[str, ...]) -> ToolOutput:
        name = self.printed.get(argv)
        if name is None:
            return ToolOutput(argv, "missing")
        return ToolOutput(argv, "ran", 0, (RECORDED / name).read_bytes())


def test_macos_by_route(monkeypatch):
    on(monkeypatch, "darwin")
    without_netifaces(monkeypatch)
    run = Tools({("route", "-n", "get", "default"): "darwin/route_get_default.txt"})
    assert network.default_routes(run) == (DefaultRoute("inet", "10.62.96.1", "en0"),)


def test_macos_by_netstat(monkeypatch):
    on(monkeypatch, "darwin")
    without_netifaces(monkeypatch)
    run = Tools({("netstat", "-rn"): "darwin/netstat_rn.txt"})
    assert network.default_routes(run) == (
        DefaultRoute("inet", "", "utun3"),
        DefaultRoute("inet", "172.20.10.1", "en0", is_default=False),
        DefaultRoute("inet6", "fe80::7052:eeff:fe36:81a7", "en0"),
        DefaultRoute("inet6", "", "utun0", is_default=False),
    )


def test_windows_by_route(monkeypatch):
    on(monkeypatch, "win32")
    without_netifaces(monkeypatch)
    given(
        monkeypatch,
        {"Ethernet": [address(socket.AF_INET, "192.168.1.2", "255.255.255.0")]},
        {"Ethernet": state(isup=True)},
    )
    run = Tools({("route.exe", "print", "0.0.0.0"): "windows/route_print_german.txt"})
    assert network.default_routes(run) == (
        DefaultRoute("inet", "", "10.80.129.17"),
        DefaultRoute("inet", "192.168.1.1", "Ethernet", is_default=False),
    )


def test_source_address():
    assert network.source_address("127.0.0.5") == "127.0.0.1"
    assert network.source_address("::1") == "::1"
    for wrong in ("", "localhost", "256.1.1.1", "x\0"):
        assert network.source_address(wrong) in ("", "127.0.0.1", "::1")
    assert network.source_address("name.example") == ""
