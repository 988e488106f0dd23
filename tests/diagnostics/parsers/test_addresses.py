import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import addresses as a


def test_literal():
    assert a.literal("127.0.0.1") == ipaddress.ip_address("127.0.0.1")
    assert a.literal("fe80::1%eth0") == ipaddress.ip_address("fe80::1")
    assert a.literal("localhost") is None
    assert a.literal("") is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("127.0.0.1", True),
        ("127.255.3.4", True),
        ("::1", True),
        ("::ffff:127.0.0.2", True),
        ("128.0.0.1", False),
        ("::2", False),
        ("localhost", False),
    ],
)
def test_is_loopback(text, answer):
    assert a.is_loopback(text) is answer


def test_kinds():
    assert a.is_link_local_4("169.254.1.2")
    assert not a.is_link_local_4("fe80::1")
    assert not a.is_link_local_4("169.253.1.2")
    assert a.is_ipv6("::1")
    assert not a.is_ipv6("127.0.0.1")


@pytest.mark.parametrize(
    ("mask", "length"),
    [
        ("255.255.255.0", 24),
        ("0.0.0.0", 0),
        ("255.255.255.255", 32),
        ("255.0.255.0", None),
        ("ffff:ffff::", 32),
        ("24", 24),
        ("1000", None),
        ("", None),
    ],
)
def test_prefix_length(mask, length):
    assert a.prefix_length(mask) == length


def test_network_of():
    assert str(a.network_of("192.168.7.2", "255.255.255.0")) == "192.168.7.0/24"
    assert str(a.network_of("fd00::2%eth0", "64")) == "fd00::/64"
    assert a.network_of("192.168.7.2", "64") is None
    assert a.network_of("x", "24") is None
    assert a.network_of("192.168.7.2", "x") is None


@given(st.text(), st.text())
def test_is_total(one, other):
    a.is_loopback(one)
    a.is_link_local_4(one)
    a.is_ipv6(one)
    a.prefix_length(one)
    a.network_of(one, other)
