"""What may be seen of a running tunnel and done to it, with its link and without."""

from __future__ import annotations

import signal

import pytest

from netkit.errors import LinkLostError, OpenError, RemoteForwardError, UsageError
from netkit.events import (
    Connecting,
    FlowClosed,
    FlowOpened,
    ForwardBound,
    Health,
    HealthChanged,
    LinkUp,
    Notice,
    Retrying,
    State,
)
from netkit.model import Endpoint, Endurance
from support import targets, tunnels
from support.hostile import HostileServer, confirm_all
from support.tunnels import dynamic, exchange, local, outcome, remote, tunnel
from support.waiting import wait_until

TARGET = Endpoint("target.test", 1)
LASTING = Endurance()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("links")) as running:
        yield running


@pytest.fixture
def echo():
    with targets.echo() as made:
        yield made


class TestView:
    def test_of_a_tunnel_that_is_up(self, sshd, echo):
        forwards = [local(echo.address), dynamic()]
        with tunnel(sshd, forwards=forwards, endurance=LASTING) as run:
            with run.connect() as sock:
                exchange(sock, b"12345")
                view = run.tunnel.view()
                assert (view.state, view.attempt, view.retry_in) == (State.UP, 0, None)
                (link,) = view.links
                assert (link.number, link.gateway, link.up, link.flows) == (1, "sshd", True, 1)
                assert link.cipher
                assert "OpenSSH" in link.server
                assert (view.bytes_to_gateway, view.bytes_from_gateway) == (5, 5)
                assert [each.health for each in view.forwards] == [Health.UNVERIFIED] * 2
                assert view.forwards[0].addresses == run.tunnel.forwards[0].addresses
                (flow,) = run.tunnel.flows()
                assert (flow.bytes_to_gateway, flow.forward) == (5, forwards[0])
            wait_until(lambda: not run.tunnel.flows(), what="no flow")
            assert run.tunnel.view().bytes_to_gateway == 5
        view = run.tunnel.view()
        assert (view.state, view.code) == (State.DOWN, "stopped")
        assert not view.links[0].up
        assert run.tunnel.flows() == ()

    def test_a_link_is_shown_once_it_has_logged_in(self, sshd, echo, monkeypatch):
        """Not the one to a jump host, which no flow goes over."""
        run = tunnels.make(sshd, sshd, forwards=[local(echo.address)])
        seen = []

        def see(event):
            if isinstance(event, Connecting | LinkUp | ForwardBound):
                seen.append([view.since for view in run.tunnel.view().links])

        monkeypatch.setattr(run.tunnel, "_observer", see)
        with run.tunnel:
            pass
        assert seen[:3] == [[], [], []]
        (since,) = seen[-1]
        assert 0 <= since < 30

    def test_of_one_that_waits(self):
        with HostileServer(confirm_all) as server:
            run = tunnels.make(server.hop(), forwards=[local(TARGET)], endurance=LASTING)
            assert run.tunnel.view().links == ()
            assert run.tunnel.flows() == ()
            run.tunnel.start()
            server.stop()
            run.events.wait(Retrying, count=2)
            wait_until(lambda: run.tunnel.view().retry_in is not None, what="an attempt to be due")
            view = run.tunnel.view()
            assert view.state is State.WAITING
            assert view.attempt >= 1
            assert view.reason
            assert view.forwards[0].health is Health.DOWN
            run.tunnel.stop(0)

    def test_numbers_go_on_from_one_link_to_the_next(self, tmp_path, echo):
        with tunnels.start("sshd", tmp_path) as gateway:
            forwards = [local(echo.address)]
            with tunnel(gateway, forwards=forwards, endurance=LASTING) as run:
                with run.connect() as sock:
                    exchange(sock, b"x")
                gateway.kill()
                run.events.wait(Notice, code="reconnected")
                with run.connect() as sock:
                    exchange(sock, b"x")
                assert [event.flow for event in run.events.of(FlowOpened)] == [1, 2]


class TestChanges:
    def test_kill(self, sshd, echo):
        with tunnel(sshd, forwards=[local(echo.address)]) as run, run.connect() as sock:
            exchange(sock, b"x")
            (flow,) = run.tunnel.flows()
            assert not run.tunnel.kill(flow.number + 1)
            assert run.tunnel.kill(flow.number)
            assert outcome(sock) == "reset"
            assert run.events.wait(FlowClosed).error == "it was killed"
            assert not run.tunnel.kill(flow.number)

    def test_add_and_remove(self, sshd, echo):
        with tunnel(sshd, forwards=[dynamic()], endurance=LASTING) as run:
            spec = local(echo.address)
            addresses = run.tunnel.add(spec)
            assert run.tunnel.forwards[1].addresses == addresses
            with run.connect(1) as sock:
                exchange(sock, b"x")
                assert run.tunnel.remove(local(echo.address, addresses[0]))
                assert outcome(sock) == "reset"
            with pytest.raises(ConnectionRefusedError):
                tunnels.dial(addresses[0])
            assert not run.tunnel.remove(spec)
            assert len(run.tunnel.forwards) == 1

    def test_add_and_remove_remote(self, sshd, echo):
        with tunnel(sshd, endurance=LASTING) as run:
            (address,) = run.tunnel.add(remote(echo.address))
            with tunnels.dial(address) as sock:
                exchange(sock, b"x")
            assert run.tunnel.remove(remote(echo.address, address))
            assert run.remotes.table == []

    def test_add_while_there_is_no_link(self, tmp_path, echo):
        with tunnels.start("sshd", tmp_path) as gateway:
            with tunnel(gateway, endurance=LASTING) as run:
                gateway.server.stop()
                run.events.wait(Retrying)
                (address, *_) = run.tunnel.add(local(echo.address))
                with pytest.raises(LinkLostError):
                    run.tunnel.add(remote(echo.address))
                with tunnels.dial(address) as sock:
                    wait_until(lambda: run.tunnel.view().forwards[0].held, what="it to be held")
                    gateway.server.listen_again()
                    assert exchange(sock, b"x") == b"x"

    def test_remove_while_there_is_no_link(self, tmp_path, echo):
        with tunnels.start("sshd", tmp_path) as gateway:
            spec = local(echo.address)
            with tunnel(gateway, forwards=[spec], endurance=LASTING) as run:
                gateway.server.stop()
                run.events.wait(Retrying)
                with run.connect() as sock:
                    wait_until(lambda: run.tunnel.view().forwards[0].held, what="it to be held")
                    assert run.tunnel.remove(spec)
                    assert outcome(sock) == "reset"

    def test_what_clashes_is_refused(self, sshd, echo):
        with tunnel(sshd, forwards=[dynamic(Endpoint("127.0.0.1", 0))]) as run:
            port = run.port()
            with targets.echo() as other:
                run.tunnel.add(local(echo.address, Endpoint("127.0.0.2", other.port)))
                with pytest.raises(UsageError):
                    run.tunnel.add(local(echo.address, Endpoint("127.0.0.2", other.port)))
            assert run.port() == port

    def test_gateway_that_refuses(self):
        with HostileServer() as server, tunnel(server.hop()) as run:
            import netkit.engine.remote as engine

            before, engine.REPLY_TIME = engine.REPLY_TIME, 0.3
            try:
                with pytest.raises(RemoteForwardError):
                    run.tunnel.add(remote(TARGET))
            finally:
                engine.REPLY_TIME = before
            assert run.tunnel.forwards == ()

    def test_not_after_the_end(self, sshd, echo):
        with tunnel(sshd) as run:
            run.tunnel.stop()
            with pytest.raises(LinkLostError):
                run.tunnel.add(local(echo.address))
            assert not run.tunnel.kill(1)
            run.tunnel.kick()


class TestProbes:
    def test_prove_the_path(self, sshd, echo):
        endurance = Endurance(probe=0.1)
        dead = Endpoint("127.0.0.1", 1)
        forwards = [local(echo.address), local(dead)]
        with tunnel(sshd, forwards=forwards, endurance=endurance) as run:
            run.events.wait(HealthChanged, forward=forwards[0], health=Health.UP)
            refused = run.events.wait(HealthChanged, forward=forwards[1], health=Health.REFUSED)
            assert "nothing accepts connections" in refused.reason
            assert not run.events.of(FlowOpened)


def test_kick_notices_a_dead_link_at_once(tmp_path, monkeypatch):
    """As after a wake-up: the keepalive would take its time."""
    monkeypatch.setattr("netkit.engine.supervisor.PROOF_TIME", 0.3)
    with tunnels.start("sshd", tmp_path) as gateway, tunnel(gateway, endurance=LASTING) as run:
        gateway.signal(signal.SIGSTOP)
        run.tunnel.kick()
        assert run.events.wait(Retrying, timeout=5).code == "gateway-silent"
        gateway.signal(signal.SIGCONT)
        run.events.wait(Notice, code="reconnected")


def test_open_after_the_hold_is_over():
    with HostileServer() as server:
        with tunnel(server.hop(), endurance=Endurance(hold=0.1)) as run:
            server.stop()
            run.events.wait(Retrying)
            with pytest.raises((LinkLostError, OpenError)):
                run.tunnel.open("x", 1)
