from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import routes as r

RECORDED = Path(__file__).parents[2] / "recorded"


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


def test_proc_net_route():
    found = r.proc_net_route(recorded("linux/proc_net_route.txt"), "little")
    assert found == (
        r.Route("0.0.0.0/0", "wlp69s0", "192.168.0.1", 600),
        r.Route("0.0.0.0/0", "enp68s0", "192.168.0.1", 100),
        r.Route("0.0.0.0/0", "tun0", "", 50),
        r.Route("192.168.0.0/24", "enp68s0", "", 100),
    )
    big = b"tun0\t0A000000\t00000000\t0001\t0\t0\t0\tFF000000\t0\t0\t0\n"
    assert r.proc_net_route(big, "big") == (r.Route("10.0.0.0/8", "tun0"),)


@pytest.mark.parametrize(
    "line",
    [
        b"tun0 0000000A 00000000",
        b"tun0 +000000A 00000000 0001 0 0 0 000000FF",
        b"tun0 0000000A 00000000 0001 0 0 x 000000FF",
        b"tun0 0000000A 00000000 0000 0 0 0 000000FF",
        b"tun0 0000000A 00000000 0001 0 0 0 00FF00FF",
        b"tun0 zzzzzzzz 00000000 0001 0 0 0 000000FF",
    ],
)
def test_proc_net_route_passes_over(line):
    assert r.proc_net_route(line, "little") == ()


@pytest.mark.parametrize(
    ("text", "way"),
    [
        (b"local 127.0.0.1 dev lo src 127.0.0.1 uid 0 \\ cache <local>", ("lo", "127.0.0.1", "")),
        (
            b"2001:db8::1 from :: via fe80::1 dev eth0 proto ra src 2001:db8::2 metric 100",
            ("eth0", "2001:db8::2", "fe80::1"),
        ),
        (b"192.0.2.1 via inet6 fe80::1 dev eth0 src 192.0.2.9", ("eth0", "192.0.2.9", "fe80::1")),
        (b"192.0.2.1 dev wg0 table 51820 src 10.0.0.2", ("wg0", "10.0.0.2", "")),
        (b"192.0.2.1 via gw dev eth0 src 10.0.0.2", ("eth0", "10.0.0.2", "")),
        (b"unreachable 192.0.2.1 dev lo", ("lo", "", "")),
        (b"via inet6", ("", "", "")),
        (b"", ("", "", "")),
    ],
)
def test_ip_route_get(text, way):
    assert r.ip_route_get(text) == r.Way(*way)


def test_ip_route_get_as_recorded():
    found = r.ip_route_get(recorded("linux/ip_route_get.txt"))
    assert found == r.Way("c0", "10.77.1.2", "10.77.1.1")


def test_netstat_bsd():
    found = r.netstat_bsd(recorded("darwin/netstat_rn_vpn.txt"))
    assert found[:3] == (
        r.Route("0.0.0.0/0", "en0", "192.168.68.1"),
        r.Route("10.9.0.0/24", "utun4", "10.9.0.15"),
        r.Route("10.9.0.15/32", "utun4", "10.9.0.15"),
    )
    by_prefix = {each.prefix: each for each in found}
    assert by_prefix["127.0.0.0/8"].interface == "lo0"
    assert by_prefix["192.168.68.0/24"].router == ""
    assert by_prefix["10.244.0.0/14"].interface == "utun4"
    assert by_prefix["169.254.0.0/16"].interface == "en0"
    assert by_prefix["224.0.0.0/4"].interface == "en0"


def test_netstat_of_older_systems_and_what_is_no_route():
    old = recorded("darwin/netstat_rn_catalina.txt")
    assert r.netstat_bsd(old)[0].interface == "en0"
    assert r.netstat_bsd(b"1.2.3.4.5 a b c\n1.2.3.4 1.1.1.1 UGR en0\nx.y 1.1.1.1 U en0\n") == ()
    assert r.netstat_bsd(b"10/77 1.1.1.1 U en0\n10 1.1.1.1 UGSc 3 4 en0\n")[0].interface == "en0"


@pytest.mark.parametrize("name", ["route_print.txt", "route_print_german.txt"])
def test_route_print(name):
    found = r.route_print(recorded(f"windows/{name}"))
    assert found[0].prefix == "0.0.0.0/0"
    assert any(each.router == "" for each in found)
    assert all(each.interface.count(".") == 3 for each in found)


def test_route_print_passes_over_what_is_no_route():
    assert r.route_print(b"0.0.0.0 0.0.0.0 1.1.1.1 2.2.2.2 x\na b c d e\n1 2 3 4.4.4.4 5\n") == ()
    assert r.route_print(b"1.2.3.4 255.0.255.0 1.1.1.1 2.2.2.2 5\n") == ()


def test_network():
    assert str(r.Route("10.0.0.0/8", "tun0").network) == "10.0.0.0/8"
    assert str(r.Route("x", "tun0").network) == "0.0.0.0/32"


@given(st.binary(max_size=300), st.sampled_from(["little", "big"]))
def test_is_total(data, order):
    r.proc_net_route(data, order)
    r.ip_route_get(data)
    r.netstat_bsd(data)
    r.route_print(data)


WORDS = st.sampled_from(["10/8", "0000000A", "255.0.0.0", "dev", "via", "src", "1.2.3.4", "U", "5"])


@given(st.lists(WORDS, max_size=12))
def test_is_total_on_what_looks_right(words):
    test_is_total.hypothesis.inner_test(" ".join(words).encode(), "little")  # type: ignore[attr-defined]
