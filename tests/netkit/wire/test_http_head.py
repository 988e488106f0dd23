from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.model import Endpoint
from netkit.wire.http_head import (
    Field,
    HeadError,
    OriginRequest,
    RequestLine,
    check_fields,
    origin_head,
    parse_absolute,
    parse_authority,
    parse_field,
    parse_request_line,
)


def line(target: bytes, method: bytes = b"GET") -> RequestLine:
    return RequestLine(method, target, b"HTTP/1.1")


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        (b"GET http://a/ HTTP/1.1", (b"GET", b"http://a/", b"HTTP/1.1")),
        (b"CONNECT a:443 HTTP/1.0", (b"CONNECT", b"a:443", b"HTTP/1.0")),
        (b"M-SEARCH * HTTP/1.1", (b"M-SEARCH", b"*", b"HTTP/1.1")),
        (b"GET http://a/\xc3\xbc HTTP/1.1", (b"GET", b"http://a/\xc3\xbc", b"HTTP/1.1")),
    ],
)
def test_request_line(raw: bytes, parts: tuple[bytes, bytes, bytes]) -> None:
    assert parse_request_line(raw) == RequestLine(*parts)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"GET", 400),
        (b"GET /", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b"GET / x HTTP/1.1", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"GET /\0 HTTP/1.1", 400),
        (b"GET /\r HTTP/1.1", 400),
        (b"GET /\x7f HTTP/1.1", 400),
        (b"G(T / HTTP/1.1", 400),
        (b"1ET / HTTP/1.1", 400),
        (b"A" * 33 + b" / HTTP/1.1", 400),
        (b"GET / http/1.1", 400),
        (b"GET / HTTP/1.10", 400),
        (b"SSH-2.0-OpenSSH_9.2", 400),
        (b"PRI * HTTP/2.0", 505),
        (b"GET / HTTP/0.9", 505),
        (b"GET / HTTP/1.2", 505),
    ],
)
def test_bad_request_line(raw: bytes, status: int) -> None:
    with pytest.raises(HeadError) as caught:
        parse_request_line(raw)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"Host: a", Field(b"Host", b"a")),
        (b"Host:a", Field(b"Host", b"a")),
        (b"X:", Field(b"X", b"")),
        (b"X: \t a\tb c \t ", Field(b"X", b"a\tb c")),
        (b"X: a: b", Field(b"X", b"a: b")),
        (b"X: \xe4", Field(b"X", b"\xe4")),
    ],
)
def test_field(raw: bytes, field: Field) -> None:
    assert parse_field(raw) == field


@pytest.mark.parametrize(
    "raw",
    [
        b"X",
        b": a",
        b"X : a",
        b" X: a",
        b"\tfolded",
        b"X Y: a",
        b"X: a\0b",
        b"X: a\rb",
        b"X: \x1b",
        b"X\xe4: a",
    ],
)
def test_bad_field(raw: bytes) -> None:
    with pytest.raises(HeadError):
        parse_field(raw)


@pytest.mark.parametrize(
    ("text", "default", "endpoint"),
    [
        (b"a:443", None, Endpoint("a", 443)),
        (b"A.example.:1", None, Endpoint("A.example.", 1)),
        (b"1.2.3.4:65535", None, Endpoint("1.2.3.4", 65535)),
        (b"my_host-1:00080", None, Endpoint("my_host-1", 80)),
        (b"[::1]:443", None, Endpoint("::1", 443)),
        (b"[2001:db8::1.2.3.4]", 80, Endpoint("2001:db8::1.2.3.4", 80)),
        (b"a", 80, Endpoint("a", 80)),
        (b"a:", 80, Endpoint("a", 80)),
        (b"n" * 255 + b":1", None, Endpoint("n" * 255, 1)),
    ],
)
def test_authority(text: bytes, default: int | None, endpoint: Endpoint) -> None:
    assert parse_authority(text, default) == endpoint


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"a",
        b"a:",
        b"a:0",
        b"a:00000",
        b"a:65536",
        b"a:123456",
        b"a:-1",
        b"a:+1",
        b"a: 1",
        b"a:1x",
        b":443",
        b"u@a:443",
        b"u:p@a:443",
        b"::1:443",
        b"[::1]",
        b"[::1]443",
        b"[::1:443",
        b"[1.2.3.4]:443",
        b"[:::]:443",
        b"[fe80::1%25eth0]:443",
        b"a%00b:443",
        b"a/b:443",
        b"a\\b:443",
        b"a,b:443",
        b"b\xc3\xbccher:443",
        b"https://a:443",
        b"n" * 256 + b":1",
    ],
)
def test_bad_authority(text: bytes) -> None:
    with pytest.raises(HeadError):
        parse_authority(text, None)


@pytest.mark.parametrize(
    ("target", "request_"),
    [
        (b"http://a/", OriginRequest(Endpoint("a", 80), b"a", b"/")),
        (b"http://a", OriginRequest(Endpoint("a", 80), b"a", b"/")),
        (b"HTTP://A:81/x?y", OriginRequest(Endpoint("A", 81), b"A:81", b"/x?y")),
        (b"http://a?q=/", OriginRequest(Endpoint("a", 80), b"a", b"/?q=/")),
        (b"http://a/?q=1&r=?", OriginRequest(Endpoint("a", 80), b"a", b"/?q=1&r=?")),
        (b"http://a//evil/..", OriginRequest(Endpoint("a", 80), b"a", b"//evil/..")),
        (b"http://[::1]:81/x", OriginRequest(Endpoint("::1", 81), b"[::1]:81", b"/x")),
        (b"http://[::1]", OriginRequest(Endpoint("::1", 80), b"[::1]", b"/")),
        (b"http://a/@b", OriginRequest(Endpoint("a", 80), b"a", b"/@b")),
    ],
)
def test_absolute_form(target: bytes, request_: OriginRequest) -> None:
    assert parse_absolute(line(target)) == request_


def test_options_without_path_asks_about_the_server() -> None:
    assert parse_absolute(line(b"http://a", b"OPTIONS")).path == b"*"
    assert parse_absolute(line(b"http://a/", b"OPTIONS")).path == b"/"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (b"/", "this is a proxy port"),
        (b"//a/", "this is a proxy port"),
        (b"*", "this is a proxy port"),
        (b"https://a/", "use CONNECT for https"),
        (b"ftp://a/", "only CONNECT and http://"),
        (b"ws://a/", "only CONNECT and http://"),
        (b"a:443", "only CONNECT and http://"),
        (b"http:/a/", "only CONNECT and http://"),
        (b"http:///a", "not host:port"),
        (b"http://a/#b", "fragment"),
        (b"http://u:p@a/", "user name"),
        (b"http://a:0/", "port"),
        (b"http://a\\@b/", "user name"),
        (b"http://a\\b/", "not host:port"),
    ],
)
def test_bad_absolute_form(target: bytes, says: str) -> None:
    with pytest.raises(HeadError, match=says):
        parse_absolute(line(target))


@pytest.mark.parametrize(
    ("fields", "good"),
    [
        ([], True),
        ([Field(b"Host", b"a")], True),
        ([Field(b"Content-Length", b"5")], True),
        ([Field(b"Transfer-Encoding", b"chunked")], True),
        ([Field(b"Host", b"a"), Field(b"HOST", b"a")], False),
        ([Field(b"Content-Length", b"5"), Field(b"content-length", b"5")], False),
        ([Field(b"Content-Length", b"5"), Field(b"Transfer-Encoding", b"chunked")], False),
        ([Field(b"Content-Length", b"5, 5")], False),
        ([Field(b"Content-Length", b"+5")], False),
        ([Field(b"Content-Length", b"")], False),
    ],
)
def test_a_head_must_not_say_two_things(fields: list[Field], good: bool) -> None:
    if good:
        check_fields(fields)
    else:
        with pytest.raises(HeadError):
            check_fields(fields)


def test_origin_head() -> None:
    fields = [
        Field(b"Host", b"spoofed"),
        Field(b"User-Agent", b"x"),
        Field(b"Proxy-Connection", b"keep-alive"),
        Field(b"proxy-authorization", b"Basic c2VjcmV0"),
        Field(b"Connection", b"keep-alive, X-Mine ,content-length, transfer-encoding,host"),
        Field(b"x-mine", b"1"),
        Field(b"Keep-Alive", b"5"),
        Field(b"TE", b"trailers"),
        Field(b"Upgrade", b"h2c"),
        Field(b"Content-Length", b"3"),
        Field(b"Cookie", b"a"),
        Field(b"Cookie", b"b"),
    ]
    head = origin_head(line(b"", b"POST"), parse_absolute(line(b"http://[::1]:81/p?q")), fields)
    assert head.split(b"\r\n") == [
        b"POST /p?q HTTP/1.1",
        b"Host: [::1]:81",
        b"User-Agent: x",
        b"Content-Length: 3",
        b"Cookie: a",
        b"Cookie: b",
        b"Connection: close",
        b"",
        b"",
    ]


def test_the_client_decides_the_version() -> None:
    request = RequestLine(b"GET", b"http://a/", b"HTTP/1.0")
    assert origin_head(request, parse_absolute(request), []).startswith(b"GET / HTTP/1.0\r\n")


@given(st.binary(max_size=200))
def test_parsers_raise_nothing_else(raw: bytes) -> None:
    for parse in (parse_request_line, parse_field, lambda b: parse_authority(b, 80)):
        with contextlib.suppress(HeadError):
            parse(raw)


@given(st.binary(max_size=60))
def test_targets_raise_nothing_else_and_inject_nothing(tail: bytes) -> None:
    try:
        request = parse_request_line(b"GET http://a" + tail + b" HTTP/1.1")
        origin = parse_absolute(request)
    except HeadError:
        return
    head = origin_head(request, origin, [])
    assert head.count(b"\n") == head.count(b"\r") == 4
    assert 0 < origin.target.port < 65536
