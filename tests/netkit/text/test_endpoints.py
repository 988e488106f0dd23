"""Endpoints, gateways, bind addresses."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.model import Endpoint, Gateway, UnixPath
from netkit.text.endpoints import (
    MAX_TEXT,
    is_ipv6,
    parse_bind,
    parse_endpoint,
    parse_gateway,
    parse_port,
    parse_unix_path,
)

HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{1,5})?", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db.internal:5432", Endpoint("db.internal", 5432)),
        ("127.0.0.1:1", Endpoint("127.0.0.1", 1)),
        ("[::1]:65535", Endpoint("::1", 65535)),
        ("[host]:80", Endpoint("host", 80)),
        ("[fe80::1%eth0]:80", Endpoint("fe80::1%eth0", 80)),
        ("my_host:80", Endpoint("my_host", 80)),
    ],
)
def test_endpoints(text: str, expected: Endpoint):
    assert parse_endpoint(text) == expected


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "empty"),
        ("host", "port is missing"),
        (":80", "host is missing"),
        ("host:", "1 to 65535"),
        ("host:0", "1 to 65535"),
        ("host:65536", "1 to 65535"),
        ("host:-1", "1 to 65535"),
        ("host:8O", "1 to 65535"),
        ("host:٣", "1 to 65535"),
        ("host:" + "9" * 5000, "longer than"),
        ("::1:80", "port is missing"),
        ("a:b:80", r"\[::1\]:22"),
        ("[::1]80", "brackets"),
        ("[::1", "brackets"),
        ("[a:b]:80", "no IPv6 address"),
        ("ho st:80", "cannot hold"),
        ("ho\nst:80", "cannot hold"),
        ("ho\x1b[1mst:80", "cannot hold"),
        ("h;reboot:80", "cannot hold"),
        ("$(x):80", "cannot hold"),
        ("-oProxyCommand=x:80", "option"),
        ("h" * 256 + ":80", "255"),
    ],
)
def test_bad_endpoints(text: str, cause: str):
    with pytest.raises(UsageError) as caught:
        parse_endpoint(text)
    assert caught.value.code == "bad-address"
    assert re.search(cause, caught.value.cause), caught.value.cause
    assert caught.value.summary.isprintable()


def test_port_zero_only_where_allowed():
    assert parse_endpoint("h:0", zero=True) == Endpoint("h", 0)
    assert parse_port("0", zero=True) == 0
    with pytest.raises(UsageError):
        parse_port("0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.2:3389", Endpoint("127.0.0.2", 3389)),
        ("3389", Endpoint("", 3389)),
        ("0", Endpoint("", 0)),
        (":3389", Endpoint("*", 3389)),
        ("*:3389", Endpoint("*", 3389)),
        ("[]:3389", Endpoint("*", 3389)),
        ("[::]:0", Endpoint("::", 0)),
        ("localhost:80", Endpoint("localhost", 80)),
        ("/run/x.sock", UnixPath("/run/x.sock")),
        ("./x:y", UnixPath("./x:y")),
    ],
)
def test_binds(text: str, expected: object):
    assert parse_bind(text) == expected


@pytest.mark.parametrize("text", ["", "host", "::1", "70000", "*", "h:x", "a b:80"])
def test_bad_binds(text: str):
    with pytest.raises(UsageError):
        parse_bind(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gw", Gateway("gw")),
        ("me@gw", Gateway("gw", "me")),
        ("me@gw:2222", Gateway("gw", "me", 2222)),
        ("a@b@gw", Gateway("gw", "a@b")),
        ("DOMAIN\\me@gw", Gateway("gw", "DOMAIN\\me")),
        ("::1", Gateway("::1")),
        ("me@::1", Gateway("::1", "me")),
        ("[::1]:2222", Gateway("::1", None, 2222)),
        ("ssh://gw", Gateway("gw")),
        ("SSH://me@gw:2222/", Gateway("gw", "me", 2222)),
        ("ssh://me%40corp@[::1]:2222", Gateway("::1", "me@corp", 2222)),
        ("ssh://me;fingerprint=x@gw", Gateway("gw", "me")),
    ],
)
def test_gateways(text: str, expected: Gateway):
    assert parse_gateway(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@gw",
        "me@",
        "-oProxyCommand=reboot",
        "me@-oProxyCommand=reboot",
        "-l@gw",
        "me -l@gw",
        "me\\@gw",
        "gw:0",
        "gw:99999",
        "gw:",
        "ssh://",
        "ssh://gw/path",
        "ssh://me%0a@gw",
        "a`b@gw",
        "g$w",
        "gw\x00",
        "gw,other",
        "x" * (MAX_TEXT + 1),
    ],
)
def test_bad_gateways(text: str):
    with pytest.raises(UsageError):
        parse_gateway(text)


def test_password_in_url_is_refused_and_not_repeated():
    with pytest.raises(UsageError) as caught:
        parse_gateway("ssh://me:hunter2@gw")
    assert caught.value.code == "password-in-url"
    assert "hunter2" not in caught.value.summary + caught.value.cause


@given(HOSTS, st.integers(1, 65535))
def test_endpoint_round_trip(host: str, port: int):
    assert parse_endpoint(str(Endpoint(host, port))) == Endpoint(host, port)


@given(HOSTS, st.none() | st.just("me"), st.none() | st.integers(1, 65535))
def test_gateway_round_trip(host: str, user: str | None, port: int | None):
    gateway = Gateway(host, user, port)
    assert parse_gateway(str(gateway)) == gateway


@given(st.text() | st.text("[]:@.ah0-/ *%"))
def test_anything_parses_or_is_a_usage_error(text: str):
    for parse in (parse_endpoint, parse_bind, parse_gateway, parse_unix_path, parse_port):
        try:
            parse(text)
        except UsageError as error:
            assert "\n" not in error.summary
            assert len(error.summary) < 300


def test_socket_path_limits_are_named():
    assert parse_unix_path("/" + "x" * 106) == UnixPath("/" + "x" * 106)
    with pytest.raises(UsageError) as caught:
        parse_unix_path("/" + "ü" * 54)
    assert caught.value.code == "socket-path-too-long"
    assert "109 bytes" in caught.value.summary
    assert "107 on Linux" in caught.value.cause


@pytest.mark.parametrize(
    ("text", "expected"), [("::1", True), ("fe80::1%lo", True), ("1.2.3.4", False), ("", False)]
)
def test_is_ipv6(text: str, expected: bool):
    assert is_ipv6(text) is expected
