"""The shaper with real sockets; times are only ever lower bounds, which load cannot break."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from random import Random

import pytest

from netkit.bench.link_model import MIN_QUEUE
from netkit.bench.shaper import LOOPBACK, Shaper, bind_anew
from netkit.engine.goodbye import reset
from netkit.errors import BindError, ResourceError
from netkit.model import Endpoint
from netkit.text.link_shapes import parse_link
from support import targets
from support.tunnels import exchange, outcome, read_all


@contextlib.contextmanager
def shaped(port: int, text: str) -> Iterator[Shaper]:
    shaper = Shaper(Endpoint("127.0.0.1", port), parse_link(text), random=Random(1))
    with shaper:
        yield shaper


def dial(shaper: Shaper) -> socket.socket:
    address = shaper.address
    return socket.create_connection((address.host, address.port), 30)


def test_echo_takes_a_round_trip():
    with targets.echo() as target, shaped(target.port, "10mbit/40ms") as shaper:
        began = time.monotonic()
        with dial(shaper) as sock:
            assert exchange(sock, b"x") == b"x"
            assert time.monotonic() - began >= 2 * 0.040  # and one for the handshake
            began = time.monotonic()
            assert exchange(sock, b"y") == b"y"
            assert time.monotonic() - began >= 0.040


@pytest.mark.parametrize("text", ["400mbit/2ms", "20mbit/5ms", "100mbit/1ms/1%"])
def test_everything_arrives_both_ways_in_order_and_no_faster_than_the_rate(text: str):
    size = 500_000
    data = b"".join(targets.pattern(size))
    shape = parse_link(text)
    with targets.echo() as target, shaped(target.port, text) as shaper:
        began = time.monotonic()
        with dial(shaper) as sock:

            def send() -> None:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            received = read_all(sock)
            took = time.monotonic() - began
            sender.join()
    assert hashlib.sha256(received).hexdigest() == targets.pattern_digest(size)
    assert took >= size / shape.rate + shape.round_trip


def test_several_connections_share_the_line():
    text, count, size = "16mbit/0ms", 4, 100_000
    digests: list[str] = []

    def fetch(shaper: Shaper) -> None:
        with dial(shaper) as sock:
            digests.append(hashlib.sha256(read_all(sock)).hexdigest())

    with targets.source(size) as target, shaped(target.port, text) as shaper:
        began = time.monotonic()
        threads = [threading.Thread(target=fetch, args=(shaper,)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
    assert digests == [targets.pattern_digest(size)] * count
    assert took >= count * size / 2_000_000


def test_half_close_is_kept():
    with targets.half_close() as target, shaped(target.port, "10mbit/5ms") as shaper:
        with dial(shaper) as sock:
            sock.sendall(b"everything")
            sock.shutdown(socket.SHUT_WR)
            answer = read_all(sock)
        target.wait_until_ended()
        assert target.connection().received == len(b"everything")
        assert answer


def test_reset_of_the_target_reaches_the_client():
    with targets.reset(after=5) as target, shaped(target.port, "10mbit/5ms") as shaper:
        with dial(shaper) as sock:
            sock.sendall(b"12345")
            assert outcome(sock) == "reset"


def test_reset_of_the_client_reaches_the_target():
    with targets.echo() as target, shaped(target.port, "10mbit/5ms") as shaper:
        with dial(shaper) as sock:
            exchange(sock, b"x")
            reset(sock)
        target.wait_until_ended()
        assert target.connection().ended == "reset"


def test_target_that_refuses_is_a_reset():
    with targets.refuse() as target, shaped(target.address.port, "10mbit/5ms") as shaper:
        with dial(shaper) as sock:
            assert outcome(sock) == "reset"


def test_stop_resets_what_is_open_and_start_begins_anew():
    with targets.echo() as target:
        shaper = Shaper(Endpoint("127.0.0.1", target.port), parse_link("10mbit/5ms"))
        shaper.stop()
        shaper.start()
        shaper.start()
        with dial(shaper) as sock:
            exchange(sock, b"x")
            shaper.stop()
            shaper.stop()
            assert outcome(sock) == "reset"
        with pytest.raises(RuntimeError):
            _ = shaper.address
        with shaper, dial(shaper) as sock:
            assert exchange(sock, b"again") == b"again"


@pytest.mark.skipif(sys.platform != "linux", reason="the buffers of Linux")
def test_sender_is_held_back_before_its_kernel_hides_seconds():
    """On loopback as it is, a sender fills four megabytes before it waits.

    How much it is here depends on the congestion control in force.
    """
    with targets.blackhole() as target, shaped(target.port, "8kbit/0ms") as shaper:
        with dial(shaper) as sock:
            sock.settimeout(0.5)  # nothing moves for longer
            sent = 0
            with contextlib.suppress(TimeoutError):
                while sent < 4 << 20:
                    sent += sock.send(bytes(16_384))
    assert MIN_QUEUE < sent < 1 << 20


@pytest.mark.skipif(sys.platform == "win32", reason="no descriptor limit")
def test_without_descriptors_it_accepts_later():
    import resource

    with targets.echo() as target, shaped(target.port, "10mbit/1ms") as shaper:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as sock:
            sock.settimeout(30)
            highest = os.dup(0)
            os.close(highest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
            try:
                sock.connect((shaper.address.host, shaper.address.port))
                sock.sendall(b"x")
                sock.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    sock.recv(1)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            sock.settimeout(30)
            assert sock.recv(1) == b"x"


def test_no_port_is_a_bind_error(monkeypatch: pytest.MonkeyPatch):
    def bind(self: object, _address: object) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr("netkit.bench.shaper.socket.socket", _unbindable(bind))
    with pytest.raises(BindError) as caught:
        Shaper(Endpoint("127.0.0.1", 1), parse_link("10mbit/1ms")).start()
    assert "Address already in use" in caught.value.summary


class OnlyOne(socket.socket):
    """A socket of a machine that has no loopback address but the one."""

    def bind(self, address: object) -> None:
        if address != (LOOPBACK, 0):
            raise OSError(99, "Cannot assign requested address")
        super().bind((LOOPBACK, 0))


def test_address_is_a_new_one_where_there_are_several():
    hosts = set()
    for _ in range(3):
        with socket.socket() as sock:
            bind_anew(sock)
            hosts.add(sock.getsockname()[0])
    assert all(host.startswith("127.") for host in hosts)
    assert len(hosts) == 3 or sys.platform != "linux"
    with OnlyOne() as sock:
        bind_anew(sock)
        assert sock.getsockname()[0] == LOOPBACK


def test_no_thread_is_a_resource_error_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch):
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    shaper = Shaper(Endpoint("127.0.0.1", 1), parse_link("10mbit/1ms"))
    with pytest.raises(ResourceError):
        shaper.start()
    shaper.stop()


def _unbindable(bind):
    return type("Unbindable", (socket.socket,), {"bind": bind})
