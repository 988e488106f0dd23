"""The tunnel: up, use, down.  What it carries is tested in tests/conformance."""

from __future__ import annotations

from pathlib import Path

import pytest

from netkit.engine.tunnel import Tunnel
from netkit.errors import (
    BindError,
    GatewayUnreachableError,
    LinkLostError,
    LocalProtocolError,
    OpenError,
    RemoteForwardError,
)
from netkit.events import Connecting, FlowOpened, ForwardBound, LinkDown, LinkUp, State, Stopping
from netkit.model import Endpoint, Hop, Plan, UnixPath
from netkit.wire import messages as wire
from support import targets, tunnels
from support.hostile import HostileServer, confirm_all
from support.tunnels import dynamic, local, remote, tunnel

TARGET = Endpoint("target.test", 1)


@pytest.fixture
def server():
    with HostileServer(confirm_all) as made:
        yield made


class TestUp:
    def test_events_in_order(self, server):
        with tunnel(server.hop(), forwards=[local(TARGET), dynamic()]) as run:
            kinds = [type(event) for event in run.events.all if type(event) in ORDER]
            assert kinds == ORDER
            assert run.tunnel.status.state.value == "up"
        assert run.tunnel.status.state.value == "down"

    def test_forwards_have_their_real_addresses(self, server):
        with targets.short_directory() as directory:
            specs = [local(TARGET), local(TARGET, UnixPath(f"{directory}/s")), dynamic()]
            with tunnel(server.hop(), forwards=specs) as run:
                assert [forward.spec for forward in run.tunnel.forwards] == specs
                first, second, _ = run.tunnel.forwards
                hosts = [str(address).rpartition(":")[0] for address in first.addresses]
                assert hosts == ["127.0.0.1", "[::1]"]
                assert run.port() > 0
                assert second.address == UnixPath(f"{directory}/s")

    def test_equal_forwards_are_told_apart(self, server):
        with tunnel(server.hop(), forwards=[local(TARGET), local(TARGET)]) as run:
            assert run.port(0) != run.port(1)

    def test_words_of_sshtunnel(self, server):
        with tunnel(server.hop(), forwards=[local(TARGET)]) as run:
            assert run.tunnel.local_bind_port == run.port()
            assert run.tunnel.local_bind_address == ("127.0.0.1", run.port())

    def test_without_local_forward(self, server):
        with tunnel(server.hop()) as run:
            with pytest.raises(LocalProtocolError):
                _ = run.tunnel.local_bind_port

    def test_starts_once(self, server):
        with tunnel(server.hop()) as run:
            with pytest.raises(LocalProtocolError):
                run.tunnel.start()

    def test_as_context_manager(self, server):
        with Tunnel(Plan(hops=(server.hop(),))) as made:
            assert made.status.state is State.UP
            assert not made.ended
        assert made.ended

    def test_ports_are_bound_before_anybody_is_asked(self):
        """A taken port is the cheapest error to find."""
        with targets.echo() as taken:
            run = tunnels.make(nobody(), forwards=[local(TARGET, taken.address)])
            with pytest.raises(BindError):
                run.tunnel.start()
            assert not run.events.of(Connecting)


ORDER = [Connecting, LinkUp, ForwardBound, ForwardBound]


def nobody() -> Hop:
    return Hop(alias="nobody", host="127.0.0.1", port=1, user="x")


class TestFailure:
    def test_nobody_there(self):
        run = tunnels.make(nobody(), forwards=[local(TARGET, Endpoint("127.0.0.1", 0))])
        with pytest.raises(GatewayUnreachableError) as caught:
            run.tunnel.start()
        assert run.tunnel.ended
        assert run.tunnel.forwards == ()
        assert run.events.wait(LinkDown).code == caught.value.code
        with pytest.raises(LinkLostError):
            run.tunnel.open("x", 1)

    def test_second_forward_undoes_the_first(self, server):
        with targets.echo() as taken:
            with targets.short_directory() as directory:
                path = UnixPath(f"{directory}/s")
                run = tunnels.make(
                    server.hop(), forwards=[local(TARGET, path), local(TARGET, taken.address)]
                )
                with pytest.raises(BindError):
                    run.tunnel.start()
                assert not Path(path.path).exists()

    def test_refused_remote_forward(self):
        def refuse(server, kind, _fields):
            if kind == wire.GLOBAL_REQUEST:
                server.send(bytes([wire.REQUEST_FAILURE]))

        with HostileServer(refuse) as server:
            run = tunnels.make(server.hop(), forwards=[local(TARGET), remote(TARGET)])
            with pytest.raises(RemoteForwardError):
                run.tunnel.start()
            assert run.tunnel.ended

    def test_stop_before_start(self):
        run = tunnels.make(nobody())
        run.tunnel.stop()
        with pytest.raises(GatewayUnreachableError):
            run.tunnel.start()


class Lent:
    """Notes what a tunnel tells whoever lends a display."""

    def __init__(self, *, fails: bool = False) -> None:
        self.told: list[object] = []
        self._fails = fails

    def connected(self, link, remotes) -> None:
        self.told.append((link.authenticated, len(remotes.table)))
        remotes.on_x11 = lambda request: link.mux.refuse(request.channel, 1, "seen")
        if self._fails:
            raise RemoteForwardError("no display")

    def accept(self, forward):
        self.told.append(forward)


class TestX11:
    """A display that is lent; what is done with it is tested with the engine's x11 modules."""

    def test_is_asked_for_before_remote_forwards(self, server):
        lent = Lent()
        forward = remote(TARGET, Endpoint("", 6001))
        run = tunnels.make(server.hop(), forwards=[local(TARGET), forward], x11=lent)
        with pytest.raises(RemoteForwardError):  # such is this server
            run.tunnel.start()
        assert lent.told == [(True, 0), forward]

    def test_nobody_is_let_in_while_it_stops(self, server):
        with tunnel(server.hop(), forwards=[local(TARGET)], x11=Lent()) as run:
            assert run.remotes.on_x11 is not None
            run.tunnel.stop(0.1)
            assert run.remotes.on_x11 is None

    def test_failure_undoes_everything(self, server):
        run = tunnels.make(server.hop(), forwards=[local(TARGET)], x11=Lent(fails=True))
        with pytest.raises(RemoteForwardError):
            run.tunnel.start()
        assert run.tunnel.ended

    def test_alone_it_is_drained_as_forwards_are(self, server):
        with tunnel(server.hop(), x11=Lent()) as run:
            run.tunnel.stop(1)
            assert run.events.of(Stopping)


class TestUse:
    def test_open(self, server):
        with tunnel(server.hop()) as run, run.tunnel.open("db.test", 5432) as sock:
            sock.sendall(b"hello")
            assert server.wait_for(wire.CHANNEL_DATA).endswith(b"hello")

    def test_open_that_fails(self):
        with HostileServer() as server, tunnel(server.hop()) as run:
            with pytest.raises(OpenError):
                run.tunnel.open("db.test", 5432, timeout=0.05)

    def test_target_and_source_are_sent(self, server):
        with tunnel(server.hop(), forwards=[local(TARGET)]) as run, run.connect() as sock:
            asked = server.wait_for(wire.CHANNEL_OPEN)
            port = sock.getsockname()[1]
            source = wire.string("127.0.0.1") + wire.u32(port)
            assert asked.endswith(wire.string("target.test") + wire.u32(1) + source)

    def test_unix_target(self, server):
        with tunnel(server.hop(), forwards=[local(UnixPath("/there"))]) as run, run.connect():
            asked = server.wait_for(wire.CHANNEL_OPEN)
            assert wire.string("direct-streamlocal@openssh.com") in asked
            assert wire.string("/there") in asked

    def test_status_counts(self, server):
        with tunnel(server.hop(), forwards=[local(TARGET)]) as run, run.connect():
            server.channel()
            run.events.wait(FlowOpened)
            assert run.tunnel.status.flows_open == 1
            assert run.tunnel.status.flows_total == 1

    def test_observer_that_fails_harms_nobody(self, server, caplog):
        def observer(_event) -> None:
            raise RuntimeError("broken observer")

        caplog.set_level("CRITICAL", logger="netkit.tunnel")
        made = Tunnel(Plan(hops=(server.hop(),)), observer=observer)
        made.start()
        made.stop(0)
        assert made.ended


class TestDown:
    def test_wait_without_end(self, server):
        with tunnel(server.hop()) as run:
            assert run.tunnel.wait(0.01) is None
            assert not run.tunnel.ended

    def test_by_us(self, server):
        with tunnel(server.hop()) as run:
            run.tunnel.stop()
            assert run.tunnel.wait(0) is None
            assert run.events.wait(LinkDown).code == "stopped"

    def test_by_the_gateway(self, server):
        with tunnel(server.hop()) as run:
            server.stop()
            error = run.tunnel.wait(10)
            assert isinstance(error, LinkLostError)
            assert run.tunnel.ended
            with pytest.raises(LinkLostError):
                run.tunnel.open("x", 1)

    def test_lost_while_it_started(self, server, monkeypatch):
        """Between the last question and the first wait there is nobody to notice."""
        run = tunnels.make(server.hop(), forwards=[local(TARGET)])
        accept = run.tunnel._accept

        def accept_and_lose() -> None:
            accept()
            server.stop()
            assert run.link.wait(10)

        monkeypatch.setattr(run.tunnel, "_accept", accept_and_lose)
        with pytest.raises(LinkLostError):
            run.tunnel.start()
        assert run.tunnel.ended

    def test_error_in_the_block_does_not_drain(self, server):
        with pytest.raises(ZeroDivisionError):
            with Tunnel(Plan(hops=(server.hop(),), forwards=(local(TARGET),))) as made:
                raise ZeroDivisionError
        assert made.ended
