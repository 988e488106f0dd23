"""The proxy in front of the gateway: distance, and a thin link."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import targets

BENCH = Path(__file__).resolve().parent.parent.parent / "bench"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks are for Linux")


@pytest.fixture
def proxy() -> Iterator[object]:
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> socket.socket:
        argv = [sys.executable, str(BENCH / "delay.py"), *map(str, arguments)]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        return socket.create_connection(("127.0.0.1", port), timeout=30)

    yield start
    for process in running:
        process.communicate(timeout=10)


def fetch(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(65536)
        assert piece, f"the end after {len(data)} bytes"
        data += piece
    return bytes(data)


@pytest.mark.parametrize("rate", [(), (1_000_000,)], ids=["wide", "thin"])
def test_far_and_unharmed(proxy, rate):
    data = b"".join(targets.pattern(100_000))
    with targets.echo() as echo:
        with proxy(echo.port, 40, *rate) as sock:
            begun = time.monotonic()
            sender = threading.Thread(target=sock.sendall, args=(data,))
            sender.start()
            assert fetch(sock, len(data)) == data
            assert time.monotonic() - begun >= 0.08
            sender.join()
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(1) == b""


def test_thin_link_passes_no_more_than_its_rate(proxy):
    """A lower bound of time: load only makes it longer."""
    with targets.source(300_000) as source:
        with proxy(source.port, 0, 500_000) as sock:
            begun = time.monotonic()
            fetch(sock, 300_000)
            assert time.monotonic() - begun >= 0.55


def test_thin_link_is_felt_by_the_sender(proxy):
    with targets.sink() as sink:
        with proxy(sink.port, 0, 20_000) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 << 10)
            sock.setblocking(False)
            taken = 0
            with pytest.raises(BlockingIOError):
                while taken < 4 << 20:
                    taken += sock.send(bytes(65536))
            assert taken < 1 << 20
