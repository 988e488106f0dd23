"""Networks and addresses: what is taken, what is refused, and that nothing hostile gets through."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.advise import addresses
from netkit.advise.model import Need, Sites, Technology
from netkit.errors import UsageError
from support import advice

PLAIN = re.compile(r"[A-Za-z0-9_.:/-]+")
HOSTILE = ["$(id)", "a;b", "a b", "a\nb", "-oProxyCommand=x", "a'b", 'a"b', "`x`", "a#b", "a}b", ""]


@pytest.mark.parametrize(
    "text", ["10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "2001:DB8::1/128", " 10.0.0.0/8 "]
)
def test_networks(text):
    assert str(addresses.parse_network(text)) == str(ipaddress.ip_network(text.strip().lower()))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.1.0.1/16", "the network is 10.1.0.0/16"),
        ("0.0.0.0/0", "everything would go into the tunnel"),
        ("::/0", "everything would go into the tunnel"),
        ("127.0.0.0/8", "loopback"),
        ("224.0.0.0/4", "multicast"),
        ("169.254.0.0/16", "link-local"),
        ("fe80::/64", "link-local"),
        ("fe80::1%eth0", "zone"),
        ("10.0.0.0/33", "written like"),
        ("10.0.0.0/255.255.0.0/3", "written like"),
        ("\u0661\u0660.0.0.0/8", "written like"),
        ("1" * 500, "written like"),
        *((text, "written like") for text in HOSTILE),
    ],
)
def test_what_is_no_network(text, why):
    with pytest.raises(UsageError) as raised:
        addresses.parse_network(text)
    assert why in raised.value.cause


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:0DB8::0:1", "2001:db8::1"),
        ("GW.Example.org", "gw.example.org"),
        ("gw", "gw"),
    ],
)
def test_addresses(text, result):
    assert addresses.parse_address(text, "x") == result


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "::", "0.0.0.0", "ff02::1", "fe80::1%1", "10.1.2", "300.1.1.1", "-a"),
        *("a..b", "a-", "x" * 70, "gw.example:22"),
        *HOSTILE,
    ],
)
def test_what_is_no_address(text):
    with pytest.raises(UsageError):
        addresses.parse_address(text, "x")


@pytest.mark.parametrize("text", ["me@gw", "gw:22", "ssh://me@gw:22", "me@[2001:db8::1]:22", "a_b"])
def test_logins(text):
    assert addresses.parse_login(text).host


@pytest.mark.parametrize("text", ["$x@gw", "a b@gw", "me@g$w", "me@g*w", "me@", *HOSTILE])
def test_what_is_no_login(text):
    with pytest.raises(UsageError):
        addresses.parse_login(text)


@pytest.mark.parametrize("text", ["db", "d b:1", "d*b:1", "db:0", "db:99999", *HOSTILE])
def test_what_is_no_service(text):
    with pytest.raises(UsageError):
        addresses.parse_target(text)


@pytest.mark.parametrize("text", ["Netkit", "0a", "a" * 15, "a-b", "a/b", "../x", *HOSTILE])
def test_what_is_no_name(text):
    with pytest.raises(UsageError):
        addresses.parse_name(text)


@given(st.text(max_size=60) | st.sampled_from(HOSTILE))
def test_only_plain_characters_get_through(text):
    for parse in (
        addresses.parse_network,
        lambda word: addresses.parse_address(word, "x"),
        addresses.parse_name,
        addresses.parse_target,
    ):
        with contextlib.suppress(UsageError):
            assert PLAIN.fullmatch(str(parse(text)).strip("[]").replace("]", ""))
    with contextlib.suppress(UsageError):
        login = addresses.parse_login(text)
        assert PLAIN.fullmatch(login.host)
        assert login.user is None or PLAIN.fullmatch(login.user)


# ---------------------------------------------------------------- the two sides together


def nets(*texts: str):
    return tuple(ipaddress.ip_network(text) for text in texts)


def sites(**more) -> Sites:
    values = {
        "gateway_address": "198.51.100.7",
        "local_nets": nets("192.168.1.0/24"),
        "remote_nets": nets("10.1.0.0/16"),
        "lan_to_lan": True,
        **more,
    }
    return Sites(**values)


def test_sites_that_go_together():
    addresses.check_sites(sites())
    addresses.check_sites(sites(gateway_address="gw.example", local_address="203.0.113.9"))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"remote_nets": nets("192.168.0.0/16")}, "networks-overlap"),
        ({"remote_nets": nets("192.168.1.0/24")}, "networks-overlap"),
        ({"remote_nets": nets("10.1.0.0/16", "10.1.2.0/24")}, "networks-overlap"),
        ({"local_address": "198.51.100.7"}, "same-gateway"),
        ({"gateway_address": "gw", "local_address": "gw"}, "same-gateway"),
        ({"gateway_address": "10.1.2.3"}, "address-inside-network"),
        ({"gateway_address": "192.168.1.1"}, "address-inside-network"),
        ({"local_address": "10.1.9.9"}, "address-inside-network"),
        ({"remote_nets": nets("2001:db8::/48")}, "ip-versions-differ"),
        ({"remote_nets": nets("10.1.0.0/16", "2001:db8::/48")}, "ip-versions-differ"),
        (
            {"remote_nets": tuple(ipaddress.ip_network(f"10.{n}.0.0/16") for n in range(33))},
            "too-many-networks",
        ),
    ],
)
def test_sites_that_do_not(more, code):
    with pytest.raises(UsageError) as raised:
        addresses.check_sites(sites(**more))
    assert raised.value.code == code
    assert raised.value.cause


def test_what_is_not_routed_minds_no_ends():
    addresses.check_sites(sites(gateway_address="10.1.2.3"), routed=False)


# ---------------------------------------------------------------- inside the tunnel


def test_the_tunnels_own_network_is_a_free_one():
    taken = nets("10.0.0.0/8", "172.16.0.0/12")
    found = addresses.tunnel_addresses(None, taken, 1)
    assert [str(each) for each in found.networks] == ["192.168.255.252/30"]
    assert [str(each) for each in found.here] == ["192.168.255.253/30"]


def test_a_network_of_ones_own():
    found = addresses.tunnel_addresses("10.9.9.0/29", nets("10.1.0.0/16"), 1)
    assert [str(each.ip) for each in (*found.here, *found.gateway)] == ["10.9.9.1", "10.9.9.2"]


def test_ipv6_is_unique_local():
    found = addresses.tunnel_addresses(None, nets("2001:db8::/48"), 0x123456789A)
    assert str(found.networks[1]) == "fd12:3456:789a::/64"


@pytest.mark.parametrize("text", ["10.1.2.0/30", "10.9.9.0/31", "2001:db8::/64", "x"])
def test_networks_that_cannot_be_the_tunnels(text):
    with pytest.raises(UsageError):
        addresses.tunnel_addresses(text, nets("10.1.0.0/16"), 1)


def test_no_free_network():
    everything = nets("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
    with pytest.raises(UsageError, match="overlaps"):
        addresses.tunnel_addresses(None, everything, 1)


@given(st.lists(st.ip_addresses(v=4), max_size=6), st.integers(8, 32))
def test_tunnel_addresses_never_overlap(found, prefix):
    taken = tuple(ipaddress.ip_network(f"{each}/{prefix}", strict=False) for each in found)
    with contextlib.suppress(UsageError):
        for own in addresses.tunnel_addresses(None, taken, 1).networks:
            assert not any(addresses.overlap(own, other) for other in taken)


def test_every_value_of_the_sites_is_checked():
    """`questions.sites` is the only maker of sites with values of a user."""
    for name in ("gateway", "gateway-address", "remote-net", "local-net", "to", "name"):
        for hostile in HOSTILE[:-1]:
            more: dict[str, Any] = {name.replace("-", "_"): (hostile,)}
            with pytest.raises(UsageError):
                advice.two_sites(Technology.WIREGUARD, Need.LAN_TO_LAN, **more)
    assert dataclasses.is_dataclass(Sites)
