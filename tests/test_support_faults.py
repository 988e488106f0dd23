"""The fault proxy: each fault, and that nothing else changes."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from support import targets
from support.faults import Direction, FaultProxy

TO_TARGET, TO_CLIENT = Direction.TO_TARGET, Direction.TO_CLIENT


@pytest.fixture
def echo() -> Iterator[targets.Target]:
    with targets.echo() as target:
        yield target


@pytest.fixture
def proxy(echo: targets.Target) -> Iterator[FaultProxy]:
    with FaultProxy(echo.port) as proxy:
        yield proxy


@pytest.fixture
def sock(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as sock:
        yield sock


def receive(sock: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size and (data := sock.recv(size - len(received))):
        received += data
    return bytes(received)


def is_silent(sock: socket.socket, seconds: float = 0.05) -> bool:
    sock.settimeout(seconds)
    try:
        sock.recv(1, socket.MSG_PEEK)
        return False
    except TimeoutError:
        return True
    finally:
        sock.settimeout(10)


def test_without_a_fault_all_bytes_and_both_eofs_pass(proxy: FaultProxy, sock: socket.socket):
    data = b"".join(targets.pattern(5_000_000))

    def send() -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send, name="sender")
    sender.start()
    digest = hashlib.sha256()
    while piece := sock.recv(65_536):
        digest.update(piece)
    sender.join()
    assert digest.hexdigest() == targets.pattern_digest(len(data))
    assert proxy.passed(TO_TARGET) == proxy.passed(TO_CLIENT) == len(data)


def test_half_closed_connection_still_answers():
    with targets.half_close() as target, FaultProxy(target.port, delay=0.01) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), 10) as sock:
            sock.sendall(b"abc")
            sock.shutdown(socket.SHUT_WR)
            assert receive(sock, 64).decode() == hashlib.sha256(b"abc").hexdigest()
            assert sock.recv(1) == b""


def test_what_becomes_due_between_two_looks_is_not_forgotten(
    proxy: FaultProxy, sock: socket.socket
):
    proxy.set_delay(0.00005)
    for _ in range(500):
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"


def test_delay_is_added_each_way(proxy: FaultProxy, sock: socket.socket):
    proxy.set_delay(0.06)
    start = time.monotonic()
    sock.sendall(b"x")
    assert sock.recv(1) == b"x"
    assert time.monotonic() - start >= 0.12
    proxy.set_delay(0, TO_TARGET)
    start = time.monotonic()
    sock.sendall(b"y")
    assert sock.recv(1) == b"y"
    assert time.monotonic() - start >= 0.06


def test_freeze_holds_everything_and_thaw_loses_nothing(proxy: FaultProxy, sock: socket.socket):
    proxy.freeze()
    sock.sendall(b"held")
    assert is_silent(sock)
    proxy.thaw()
    assert receive(sock, 4) == b"held"


def test_freeze_of_one_direction(proxy: FaultProxy, sock: socket.socket, echo: targets.Target):
    proxy.freeze(TO_CLIENT)
    sock.sendall(b"half")
    proxy.wait_passed(TO_TARGET, 4)
    assert is_silent(sock)
    assert proxy.passed(TO_CLIENT) == 0
    proxy.thaw()
    assert receive(sock, 4) == b"half"


def test_freeze_after_some_bytes_lets_those_through(proxy: FaultProxy, sock: socket.socket):
    proxy.freeze(TO_TARGET, after=3)
    sock.sendall(b"abc")
    assert receive(sock, 3) == b"abc"
    sock.sendall(b"d")
    assert is_silent(sock)


def test_cut_resets_both_sides(proxy: FaultProxy, sock: socket.socket, echo: targets.Target):
    sock.sendall(b"x")
    assert sock.recv(1) == b"x"
    assert proxy.open_connections == 1
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
    echo.wait_until_ended()
    assert echo.connection().ended == "reset"
    assert proxy.open_connections == 0


def test_cut_in_the_middle_of_a_transfer():
    with targets.source(50_000_000) as target, FaultProxy(target.port) as proxy:
        proxy.cut(after=1_000_000)
        with socket.create_connection(("127.0.0.1", proxy.port), 10) as sock:
            with pytest.raises(ConnectionResetError):
                while sock.recv(65_536):
                    pass
        assert 1_000_000 <= proxy.passed(TO_CLIENT) < 50_000_000


def test_new_connections_are_accepted_after_a_cut(proxy: FaultProxy, sock: socket.socket):
    proxy.cut()
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as again:
        again.sendall(b"again")
        assert receive(again, 5) == b"again"


def test_half_close_towards_the_client(proxy: FaultProxy, sock: socket.socket):
    sock.sendall(b"x")
    assert sock.recv(1) == b"x"
    proxy.half_close(TO_CLIENT)
    assert sock.recv(1) == b""
    sock.sendall(b"dropped on its way back")
    proxy.wait_passed(TO_TARGET, 24)


def test_half_close_towards_the_target(
    proxy: FaultProxy, sock: socket.socket, echo: targets.Target
):
    echo.wait_for_connections(1)
    proxy.half_close(TO_TARGET)
    echo.wait_until_ended()
    assert sock.recv(1) == b""


def test_garble_flips_one_bit(proxy: FaultProxy, sock: socket.socket):
    proxy.garble(TO_TARGET, after=2)
    sock.sendall(b"aaaa")
    assert receive(sock, 4) == b"aa`a"
    sock.sendall(b"aaaa")
    assert receive(sock, 4) == b"aaaa"


def test_target_that_refuses_is_a_reset():
    with targets.refuse() as target, FaultProxy(target.port) as proxy:
        # The reset may be there before connect() has looked.
        with pytest.raises(ConnectionResetError):
            with socket.create_connection(("127.0.0.1", proxy.port), 10) as sock:
                sock.recv(1)


def test_stop_resets_what_is_open(echo: targets.Target):
    proxy = FaultProxy(echo.port)
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        proxy.stop()
        proxy.stop()
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
