from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.redaction.stand_ins import Examples, Tokens

V4 = ipaddress.IPv4Address
V6 = ipaddress.IPv6Address


def test_tokens():
    tokens = Tokens()
    assert [tokens.user(1), tokens.user(2)] == ["<user>", "<user-2>"]
    assert tokens.host(3, "gw.example") == "<host-3>"
    assert tokens.address(2, V4("192.0.2.1")) == "<ip-2>"
    assert tokens.mac(1) == "<mac-1>"
    assert tokens.comment(1) == "<comment-1>"
    assert tokens.home("/home/me", "x") == "<home>"
    assert tokens.packed(V4("192.0.2.1")) == bytes(4)
    assert tokens.packed(V6("2001:db8::1")) == bytes(16)


def test_examples():
    examples = Examples()
    assert examples.user(2) == "user-2"
    assert [examples.host(1, "gw"), examples.host(2, "gw.corp")] == ["host-1", "host-2.example"]
    assert examples.mac(258) == "02:00:00:00:01:02"
    assert examples.comment(1) == "comment-1"
    assert examples.home("/home/me", "user-1") == "/home/user-1"
    assert examples.home("/Users/me", "user-1") == "/Users/user-1"
    assert examples.home(r"D:\Users\me", "user-1") == r"C:\Users\user-1"


@pytest.mark.parametrize(
    "network",
    [
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"),
        *("fc00::/7", "fe80::/10"),
    ],
)
@given(st.data())
def test_an_address_keeps_its_kind(network: str, data: st.DataObject):
    net = ipaddress.ip_network(network)
    examples = Examples()
    for _ in range(4):
        number = data.draw(st.integers(int(net[0]), int(net[-1])))
        found = ipaddress.ip_address(examples.address(1, type(net[0])(number)))
        assert found in net


@given(st.lists(st.ip_addresses(), max_size=8))
def test_the_same_and_of_the_same_family(addresses: list[V4 | V6]):
    examples = Examples()
    first = [examples.address(1, each) for each in addresses]
    assert [examples.address(9, each) for each in addresses] == first
    for each, text in zip(addresses, first, strict=True):
        assert ipaddress.ip_address(text).version == each.version
        assert examples.packed(each) == ipaddress.ip_address(text).packed


def test_one_network_stays_one():
    examples = Examples()
    found = [
        examples.address(1, V4(text))
        for text in ("10.1.2.3", "10.1.2.1", "10.9.9.9", "10.1.2.255", "10.1.2.0", "10.1.2.3")
    ]
    assert found == ["10.0.1.1", "10.0.1.2", "10.0.2.1", "10.0.1.255", "10.0.1.0", "10.0.1.1"]
    found = [examples.address(1, V6(text)) for text in ("2a01::5", "2a01::6", "2a02::5", "2a01::")]
    assert found == ["2600:0:0:1::1", "2600:0:0:1::2", "2600:0:0:2::1", "2600:0:0:1::"]


def test_public_stays_public():
    found = ipaddress.ip_address(Examples().address(1, V4("203.0.113.7")))
    assert found.is_global


def test_mapped():
    assert Examples().address(1, V6("::ffff:10.1.2.3")) == "::ffff:a00:101"


def test_more_networks_than_fit():
    examples = Examples()
    found = {examples.address(1, V4(f"10.{n // 200}.{n % 200}.7")) for n in range(600)}
    assert len(found) <= 256
