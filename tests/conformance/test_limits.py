"""What a tunnel allows, through a real sshd."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time

import psutil
import pytest

from netkit.events import FlowFailed, Notice
from netkit.model import Endpoint, Limits
from support import targets, tunnels
from support.tunnels import (
    dynamic,
    exchange,
    local,
    outcome,
    read_all,
    read_exactly,
    remote,
    tunnel,
)
from support.waiting import wait_until

EVERYWHERE = Endpoint("0.0.0.0", 0)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("gateway")) as running:
        yield running


def socks5(sock: socket.socket, host: str, port: int) -> int:
    """Ask for a target; return the code of the reply (RFC 1928 section 6)."""
    sock.sendall(b"\5\1\0")
    assert read_exactly(sock, 2) == b"\5\0"
    name = host.encode()
    sock.sendall(b"\5\1\0\3" + bytes([len(name)]) + name + port.to_bytes(2, "big"))
    return read_exactly(sock, 4)[1]


class TestFlows:
    def test_beyond_the_limit_are_reset_at_once(self, gateway):
        with targets.echo() as target:
            forwards = [local(target.address), local(target.address)]
            with tunnel(gateway, forwards=forwards, limits=Limits(flows=2)) as run:
                with run.connect() as one, run.connect() as two:
                    exchange(one, b"one")
                    exchange(two, b"two")
                    began = time.monotonic()
                    assert run.how_it_ends() == "reset"
                    assert time.monotonic() - began < 2
                    run.events.wait(Notice, code="too-many-flows")
                    with run.connect(1) as other:  # each forward counts for itself
                        assert exchange(other, b"other") == b"other"
                wait_until(lambda: run.tunnel.status.flows_open == 0)
                with run.connect() as sock:
                    assert exchange(sock, b"again") == b"again"

    def test_of_a_remote_forward(self, gateway):
        with targets.echo() as target:
            with tunnel(gateway, forwards=[remote(target.address)], limits=Limits(flows=1)) as run:
                with run.connect() as one:
                    exchange(one, b"one")
                    assert run.how_it_ends() in ("reset", "eof")
                    assert exchange(one, b"still") == b"still"

    def test_a_storm_of_connections_is_survived(self, gateway):
        with targets.echo() as target:
            with tunnel(gateway, forwards=[local(target.address)], limits=Limits(flows=20)) as run:
                before = psutil.Process().num_fds()
                with contextlib.ExitStack() as stack:
                    for _ in range(500):
                        # the reset may come before connect(2) has returned
                        with contextlib.suppress(ConnectionResetError):
                            stack.enter_context(run.connect())
                    wait_until(lambda: run.tunnel.status.flows_open == 20)
                    began = time.monotonic()
                    assert run.tunnel.view().flows_open == 20
                    assert time.monotonic() - began < 1
                    assert len(run.events.of(Notice)) < 5
                wait_until(lambda: run.tunnel.status.flows_open == 0)
                with run.connect() as sock:
                    assert exchange(sock, b"alive") == b"alive"
                wait_until(lambda: psutil.Process().num_fds() <= before + 2)


class TestRate:
    RATE = 1 << 20

    def test_both_directions_and_fair(self, gateway):
        got = [0, 0]

        def download(run, at: int, deadline: float) -> None:
            with run.connect() as sock:
                sock.settimeout(5)
                while time.monotonic() < deadline:
                    got[at] += len(sock.recv(65536))

        with targets.source(1 << 40) as source, targets.sink() as sink:
            forwards = [local(source.address), local(sink.address)]
            with tunnel(gateway, forwards=forwards, limits=Limits(rate=self.RATE)) as run:
                deadline = time.monotonic() + 2
                threads = [
                    threading.Thread(target=download, args=(run, at, deadline)) for at in (0, 1)
                ]
                for thread in threads:
                    thread.start()
                sent = 0
                with run.connect(1) as up:
                    up.settimeout(0.2)
                    while time.monotonic() < deadline:
                        with contextlib.suppress(TimeoutError):
                            sent += up.send(bytes(65536))
                    carried = run.tunnel.view().bytes_to_gateway
                for thread in threads:
                    thread.join()
        assert sum(got) == pytest.approx(2.1 * self.RATE, rel=0.2)
        assert max(got) < 1.3 * min(got)
        assert carried == pytest.approx(2.1 * self.RATE, rel=0.2)

    def test_nothing_is_lost(self, gateway):
        size = 1 << 20
        with targets.source(size) as source:
            limits = Limits(rate=self.RATE)
            with tunnel(gateway, forwards=[local(source.address)], limits=limits) as run:
                with run.connect() as sock:
                    assert hashlib.sha256(read_all(sock)).hexdigest() == targets.pattern_digest(
                        size
                    )


class TestSilence:
    def test_ends_by_a_reset(self, gateway):
        with targets.echo() as target:
            limits = Limits(idle=1.0)
            with tunnel(gateway, forwards=[local(target.address)], limits=limits) as run:
                with run.connect() as silent, run.connect() as busy:
                    exchange(silent, b"once")
                    began = time.monotonic()
                    while time.monotonic() - began < 1.7:
                        exchange(busy, b"ping")
                        threading.Event().wait(0.1)
                    assert outcome(silent) == "reset"
                    assert exchange(busy, b"still") == b"still"

    def test_one_direction_is_enough(self, gateway):
        """A long download with a silent client is not idle."""
        with targets.source(1 << 40) as source:
            limits = Limits(idle=1.0)
            with tunnel(gateway, forwards=[local(source.address)], limits=limits) as run:
                with run.connect() as sock:
                    sock.settimeout(5)
                    sock.shutdown(socket.SHUT_WR)
                    until = time.monotonic() + 2.5
                    while time.monotonic() < until:
                        assert sock.recv(65536)


class TestWindow:
    def test_stalled_readers_leave_room_for_others(self, gateway):
        with targets.source(1 << 40) as source, targets.echo() as echo:
            limits = Limits(window=1 << 20)
            forwards = [local(source.address), local(echo.address)]
            with tunnel(gateway, forwards=forwards, limits=limits) as run:
                with contextlib.ExitStack() as stack:
                    for _ in range(5):
                        stack.enter_context(run.connect())
                    wait_until(lambda: run.tunnel.status.flows_open == 5)
                    with run.connect(1) as sock:
                        assert exchange(sock, bytes(100_000)) == bytes(100_000)


class TestTargets:
    def test_only_what_is_allowed(self, gateway):
        with targets.echo() as target:
            port = target.address.port
            limits = Limits(targets=(f"127.0.0.1:{port}", "*.allowed.example:1-99"))
            with tunnel(gateway, forwards=[dynamic()], limits=limits) as run:
                with run.connect() as sock:
                    assert socks5(sock, "127.0.0.1", port) == 0
                    read_exactly(sock, 6)
                    assert exchange(sock, b"in") == b"in"
                for host, at in (("127.0.0.1", port - 1), ("localhost", port), ("127.1", port)):
                    with run.connect() as sock:
                        assert socks5(sock, host, at) == 2, "not allowed by ruleset"
                with run.connect() as sock:
                    sock.sendall(b"CONNECT elsewhere.example:80 HTTP/1.1\r\n\r\n")
                    assert sock.recv(100).startswith(b"HTTP/1.1 403 ")
                assert len(run.events.of(FlowFailed)) == 4

    def test_of_a_proxy_on_the_gateway(self, gateway):
        with targets.echo() as target:
            limits = Limits(targets=("10.0.0.0/8:*",))
            with tunnel(gateway, forwards=[remote(None)], limits=limits) as run:
                with run.connect() as sock:
                    assert socks5(sock, "127.0.0.1", target.address.port) == 2


class TestSources:
    def test_who_may_connect_to_an_exposed_bind(self, gateway):
        with targets.echo() as target:
            limits = Limits(sources=("127.0.0.7",))
            forwards = [local(target.address, EVERYWHERE)]
            with tunnel(gateway, forwards=forwards, limits=limits) as run:
                with run.connect(source="127.0.0.7") as sock:
                    assert exchange(sock, b"in") == b"in"
                assert run.how_it_ends(source="127.0.0.8") == "reset"
                assert "127.0.0.8" in run.events.wait(Notice, code="source-refused").text
