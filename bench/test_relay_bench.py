"""What the engine's relay costs: a link and its flows, without encryption and without a network.

``relay_rig`` says how both ends take part.  Memory is what Python's allocator holds for a flow that
has carried a byte and idles (tracemalloc); the kernel's buffers for its socket come on top.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import relay_peer
from pytest_benchmark.fixture import BenchmarkFixture
from relay_rig import Client, Rig

import netkit
from netkit.wire.channel import Channel

NETKIT = Path(netkit.__file__).parent
AMOUNT = 32 << 20
TRIPS = 500
FLOWS = 100
IDLE = 300
FRAMES = 12


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as made:
        yield made


def open_flow(rig: Rig) -> tuple[Client, Channel]:
    """A client whose flow is open, and the peer's end of the channel."""
    before = len(rig.peer.opened)
    client, flow = rig.client()
    while len(rig.peer.opened) == before or not flow.channel.sending:
        rig.settle()
    return client, rig.peer.opened[-1]


@pytest.mark.benchmark(group="relay")
def test_download(benchmark: BenchmarkFixture, rig: Rig) -> None:
    """32 MiB in packets of 128 KiB to one local client."""
    client, channel = open_flow(rig)
    benchmark.extra_info.update(label="download", bytes=AMOUNT)

    def take(client: Client) -> None:
        if client.received == AMOUNT:
            rig.peer.done()

    client.after = take

    def move() -> int:
        client.received = 0
        rig.peer.send(channel, AMOUNT)
        rig.run()
        return client.received

    assert benchmark(move) == AMOUNT


@pytest.mark.benchmark(group="relay")
def test_upload(benchmark: BenchmarkFixture, rig: Rig) -> None:
    """32 MiB in packets of 32 KiB from one local client."""
    client, _ = open_flow(rig)
    benchmark.extra_info.update(label="upload", bytes=AMOUNT)

    def take(_channel: Channel, _count: int) -> None:
        if rig.peer.received == AMOUNT:
            rig.peer.done()

    rig.peer.on_data = take

    def move() -> int:
        rig.peer.received = 0
        client.send(AMOUNT)
        rig.run()
        return rig.peer.received

    assert benchmark(move) == AMOUNT


@pytest.mark.benchmark(group="relay")
def test_echo(benchmark: BenchmarkFixture, rig: Rig) -> None:
    """Single bytes there and back, one after the other."""
    client, _ = open_flow(rig)
    benchmark.extra_info.update(label="round trips", packets=TRIPS)
    rig.peer.on_data = rig.peer.send

    def again(client: Client) -> None:
        if client.received == TRIPS:
            rig.peer.done()
        else:
            client.send(1)

    client.after = again

    def talk() -> int:
        client.received = 0
        client.send(1)
        rig.run()
        return client.received

    assert benchmark(talk) == TRIPS


@pytest.mark.benchmark(group="relay")
def test_new_flows(benchmark: BenchmarkFixture, rig: Rig) -> None:
    """Flows that open, carry a byte there and back, and end, one after the other."""
    benchmark.extra_info.update(label="new flows", packets=FLOWS)
    rig.peer.on_data = rig.peer.send

    def live_and_die() -> int:
        carried = 0
        for _ in range(FLOWS):
            client, flow = rig.client()
            client.after = lambda _client: rig.peer.done()
            client.send(1)
            rig.run()
            carried += client.received
            client.close()
            while not flow.done:
                rig.settle()
        return carried

    assert benchmark(live_and_die) == FLOWS
    assert not rig.link.flows
    rig.settle()
    assert not rig.peer.opened


def hold(rig: Rig) -> int:
    """Open flows side by side that carry a byte each way and stay; how many there are."""
    rig.peer.on_data = rig.peer.send
    for _ in range(IDLE):
        client, _ = rig.client()
        client.send(1)
    while sum(client.received for client in rig.clients) < IDLE:
        rig.settle()
    return len(rig.link.flows)


def held_memory() -> int:
    """Bytes that netkit holds for the flows of one more round."""
    with Rig() as rig:
        gc.collect()
        tracemalloc.start(FRAMES)
        try:
            hold(rig)
            gc.collect()
            snapshot = tracemalloc.take_snapshot()
        finally:
            tracemalloc.stop()
    by_netkit = tracemalloc.Filter(inclusive=True, filename_pattern=f"{NETKIT}/*")
    for_the_peer = tracemalloc.Filter(
        inclusive=False, filename_pattern=relay_peer.__file__, all_frames=True
    )
    traces = snapshot.filter_traces([by_netkit, for_the_peer]).traces
    return sum(trace.size for trace in traces)


@pytest.mark.benchmark(group="memory")
def test_idle_flows(benchmark: BenchmarkFixture) -> None:
    """Flows that are opened side by side, carry a byte each way and stay open."""

    def timed() -> int:
        with Rig() as rig:
            return hold(rig)

    assert benchmark.pedantic(timed, rounds=5, warmup_rounds=1) == IDLE  # type: ignore[no-untyped-call]
    per_flow = round(held_memory() / IDLE)
    assert per_flow > 0
    benchmark.extra_info.update(label="idle flows", packets=IDLE, bytes_per_flow=per_flow)
