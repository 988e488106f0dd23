"""What one handshake of a dynamic forward costs: SOCKS 4, 4a, 5 and HTTP CONNECT."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from netkit.model import Endpoint
from netkit.wire.proxy import NeedMore, ProxyServer, Request

NAME = Endpoint("db.example", 3389)
HANDSHAKES = {
    "SOCKS 4": (Endpoint("192.0.2.7", 3389), [b"\x04\x01\x0d\x3d\xc0\0\x02\x07me\0"]),
    "SOCKS 4a": (NAME, [b"\x04\x01\x0d\x3d\0\0\0\x01me\0db.example\0"]),
    "SOCKS 5": (NAME, [b"\x05\x01\0", b"\x05\x01\0\x03\x0adb.example\x0d\x3d"]),
    "HTTP CONNECT": (
        NAME,
        [b"CONNECT db.example:3389 HTTP/1.1\r\nHost: db.example:3389\r\nUser-Agent: x\r\n\r\n"],
    ),
}


def shake(pieces: list[bytes]) -> tuple[Endpoint | None, bytes]:
    """Play one client to the end: where it wants to go, and all that it was told."""
    server, told = ProxyServer(), b""
    for piece in pieces:
        event = server.receive(piece)
        told += server.take_output()
        if isinstance(event, Request):
            target = event.target
            assert isinstance(target, Endpoint)
            return target, told + server.succeeded()
        assert isinstance(event, NeedMore)
    return None, told


@pytest.mark.parametrize("name", HANDSHAKES)
@pytest.mark.benchmark(group="proxy handshake")
def test_handshake(benchmark: BenchmarkFixture, name: str) -> None:
    wanted, pieces = HANDSHAKES[name]
    benchmark.extra_info["label"] = name
    target, told = benchmark(shake, pieces)
    assert target == wanted
    assert told


@pytest.mark.parametrize("name", HANDSHAKES)
@pytest.mark.benchmark(group="proxy handshake byte by byte")
def test_bytes(benchmark: BenchmarkFixture, name: str) -> None:
    """The slowest client there is must not cost much more than its bytes."""
    wanted, pieces = HANDSHAKES[name]
    benchmark.extra_info["label"] = name
    single = [bytes((byte,)) for piece in pieces for byte in piece]
    target, _ = benchmark(shake, single)
    assert target == wanted
