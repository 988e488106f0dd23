"""`netkit.open_tunnel` end to end, through a real sshd on loopback, with and without compression.

The load runs in processes of its own; netkit runs here, as in a program that uses the library.
Bytes of a round are those of the user, whatever passes the network.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clients import ALIAS, write_config
from gateways import GCM, ZLIB, Gateways, find_sshd
from processes import Child, Processes
from pytest_benchmark.fixture import BenchmarkFixture

import netkit

SIZE = 16_000_000
FAST_SIZE = 160_000_000
TRIPS = 1000
FLOWS = 200
ROUNDS = 5
LIMIT = 60.0

Tunnels = dict[bool, tuple[int, int]]


class Ends:
    """The far ends of the load, and the process that puts it on a tunnel."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._loads = processes.worker("loads.py")
        self.echo = self._port(processes.worker("targets.py", "echo"))
        self.bulk = self._port(processes.worker("targets.py", "bulk"))

    def _port(self, child: Child) -> int:
        return int(self._processes.read_answer(child, LIMIT)["port"])

    def load(self, kind: str, port: int, **options: object) -> dict[str, Any]:
        """One load through 127.0.0.1:``port``; its answer."""
        assert self._loads.stdin is not None
        line = json.dumps({"kind": kind, "port": port, **options})
        self._loads.stdin.write(line.encode() + b"\n")
        self._loads.stdin.flush()
        return self._processes.read_answer(self._loads, LIMIT)


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    with Processes() as processes:
        yield Ends(processes)


@pytest.fixture(scope="module")
def tunnels(ends: Ends) -> Iterator[Tunnels]:
    """Local ports to the echo and the bulk target, without and with compression."""
    if find_sshd() is None:
        pytest.skip("no sshd here: install openssh-server")
    with tempfile.TemporaryDirectory(prefix="netkit-bench-") as place, Processes() as processes:
        gateways = Gateways(processes, Path(place))
        forwards = [f"127.0.0.1:0:127.0.0.1:{port}" for port in (ends.echo, ends.bulk)]
        opened = {}
        try:
            for crypto in (GCM, ZLIB):
                config = write_config(gateways.get(crypto), crypto)
                opened[crypto.compressed] = netkit.open_tunnel(ALIAS, forwards, config_file=config)
            yield {compressed: _ports(tunnel) for compressed, tunnel in opened.items()}
        finally:
            for tunnel in opened.values():
                tunnel.stop()


def _ports(tunnel: Any) -> tuple[int, int]:
    echo, bulk = (forward.address.port for forward in tunnel.forwards)
    return echo, bulk


def measure(benchmark: BenchmarkFixture, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run ``work`` a few times; notes the CPU seconds of this process in one round."""
    work()  # windows and buffers grow now
    before = time.process_time()
    answer: dict[str, Any] = benchmark.pedantic(work, rounds=ROUNDS)  # type: ignore[no-untyped-call]
    benchmark.extra_info["cpu_seconds"] = round((time.process_time() - before) / ROUNDS, 4)
    return answer


@pytest.mark.parametrize("kind", ["download", "upload"])
@pytest.mark.parametrize(
    ("corpus", "compressed", "size"),
    [("text", False, FAST_SIZE), ("text", True, SIZE), ("random", True, SIZE)],
    ids=["text", "text, compressed", "random, compressed"],
)
@pytest.mark.benchmark(group="tunnel")
def test_bulk(
    benchmark: BenchmarkFixture,
    tunnels: Tunnels,
    ends: Ends,
    *,
    kind: str,
    corpus: str,
    compressed: bool,
    size: int,
) -> None:
    label = f"{kind}, {corpus}{', compressed' if compressed else ''}"
    benchmark.extra_info.update(label=label, bytes=size)
    port = tunnels[compressed][1]
    answer = measure(benchmark, lambda: ends.load(kind, port, bytes=size, corpus=corpus))
    assert answer["bytes"] == size


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
@pytest.mark.benchmark(group="tunnel latency")
def test_echo(
    benchmark: BenchmarkFixture, tunnels: Tunnels, ends: Ends, *, compressed: bool
) -> None:
    label = f"round trips{', compressed' if compressed else ''}"
    benchmark.extra_info.update(label=label, packets=TRIPS)
    port = tunnels[compressed][0]
    answer = measure(benchmark, lambda: ends.load("echo", port, count=TRIPS))
    assert answer["count"] == TRIPS


@pytest.mark.benchmark(group="tunnel latency")
def test_flows(benchmark: BenchmarkFixture, tunnels: Tunnels, ends: Ends) -> None:
    benchmark.extra_info.update(label="new flows, one after another", packets=FLOWS)
    port = tunnels[False][0]
    answer = measure(benchmark, lambda: ends.load("flows", port, count=FLOWS))
    assert answer["count"] == FLOWS
