"""PuTTY's proxies both ways."""

from __future__ import annotations

from typing import Any

import pytest

from netkit.errors import UsageError
from netkit.model import Gateway
from netkit.text.putty.proxies import from_putty, jump_to_putty, proxy_to_putty
from netkit.text.putty.session import Session


def session(**values: Any) -> Session:
    base = {"HostName": "gw", "ProxyHost": "proxy.example", "ProxyPort": 1080}
    return Session("s", tuple({**base, **values}.items()))


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({"ProxyMethod": 0}, None),
        ({"ProxyMethod": 1}, "socks4://proxy.example:1080"),
        ({"ProxyMethod": 1, "ProxyDNS": 2}, "socks4a://proxy.example:1080"),
        ({"ProxyMethod": 2, "ProxyUsername": "a b"}, "socks5://a%20b@proxy.example:1080"),
        ({"ProxyMethod": 3, "ProxyPort": 3128}, "http://proxy.example:3128"),
        ({"ProxyMethod": 2, "ProxyHost": "::1"}, "socks5://[::1]:1080"),
        # before 0.58
        ({}, None),
        ({"ProxyType": 1}, "http://proxy.example:1080"),
        ({"ProxyType": 2}, "socks5://proxy.example:1080"),
        ({"ProxyType": 2, "ProxySOCKSVersion": 4}, "socks4://proxy.example:1080"),
        # PuTTY asks no proxy for this machine, unless it is told to
        ({"ProxyMethod": 2, "HostName": "127.0.0.1"}, None),
        ({"ProxyMethod": 2, "HostName": "localhost"}, None),
        (
            {"ProxyMethod": 2, "HostName": "localhost", "ProxyLocalhost": 1},
            "socks5://proxy.example:1080",
        ),
    ],
)
def test_to_a_url(values: dict[str, Any], url: str | None):
    way = from_putty(session(**values), {})
    assert way.proxy == url
    assert way.jumps is None
    assert way.left_out == ()


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"ProxyMethod": 4}, "ProxyMethod=4"),
        ({"ProxyMethod": 5}, "ProxyCommand"),
        ({"ProxyMethod": 7}, "-J"),
        ({"ProxyMethod": 99}, "no such kind"),
        ({"ProxyType": 4}, "ProxyMethod=5"),
        ({"ProxyMethod": 2, "ProxyHost": "a;b"}, "ProxyHost"),
        ({"ProxyMethod": 2, "ProxyPort": 0}, "ProxyPort"),
        ({"ProxyMethod": 6, "ProxyPort": 99999}, "99999"),
        ({"ProxyMethod": 2, "ProxyUsername": "a\nb"}, "not possible"),
    ],
)
def test_what_cannot_be_done(values: dict[str, Any], why: str):
    way = from_putty(session(**values), {})
    assert way.proxy is None
    assert way.jumps is None
    assert why in way.left_out[0]


def test_passwords_are_told_and_never_shown():
    way = from_putty(
        session(ProxyMethod=2, ProxyUsername="pat", ProxyPassword="hunter2", ProxyDNS=0,
                ProxyExcludeList="*.local"),
        {},
    )  # fmt: skip
    assert way.proxy == "socks5://pat@proxy.example:1080"
    assert "hunter2" not in str(way)
    assert [text.partition("=")[0].partition(":")[0] for text in way.left_out] == [
        "ProxyPassword",
        "ProxyExcludeList",
        "ProxyDNS",
    ]


def test_an_ssh_proxy_is_a_jump():
    way = from_putty(session(ProxyMethod=6, ProxyPort=22, ProxyUsername="me"), {})
    assert way.jumps == (Gateway("proxy.example", "me", 22),)
    named = Session("front", (("HostName", "you@front.example"), ("PortNumber", 2222)))
    way = from_putty(session(ProxyMethod=6, ProxyHost="front"), {"front": named})
    assert way.jumps == (Gateway("front.example", "you", 2222),)


@pytest.mark.parametrize(
    "url",
    ["socks5://me@proxy:1080", "socks4://proxy:1", "socks4a://proxy:1", "http://[::1]:3128"],
)
def test_urls_round_trip(url: str):
    made = Session("s", (("HostName", "localhost"), *proxy_to_putty(url).items()))
    assert from_putty(made, {}).proxy == url


def test_jumps_round_trip():
    jump = Gateway("front", "me", 2222)
    made = Session("s", (("HostName", "localhost"), *jump_to_putty(jump).items()))
    assert from_putty(made, {}).jumps == (jump,)


def test_no_url():
    with pytest.raises(UsageError):
        proxy_to_putty("ftp://x:1")
