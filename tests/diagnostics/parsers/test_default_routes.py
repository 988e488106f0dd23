from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import default_routes as d
from diagnostics.parsers.default_routes import FoundRoute

RECORDED = Path(__file__).parents[2] / "recorded"


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


def test_proc_net_route():
    assert d.proc_net_route(recorded("linux/proc_net_route.txt"), "little") == (
        FoundRoute("inet", "", "tun0", 50),
        FoundRoute("inet", "192.168.0.1", "enp68s0", 100),
        FoundRoute("inet", "192.168.0.1", "wlp69s0", 600),
    )


def test_proc_net_route_of_a_big_endian_machine():
    line = b"eth0\t00000000\tC0A80001\t0003\t0\t0\t0\t00000000\t0\t0\t0"
    assert d.proc_net_route(line, "big") == (FoundRoute("inet", "192.168.0.1", "eth0"),)


@pytest.mark.parametrize(
    "words",
    [
        "eth0 00000000 0100A8C0 0003",
        "eth0 0000A8C0 0100A8C0 0003 0 0 0 00000000",
        "eth0 00000000 0100A8C0 0003 0 0 0 00FFFFFF",
        "eth0 00000000 0100A8C0FF 0003 0 0 0 00000000",
        "eth0 00000000 gateway 0003 0 0 0 00000000",
        "eth0 00000000 0100A8C0 flags 0 0 0 00000000",
        "eth0 00000000 0100A8C0 0003 0 0 -1 00000000",
        "eth0 00000000 0100A8C0 0002 0 0 0 00000000",
        "eth0 00000000 0100A8C0 0203 0 0 0 00000000",
    ],
)
def test_what_is_no_default_route(words: str):
    assert d.proc_net_route(words.encode(), "little") == ()


def test_proc_net_ipv6_route():
    assert d.proc_net_ipv6_route(recorded("linux/proc_net_ipv6_route.txt")) == (
        FoundRoute("inet6", "", "tun0", 50),
        FoundRoute("inet6", "fe80::211:22ff:fe33:4455", "wlp69s0", 600),
    )


def test_what_is_no_ipv6_default_route():
    zeros = "0" * 32
    for line in (
        f"{zeros} 00 {zeros} 00 {zeros} 1 1 1 0001",
        f"{zeros} 80 {zeros} 00 {zeros} 1 1 1 0001 eth0",
        f"{zeros} 00 {zeros} 00 router 1 1 1 0001 eth0",
        f"{zeros} 00 {zeros} 00 {zeros} x 1 1 0001 eth0",
        f"{zeros} 00 {zeros} 00 {zeros} 1 1 1 flags eth0",
        f"{zeros} 00 {zeros} 00 {zeros} 1 1 1 0000 eth0",
        f"{zeros} 00 {zeros} 00 {zeros} 1 1 1 0001 lo",
    ):
        assert d.proc_net_ipv6_route(line.encode()) == ()


def test_route_get():
    found = d.route_get(recorded("darwin/route_get_default.txt"), "inet")
    assert found == (FoundRoute("inet", "10.62.96.1", "en0"),)


def test_route_get_of_a_link():
    assert d.route_get(b"  interface: utun3\n", "inet") == (FoundRoute("inet", "", "utun3"),)
    six = b"gateway: fe80::1%en0\ninterface: en0\n"
    assert d.route_get(six, "inet6") == (FoundRoute("inet6", "fe80::1", "en0"),)
    assert d.route_get(b"gateway: fe80::1\n", "inet") == ()
    assert d.route_get(b"route: writing to routing socket: not in table\n", "inet") == ()


def test_netstat_of_macos():
    assert d.netstat(recorded("darwin/netstat_rn.txt")) == (
        FoundRoute("inet", "", "utun3"),
        FoundRoute("inet6", "fe80::7052:eeff:fe36:81a7", "en0"),
        FoundRoute("inet", "172.20.10.1", "en0", 1),
        FoundRoute("inet6", "", "utun0", 1),
    )


def test_netstat_of_older_macos():
    found = d.netstat(recorded("darwin/netstat_rn_catalina.txt"))
    assert found == (FoundRoute("inet", "172.16.16.1", "en0"),)


def test_netstat_of_linux():
    assert d.netstat(recorded("linux/netstat_rn.txt")) == (
        FoundRoute("inet", "192.168.0.1", "enp68s0"),
        FoundRoute("inet", "", "tun0"),
    )


@pytest.mark.parametrize("name", ["route_print", "route_print_german"])
def test_windows(name: str):
    found = d.netstat(recorded(f"windows/{name}.txt"))
    assert found[-1] == FoundRoute("inet", "192.168.1.1", "192.168.1.2", 281)
    if name == "route_print_german":
        assert found[0] == FoundRoute("inet", "", "10.80.129.17", 25)


@pytest.mark.parametrize(
    "line",
    [
        "default 192.168.0.1 UGR en0",
        "default 192.168.0.1 UG",
        "0.0.0.0 192.168.0.1 0.0.0.0 UG",
        "0.0.0.0 router 0.0.0.0 UG 0 0 0 eth0",
        "0.0.0.0 0.0.0.0 192.168.1.1 281",
        "0.0.0.0 0.0.0.0 192.168.1.1 here 281",
        "0.0.0.0 0.0.0.0 192.168.1.1 192.168.1.2 Standard",
        "10.0.0.0 0.0.0.0 10.0.0.1 10.0.0.2 1",
    ],
)
def test_lines_that_say_nothing(line: str):
    assert d.netstat(line.encode()) == ()


PARSERS = [
    d.proc_net_route,
    d.proc_net_ipv6_route,
    d.netstat,
    lambda data: d.route_get(data, "inet"),
    lambda data: d.route_get(data, "inet6"),
]


@given(st.binary(max_size=300), st.sampled_from(PARSERS))
def test_anything_is_parsed(data: bytes, parse):
    parse(data)


@given(
    st.lists(
        st.sampled_from(
            ["default", "0.0.0.0", "0" * 8, "0" * 32, "00", "1", "3", "::", "link#1", "UG", "\n"]
        ),
        max_size=40,
    ),
    st.sampled_from(PARSERS),
)
def test_anything_that_looks_like_it(words: list[str], parse):
    parse(" ".join(words).encode())
