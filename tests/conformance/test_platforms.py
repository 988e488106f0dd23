"""The rules on systems without epoll, and without scattered reads and writes: pitfall 22."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading

import pytest

from netkit.engine import loop
from netkit.events import FlowClosed, FlowFailed
from netkit.wire import packets
from support import targets
from support.links import play
from support.tunnels import (
    TestGateway,
    dynamic,
    exchange,
    local,
    outcome,
    read_all,
    read_exactly,
    remote,
    tunnel,
)

SIZE = 8 << 20


@pytest.fixture(params=["selectors", "windows"], autouse=True)
def platform(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    play(request.param, monkeypatch)
    name: str = request.param
    return name


def both_ways(connection: targets.Connection) -> None:
    def send() -> None:
        for piece in targets.pattern(SIZE):
            connection.sock.sendall(piece)
        connection.sock.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    connection.read_to_eof()
    sender.join()


@pytest.mark.parametrize("rekey_bytes", [1 << 35, 1 << 20])
def test_transfer_both_ways(gateway: TestGateway, rekey_bytes: int, monkeypatch):
    monkeypatch.setattr(packets, "REKEY_BYTES", rekey_bytes)
    with targets.Target(both_ways) as target:
        with tunnel(gateway, forwards=[local(target.address)]) as run, run.connect() as sock:

            def send() -> None:
                for piece in targets.pattern(SIZE):
                    sock.sendall(piece)
                sock.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            data = read_all(sock)
            sender.join()
            assert hashlib.sha256(data).hexdigest() == targets.pattern_digest(SIZE)
            target.wait_until_ended()
            assert target.connections[0].digest == targets.pattern_digest(SIZE)


def test_all_kinds_of_forwards_and_ends(gateway: TestGateway):
    with targets.echo() as target, targets.refuse() as closed, targets.half_close() as half:
        forwards = [
            local(target.address),
            remote(target.address),
            dynamic(),
            local(closed.address),
            local(half.address),
        ]
        with tunnel(gateway, forwards=forwards) as run:
            for index in (0, 1):
                with run.connect(index) as sock:
                    assert exchange(sock, b"ping") == b"ping"
            with run.connect(2) as sock:
                sock.sendall(b"\x04\x01" + target.port.to_bytes(2, "big") + b"\x7f\0\0\x01\0")
                assert read_exactly(sock, 8)[1] == 0x5A
                assert exchange(sock, b"ping") == b"ping"
            assert run.how_it_ends(3) == "reset"
            assert run.events.wait(FlowFailed).code == "target-refused"
            with run.connect(4) as sock:
                sock.sendall(bytes(100_000))
                sock.shutdown(socket.SHUT_WR)
                assert len(read_all(sock)) == 64
            broken = run.connect(0)
            exchange(broken, b"ping")
            broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            broken.close()
            run.events.wait(FlowClosed, count=5)
            run.wait_idle()


def test_stalled_reader_and_others(sshd: TestGateway):
    with targets.source(16 << 20) as big, targets.echo() as target:
        forwards = [local(big.address), local(target.address)]
        with tunnel(sshd, forwards=forwards) as run, run.connect() as stalled:
            read_exactly(stalled, 1)
            with run.connect(1) as sock:
                for _ in range(100):
                    assert exchange(sock, b"ping") == b"ping"
            assert len(read_all(stalled)) == (16 << 20) - 1


def test_link_lost(gateway: TestGateway):
    with targets.echo() as target, tunnel(gateway, forwards=[local(target.address)]) as run:
        with run.connect() as sock:
            exchange(sock, b"ping")
            run.tunnel.stop(0)
            assert outcome(sock) == "reset"


def test_it_is_what_it_says(sshd: TestGateway):
    with tunnel(sshd) as run:
        assert isinstance(run.link.loop._poller, loop._SelectorPoller)
