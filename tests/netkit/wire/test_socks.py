"""SOCKS handshakes byte by byte, as RFC 1928, RFC 1929 and the SOCKS4(A) papers write them."""

from __future__ import annotations

import pytest

from netkit.model import Endpoint
from netkit.wire.handshake import NeedMore, ProxyEvent, Refused, Request
from netkit.wire.open_failures import Failure
from netkit.wire.socks import Socks4Server, Socks5Server

V4_REJECTED = b"\x00\x5b" + bytes(6)
GREETING = b"\x05\x01\x00"
V6 = bytes.fromhex("20010db8000000000000000000000001")


def v4(
    command: int = 1, port: int = 80, ip: bytes = b"\x0a\x01\x02\x03", tail: bytes = b"me\0"
) -> bytes:
    return bytes((4, command)) + port.to_bytes(2) + ip + tail


def v5(kind: int, address: bytes, port: int = 80, command: int = 1, version: int = 5) -> bytes:
    return bytes((version, command, 0, kind)) + address + port.to_bytes(2)


def advance4(data: bytes) -> tuple[ProxyEvent, bytes]:
    buffer = bytearray(data)
    return Socks4Server().advance(buffer), bytes(buffer)


def advance5(data: bytes) -> tuple[ProxyEvent, bytes, bytes]:
    buffer, server = bytearray(data), Socks5Server()
    event = server.advance(buffer)
    return event, server.take_output(), bytes(buffer)


class TestSocks4:
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (v4(), Request(Endpoint("10.1.2.3", 80), "socks4")),
            (v4(tail=b"\0"), Request(Endpoint("10.1.2.3", 80), "socks4")),
            (v4(port=65535), Request(Endpoint("10.1.2.3", 65535), "socks4")),
            (v4(tail=b"u" * 255 + b"\0"), Request(Endpoint("10.1.2.3", 80), "socks4")),
            (v4(ip=bytes(4)), Request(Endpoint("0.0.0.0", 80), "socks4")),
            (v4(ip=b"\0\0\1\0"), Request(Endpoint("0.0.1.0", 80), "socks4")),
            (
                v4(ip=b"\0\0\0\1", tail=b"me\0db.example\0"),
                Request(Endpoint("db.example", 80), "socks4a"),
            ),
            (
                v4(ip=b"\0\0\0\xff", tail=b"\0" + b"n" * 255 + b"\0"),
                Request(Endpoint("n" * 255, 80), "socks4a"),
            ),
        ],
    )
    def test_connect(self, data: bytes, expected: Request) -> None:
        assert advance4(data + b"\0behind") == (expected, b"\0behind")
        for cut in range(1, len(data)):
            assert isinstance(advance4(data[:cut])[0], NeedMore)

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (v4(command=2), "proxy-command-unsupported"),
            (v4(command=0), "proxy-command-unsupported"),
            (v4(command=255), "proxy-command-unsupported"),
            (v4(port=0), "proxy-request-malformed"),
            (v4(tail=b"u" * 256), "proxy-request-too-large"),
            (v4(ip=b"\0\0\0\1", tail=b"\0\0"), "proxy-request-malformed"),
            (v4(ip=b"\0\0\0\1", tail=b"\0a b\0"), "proxy-request-malformed"),
            (v4(ip=b"\0\0\0\1", tail=b"\0a\x1b\0"), "proxy-request-malformed"),
            (v4(ip=b"\0\0\0\1", tail=b"\0\xff\0"), "proxy-request-malformed"),
            (v4(ip=b"\0\0\0\1", tail=b"\0" + b"n" * 256), "proxy-request-too-large"),
        ],
    )
    def test_refusals_say_91(self, data: bytes, code: str) -> None:
        event, _ = advance4(data)
        assert isinstance(event, Refused)
        assert (event.code, event.reply) == (code, V4_REJECTED)
        assert event.text.isprintable()

    def test_bind_is_named(self) -> None:
        event, _ = advance4(v4(command=2))
        assert isinstance(event, Refused)
        assert "BIND" in event.text

    def test_granted(self) -> None:
        assert Socks4Server().succeeded(None) == b"\x00\x5a" + bytes(6)
        bound = Endpoint("192.0.2.7", 258)
        assert Socks4Server().succeeded(bound) == b"\x00\x5a\x01\x02\xc0\x00\x02\x07"
        assert Socks4Server().succeeded(Endpoint("2001:db8::1", 1)) == b"\x00\x5a" + bytes(6)

    @pytest.mark.parametrize("failure", Failure)
    def test_any_failure_is_91(self, failure: Failure) -> None:
        assert Socks4Server().failed(failure, "x") == V4_REJECTED


class TestSocks5:
    @pytest.mark.parametrize(
        ("request_", "host"),
        [
            (v5(1, b"\x0a\x01\x02\x03"), "10.1.2.3"),
            (v5(3, b"\x0adb.example"), "db.example"),
            (v5(3, b"\x091.2.3.4.5"), "1.2.3.4.5"),
            (v5(3, b"\xff" + b"n" * 255), "n" * 255),
            (v5(4, V6), "2001:db8::1"),
            (v5(4, bytes(15) + b"\1"), "::1"),
            (v5(4, bytes(10) + b"\xff\xff\x0a\x01\x02\x03"), "::ffff:10.1.2.3"),
        ],
    )
    def test_connect(self, request_: bytes, host: str) -> None:
        expected = Request(Endpoint(host, 80), "socks5")
        assert advance5(GREETING + request_ + b"behind") == (expected, b"\x05\x00", b"behind")
        for cut in range(1, len(GREETING + request_)):
            assert isinstance(advance5((GREETING + request_)[:cut])[0], NeedMore)

    @pytest.mark.parametrize(
        ("greeting", "output"),
        [
            (b"\x05\x01\x00", b"\x05\x00"),
            (b"\x05\x02\x02\x00", b"\x05\x00"),
            (b"\x05\x03\x00\x01\x02", b"\x05\x00"),
            (b"\x05\xff" + bytes(range(255)), b"\x05\x00"),
            (b"\x05\x02\x01\x02", b"\x05\x02"),
        ],
    )
    def test_choice_of_method(self, greeting: bytes, output: bytes) -> None:
        assert advance5(greeting) == (NeedMore(), output, b"")

    @pytest.mark.parametrize("greeting", [b"\x05\x00", b"\x05\x01\x01", b"\x05\x02\x01\xff"])
    def test_no_common_method(self, greeting: bytes) -> None:
        event, output, _ = advance5(greeting)
        assert isinstance(event, Refused)
        assert (event.code, event.reply, output) == ("proxy-login-unsupported", b"\x05\xff", b"")

    @pytest.mark.parametrize(
        "login", [b"\x01\x01u\x01p", b"\x01\x00\x00", b"\x01" + (b"\xff" + b"x" * 255) * 2]
    )
    def test_any_password_will_do(self, login: bytes) -> None:
        data = b"\x05\x01\x02" + login + v5(1, b"\x0a\x01\x02\x03")
        event, output, rest = advance5(data + b"!")
        assert event == Request(Endpoint("10.1.2.3", 80), "socks5")
        assert (output, rest) == (b"\x05\x02\x01\x00", b"!")
        for cut in range(1, len(data)):
            assert isinstance(advance5(data[:cut])[0], NeedMore)

    def test_login_of_another_version(self) -> None:
        event, output, _ = advance5(b"\x05\x01\x02\x05\x01\x00")
        assert isinstance(event, Refused)
        assert (event.reply, output) == (b"\x01\x01", b"\x05\x02")

    @pytest.mark.parametrize(
        ("request_", "code", "reply"),
        [
            (v5(1, b"\x0a\x01\x02\x03", command=2), "proxy-command-unsupported", 7),
            (v5(1, bytes(4), port=0, command=3), "proxy-command-unsupported", 7),
            (v5(3, b"\x01a", command=0xF0), "proxy-command-unsupported", 7),
            (v5(2, b"\x0a\x01\x02\x03"), "proxy-request-malformed", 8),
            (v5(0, b""), "proxy-request-malformed", 8),
            (v5(1, b"\x0a\x01\x02\x03", port=0), "proxy-request-malformed", 1),
            (v5(1, b"\x0a\x01\x02\x03", version=4), "proxy-request-malformed", 1),
            (v5(3, b"\x00"), "proxy-request-malformed", 1),
            (v5(3, b"\x03a\0b"), "proxy-request-malformed", 1),
            (v5(3, b"\x03a\nb"), "proxy-request-malformed", 1),
            (v5(3, b"\x01\xff"), "proxy-request-malformed", 1),
        ],
    )
    def test_refusals_have_their_code(self, request_: bytes, code: str, reply: int) -> None:
        event, output, _ = advance5(GREETING + request_)
        assert isinstance(event, Refused)
        assert (event.code, event.reply) == (code, bytes((5, reply, 0, 1)) + bytes(6))
        assert output == b"\x05\x00"
        assert event.text.isprintable()

    @pytest.mark.parametrize(
        ("bound", "reply"),
        [
            (None, b"\x05\x00\x00\x01" + bytes(6)),
            (Endpoint("192.0.2.7", 258), b"\x05\x00\x00\x01\xc0\x00\x02\x07\x01\x02"),
            (Endpoint("2001:db8::1", 258), b"\x05\x00\x00\x04" + V6 + b"\x01\x02"),
            (Endpoint("a-name", 258), b"\x05\x00\x00\x01" + bytes(6)),
            (Endpoint("192.0.2.7", 70000), b"\x05\x00\x00\x01" + bytes(6)),
        ],
    )
    def test_succeeded(self, bound: Endpoint | None, reply: bytes) -> None:
        assert Socks5Server().succeeded(bound) == reply

    @pytest.mark.parametrize(
        ("failure", "code"),
        [
            (Failure.PROHIBITED, 2),
            (Failure.NETWORK_UNREACHABLE, 3),
            (Failure.UNREACHABLE, 4),
            (Failure.NAME, 4),
            (Failure.REFUSED, 5),
            (Failure.TIMED_OUT, 6),
            (Failure.UNSUPPORTED, 7),
            (Failure.SHORTAGE, 1),
            (Failure.LINK_DOWN, 1),
            (Failure.OTHER, 1),
        ],
    )
    def test_failures_have_their_code(self, failure: Failure, code: int) -> None:
        server = Socks5Server()
        server.advance(bytearray(GREETING + v5(1, b"\x0a\x01\x02\x03")))
        assert server.failed(failure, "text") == bytes((5, code, 0, 1)) + bytes(6)

    @pytest.mark.parametrize("data", [b"\x05", b"\x05\x01\x02", b"\x05\x01\x02\x01\x01"])
    def test_no_reply_where_none_is_legal(self, data: bytes) -> None:
        server = Socks5Server()
        server.advance(bytearray(data))
        assert server.failed(Failure.LINK_DOWN, "") == b""
