from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netkit.errors import LocalProtocolError
from netkit.model import Endpoint
from netkit.wire.proxy import Failure, NeedMore, ProxyEvent, ProxyServer, Refused, Request

SOCKS4 = b"\x04\x01\x00\x50\x0a\x01\x02\x03me\x00"
SOCKS4A = b"\x04\x01\x00\x50\x00\x00\x00\x01me\x00db.example\x00"
SOCKS5 = b"\x05\x02\x00\x02\x05\x01\x00\x03\x0adb.example\x00\x50"
SOCKS5_LOGIN = b"\x05\x01\x02\x01\x01u\x01p\x05\x01\x00\x01\x0a\x01\x02\x03\x00\x50"
CONNECT = b"CONNECT db.example:443 HTTP/1.1\r\nHost: db.example:443\r\n\r\n"
GET = b"GET http://db.example:81/x?y HTTP/1.1\r\nHost: x\r\nProxy-Connection: keep-alive\r\n\r\n"
GET_AT_ORIGIN = b"GET /x?y HTTP/1.1\r\nHost: db.example:81\r\nConnection: close\r\n\r\n"

REQUESTS = [
    (SOCKS4, Request(Endpoint("10.1.2.3", 80), "socks4"), b"", b""),
    (SOCKS4A, Request(Endpoint("db.example", 80), "socks4a"), b"", b""),
    (SOCKS5, Request(Endpoint("db.example", 80), "socks5"), b"\x05\x00", b""),
    (SOCKS5_LOGIN, Request(Endpoint("10.1.2.3", 80), "socks5"), b"\x05\x02\x01\x00", b""),
    (CONNECT, Request(Endpoint("db.example", 443), "http-connect"), b"", b""),
    (GET, Request(Endpoint("db.example", 81), "http"), b"", GET_AT_ORIGIN),
]


@dataclass(frozen=True)
class Outcome:
    """All that can be seen of a handshake."""

    event: ProxyEvent
    output: bytes
    for_target: bytes
    success: bytes
    failure: bytes


def run(chunks: list[bytes], answer: Failure | None = None) -> Outcome:
    """Drive a server as the engine does; what comes after the handshake goes to the target."""
    server, output, rest = ProxyServer(), b"", b""
    event: ProxyEvent = NeedMore()
    for number, chunk in enumerate(chunks):
        event = server.receive(chunk)
        output += server.take_output()
        assert server.take_output() == b""
        if not isinstance(event, NeedMore):
            rest = b"".join(chunks[number + 1 :])
            break
        assert len(server._buffer) <= ProxyServer.LIMIT
    is_request = isinstance(event, Request)
    return Outcome(
        event,
        output,
        server.leftover + rest if is_request else b"",
        server.succeeded() if is_request and answer is None else b"",
        server.failed(answer, "text") if answer is not None else b"",
    )


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


# Requests, requests with a byte changed, their beginnings, and anything after a known first byte.
@st.composite
def streams(draw: st.DrawFn) -> bytes:
    base = bytearray(draw(st.sampled_from([request for request, *_ in REQUESTS])))
    for place, value in draw(
        st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=3)
    ):
        base[place % len(base)] = value
    if draw(st.booleans()):
        del base[draw(st.integers(1, len(base))) :]
    return bytes(base) + draw(st.binary(max_size=40))


def lines(draw_from: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(draw_from, max_size=8).map(
        lambda parts: b"GET http://a/ HTTP/1.1" + b"".join(parts)
    )


anything = st.one_of(
    st.binary(max_size=700),
    st.builds(bytes.__add__, st.sampled_from([b"\x04", b"\x05", b"G"]), st.binary(max_size=700)),
    streams(),
    lines(
        st.sampled_from(
            [b"\r\n", b"\n", b"\r", b" ", b":", b"X: y", b"Host: a", b"\0", b"x" * 5000]
        )
    ),
)


@pytest.mark.parametrize(("data", "request_", "output", "leading"), REQUESTS)
@pytest.mark.parametrize("behind", [b"", b"\x16\x03\x01", b"\r\n", b"\0" * 70_000])
def test_nothing_behind_the_request_is_lost(
    data: bytes, request_: Request, output: bytes, leading: bytes, behind: bytes
) -> None:
    stream = data + behind
    whole = run([stream])
    assert (whole.event, whole.output, whole.for_target) == (request_, output, leading + behind)
    assert run([stream[i : i + 1] for i in range(len(data))] + [behind]) == whole
    for place in range(1, len(data) + 2):
        assert run(cut(stream, [place])) == whole


@given(anything, st.lists(st.integers(0, 20_000), max_size=12), st.sampled_from([None, *Failure]))
@example(b"G" * 8191 + b"\n", [8191], None)
@example(b"G" * 8192 + b"\n", [8191], None)
@example(GET[:-2] + b"X: " + b"x" * 9000 + b"\r\n\r\n", [100, 8192, 8193], None)
def test_chunks_do_not_matter(data: bytes, places: list[int], answer: Failure | None) -> None:
    chunks = cut(data, places)
    assert run(chunks, answer) == run([data], answer)


@given(anything)
def test_every_stream_ends_within_the_limit(data: bytes) -> None:
    """No stream keeps a client waiting for a decision beyond LIMIT bytes."""
    event = run([data + b"x" * ProxyServer.LIMIT]).event
    assert isinstance(event, Request | Refused)
    if isinstance(event, Request):
        assert 0 < event.target.port < 65536
        assert event.target.host
        assert event.target.host.isprintable()
    else:
        assert event.text.replace("\t", " ").isprintable()


def test_memoryviews_are_taken() -> None:
    data = bytearray(SOCKS5 + b"behind")
    server = ProxyServer()
    assert isinstance(server.receive(memoryview(data)), Request)
    data[:] = bytes(len(data))  # the engine reuses its buffer
    assert server.leftover == b"behind"


@pytest.mark.parametrize(
    "first", [0, 1, 3, 6, 0x16, 0x20, 0x30, 0x40, 0x5B, 0x7B, 0x80, 0xC4, 0xFF]
)
def test_another_protocol_gets_no_reply(first: int) -> None:
    outcome = run([bytes((first,)) * 20])
    assert isinstance(outcome.event, Refused)
    assert (outcome.event.code, outcome.event.reply) == ("proxy-protocol-unknown", b"")
    assert f"0x{first:02x}" in outcome.event.text
    assert run([bytes((first,))], Failure.OTHER).failure == b""


def test_tls_is_named() -> None:
    event = ProxyServer().receive(b"\x16\x03\x01\x02\x00")
    assert isinstance(event, Refused)
    assert "TLS" in event.text


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (SOCKS4, b"\x00\x5a\x00\x16\xc0\x00\x02\x07"),
        (SOCKS5, b"\x05\x00\x00\x01\xc0\x00\x02\x07\x00\x16"),
        (CONNECT, b"HTTP/1.1 200 Connection established\r\n\r\n"),
        (GET, b""),
    ],
)
def test_success_is_said_once(data: bytes, reply: bytes) -> None:
    server = ProxyServer()
    server.receive(data)
    assert server.succeeded(Endpoint("192.0.2.7", 22)) == reply
    with pytest.raises(LocalProtocolError):
        server.succeeded()
    assert server.failed(Failure.LINK_DOWN, "late") == b"", "it would land in the target's stream"


@pytest.mark.parametrize(
    ("data", "start"),
    [
        (SOCKS4, b"\x00\x5b"),
        (SOCKS5, b"\x05\x05\x00"),
        (CONNECT, b"HTTP/1.1 502 "),
        (GET, b"HTTP/1.1 502 "),
    ],
)
def test_failure_is_said_once(data: bytes, start: bytes) -> None:
    server = ProxyServer()
    server.receive(data)
    assert server.failed(Failure.REFUSED, "Connection refused").startswith(start)
    assert server.failed(Failure.REFUSED, "Connection refused") == b""
    with pytest.raises(LocalProtocolError):
        server.succeeded()


@pytest.mark.parametrize(
    "data", [b"", b"\x05", b"\x05\x01\x01", b"\x16", CONNECT[:-1], b"GET / HTTP/1.1\r\n\r\n"]
)
def test_success_needs_a_request(data: bytes) -> None:
    server = ProxyServer()
    server.receive(data)
    with pytest.raises(LocalProtocolError):
        server.succeeded()


@pytest.mark.parametrize("data", [CONNECT, SOCKS4, b"\x16", b"\x05\x01\x01"])
def test_bytes_after_the_handshake_are_not_ours(data: bytes) -> None:
    server = ProxyServer()
    server.receive(data)
    with pytest.raises(LocalProtocolError):
        server.receive(b"more")


def test_a_refusal_is_not_answered_twice() -> None:
    server = ProxyServer()
    assert isinstance(server.receive(b"\x04\x02\x00\x50"), NeedMore)
    event = server.receive(b"\x0a\x01\x02\x03\x00")
    assert isinstance(event, Refused)
    assert event.reply == b"\x00\x5b" + bytes(6)
    assert server.failed(Failure.OTHER, "") == b""
    assert server.leftover == b""


def test_a_time_limit_before_the_request_is_complete() -> None:
    assert run([b"\x05"], Failure.TIMED_OUT).failure == b""
    assert run([CONNECT[:-2]], Failure.TIMED_OUT).failure.startswith(b"HTTP/1.1 408 ")
    assert run([b""], Failure.TIMED_OUT).failure == b""
