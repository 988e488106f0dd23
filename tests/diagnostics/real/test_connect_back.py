from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics.real import connect_back as module
from diagnostics.real import tables
from diagnostics.real.connect_back import connect_back
from netkit.model import Endpoint


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::"])
@pytest.mark.parametrize("size", [0, 1, 100_000, 3 << 20])
def test_it_comes_back(host: str, size: int):
    found = connect_back(Endpoint(host, 0), size, 10.0)
    assert (found.outcome, found.error, found.size) == ("ok", "", size)
    assert found.bound is not None
    assert found.bound.host == host
    assert found.bound.port


def test_nothing_is_left_in_the_table():
    """A connection in TIME_WAIT would keep an exclusive bind from the port (Windows)."""
    found = connect_back(Endpoint("127.0.0.1", 0), 10, 10.0)
    assert found.bound is not None
    port = found.bound.port
    again = connect_back(Endpoint("127.0.0.1", port), 0, 10.0)
    assert again.outcome == "ok"
    rows = tables.LinuxSockets()().rows
    assert not [row for row in rows if port in (row.port, row.peer_port)]


def test_a_taken_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = connect_back(Endpoint(*taken.getsockname()), 0, 5.0)
    assert (found.outcome, found.error, found.bound) == ("bind-failed", "EADDRINUSE", None)


def test_no_address_of_ours():
    assert connect_back(Endpoint("203.0.113.1", 0), 0, 5.0).error == "EADDRNOTAVAIL"


@contextlib.contextmanager
def someone(serve: Callable[[socket.socket], object]) -> Iterator[Endpoint]:
    """Somebody else who listens where we connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = threading.Event()

        def work() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                serve(connection)
                done.wait(20)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield Endpoint(*listening.getsockname())
        finally:
            done.set()
            thread.join(20)


@pytest.mark.parametrize(
    "serve",
    [
        lambda sock: None,
        lambda sock: sock.sendall(b"SSH-2.0-other\r\n"),
        lambda sock: sock.sendall(sock.recv(16)),
        lambda sock: sock.close(),
    ],
    ids=["silent", "greets", "echoes", "closes"],
)
def test_someone_else_answers(monkeypatch, serve):
    with someone(serve) as address:
        monkeypatch.setattr(module, "_destination", lambda _address, _bound: address)
        found = connect_back(Endpoint("127.0.0.1", 0), 0, 5.0)
    assert (found.outcome, found.size) == ("someone-else", 0)


def test_nobody_answers(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = Endpoint(*other.getsockname())
    monkeypatch.setattr(module, "_destination", lambda _address, _bound: address)
    found = connect_back(Endpoint("127.0.0.1", 0), 0, 5.0)
    assert (found.outcome, found.error) == ("connect-failed", "ECONNREFUSED")


def test_the_handshake_is_not_answered(monkeypatch):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        with socket.create_connection(full.getsockname()):
            address = Endpoint(*full.getsockname())
            monkeypatch.setattr(module, "_destination", lambda _address, _bound: address)
            found = connect_back(Endpoint("127.0.0.1", 0), 0, 0.2)
    assert found.outcome == "timed-out"


def test_no_time_at_all():
    assert connect_back(Endpoint("127.0.0.1", 0), 0, 0.0).outcome == "timed-out"


@pytest.fixture
def relay(monkeypatch) -> Iterator[Callable[[Callable[[bytes, int], bytes]], None]]:
    """Put a relay in front of our listener; it changes what passes from the client to us."""
    real = module._destination
    with contextlib.ExitStack() as stack:

        def start(change: Callable[[bytes, int], bytes]) -> None:
            def destination(address: Endpoint, bound: Endpoint | None) -> Endpoint:
                target = real(address, bound)
                return stack.enter_context(someone(lambda sock: pass_on(sock, target, change)))

            monkeypatch.setattr(module, "_destination", destination)

        yield start


def pass_on(sock: socket.socket, target: Endpoint, change: Callable[[bytes, int], bytes]) -> None:
    def copy(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    with socket.create_connection((target.host, target.port)) as onward:
        back = threading.Thread(target=copy, args=(onward, sock))
        back.start()
        passed = 0
        with contextlib.suppress(OSError):
            while data := sock.recv(65536):
                data = change(data, passed)
                passed += len(data)
                onward.sendall(data)
            onward.shutdown(socket.SHUT_WR)
        back.join(20)


def test_a_relay_that_passes_everything_is_fine(relay):
    relay(lambda data, _passed: data)
    found = connect_back(Endpoint("127.0.0.1", 0), 100_000, 5.0)
    assert (found.outcome, found.size) == ("ok", 100_000)


def test_other_bytes_arrive(relay):
    """The nonce passes; later a byte is another one."""

    def change(data: bytes, passed: int) -> bytes:
        return (
            data if not data or passed + len(data) < 50_000 else data[:-1] + bytes([data[-1] ^ 1])
        )

    relay(change)
    found = connect_back(Endpoint("127.0.0.1", 0), 100_000, 5.0)
    assert found.outcome == "wrong-data"


def test_large_data_does_not_pass(relay):
    """What a tunnel with too large packets does: the small nonce passes, then nothing."""
    relay(lambda data, passed: data if passed + len(data) <= 16 else b"")
    began = time.monotonic()
    found = connect_back(Endpoint("127.0.0.1", 0), 100_000, 0.7)
    assert (found.outcome, found.size) == ("stalled", 0)
    assert time.monotonic() - began < 5


def test_the_nonce_is_changed(relay):
    relay(lambda data, _passed: bytes(len(data)))
    assert connect_back(Endpoint("127.0.0.1", 0), 0, 5.0).outcome == "someone-else"


def test_the_nonce_is_swallowed(monkeypatch):
    """Our own connection arrives, and what we say does not."""
    send = socket.socket.send

    class Mute(socket.socket):
        __slots__ = ()

        def send(self, data: Any, *_flags: int) -> int:
            return send(self, data[:0]) if len(data) == 16 else send(self, data)

    monkeypatch.setattr(module.socket, "socket", Mute)
    assert connect_back(Endpoint("127.0.0.1", 0), 0, 5.0).outcome == "timed-out"


class Quiet:
    """Our end of the connection, which says nothing more."""

    def send(self, data: bytes) -> int:
        return len(data)


@pytest.mark.parametrize("answer", [bytes(16), b"1234"], ids=["wrong", "cut"])
def test_the_answer_is_not_the_nonce(monkeypatch, answer: bytes):
    stream: Any = module._Exchange._stream

    def lie(self: module._Exchange, client: Any, ours: socket.socket, nonce: bytes) -> str:
        ours.send(answer)
        ours.shutdown(socket.SHUT_WR)
        return str(stream(self, client, Quiet(), nonce))

    monkeypatch.setattr(module._Exchange, "_stream", lie)
    assert connect_back(Endpoint("127.0.0.1", 0), 0, 5.0).outcome == "wrong-data"


def test_a_connection_that_is_reset(monkeypatch):
    def fail(*_arguments: object) -> str:
        raise ConnectionResetError(104, "reset")

    monkeypatch.setattr(module._Exchange, "_stream", fail)
    found = connect_back(Endpoint("127.0.0.1", 0), 0, 5.0)
    assert (found.outcome, found.error) == ("wrong-data", "ECONNRESET")


def test_guests_do_not_disturb(monkeypatch):
    """Others may connect in the moment that we listen: a scanner, a browser that tries again."""
    real = module._destination
    guests: list[socket.socket] = []

    def destination(address: Endpoint, bound: Endpoint | None) -> Endpoint:
        target = real(address, bound)
        for number in range(7):
            guest = socket.create_connection((target.host, target.port))
            if number % 3 == 0:
                guest.sendall(b"GET / HTTP/1.1\r\n\r\n")
            elif number % 3 == 1:
                guest.shutdown(socket.SHUT_WR)
            else:
                guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, module._ABORT)
                guest.close()
            guests.append(guest)
        return target

    monkeypatch.setattr(module, "_destination", destination)
    found = connect_back(Endpoint("127.0.0.1", 0), 1000, 5.0)
    for guest in guests:
        guest.close()
    assert found.outcome == "ok"


def test_a_connection_that_is_gone_when_it_is_taken():
    """accept(2) passes on what happened to the connection meanwhile, and may find none."""
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as stack:
        listening.setblocking(False)
        exchange = module._Exchange(listening, time.monotonic() + 5, 0, stack)
        with selectors.DefaultSelector() as selector:
            exchange._accept(selector)
            one, other = socket.socketpair()
            stack.callback(one.close)
            stack.callback(other.close)
            one.setblocking(False)
            exchange._guests[one] = b""
            selector.register(one, selectors.EVENT_READ)
            assert not exchange._hears(one, b"x" * 16, selector)
            other.sendall(b"x" * 3)
            assert not exchange._hears(one, b"x" * 16, selector)
            assert one in [key.fileobj for key in selector.get_map().values()]
        one.close()
        assert module._peer(one) is None


def test_our_own_connection_brings_other_data(monkeypatch):
    send = socket.socket.send

    class Garbled(socket.socket):
        __slots__ = ()

        def send(self, data: Any, *_flags: int) -> int:
            return send(self, bytes(16) if len(data) == 16 else data)

    monkeypatch.setattr(module.socket, "socket", Garbled)
    assert connect_back(Endpoint("127.0.0.1", 0), 0, 5.0).outcome == "wrong-data"


def test_too_many_guests(monkeypatch):
    real = module._destination
    guests: list[socket.socket] = []

    def destination(address: Endpoint, bound: Endpoint | None) -> Endpoint:
        target = real(address, bound)
        guests.extend(socket.create_connection((target.host, target.port)) for _ in range(3))
        return target

    monkeypatch.setattr(module, "_destination", destination)
    monkeypatch.setattr(module, "_MAX_GUESTS", 2)
    found = connect_back(Endpoint("127.0.0.1", 0), 0, 5.0)
    for guest in guests:
        guest.close()
    assert found.outcome == "someone-else"


@given(st.integers(0, 1 << 20), st.integers(0, 1 << 17))
def test_the_pattern_is_one_stream(offset: int, length: int):
    pattern = bytes(range(16)) * 4096
    part = module._part(pattern, offset, min(length, 1 << 16))
    assert part == bytes((offset + index) % 16 for index in range(min(length, 1 << 16)))


@settings(max_examples=10)
@given(st.integers(0, 300_000))
def test_any_size(size: int):
    assert connect_back(Endpoint("127.0.0.1", 0), size, 10.0).size == size
