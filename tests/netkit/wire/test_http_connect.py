from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.model import Endpoint
from netkit.wire.handshake import NeedMore, ProxyEvent, Refused, Request
from netkit.wire.http_connect import HttpServer
from netkit.wire.open_failures import Failure

CONNECT = b"CONNECT db.example:443 HTTP/1.1\r\nHost: db.example:443\r\n\r\n"
GET = b"GET http://db.example/x HTTP/1.1\r\nHost: db.example\r\n\r\n"


def advance(data: bytes) -> tuple[ProxyEvent, HttpServer, bytes]:
    server, buffer = HttpServer(), bytearray(data)
    return server.advance(buffer), server, bytes(buffer)


def parse_response(raw: bytes) -> tuple[int, dict[str, str], str]:
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    assert len(fields) == len(lines)
    assert all(line.isprintable() for line in lines)
    return int(status.split()[1]), fields, body.decode()


@pytest.mark.parametrize(
    ("data", "target", "leading"),
    [
        (CONNECT, Endpoint("db.example", 443), b""),
        (b"CONNECT [::1]:22 HTTP/1.0\r\n\r\n", Endpoint("::1", 22), b""),
        (
            GET,
            Endpoint("db.example", 80),
            b"GET /x HTTP/1.1\r\nHost: db.example\r\nConnection: close\r\n\r\n",
        ),
    ],
)
def test_request(data: bytes, target: Endpoint, leading: bytes) -> None:
    event, server, rest = advance(data + b"\r\n\r\nbehind")
    assert event == Request(target, "http" if leading else "http-connect")
    assert (server.leading, rest) == (leading, b"\r\n\r\nbehind")
    for cut in range(1, len(data)):
        assert isinstance(advance(data[:cut])[0], NeedMore)


def test_success() -> None:
    _, server, _ = advance(CONNECT)
    assert server.succeeded(None) == b"HTTP/1.1 200 Connection established\r\n\r\n"
    _, server, _ = advance(GET)
    assert server.succeeded(None) == b"", "the origin server answers a plain request"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\n\x05\x01\x00", 400),
        (b"GET https://a/ HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT a HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT a:0 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT /a:1 HTTP/1.1\r\n\r\n", 400),
        (b"connect a:443 HTTP/1.1\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n", 505),
        (b"GET http://a/ HTTP/1.1\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n folded\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\n Host: a\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nX: a\0\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nX: a\rEvil: b\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"G" * 8192, 414),
        (b"GET http://a/ HTTP/1.1\r\nX: " + b"x" * 8192, 431),
        (b"GET http://a/ HTTP/1.1\r\n" + b"X: y\r\n" * 1400, 431),
    ],
)
def test_refusals(data: bytes, status: int) -> None:
    event, _, _ = advance(data)
    assert isinstance(event, Refused)
    got, fields, body = parse_response(event.reply)
    assert got == status
    assert fields["Proxy-Status"] == "netkit; error=http_request_error"
    assert fields["Connection"] == "close"
    assert int(fields["Content-Length"]) == len(body.encode())
    assert event.text.isprintable()
    assert event.code == (
        "proxy-request-too-large" if status in (414, 431) else "proxy-request-malformed"
    )


def test_a_browser_is_told_what_this_is() -> None:
    event, _, _ = advance(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert isinstance(event, Refused)
    assert "this is a proxy port" in parse_response(event.reply)[2]


def test_a_head_of_exactly_the_limit_passes() -> None:
    start = b"GET http://a/ HTTP/1.1\r\nX: "
    head = start + b"x" * (8192 - len(start) - 4) + b"\r\n\r\n"
    assert isinstance(advance(head)[0], Request)
    longer = head.replace(b"X: ", b"X: x")
    event, _, _ = advance(longer)
    assert isinstance(event, Refused)
    assert event.code == "proxy-request-too-large"


@pytest.mark.parametrize(
    ("failure", "status", "error"),
    [
        (Failure.PROHIBITED, 403, "http_request_denied"),
        (Failure.REFUSED, 502, "connection_refused"),
        (Failure.UNREACHABLE, 502, "destination_ip_unroutable"),
        (Failure.NETWORK_UNREACHABLE, 502, "destination_ip_unroutable"),
        (Failure.TIMED_OUT, 504, "connection_timeout"),
        (Failure.NAME, 502, "dns_error"),
        (Failure.UNSUPPORTED, 501, "proxy_configuration_error"),
        (Failure.SHORTAGE, 503, "connection_limit_reached"),
        (Failure.LINK_DOWN, 503, "connection_terminated"),
        (Failure.OTHER, 502, "destination_unavailable"),
    ],
)
def test_failures(failure: Failure, status: int, error: str) -> None:
    for request in (CONNECT, GET):
        _, server, _ = advance(request)
        got, fields, body = parse_response(server.failed(failure, "peer's words"))
        assert got == status
        assert fields["Proxy-Status"] == f"netkit; error={error}"
        assert "db.example:" in body
        assert failure.value in body
        assert "peer's words" in body


def test_head_gets_no_body() -> None:
    _, server, _ = advance(GET.replace(b"GET", b"HEAD"))
    reply = server.failed(Failure.REFUSED, "")
    assert reply.endswith(b"\r\n\r\n")
    assert reply.count(b"\r\n\r\n") == 1


def test_a_client_that_stops_in_its_head_gets_408() -> None:
    _, server, _ = advance(GET[:-2])
    assert parse_response(server.failed(Failure.TIMED_OUT, ""))[0] == 408


@given(st.text(max_size=300), st.sampled_from(Failure))
def test_what_the_gateway_said_cannot_forge_a_response(text: str, failure: Failure) -> None:
    _, server, _ = advance(CONNECT)
    _, fields, body = parse_response(server.failed(failure, text))
    assert int(fields["Content-Length"]) == len(body.encode())
    assert body.removesuffix("\n").replace("\t", " ").isprintable()
