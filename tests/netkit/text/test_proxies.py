from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.model import Proxy
from netkit.text.proxies import PORTS, parse_proxy


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("socks5://proxy", Proxy("socks5", "proxy", 1080)),
        ("SOCKS5h://proxy:9050/", Proxy("socks5h", "proxy", 9050)),
        ("http://proxy.example:3128", Proxy("http", "proxy.example", 3128)),
        ("socks4://me@[::1]:1080", Proxy("socks4", "::1", 1080, "me")),
        ("http://corp%5Cme@proxy:8080", Proxy("http", "proxy", 8080, "corp\\me")),
    ],
)
def test_urls(text: str, proxy: Proxy):
    assert parse_proxy(text) == proxy
    assert parse_proxy(str(proxy)) == proxy


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("proxy:1080", "bad-proxy"),
        ("https://proxy:443", "bad-proxy"),
        ("http://proxy", "bad-proxy"),
        ("socks5://", "bad-address"),
        ("socks5://proxy:0", "bad-address"),
        ("socks5://proxy:70000", "bad-address"),
        ("socks5://proxy:1080/path", "bad-proxy"),
        ("socks5://me:secret@proxy:1080", "secret-in-argument"),
        ("socks5://%00@proxy:1080", "bad-proxy"),
        ("socks5://%ff@proxy:1080", "bad-proxy"),
        ("socks5://\udcff@proxy:1080", "bad-proxy"),
        ("socks5://" + "\N{SNOWMAN}" * 86 + "@proxy:1080", "bad-proxy"),
        ("http://me%3Asecret@proxy:3128", "bad-proxy"),
        ("socks5://" + "a" * 10_000, "bad-proxy"),
        ("", "bad-proxy"),
    ],
)
def test_what_is_no_proxy(text: str, code: str):
    with pytest.raises(UsageError) as caught:
        parse_proxy(text)
    assert caught.value.code == code
    assert "secret" not in caught.value.summary


@given(st.text())
def test_total(text: str):
    try:
        proxy = parse_proxy("socks5://" + text)
    except UsageError:
        return
    assert parse_proxy(str(proxy)) == proxy


@given(
    st.sampled_from(sorted(PORTS)),
    st.sampled_from(["proxy", "10.0.0.1", "::1"]),
    st.integers(1, 65535),
    st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40),
)
def test_round_trip(scheme: str, host: str, port: int, user: str):
    if scheme == "http":
        user = user.replace(":", "")
    proxy = Proxy(scheme, host, port, user)
    assert parse_proxy(str(proxy)) == proxy
