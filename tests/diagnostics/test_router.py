"""What identifies the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from diagnostics.router import router_of
from diagnostics.system import DefaultRoute, Interface
from support.machine import FakeSystem

RECORDED = Path(__file__).resolve().parents[1] / "recorded"
FOUR = DefaultRoute("inet", "192.168.1.1", "eth0")
SIX = DefaultRoute("inet6", "fe80::1c2e:8aff:fe11:5d09", "eth0")
BARE = DefaultRoute("inet6", "fe80::1c2e:8aff:fe11:5d09", "")
FOUR_IS = "192.168.1.1 00:18:01:8f:23:ed"
SIX_IS = "fe80::1c2e:8aff:fe11:5d09 1e:2e:8a:11:5d:09"


def said(name: str) -> str:
    return (RECORDED / name).read_text()


def test_linux_reads_its_table():
    system = FakeSystem(
        routes=(FOUR,), files={"/proc/net/arp": said("linux/proc_net_arp.txt").encode()}
    )
    assert router_of(system) == FOUR_IS


@pytest.mark.parametrize(
    ("os", "route", "argv", "sample", "expected"),
    [
        (
            *("linux", SIX, ("ip", "neigh", "show", SIX.router, "dev", "eth0")),
            *("linux/ip_neigh.txt", SIX_IS),
        ),
        ("linux", BARE, ("ip", "neigh", "show", SIX.router), "linux/ip_neigh.txt", SIX_IS),
        ("darwin", FOUR, ("arp", "-n", FOUR.router), "darwin/arp_n.txt", FOUR_IS),
        ("darwin", SIX, ("ndp", "-an"), "darwin/ndp_an.txt", SIX_IS),
        ("windows", FOUR, ("arp", "-a", FOUR.router), "windows/arp_a_german.txt", FOUR_IS),
        (
            *("windows", SIX, ("netsh", "interface", "ipv6", "show", "neighbors")),
            *("windows/netsh_neighbors.txt", SIX_IS),
        ),
    ],
)
def test_a_tool_tells(os, route, argv, sample, expected):
    assert router_of(FakeSystem(os, routes=(route,), tools={argv: said(sample)})) == expected


def test_the_first_router_that_is_known():
    system = FakeSystem(
        routes=(DefaultRoute("inet", "", "tun0"), SIX, FOUR),
        files={"/proc/net/arp": said("linux/proc_net_arp.txt").encode()},
    )
    assert router_of(system) == FOUR_IS


def test_unknown_without_a_mac():
    assert router_of(FakeSystem(routes=(FOUR,))) == ""
    assert router_of(FakeSystem(routes=(), interfaces=(Interface("lo", is_up=True),))) == ""
