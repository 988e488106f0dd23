"""Micro-benchmarks of the pure layers: ``pytest bench/test_wire_bench.py``.

They say what Python costs per packet, message or handshake, without sockets.  Each moves the same
amount a round, so figures of different forms compare.  Every bench checks its own result.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from netkit.wire.mux import DATA_HEADER, Data, Mux
from netkit.wire.packets import SLOT_PREFIX, SLOT_SUFFIX, PacketReader
from netkit.wire.proxy import ProxyServer
from netkit.wire.window import INITIAL_WINDOW
from support.packet_forms import ETM, GCM, MAC, Form

AMOUNT = 1 << 20
FORMS = pytest.mark.parametrize("form", [GCM, ETM, MAC], ids=lambda form: form.name)
# What a peer without large packets sends, and what OpenSSH fills when it is offered 128 KiB.
SIZES = pytest.mark.parametrize("size", [32 << 10, 128 << 10], ids=["32 KiB", "128 KiB"])


@FORMS
@SIZES
def test_seal_1_mib(benchmark: BenchmarkFixture, form: Form, size: int) -> None:
    writer, _ = form.pair()
    arena = memoryview(bytearray(SLOT_PREFIX + size + SLOT_SUFFIX))

    def seal() -> int:
        return sum(len(writer.seal_slot(arena, 0, size)) for _ in range(AMOUNT // size))

    assert benchmark(seal) > AMOUNT


@FORMS
@SIZES
def test_open_1_mib(benchmark: BenchmarkFixture, form: Form, size: int) -> None:
    writer, _ = form.pair()
    payload = bytes(size)
    stream = b"".join(bytes(writer.seal(payload)) for _ in range(AMOUNT // size))

    def fresh() -> tuple[tuple[PacketReader], dict[str, object]]:
        # The cipher's counter moves on with every packet, so each round starts it over.
        reader = PacketReader(len(stream) + 1024)
        form.use(reader)
        reader.space()[: len(stream)] = stream
        reader.filled(len(stream))
        return (reader,), {}

    def read(reader: PacketReader) -> int:
        total = 0
        while (view := reader.next()) is not None:
            total += len(view)
        return total

    total = benchmark.pedantic(read, setup=fresh, rounds=200)  # type: ignore[no-untyped-call]
    assert total == AMOUNT


def open_channel() -> tuple[Mux, Mux, int]:
    """Two muxes, ours and the peer's, with one channel open between them; its number there."""
    ours, peer = Mux(), Mux()
    channel = ours.open("direct-tcpip")
    asked = peer.feed(memoryview(ours.out.popleft()))
    assert asked is not None
    peer.confirm(asked.channel)  # type: ignore[union-attr]
    ours.feed(memoryview(peer.out.popleft()))
    return ours, peer, channel.remote


@SIZES
def test_mux_takes_1_mib(benchmark: BenchmarkFixture, size: int) -> None:
    ours, peer, number = open_channel()
    message = bytearray(DATA_HEADER + size)
    sender = peer.channels[number]
    sender.send_window = 1 << 40
    sender.send_packet = size
    peer.data_header(sender, message, 0, size)
    view = memoryview(message)

    def take() -> int:
        total = 0
        for _ in range(AMOUNT // size):
            event = ours.feed(view)
            assert isinstance(event, Data)
            total += len(event.view)
            ours.taken(event.channel, len(event.view))
        ours.out.clear()
        return total

    assert AMOUNT <= INITIAL_WINDOW
    assert benchmark(take) == AMOUNT


HANDSHAKES = {
    "socks4a": b"\x04\x01\x0d\x3d\0\0\0\x01me\0db.example\0",
    "socks5h": b"\x05\x01\0\x05\x01\0\x03\x0adb.example\x0d\x3d",
    "connect": b"CONNECT db.example:3389 HTTP/1.1\r\nHost: db.example:3389\r\n\r\n",
}


@pytest.mark.parametrize("name", HANDSHAKES)
def test_proxy_handshake(benchmark: BenchmarkFixture, name: str) -> None:
    data = HANDSHAKES[name]

    def shake() -> str:
        return str(ProxyServer().receive(data))

    assert "db.example" in benchmark(shake)
