"""Remote forwards: pitfalls 12, 13, 14 and 15, rule 6."""

from __future__ import annotations

import contextlib
import hashlib
import socket

import pytest

from netkit.errors import LinkLostError, RemoteForwardError, RemoteProtocolError
from netkit.events import FlowClosed, FlowOpened, ForwardBound, Notice
from netkit.model import Endpoint, Keepalive
from netkit.wire import messages as wire
from netkit.wire.messages import Fields, string, u32
from support import targets, tunnels
from support.hostile import HostileServer, forwarded
from support.ports import free_port
from support.tunnels import (
    TestGateway,
    exchange,
    local,
    outcome,
    read_exactly,
    remote,
    tunnel,
)
from support.waiting import wait_until

SUCCESS = bytes([wire.REQUEST_SUCCESS])
FAILURE = bytes([wire.REQUEST_FAILURE])


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 20)


@contextlib.contextmanager
def taken_port():
    """A port that nobody else can listen on, neither of 127.0.0.1 nor of ::1."""
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with socket.create_server(("::1", port), family=socket.AF_INET6):
            yield port


def accepts(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


class TestSeveral:
    def test_two_on_one_link_lead_to_their_own_targets(self, gateway: TestGateway):
        with targets.greeting(b"first") as one, targets.greeting(b"other") as two:
            forwards = [remote(one.address), remote(two.address)]
            with tunnel(gateway, forwards=forwards) as run:
                assert run.port(0) != run.port(1)
                for index, text in [(0, b"first"), (1, b"other"), (0, b"first")]:
                    with run.connect(index) as sock:
                        assert read_exactly(sock, 5) == text
                run.events.wait(FlowOpened, count=3)

    def test_cancelling_one_leaves_the_other_and_open_connections(self, gateway: TestGateway):
        with targets.echo() as one, targets.echo() as two:
            forwards = [remote(one.address), remote(two.address)]
            with tunnel(gateway, forwards=forwards) as run:
                ports = [run.port(0), run.port(1)]
                remotes = run.remotes
                with dial(ports[0]) as open_one:
                    exchange(open_one, b"before")
                    if gateway.name == "dropbear":  # it refuses every cancel
                        with pytest.raises(RemoteForwardError):
                            remotes.cancel(remotes.table[0])
                        with dial(ports[0]) as late:
                            assert outcome(late) in {"eof", "reset"}
                    else:
                        remotes.cancel(remotes.table[0])
                        wait_until(lambda: not accepts(ports[0]), what="the port to be free")
                    assert exchange(open_one, b"after") == b"after"
                    with dial(ports[1]) as other:
                        assert exchange(other, b"ping") == b"ping"
                assert [e.port for e in remotes.table if not e.cancelled] == [ports[1]]

    def test_the_gateway_listens_as_long_as_the_tunnel_lives(self, gateway: TestGateway):
        with targets.echo() as target:
            with tunnel(gateway, forwards=[remote(target.address)]) as run:
                port = run.port()
                assert accepts(port)
            wait_until(lambda: not accepts(port), what="the port to be free")


class TestPorts:
    def test_zero_is_reported(self, gateway: TestGateway):
        with targets.echo() as target:
            with tunnel(gateway, forwards=[remote(target.address)]) as run:
                assert run.port() > 0
                assert run.events.wait(ForwardBound).addresses == (run.address(),)
                with run.connect() as sock:
                    assert exchange(sock, b"ping") == b"ping"

    def test_fixed_one(self, gateway: TestGateway):
        port = free_port()
        with targets.echo() as target:
            with tunnel(gateway, forwards=[remote(target.address, Endpoint("", port))]) as run:
                assert run.port() == port
                with dial(port) as sock:
                    assert exchange(sock, b"ping") == b"ping"

    def test_taken_one_is_refused(self, gateway: TestGateway):
        with taken_port() as port:
            forward = remote(Endpoint("127.0.0.1", 1), Endpoint("", port))
            run = tunnels.make(gateway, forwards=[forward])
            with pytest.raises(RemoteForwardError) as caught:
                run.tunnel.start()
        error = caught.value
        assert (error.exit_code, error.retryable) == (8, True)
        assert str(port) in error.summary
        assert "taken" in error.cause
        assert error.fixes

    def test_refused_by_the_rules(self, tmp_path):
        with tunnels.start("sshd", tmp_path, AllowTcpForwarding="local") as gateway:
            run = tunnels.make(gateway, forwards=[remote(Endpoint("127.0.0.1", 1))])
            with pytest.raises(RemoteForwardError):
                run.tunnel.start()
            assert run.tunnel.ended

    def test_a_refusal_undoes_everything(self, gateway: TestGateway):
        with targets.echo() as target, taken_port() as taken:
            port = free_port()
            forwards = [
                local(target.address, Endpoint("127.0.0.1", port)),
                remote(target.address),
                remote(target.address, Endpoint("", taken)),
            ]
            run = tunnels.make(gateway, forwards=forwards)
            with pytest.raises(RemoteForwardError):
                run.tunnel.start()
            assert not accepts(port)


def test_local_target_that_refuses(gateway: TestGateway):
    """The client on the gateway's side sees its connection end; the tunnel says why."""
    with targets.refuse() as closed, tunnel(gateway, forwards=[remote(closed.address)]) as run:
        # the reset may come before connect(2) has returned
        with contextlib.suppress(ConnectionResetError), run.connect() as sock:
            assert outcome(sock) in {"eof", "reset"}
        assert "refused" in run.events.wait(Notice, code="local-target-failed").text
        run.wait_idle()


class TestGatewayPorts:
    """sshd_config(5): no, yes and clientspecified, from the client's side."""

    def notices(self, tmp_path, setting: str, host: str) -> list[Notice]:
        with tunnels.start("sshd", tmp_path, GatewayPorts=setting) as gateway:
            with targets.echo() as target:
                forward = remote(target.address, Endpoint(host, 0))
                with tunnel(gateway, forwards=[forward]) as run:
                    with dial(run.port()) as sock:
                        exchange(sock, b"ping")
                    return run.events.of(Notice)

    @pytest.mark.parametrize("setting", ["no", "yes", "clientspecified"])
    @pytest.mark.parametrize("host", ["", "127.0.0.1", "0.0.0.0", "*"])
    def test_override_is_told(self, tmp_path, setting: str, host: str):
        codes = [notice.code for notice in self.notices(tmp_path, setting, host)]
        if setting == "yes" and host in {"", "127.0.0.1"}:
            assert codes == ["gateway-ports-override"]
        elif setting != "yes" and host in {"0.0.0.0", "*"}:
            # sshd says nothing when GatewayPorts is no, so all there is to say is: not sure.
            assert codes == ["gateway-ports-unverified"]
        elif setting == "yes":
            assert codes == ["gateway-ports-unverified"]
        else:
            assert codes == []

    def test_the_address_is_sent_as_asked(self):
        asked = []

        def script(server, kind, fields):
            if kind == wire.GLOBAL_REQUEST:
                assert bytes(fields.string()) == b"tcpip-forward"
                assert fields.boolean()
                asked.append((bytes(fields.string()), fields.u32()))
                server.send(SUCCESS)

        hosts = ["", "*", "localhost", "0.0.0.0", "::", "::1", "192.0.2.7", "Name.Example"]
        forwards = [
            remote(Endpoint("127.0.0.1", 1), Endpoint(host, 1000 + number))
            for number, host in enumerate(hosts)
        ]
        with HostileServer(script) as server, tunnel(server.hop(), forwards=forwards):
            pass
        sent = [b"localhost", b"", *(host.encode() for host in hosts[2:])]
        assert asked == [(host, 1000 + number) for number, host in enumerate(sent)]


class TestMatching:
    """Which forward an incoming channel belongs to."""

    @staticmethod
    def accepting(ports: list[int]):
        left = list(ports)

        def script(server: HostileServer, kind: int, fields: Fields) -> None:
            if kind == wire.GLOBAL_REQUEST and b"cancel" not in bytes(fields.string()):
                server.send(SUCCESS + u32(left.pop(0)))

        return script

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "", "0.0.0.0", "nonsense"])
    def test_by_port_whatever_the_address(self, host: str):
        with targets.greeting(b"one") as one, targets.greeting(b"two") as two:
            with HostileServer(self.accepting([4001, 4002])) as server:
                forwards = [remote(one.address), remote(two.address)]
                with tunnel(server.hop(), forwards=forwards):
                    server.send(forwarded(9, host, 4002))
                    assert server.wait_for(wire.CHANNEL_DATA).endswith(b"two")

    def test_by_address_where_ports_are_the_same(self):
        with targets.greeting(b"one") as one, targets.greeting(b"two") as two:
            with HostileServer(self.accepting([0, 0])) as server:
                forwards = [
                    remote(one.address, Endpoint("192.0.2.1", 4001)),
                    remote(two.address, Endpoint("192.0.2.2", 4001)),
                ]
                with tunnel(server.hop(), forwards=forwards):
                    server.send(forwarded(9, "192.0.2.2", 4001))
                    assert server.wait_for(wire.CHANNEL_DATA).endswith(b"two")
                    server.send(forwarded(10, "192.0.2.9", 4001))
                    assert server.wait_for(wire.CHANNEL_OPEN_FAILURE).startswith(u32(10) + u32(1))

    @pytest.mark.parametrize(
        "open_",
        [
            forwarded(9, "localhost", 4002),
            forwarded(9, "localhost", 0),
            bytes([wire.CHANNEL_OPEN]) + string("session") + u32(9) + u32(1 << 20) + u32(1 << 15),
            bytes([wire.CHANNEL_OPEN])
            + string("x11")
            + u32(9)
            + u32(1 << 20)
            + u32(1 << 15)
            + string("h")
            + u32(1),
            bytes([wire.CHANNEL_OPEN])
            + string("auth-agent@openssh.com")
            + u32(9)
            + u32(1)
            + u32(1),
            bytes([wire.CHANNEL_OPEN])
            + string("direct-tcpip")
            + u32(9)
            + u32(1 << 20)
            + u32(1 << 15)
            + string("127.0.0.1")
            + u32(22)
            + string("h")
            + u32(1),
        ],
    )
    def test_what_was_not_asked_for_is_refused(self, open_: bytes):
        with HostileServer(self.accepting([4001])) as server:
            with tunnel(server.hop(), forwards=[remote(Endpoint("127.0.0.1", 1))]) as run:
                server.send(open_)
                assert server.wait_for(wire.CHANNEL_OPEN_FAILURE).startswith(u32(9))
                run.wait_idle()
                assert not run.tunnel.ended

    @pytest.mark.parametrize("stray", [b"", b"\0\0\0\0"])
    def test_stray_bytes_behind_a_fixed_port(self, stray: bytes):
        """OpenSSH 6.8 sent a port where none belongs."""

        def script(server, kind, _fields):
            if kind == wire.GLOBAL_REQUEST:
                server.send(SUCCESS + stray)

        with HostileServer(script) as server:
            forward = remote(Endpoint("127.0.0.1", 1), Endpoint("", 4001))
            with tunnel(server.hop(), forwards=[forward]) as run:
                assert run.port() == 4001

    @pytest.mark.parametrize("port", [b"", u32(0), u32(65536), b"\0\0"])
    def test_port_that_does_not_exist(self, port: bytes):
        def script(server, kind, _fields):
            if kind == wire.GLOBAL_REQUEST:
                server.send(SUCCESS + port)

        with HostileServer(script) as server:
            run = tunnels.make(server.hop(), forwards=[remote(Endpoint("127.0.0.1", 1))])
            with pytest.raises(RemoteProtocolError):
                run.tunnel.start()


class TestReplies:
    def test_keep_their_order_beside_keepalives(self):
        """Two questions are under way; the second answer is not taken for the first's."""
        with HostileServer() as server:
            asked = 0

            def script(_server, kind, _fields):
                nonlocal asked
                if kind == wire.GLOBAL_REQUEST:
                    asked += 1
                    server.send(SUCCESS + u32(4000 + asked))

            server.script = script
            forwards = [remote(Endpoint("127.0.0.1", 1)) for _ in range(3)]
            keepalive = Keepalive(interval=0.05, count=50)
            with tunnel(server.hop(), forwards=forwards, keepalive=keepalive) as run:
                assert [run.port(index) for index in range(3)] == [4001, 4002, 4003]

    def test_cancel_names_the_allocated_port(self):
        with HostileServer(TestMatching.accepting([4001])) as server:
            with tunnel(server.hop(), forwards=[remote(Endpoint("127.0.0.1", 1))]) as run:
                run.link.run(run.tunnel._links.chain.remotes.cancel_all)
                request = string("cancel-tcpip-forward") + b"\1" + string("localhost")
                cancel = (wire.GLOBAL_REQUEST, request + u32(4001))
                wait_until(lambda: cancel in server.messages, what="the cancel")
                assert server.messages.count(cancel) == 1

    def test_refused_cancel_keeps_out_what_still_comes(self):
        def script(server, kind, fields):
            if kind == wire.GLOBAL_REQUEST:
                is_cancel = b"cancel" in bytes(fields.string())
                server.send(FAILURE if is_cancel else SUCCESS + u32(4001))

        with targets.echo() as target, HostileServer(script) as server:
            with tunnel(server.hop(), forwards=[remote(target.address)]) as run:
                remotes = run.remotes
                with pytest.raises(RemoteForwardError) as caught:
                    remotes.cancel(remotes.table[0])
                assert caught.value.code == "remote-cancel-refused"
                server.send(forwarded(9, "localhost", 4001))
                server.wait_for(wire.CHANNEL_OPEN_FAILURE)
                assert not target.connections

    def test_no_reply_but_the_end_of_the_link(self):
        def script(server, kind, _fields):
            if kind == wire.GLOBAL_REQUEST:
                server.transport.sock.shutdown(socket.SHUT_RDWR)

        with HostileServer(script) as server:
            run = tunnels.make(server.hop(), forwards=[remote(Endpoint("127.0.0.1", 1))])
            with pytest.raises(LinkLostError):
                run.tunnel.start()


def test_drain_accepts_nothing_new(gateway: TestGateway):
    """Open connections finish; those that come while the tunnel drains are refused."""
    with targets.echo() as target:
        with tunnel(gateway, forwards=[remote(target.address)], drain=10) as run:
            port = run.port()
            sock = run.connect()
            exchange(sock, b"ping")
            run.link.run(run.tunnel._links.chain.remotes.cancel_all)
            if gateway.name == "dropbear":  # it refuses every cancel
                with dial(port) as late:
                    assert outcome(late) in {"eof", "reset"}
            else:
                wait_until(lambda: not accepts(port), what="the gateway to stop listening")
            assert exchange(sock, b"still") == b"still"
            sock.close()
        assert run.events.wait(FlowClosed).error == ""


def test_bulk_through_a_remote_forward(gateway: TestGateway):
    size = 16 << 20
    with targets.source(size) as source:
        with tunnel(gateway, forwards=[remote(source.address)]) as run, run.connect() as sock:
            digest = hashlib.sha256()
            while piece := sock.recv(1 << 18):
                digest.update(piece)
            assert digest.hexdigest() == targets.pattern_digest(size)
