"""Flows that end badly show an RST, and hurt nobody else: pitfalls 3 and 4, rules 2 and 9."""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import threading

import psutil
import pytest

from netkit.errors import LinkLostError, NetkitError
from netkit.events import FlowClosed, FlowFailed, FlowOpened, LinkDown, State
from netkit.model import Endpoint
from netkit.wire import messages as wire
from support import targets, tunnels
from support.faults import FaultProxy
from support.hostile import HostileServer, about, confirm_all, data
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
from support.waiting import wait_until

ENDLESS = 1 << 40


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def assert_lost(run: tunnels.Run) -> NetkitError:
    """The tunnel ends by itself, with a reason that helps."""
    error = run.tunnel.wait(10)
    assert isinstance(error, LinkLostError), error
    assert error.exit_code == 4
    assert error.retryable
    down = run.events.wait(LinkDown)
    assert (down.code, down.reason) == (error.code, error.summary)
    assert run.tunnel.status.state is State.DOWN
    return error


class TestLinkLost:
    def test_gateway_killed_during_a_download(self, own_gateway: TestGateway):
        with targets.source(ENDLESS) as target:
            with tunnel(own_gateway, forwards=[local(target.address)]) as run:
                with run.connect() as sock:
                    read_exactly(sock, 1 << 20)
                    own_gateway.kill()
                    assert outcome(sock) == "reset"
                assert_lost(run)
                assert run.events.wait(FlowClosed).error

    def test_gateway_killed_during_an_upload(self, own_gateway: TestGateway):
        with targets.sink() as target:
            with tunnel(own_gateway, forwards=[local(target.address)]) as run:
                with run.connect() as sock:
                    sock.sendall(bytes(1 << 20))
                    own_gateway.kill()
                    with pytest.raises((ConnectionResetError, BrokenPipeError)):
                        while True:
                            sock.sendall(bytes(1 << 16))
                assert_lost(run)

    def test_gateway_killed_while_flows_are_idle(self, own_gateway: TestGateway):
        with targets.echo() as target:
            forwards = [local(target.address), dynamic()]
            with tunnel(own_gateway, forwards=forwards) as run:
                with run.connect() as idle, run.connect(1) as handshake:
                    exchange(idle, b"ping")
                    own_gateway.kill()
                    assert outcome(idle) == "reset"
                    assert outcome(handshake) == "reset"
                assert_lost(run)

    def test_connection_cut(self, gateway: TestGateway):
        with FaultProxy(gateway.port) as proxy, targets.source(ENDLESS) as target:
            hop = gateway.behind(proxy.port)
            with tunnel(hop, forwards=[local(target.address)]) as run:
                with run.connect() as sock:
                    proxy.cut(after=3_000_000)
                    assert outcome(sock) == "reset"
                assert_lost(run)

    def test_port_is_free_again_and_refuses(self, own_gateway: TestGateway):
        with targets.echo() as target:
            with tunnel(own_gateway, forwards=[local(target.address)]) as run:
                own_gateway.kill()
                assert_lost(run)
                with pytest.raises(ConnectionRefusedError):
                    run.connect()
                with pytest.raises(LinkLostError):
                    run.tunnel.open("127.0.0.1", target.port)

    def test_target_behind_a_remote_forward_sees_a_reset(self, own_gateway: TestGateway):
        with targets.echo() as target:
            with tunnel(own_gateway, forwards=[remote(target.address)]) as run:
                with run.connect() as sock:
                    exchange(sock, b"ping")
                    own_gateway.kill()
                    target.wait_until_ended()
                    assert target.connections[0].ended == "reset"
                assert_lost(run)


class TestCloseWithoutEof:
    """The gateway says CLOSE and never said EOF: what came may be a part only."""

    def test_shows_a_reset(self):
        with HostileServer(confirm_all) as server:
            with tunnel(server.hop(), forwards=[local(Endpoint("x", 1))]) as run:
                with run.connect() as sock:
                    channel = server.channel()
                    server.send(data(channel, b"half a page"), about(wire.CHANNEL_CLOSE, channel))
                    assert outcome(sock) == "reset"
                assert "end of data" in run.events.wait(FlowClosed).error
                server.wait_for(wire.CHANNEL_CLOSE)
                run.wait_idle()

    def test_close_behind_eof_is_clean(self):
        with HostileServer(confirm_all) as server:
            with tunnel(server.hop(), forwards=[local(Endpoint("x", 1))]) as run:
                with run.connect() as sock:
                    channel = server.channel()
                    server.send(
                        data(channel, b"a page"),
                        about(wire.CHANNEL_EOF, channel),
                        about(wire.CHANNEL_CLOSE, channel),
                    )
                    assert read_all(sock) == b"a page"
                assert run.events.wait(FlowClosed).error == ""
                run.wait_idle()

    def test_target_that_resets(self, gateway: TestGateway):
        """sshd reports a reset as EOF and CLOSE (channels.c), so a FIN is all there is to see."""
        with targets.reset(after=1) as target:
            with tunnel(gateway, forwards=[local(target.address)]) as run:
                with run.connect() as sock:
                    sock.sendall(b"x")
                    how = outcome(sock)
                assert how == "reset" if gateway.name == "netkit" else how in {"reset", "eof"}
                run.events.wait(FlowClosed)
                run.wait_idle()


class TestOpenRefused:
    def test_client_of_a_local_forward_sees_a_reset(self, gateway: TestGateway):
        with targets.refuse() as closed, tunnel(gateway, forwards=[local(closed.address)]) as run:
            assert run.how_it_ends() == "reset"
            failed = run.events.wait(FlowFailed)
            assert failed.code == "target-refused"
            assert failed.target == str(closed.address)
            assert run.tunnel.status.flows_failed == 1
            run.wait_idle()

    def test_even_when_it_has_sent_data(self, gateway: TestGateway):
        with targets.refuse() as closed, tunnel(gateway, forwards=[local(closed.address)]) as run:
            with contextlib.suppress(ConnectionResetError, BrokenPipeError), run.connect() as sock:
                sock.sendall(bytes(100_000))
                assert outcome(sock) == "reset"
            run.wait_idle()


class TestLocalReset:
    def test_channel_closes_and_others_go_on(self, gateway: TestGateway):
        with targets.echo() as target, tunnel(gateway, forwards=[local(target.address)]) as run:
            with run.connect() as other:
                broken = run.connect()
                exchange(broken, b"ping")
                exchange(other, b"ping")
                reset(broken)
                target.wait_until_ended(1)
                assert run.events.wait(FlowClosed).error == "the local side reset the connection"
                assert exchange(other, b"still here") == b"still here"
            run.wait_idle()

    @pytest.mark.parametrize("leave", [reset, socket.socket.close])
    def test_while_the_peer_sends(self, gateway: TestGateway, leave):
        """What still comes is drained and credited, so that the gateway can come to its end."""
        with targets.source(64 << 20) as big, targets.echo() as target:
            forwards = [local(big.address), local(target.address)]
            with tunnel(gateway, forwards=forwards) as run:
                for _ in range(3):
                    sock = run.connect()
                    read_exactly(sock, 100_000)
                    leave(sock)
                big.wait_until_ended(3)
                with run.connect(1) as other:
                    assert exchange(other, b"still here") == b"still here"
                run.wait_idle()

    def test_while_the_target_reads_nothing(self, gateway: TestGateway):
        with targets.blackhole() as hole, tunnel(gateway, forwards=[local(hole.address)]) as run:
            sock = run.connect()
            run.events.wait(FlowOpened)
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    sock.send(bytes(65536))
            reset(sock)
            assert run.events.wait(FlowClosed).error


def test_one_flow_after_the_other_leaves_nothing(gateway: TestGateway):
    """Every way to end, many times, over one link."""
    with targets.echo() as target, targets.refuse() as closed:
        forwards = [local(target.address), local(closed.address)]
        with tunnel(gateway, forwards=forwards) as run:

            def use(_index: int) -> None:
                with run.connect() as sock:
                    exchange(sock, b"ping")
                with run.connect() as sock:
                    sock.shutdown(socket.SHUT_WR)
                    assert read_all(sock) == b""
                broken = run.connect()
                exchange(broken, b"ping")
                reset(broken)
                assert run.how_it_ends(1) == "reset"

            threads = [threading.Thread(target=use, args=(index,)) for index in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            run.wait_idle()
            assert len(run.events.of(FlowOpened)) == 48
            assert len(run.events.of(FlowClosed)) == 48
            assert run.tunnel.status.flows_open == 0


def test_gateway_that_ends_the_session_says_why(tmp_path):
    """sshd told to end (an administrator, a shutdown) is no silent end either."""
    with tunnels.start("sshd", tmp_path) as gateway, targets.echo() as target:
        with tunnel(gateway, forwards=[local(target.address)]) as run, run.connect() as sock:
            exchange(sock, b"ping")
            (session,) = gateway.serving

            def ends() -> bool:
                # sshd misses one that arrives just before it waits (its loop blocks SIGCHLD alone)
                with contextlib.suppress(psutil.NoSuchProcess):
                    session.send_signal(signal.SIGTERM)
                return run.tunnel.ended

            wait_until(ends, what="the end of the session")
            assert outcome(sock) == "reset"
            assert_lost(run)


def test_disconnect_message_is_the_reason():
    with HostileServer(confirm_all) as server:
        with tunnel(server.hop(), forwards=[local(Endpoint("x", 1))]) as run:
            with run.connect() as sock:
                server.channel()
                goodbye = (
                    bytes([wire.DISCONNECT]) + wire.u32(11) + wire.string("going down for lunch")
                )
                server.send(goodbye + wire.string(""))
                assert outcome(sock) == "reset"
            error = run.tunnel.wait(10)
            assert error is not None
            assert "going down for lunch" in f"{error.summary} {error.cause}"
