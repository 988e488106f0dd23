"""What the connection layer costs per message and per channel, without packets and sockets."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from netkit.wire.channel import Channel
from netkit.wire.mux import DATA_HEADER, Data, Mux, Opened, OpenRequest
from netkit.wire.window import INITIAL_WINDOW

AMOUNT = 1 << 20
SIZES = pytest.mark.parametrize(
    "size", [128 << 10, 32 << 10, 64], ids=["128 KiB", "32 KiB", "64 B"]
)
CHANNELS = 100


def carry(sender: Mux, receiver: Mux) -> list[object]:
    """Hand over everything that ``sender`` has to say; what it means there."""
    events: list[object] = []
    while sender.out:
        event = receiver.feed(memoryview(sender.out.popleft()))
        if event is not None:
            events.append(event)
    return events


def open_channel(ours: Mux, peer: Mux) -> tuple[Channel, Channel]:
    """A channel between the two: our side of it and the peer's."""
    channel = ours.open("direct-tcpip")
    (asked,) = carry(ours, peer)
    assert isinstance(asked, OpenRequest)
    peer.confirm(asked.channel)
    (told,) = carry(peer, ours)
    assert isinstance(told, Opened)
    return channel, asked.channel


@SIZES
@pytest.mark.benchmark(group="mux")
def test_receive(benchmark: BenchmarkFixture, size: int) -> None:
    """Data in, credits out: 1 MiB, or a thousand short messages."""
    ours, peer = Mux(), Mux()
    _, sender = open_channel(ours, peer)
    count = 1000 if size == 64 else AMOUNT // size
    message = bytearray(DATA_HEADER + size)
    sender.send_window, sender.send_packet = 1 << 40, size
    peer.data_header(sender, message, 0, size)
    view = memoryview(message)
    named = f"{size >> 10} KiB" if size >= 1024 else f"{size} B"
    benchmark.extra_info.update(label=f"messages of {named}", bytes=count * size, packets=count)

    def take() -> int:
        total = 0
        for _ in range(count):
            event = ours.feed(view)
            assert isinstance(event, Data)
            total += len(event.view)
            ours.taken(event.channel, len(event.view))
        ours.out.clear()
        return total

    assert count * size <= INITIAL_WINDOW
    assert benchmark(take) == count * size


@pytest.mark.benchmark(group="mux")
def test_channels(benchmark: BenchmarkFixture) -> None:
    """Channels opened, ended and closed by both sides: what a new flow costs this layer."""
    ours, peer = Mux(), Mux()
    benchmark.extra_info.update(label="channels", packets=CHANNELS)

    def live_and_die() -> int:
        for _ in range(CHANNELS):
            near, far = open_channel(ours, peer)
            ours.eof(near)
            peer.eof(far)
            carry(ours, peer)
            carry(peer, ours)
            ours.close(near)
            carry(ours, peer)
            carry(peer, ours)
        return len(ours.channels) + len(peer.channels)

    assert benchmark(live_and_die) == 0
