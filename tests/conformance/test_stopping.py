"""Stopping is bounded in every state and leaves nothing behind."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time

import pytest

from netkit.errors import NetkitError
from netkit.events import FlowClosed, FlowOpened, LinkDown, State, Stopping
from netkit.model import Endpoint, Hop, HostKeyPolicy
from netkit.prompt import HostKeyQuestion
from support import targets, tunnels
from support.faults import FaultProxy
from support.hostile import HostileServer
from support.prompts import Person
from support.tunnels import (
    Run,
    TestGateway,
    dynamic,
    exchange,
    local,
    outcome,
    read_all,
    remote,
    tunnel,
)
from support.waiting import wait_until

BOUND = 8.0
"""Seconds; a step of the way down that hangs takes five."""


@contextlib.contextmanager
def starting(run: Run):
    """Start the tunnel in a thread; yields a list that will hold its error."""
    errors: list[NetkitError] = []

    def start() -> None:
        try:
            run.tunnel.start()
        except NetkitError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    yield errors
    thread.join(BOUND)
    assert not thread.is_alive()


def stop_in_time(run: Run, drain: float = 0.0) -> None:
    began = time.monotonic()
    run.tunnel.stop(drain)
    assert time.monotonic() - began < BOUND
    assert run.tunnel.ended


class TestWhileConnecting:
    def test_to_a_port_that_says_nothing(self):
        with targets.blackhole() as hole:
            run = tunnels.make(hop_to(hole.port), forwards=[local(Endpoint("x", 1))])
            with starting(run) as errors:
                hole.wait_for_connections(1)
                stop_in_time(run)
            assert errors

    def test_to_an_address_that_does_not_answer(self):
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            while True:  # until its accept queue is full and SYNs are dropped
                sock = stack.enter_context(socket.socket())
                sock.settimeout(0.3)
                try:
                    sock.connect(listener.getsockname())
                except TimeoutError:
                    break
            run = tunnels.make(hop_to(listener.getsockname()[1]))
            with starting(run) as errors:
                wait_until(lambda: run.events.all, what="connecting to begin")
                stop_in_time(run)
            assert errors

    def test_in_the_middle_of_the_key_exchange(self, sshd: TestGateway):
        with FaultProxy(sshd.port) as proxy:
            proxy.freeze(after=700)
            run = tunnels.make(sshd.behind(proxy.port))
            with starting(run) as errors:
                wait_until(lambda: proxy.open_connections, what="a connection")
                stop_in_time(run)
            assert errors
            proxy.thaw()

    def test_while_a_question_is_open(self, sshd: TestGateway):
        """A prompt that nobody answers holds the login up, not the stop."""
        asked, answer = threading.Event(), threading.Event()

        class Silent(Person):
            def trust_host_key(self, question: HostKeyQuestion) -> bool:
                asked.set()
                answer.wait(30)
                return False

        hop = sshd.hop(known_hosts=(), host_key=HostKeyPolicy.ASK)
        run = tunnels.make(hop, prompter=Silent())
        with starting(run) as errors:
            assert asked.wait(10)
            stop_in_time(run)
            answer.set()
        assert errors

    def test_while_the_gateway_thinks_about_a_remote_forward(self):
        with HostileServer() as server:
            run = tunnels.make(server.hop(), forwards=[remote(Endpoint("x", 1))])
            with starting(run) as errors:
                wait_until(lambda: len(server.messages) > 1, what="the request")
                stop_in_time(run)
            assert errors

    def test_before_it_was_started(self):
        run = tunnels.make(hop_to(1))
        stop_in_time(run)
        with pytest.raises(NetkitError):
            run.tunnel.start()


def hop_to(port: int) -> Hop:
    return Hop(alias="nobody", host="127.0.0.1", port=port, user="x", connect_timeout=30)


class TestWhileTransferring:
    @pytest.mark.parametrize("drain", [0.0, 0.3])
    def test_what_does_not_end_is_reset(self, gateway: TestGateway, drain: float):
        with targets.source(1 << 40) as source, targets.sink() as sink:
            forwards = [local(source.address), local(sink.address)]
            with tunnel(gateway, forwards=forwards) as run:
                with run.connect() as down, run.connect(1) as up:
                    down.recv(1000)
                    up.sendall(bytes(100_000))
                    run.events.wait(FlowOpened, count=2)
                    stop_in_time(run, drain)
                    assert outcome(down) == "reset"
                    assert outcome(up) == "reset"
            assert run.events.wait(LinkDown).code == "stopped"
            assert run.tunnel.wait(0) is None
            assert run.tunnel.status.state is State.DOWN
            assert len(run.events.of(Stopping)) == (1 if drain else 0)

    def test_what_ends_in_time_ends_well(self, gateway: TestGateway):
        go = threading.Event()
        with targets.slow_reader(go) as target:
            with tunnel(gateway, forwards=[local(target.address)]) as run, run.connect() as sock:
                sock.sendall(b"last words")
                sock.shutdown(socket.SHUT_WR)
                run.events.wait(FlowOpened)
                stopper = threading.Thread(target=run.tunnel.stop, args=(20,))
                stopper.start()
                run.events.wait(Stopping)
                with pytest.raises(ConnectionRefusedError):
                    wait_until(lambda: run.connect().close(), timeout=5)
                go.set()
                assert len(read_all(sock)) == 64
                stopper.join(BOUND)
                assert not stopper.is_alive()
            assert run.events.wait(FlowClosed).error == ""

    def test_second_stop_hurries_the_first(self, gateway: TestGateway):
        with targets.echo() as target:
            with tunnel(gateway, forwards=[local(target.address)]) as run, run.connect() as sock:
                exchange(sock, b"ping")
                stopper = threading.Thread(target=run.tunnel.stop, args=(60,))
                stopper.start()
                run.events.wait(Stopping)
                stop_in_time(run, 0)
                stopper.join(BOUND)
                assert not stopper.is_alive()
                assert outcome(sock) == "reset"

    def test_stalled_reader(self, gateway: TestGateway):
        with targets.source(1 << 40) as source:
            with tunnel(gateway, forwards=[local(source.address)]) as run, run.connect() as sock:
                run.events.wait(FlowOpened)
                wait_until(
                    lambda: any(flow.outbox.pending for flow in list(run.link.flows)),
                    what="bytes that wait",
                )
                stop_in_time(run, 0.2)
                assert outcome(sock) == "reset"

    def test_handshakes_and_opens(self, gateway: TestGateway):
        with tunnel(gateway, forwards=[dynamic(), remote(None)]) as run:
            with run.connect(0) as one, run.connect(1) as two:
                one.sendall(b"\x05")
                two.sendall(b"\x05")
                wait_until(lambda: len(run.link.handshakes) == 2, what="two handshakes")
                stop_in_time(run)
                assert outcome(one) == "reset"
                assert outcome(two) in {"eof", "reset"}


@pytest.mark.parametrize("name", ["sshd", "dropbear", "netkit"])
@pytest.mark.parametrize("drain", [0.0, 0.3])
def test_frozen_gateway(tmp_path, name: str, drain: float):
    with tunnels.start(name, tmp_path) as gateway, targets.sink() as sink:
        with tunnel(gateway, forwards=[local(sink.address)]) as run, run.connect() as sock:
            run.events.wait(FlowOpened)
            gateway.signal(signal.SIGSTOP)
            try:
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        sock.send(bytes(1 << 18))
                stop_in_time(run, drain)
            finally:
                gateway.signal(signal.SIGCONT)


def test_stop_from_the_observer_thread(sshd: TestGateway):
    """A callback may ask for the end; it is told so in its own thread."""
    with targets.echo() as target:
        run = tunnels.make(sshd, forwards=[local(target.address)])
        stoppers: list[threading.Thread] = []

        class StopAtFirstFlow(tunnels.Events):
            def __call__(self, event) -> None:
                super().__call__(event)
                if isinstance(event, FlowOpened):
                    stoppers.append(threading.Thread(target=run.tunnel.stop, args=(0,)))
                    stoppers[-1].start()

        run.events = StopAtFirstFlow()
        run.tunnel._observer = run.events
        run.tunnel.start()
        try:
            assert run.how_it_ends() == "reset"
        finally:
            run.tunnel.stop(0)
            for stopper in stoppers:
                stopper.join(BOUND)
        assert stoppers


def test_ending_twice_is_fine(gateway: TestGateway):
    with tunnel(gateway, forwards=[local(Endpoint("x", 1))]) as run:
        for _ in range(3):
            stop_in_time(run, 0.1)
    assert len(run.events.of(LinkDown)) == 1


def test_tunnel_without_forwards_notices_its_end(tmp_path):
    with tunnels.start("sshd", tmp_path) as gateway, tunnel(gateway) as run:
        gateway.kill()
        error = run.tunnel.wait(10)
        assert error is not None
        assert run.tunnel.ended
