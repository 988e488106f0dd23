"""Half-close and delivery to the last byte: pitfalls 1 and 2, rule 1."""

from __future__ import annotations

import hashlib
import socket
import threading

import pytest

from netkit.events import FlowClosed
from support import targets
from support.tunnels import TestGateway, dynamic, local, read_all, remote, tunnel, unix

MATRIX = 24 << 20
"""Bytes each way of the relay matrix: more than every buffer on the way holds."""


def blast(connection: targets.Connection) -> None:
    """Send the pattern while reading everything: both directions at once, ended apart."""

    def send() -> None:
        for piece in targets.pattern(MATRIX):
            connection.sock.sendall(piece)
        connection.sock.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    connection.read_to_eof()
    sender.join()


def write_pattern(sock: socket.socket, size: int = MATRIX) -> None:
    for piece in targets.pattern(size):
        sock.sendall(piece)
    sock.shutdown(socket.SHUT_WR)


class TestRelayMatrix:
    """Both are legal TCP peers; the classic one-thread relay fails on both."""

    def test_client_reads_while_writing(self, gateway: TestGateway):
        with (
            targets.Target(blast) as target,
            tunnel(gateway, forwards=[local(target.address)]) as run,
        ):
            with run.connect() as sock:
                writer = threading.Thread(target=write_pattern, args=(sock,))
                writer.start()
                digest, size = hashlib.sha256(), 0
                while piece := sock.recv(1 << 18):
                    digest.update(piece)
                    size += len(piece)
                writer.join()
            target.wait_until_ended()
            assert (size, digest.hexdigest()) == (MATRIX, targets.pattern_digest(MATRIX))
            assert target.connections[0].digest == digest.hexdigest()
            closed = run.events.wait(FlowClosed)
            assert (closed.bytes_to_gateway, closed.bytes_from_gateway) == (MATRIX, MATRIX)
            assert closed.error == ""
            run.wait_idle()

    def test_client_writes_everything_then_reads(self, gateway: TestGateway):
        """What comes back has to wait in windows, and must not stop what goes out."""
        with (
            targets.Target(blast) as target,
            tunnel(gateway, forwards=[local(target.address)]) as run,
        ):
            with run.connect() as sock:
                write_pattern(sock)
                data = read_all(sock)
            target.wait_until_ended()
            assert hashlib.sha256(data).hexdigest() == targets.pattern_digest(MATRIX)
            assert target.connections[0].digest == targets.pattern_digest(MATRIX)
            assert run.events.wait(FlowClosed).error == ""


@pytest.mark.parametrize("size", [0, 1, 3 << 20])
class TestEofIsPerDirection:
    def test_client_ends_first(self, gateway: TestGateway, size: int):
        """The answer needs the client's EOF, and comes after it."""
        with (
            targets.half_close() as target,
            tunnel(gateway, forwards=[local(target.address)]) as run,
        ):
            with run.connect() as sock:
                write_pattern(sock, size)
                assert read_all(sock).decode() == targets.pattern_digest(size)
            assert run.events.wait(FlowClosed).error == ""
            run.wait_idle()

    def test_target_ends_first(self, gateway: TestGateway, size: int):
        """After the target's EOF the client's direction still works."""
        with (
            targets.source(size) as target,
            tunnel(gateway, forwards=[local(target.address)]) as run,
        ):
            with run.connect() as sock:
                assert len(read_all(sock)) == size
                write_pattern(sock, 100_000)
            target.wait_until_ended()
            assert target.connections[0].digest == targets.pattern_digest(100_000)
            assert run.events.wait(FlowClosed).error == ""
            run.wait_idle()

    def test_remote_forward(self, gateway: TestGateway, size: int):
        with targets.half_close() as target:
            with tunnel(gateway, forwards=[remote(target.address)]) as run:
                with socket.create_connection(("127.0.0.1", run.port()), 20) as sock:
                    write_pattern(sock, size)
                    assert read_all(sock).decode() == targets.pattern_digest(size)
                assert run.events.wait(FlowClosed).error == ""
                run.wait_idle()

    def test_dynamic_forward(self, gateway: TestGateway, size: int):
        with targets.half_close() as target, tunnel(gateway, forwards=[dynamic()]) as run:
            with run.connect() as sock:
                port = target.port.to_bytes(2, "big")
                sock.sendall(b"\x04\x01" + port + bytes([127, 0, 0, 1]) + b"me\0")
                assert sock.recv(8)[:2] == b"\0\x5a"
                write_pattern(sock, size)
                assert read_all(sock).decode() == targets.pattern_digest(size)


def test_unix_client_gets_its_answer_after_eof(gateway: TestGateway):
    with targets.short_directory() as directory, targets.half_close() as target:
        forward = local(target.address, unix(f"{directory}/s"))
        with tunnel(gateway, forwards=[forward]) as run, run.connect() as sock:
            write_pattern(sock, 500_000)
            assert read_all(sock).decode() == targets.pattern_digest(500_000)


def test_close_with_undelivered_data(gateway: TestGateway):
    """The target is gone for good while most of what it said waits for a slow reader."""
    size = 8 << 20

    def say_and_leave(connection: targets.Connection) -> None:
        connection.read_to_eof()
        for piece in targets.pattern(size):
            connection.sock.sendall(piece)

    with targets.Target(say_and_leave) as target:
        with tunnel(gateway, forwards=[local(target.address)]) as run:
            sock = socket.socket()
            with sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
                sock.settimeout(20)
                sock.connect(("127.0.0.1", run.port()))
                sock.shutdown(socket.SHUT_WR)
                sock.recv(1)  # it has begun; then let everything fill up
                target.wait_for_connections(1)
                data = read_all(sock)
            assert len(data) == size - 1
            assert hashlib.sha256(next(iter(targets.pattern(1))) + data).hexdigest() == (
                targets.pattern_digest(size)
            )


def test_many_short_answers_arrive_whole(gateway: TestGateway):
    """Data, EOF and CLOSE in one packet burst: nothing of it may be lost."""
    with targets.source(4096) as target, tunnel(gateway, forwards=[local(target.address)]) as run:
        for _ in range(50):
            with run.connect() as sock:
                sock.shutdown(socket.SHUT_WR)
                assert len(read_all(sock)) == 4096
        run.events.wait(FlowClosed, count=50)
        assert not [event for event in run.events.of(FlowClosed) if event.error]
        run.wait_idle()
