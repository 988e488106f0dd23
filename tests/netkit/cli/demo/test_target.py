from __future__ import annotations

import contextlib
import hashlib
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netkit.cli.demo.target import DemoError, Payload, Target, Transfer, download, upload
from netkit.model import Endpoint

SIZES = [0, 1, (1 << 20) - 1, 1 << 20, 3_000_000]


@pytest.fixture
def target():
    target = Target()
    target.start()
    yield target
    target.stop()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("move", [download, upload])
def test_moves_every_byte(target, move, size):
    transfer = move(target.address, size)
    assert transfer.is_whole
    assert transfer.size == size
    assert len(transfer.sent) == 64
    assert transfer.seconds > 0


def test_a_swapped_block_shows():
    payload = Payload(2 << 20)
    first, second = [bytes(block) for block in payload._blocks()]
    assert payload.digest() == hashlib.sha256(first + second).hexdigest()
    assert payload.digest() != hashlib.sha256(second + first).hexdigest()


def test_the_rate_is_bytes_per_second():
    assert Transfer(100, 2.0, "a", "a").rate == 50
    assert Transfer(100, 0.0, "a", "b").rate > 0
    assert not Transfer(100, 0.0, "a", "b").is_whole


def answer_to(address: Endpoint, request: bytes) -> bytes:
    with socket.create_connection((address.host, address.port), 10) as sock:
        received = b""
        with contextlib.suppress(OSError):  # the target may have hung up already
            sock.sendall(request)
            sock.shutdown(socket.SHUT_WR)
            while more := sock.recv(65536):
                received += more
        return received


@pytest.mark.parametrize(
    "request_line",
    [b"", b"\n", b"send\n", b"send -1\n", b"send 99999999999\n", b"send 1000000001\n", b"x" * 100],
)
def test_nonsense_is_not_answered(target, request_line):
    assert answer_to(target.address, request_line) == b""


@settings(max_examples=20)
@given(st.binary(max_size=64).filter(lambda data: not data.startswith((b"send", b"take"))))
def test_arbitrary_bytes_do_not_harm(data):
    target = Target()
    target.start()
    try:
        assert answer_to(target.address, data) == b""
        assert download(target.address, 10).is_whole
    finally:
        target.stop()


def test_an_upload_that_ends_early_is_not_answered(target):
    assert answer_to(target.address, b"take 100\nshort") == b""


def test_stop_ends_a_transfer(target):
    results: list[object] = []

    def fetch():
        try:
            # more than fits into socket buffers, and nobody reads it
            with socket.create_connection((target.address.host, target.address.port)) as sock:
                sock.sendall(b"send 900000000\n")
                began.set()
                stopped.wait(10)
                while sock.recv(1 << 20):
                    pass
                results.append("ended")
        except OSError as error:
            results.append(error)

    began, stopped = threading.Event(), threading.Event()
    thread = threading.Thread(target=fetch)
    thread.start()
    assert began.wait(10)
    target.stop()
    stopped.set()
    thread.join(10)
    assert len(results) == 1


def test_stop_twice_and_before_start():
    target = Target()
    target.stop()
    target.stop()
    with pytest.raises(DemoError, match="failed"):
        download(target.address, 10)


def test_a_target_that_leaves_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Endpoint("127.0.0.1", listener.getsockname()[1])

        def serve():
            sock, _ = listener.accept()
            with sock:
                sock.recv(100)
                sock.sendall(b"abc")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(DemoError) as caught:
            download(address, 10)
        thread.join(10)
    assert caught.value.exit_code == 3
    assert str(address) in caught.value.summary
