"""A dead gateway is noticed, a busy or a dumb one is not taken for dead: pitfalls 17 and 18."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time

import pytest

from netkit.errors import LinkLostError
from netkit.events import LinkDown
from netkit.model import Endpoint, Keepalive
from netkit.wire import messages as wire
from netkit.wire.messages import string
from support import targets, tunnels
from support.faults import Direction, FaultProxy
from support.hostile import HostileServer, confirm_all
from support.tunnels import TestGateway, exchange, local, outcome, tunnel
from support.waiting import wait_until

SOON = Keepalive(interval=0.2, count=3)


@pytest.fixture(params=["sshd", "dropbear", "netkit"])
def freezable(request, tmp_path):
    """Gateways that run as processes of their own, so that SIGSTOP can freeze them."""
    with tunnels.start(request.param, tmp_path) as running:
        yield running


@contextlib.contextmanager
def frozen(gateway: TestGateway):
    gateway.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        gateway.signal(signal.SIGCONT)


class TestFrozenGateway:
    @pytest.mark.parametrize("count", [1, 3])
    def test_is_noticed_in_interval_times_count(self, freezable: TestGateway, count: int):
        keepalive = Keepalive(interval=0.6 / count, count=count)
        with targets.echo() as target:
            with tunnel(freezable, forwards=[local(target.address)], keepalive=keepalive) as run:
                with run.connect() as sock:
                    exchange(sock, b"ping")
                    with frozen(freezable):
                        began = time.monotonic()
                        error = run.tunnel.wait(10)
                        took = time.monotonic() - began
                        assert outcome(sock) == "reset"
        assert isinstance(error, LinkLostError)
        assert error.code == "gateway-silent"
        assert error.exit_code == 4
        assert 0.3 < took < 3
        assert run.events.wait(LinkDown).code == "gateway-silent"

    def test_while_the_queue_towards_it_is_stuck(self, freezable: TestGateway):
        """A full send queue must not keep the clock from being looked at."""
        with targets.sink() as target:
            with tunnel(freezable, forwards=[local(target.address)], keepalive=SOON) as run:
                with run.connect() as sock:
                    with frozen(freezable):
                        with pytest.raises((ConnectionResetError, BrokenPipeError)):
                            while True:
                                sock.sendall(bytes(1 << 18))
                        error = run.tunnel.wait(10)
        assert error is not None
        assert error.code == "gateway-silent"

    def test_network_that_swallows_everything(self, gateway: TestGateway):
        with FaultProxy(gateway.port) as proxy, targets.source(1 << 40) as target:
            hop = gateway.behind(proxy.port)
            with tunnel(hop, forwards=[local(target.address)], keepalive=SOON) as run:
                with run.connect() as sock:
                    sock.recv(1000)
                    proxy.freeze()
                    error = run.tunnel.wait(10)
                assert error is not None
                assert error.code == "gateway-silent"
                proxy.thaw()


class TestLife:
    def test_idle_link_lives(self, gateway: TestGateway):
        """Every gateway answers somehow; a refusal of the request is an answer."""
        with targets.echo() as target:
            keepalive = Keepalive(interval=0.05, count=4)
            with tunnel(gateway, forwards=[local(target.address)], keepalive=keepalive) as run:
                with run.connect() as sock:
                    exchange(sock, b"ping")
                    assert not run.link.wait(1.0)
                    assert exchange(sock, b"still here") == b"still here"
                assert run.link.round_trip > 0

    def test_any_byte_counts(self):
        """A server that answers nothing and still talks is alive; when it stops, it is not."""
        stop = threading.Event()
        with HostileServer() as server:
            keepalive = Keepalive(interval=0.2, count=2)
            with tunnel(server.hop(), keepalive=keepalive) as run:
                answer_nothing_more(server)
                ignore = bytes([wire.IGNORE]) + string(b"x")

                def talk() -> None:
                    while not stop.wait(0.05):
                        server.send(ignore)

                talker = threading.Thread(target=talk)
                talker.start()
                try:
                    assert not run.link.wait(1.2)
                finally:
                    stop.set()
                    talker.join()
                error = run.tunnel.wait(5)
                assert error is not None
                assert error.code == "gateway-silent"

    def test_keepalives_of_the_server_are_answered(self, tmp_path):
        """Also while we are busy: OpenSSH's ClientAlive ends a session that does not answer."""
        words = {"keepalive_interval": 0.05, "keepalive_count_max": 3}
        with tunnels.start("asyncssh", tmp_path, **words) as gateway:
            with targets.sink() as target:
                off = Keepalive(interval=0)
                with tunnel(gateway, forwards=[local(target.address)], keepalive=off) as run:
                    with run.connect() as sock:
                        until = time.monotonic() + 1
                        while time.monotonic() < until:
                            sock.sendall(bytes(1 << 16))
                    assert not run.link.wait(0.5)
                    assert not run.tunnel.ended

    @pytest.mark.slow
    def test_client_alive_of_sshd(self, tmp_path):
        words = {"ClientAliveInterval": "1", "ClientAliveCountMax": "1"}
        with tunnels.start("sshd", tmp_path, **words) as gateway:
            with tunnel(gateway, keepalive=Keepalive(interval=0)) as run:
                assert not run.link.wait(2.5)

    def test_off_means_off(self):
        with HostileServer() as server:
            with tunnel(server.hop(), keepalive=Keepalive(interval=0)) as run:
                wait_until(lambda: run.link.round_trip, what="the round trip to be measured")
                assert not run.link.wait(0.1)
                asked = server.count(wire.GLOBAL_REQUEST)
                assert not run.link.wait(0.3)
                assert server.count(wire.GLOBAL_REQUEST) == asked


class TestIdleFlows:
    def test_have_no_time_limit(self, gateway: TestGateway):
        """Nothing is timed out silently: an idle flow owns no timer."""
        with targets.echo() as target:
            keepalive = Keepalive(interval=0)
            with tunnel(gateway, forwards=[local(target.address)], keepalive=keepalive) as run:
                with run.connect() as sock:
                    exchange(sock, b"ping")
                    timers = [timer for _, _, timer in run.link.loop._timers if timer.call]
                    assert timers == []

    def test_half_closed_ones_neither(self, gateway: TestGateway):
        with targets.blackhole() as hole:
            keepalive = Keepalive(interval=0)
            with tunnel(gateway, forwards=[local(hole.address)], keepalive=keepalive) as run:
                with run.connect() as sock:
                    sock.sendall(b"x")
                    sock.shutdown(socket.SHUT_WR)
                    wait_until(
                        lambda: any(c.eof_sent for c in run.link.mux.channels.values()),
                        what="EOF sent",
                    )
                    assert not [1 for _, _, timer in run.link.loop._timers if timer.call]


def test_ssh_socket_has_tcp_options(sshd: TestGateway):
    """A send queue that is stuck is the kernel's to notice as well."""
    with tunnel(sshd) as run:
        sock = run.link.stream.sock
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_confirmed_channels_do_not_stop_the_clock():
    with HostileServer(confirm_all) as server:
        with tunnel(server.hop(), forwards=[local(Endpoint("x", 1))], keepalive=SOON) as run:
            with run.connect() as sock:
                server.channel()
                answer_nothing_more(server)
                error = run.tunnel.wait(5)
                assert error is not None
                assert error.code == "gateway-silent"
                assert outcome(sock) == "reset"


def answer_nothing_more(server: HostileServer) -> None:
    """The server's connection layer goes silent; TCP keeps acknowledging."""
    server.handle(wire.GLOBAL_REQUEST, lambda: None)


def test_direction_that_is_frozen_alone(sshd: TestGateway):
    """Our requests arrive, the answers do not."""
    with FaultProxy(sshd.port) as proxy:
        with tunnel(sshd.behind(proxy.port), keepalive=SOON) as run:
            proxy.freeze(Direction.TO_CLIENT)
            error = run.tunnel.wait(10)
            assert error is not None
            assert error.code == "gateway-silent"
            proxy.thaw()
