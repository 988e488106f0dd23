"""From a local socket into sealed packets, with and without scattered receives."""

from __future__ import annotations

import contextlib
import socket

import pytest

from netkit.engine import intake as engine
from netkit.engine.intake import Intake
from netkit.engine.loop import Loop
from netkit.engine.stream import SLOT_DATA, SLOTS, SshStream
from netkit.wire.messages import CHANNEL_DATA, CHANNEL_OPEN_CONFIRMATION, Fields, u32
from netkit.wire.mux import Mux
from netkit.wire.packets import PacketReader


class Bench:
    """An intake between a socket pair and a stream whose packets are read back."""

    def __init__(self, packet: int) -> None:
        self.source, local = socket.socketpair()
        self.local = local
        local.setblocking(False)
        ours, self.far = socket.socketpair()
        self.loop = Loop()
        self.stream = SshStream(ours, self.loop)
        self.stream.in_kex = False
        self.mux = Mux()
        self.channel = self.mux.open("direct-tcpip")
        head = bytes([CHANNEL_OPEN_CONFIRMATION]) + u32(self.channel.number)
        self.mux.feed(memoryview(head + u32(7) + u32(1 << 30) + u32(packet)))
        self.intake = Intake(local, self.channel, self.mux, self.stream)
        self.reader = PacketReader()

    def packets(self) -> list[bytes]:
        """What has been sent, as the data of each packet."""
        self.stream.flush()
        self.far.setblocking(False)
        found = []
        while True:
            while (payload := self.reader.next()) is not None:
                assert payload[0] == CHANNEL_DATA
                fields = Fields(payload)
                assert fields.u32() == 7
                found.append(bytes(fields.string()))
            try:
                self.reader.filled(self.far.recv_into(self.reader.space()))
            except BlockingIOError:
                return found

    def close(self) -> None:
        for sock in (self.source, self.local, self.far):
            sock.close()
        self.stream.close()
        self.loop.close()


@pytest.fixture(params=[True, False], ids=["recvmsg", "recv"])
def make(request, monkeypatch):
    monkeypatch.setattr(engine, "HAS_RECVMSG", request.param)
    made: list[Bench] = []

    def build(packet: int = SLOT_DATA) -> Bench:
        made.append(Bench(packet))
        return made[-1]

    yield build
    for bench in made:
        bench.close()


def test_little_is_one_packet(make):
    bench = make()
    bench.source.sendall(b"hello")
    assert bench.intake.move(1000) == 5
    assert (bench.intake.full, bench.intake.bulk) == (False, False)
    assert bench.packets() == [b"hello"]
    assert bench.channel.send_window == (1 << 30) - 5


def test_never_more_than_there_is_room_for(make):
    bench = make()
    bench.source.sendall(b"hello world")
    assert bench.intake.move(5) == 5
    assert bench.intake.full
    assert bench.intake.move(100) == 6
    assert bench.packets() == [b"hello", b" world"]


def test_nothing_there(make):
    bench = make()
    with pytest.raises(BlockingIOError):
        bench.intake.move(100)


def test_end(make):
    bench = make()
    bench.source.close()
    assert bench.intake.move(100) == 0
    assert bench.packets() == []


@pytest.mark.parametrize("packet", [1, 100, 1000, SLOT_DATA, SLOT_DATA * 4])
def test_bulk_fills_packets_and_keeps_the_order(make, packet):
    bench = make(packet)
    text = bytes(range(251)) * (min(packet, SLOT_DATA) * 4 // 251 + 1)
    bench.source.setblocking(False)
    left, got = memoryview(text), b""
    while len(got) < len(text):
        with contextlib.suppress(BlockingIOError):
            if left:
                left = left[bench.source.send(left) :]
        with contextlib.suppress(BlockingIOError):
            if bench.stream.has_slot:
                bench.intake.move(1 << 20)
        pieces = bench.packets()
        assert all(len(piece) <= packet for piece in pieces)
        got += b"".join(pieces)
    assert got == text


def test_second_turn_of_a_bulk_flow_takes_the_whole_arena(make):
    bench = make()
    bench.source.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            bench.source.send(bytes(65536))
    assert bench.intake.move(1 << 30) == SLOT_DATA
    assert bench.intake.bulk
    moved = bench.intake.move(1 << 30)
    if engine.HAS_RECVMSG:
        assert SLOT_DATA < moved <= SLOT_DATA * (SLOTS - 1)
    else:
        assert moved == SLOT_DATA


def test_compressed_flow_takes_turns_more_often(make):
    bench = make()
    bench.stream.batch = 2
    bench.source.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            bench.source.send(bytes(65536))
    bench.intake.move(1 << 30)
    most = 2 if engine.HAS_RECVMSG else 1
    assert bench.intake.move(1 << 30) == most * SLOT_DATA
