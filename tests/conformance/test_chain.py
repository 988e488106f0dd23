"""Chains of gateways, ProxyCommand, unix sockets and address families."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from netkit.errors import GatewayUnreachableError, HostKeyError, NetkitError, OpenError
from netkit.events import Connecting, FlowFailed, LinkUp
from netkit.model import Endpoint, Hop
from support import targets, tunnels
from support.tunnels import (
    TestGateway,
    exchange,
    local,
    outcome,
    read_all,
    remote,
    tunnel,
    unix,
)
from support.waiting import wait_until


class TestJumps:
    @pytest.mark.parametrize("hops", [2, 3])
    def test_chain_through_the_same_gateway(self, gateway: TestGateway, hops: int):
        with targets.half_close() as target:
            with tunnel(*[gateway] * hops, forwards=[local(target.address)]) as run:
                with run.connect() as sock:
                    for piece in targets.pattern(4 << 20):
                        sock.sendall(piece)
                    sock.shutdown(socket.SHUT_WR)
                    assert read_all(sock).decode() == targets.pattern_digest(4 << 20)
                assert [event.hop for event in run.events.of(LinkUp)] == list(range(1, hops + 1))
                assert len(run.events.of(Connecting)) == hops

    def test_chain_through_all_four(self, tmp_path: Path):
        with (
            tunnels.start("sshd", tmp_path) as one,
            tunnels.start("dropbear", tmp_path) as two,
            tunnels.start("asyncssh", tmp_path) as three,
            tunnels.start("netkit", tmp_path) as four,
            targets.echo() as target,
        ):
            forwards = [local(target.address), remote(target.address)]
            with tunnel(one, two, three, four, forwards=forwards) as run:
                for index in (0, 1):
                    with run.connect(index) as sock:
                        assert exchange(sock, bytes(100_000)) == bytes(100_000)

    def test_hop_that_dies_takes_the_tunnel_with_it(self, tmp_path: Path):
        with tunnels.start("sshd", tmp_path) as first, tunnels.start("dropbear", tmp_path) as last:
            with targets.echo() as target:
                with tunnel(first, last, forwards=[local(target.address)]) as run:
                    with run.connect() as sock:
                        exchange(sock, b"ping")
                        first.kill()
                        assert outcome(sock) == "reset"
                    assert run.tunnel.wait(10) is not None

    def test_every_hop_is_checked(self, sshd: TestGateway, tmp_path: Path):
        """A wrong key at the second hop is refused although the first is fine."""
        wrong = tmp_path / "known_hosts"
        line = sshd.known_hosts.read_text()
        wrong.write_text(line[:-20] + line[-20:].swapcase())
        other = tmp_path / "empty"
        other.write_text("")
        run = tunnels.make(sshd, sshd.hop(known_hosts=(other,)))
        with pytest.raises(HostKeyError):
            run.tunnel.start()
        assert run.tunnel.ended

    def test_hop_that_refuses(self, sshd: TestGateway):
        with targets.refuse() as closed:
            nobody = Hop(alias="nobody", host="127.0.0.1", port=closed.port, user="x")
            run = tunnels.make(sshd, nobody)
            with pytest.raises(NetkitError) as caught:
                run.tunnel.start()
        assert isinstance(caught.value, OpenError | GatewayUnreachableError)
        assert str(closed.port) in caught.value.summary

    def test_hop_that_is_not_allowed(self, tmp_path: Path, sshd: TestGateway):
        with tunnels.start("sshd", tmp_path, AllowTcpForwarding="no") as first:
            run = tunnels.make(first, sshd)
            with pytest.raises(NetkitError) as caught:
                run.tunnel.start()
        assert "forwarding" in f"{caught.value.summary} {caught.value.cause}"


class TestProxyCommand:
    RELAY = """
import os, selectors, socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
selector = selectors.DefaultSelector()
selector.register(0, 1)
selector.register(sock, 1)
while True:
    for key, _ in selector.select():
        data = os.read(0, 65536) if key.fd == 0 else sock.recv(65536)
        if not data:
            sys.exit()
        sock.sendall(data) if key.fd == 0 else os.write(1, data)
"""

    def test_carries_the_link(self, sshd: TestGateway, tmp_path: Path):
        script = tmp_path / "relay.py"
        script.write_text(self.RELAY)
        hop = sshd.hop(proxy_command=f"exec {sys.executable} {script} {sshd.port}", port=sshd.port)
        with targets.half_close() as target:
            with tunnel(hop, forwards=[local(target.address)]) as run, run.connect() as sock:
                for piece in targets.pattern(4 << 20):
                    sock.sendall(piece)
                sock.shutdown(socket.SHUT_WR)
                assert read_all(sock).decode() == targets.pattern_digest(4 << 20)

    def test_that_fails_says_what_it_said(self, sshd: TestGateway):
        hop = sshd.hop(proxy_command="echo no way today >&2; exit 3")
        run = tunnels.make(hop)
        with pytest.raises(GatewayUnreachableError) as caught:
            run.tunnel.start()
        told = f"{caught.value.summary} {caught.value.cause} {run.events}"
        assert "no way today" in told

    def test_that_says_nothing_is_bounded(self, sshd: TestGateway):
        run = tunnels.make(sshd.hop(proxy_command="exec cat >/dev/null", connect_timeout=0.5))
        with pytest.raises(GatewayUnreachableError):
            run.tunnel.start()


KNOWS_UNIX = [name for name in tunnels.NAMES if name != "dropbear"]


class TestUnixSockets:
    """All four mixes of -L, and -R (pitfall 19)."""

    @pytest.mark.parametrize("gateway", KNOWS_UNIX, indirect=True)
    @pytest.mark.parametrize("mix", ["tcp-unix", "unix-tcp", "unix-unix", "tcp-tcp"])
    def test_local(self, gateway: TestGateway, mix: str):
        listens, leads = mix.split("-")
        with targets.short_directory() as directory:
            path = Path(directory) / "target" if leads == "unix" else None
            bind = unix(f"{directory}/listen") if listens == "unix" else None
            with targets.half_close(path=path) as target:
                with tunnel(gateway, forwards=[local(target.address, bind)]) as run:
                    with run.connect() as sock:
                        sock.sendall(bytes(100_000))
                        sock.shutdown(socket.SHUT_WR)
                        assert len(read_all(sock)) == 64
                    run.wait_idle()
            assert not Path(directory, "listen").exists()

    @pytest.mark.parametrize("gateway", KNOWS_UNIX, indirect=True)
    @pytest.mark.parametrize("mix", ["unix-tcp", "unix-unix", "tcp-unix"])
    def test_remote(self, gateway: TestGateway, mix: str):
        listens, leads = mix.split("-")
        with targets.short_directory() as directory:
            path = Path(directory) / "target" if leads == "unix" else None
            bind = unix(f"{directory}/listen") if listens == "unix" else None
            with targets.half_close(path=path) as target:
                with tunnel(gateway, forwards=[remote(target.address, bind)]) as run:
                    with run.connect() as sock:
                        sock.sendall(bytes(100_000))
                        sock.shutdown(socket.SHUT_WR)
                        assert len(read_all(sock)) == 64
                    run.wait_idle()

    def test_target_that_is_not_there(self, sshd: TestGateway):
        with targets.short_directory() as directory:
            with tunnel(sshd, forwards=[local(unix(f"{directory}/nothing"))]) as run:
                assert run.how_it_ends() == "reset"
                assert run.events.wait(FlowFailed).code

    def test_what_a_gateway_does_not_know_has_its_own_code(self, tmp_path: Path):
        with tunnels.start("dropbear", tmp_path) as gateway, targets.short_directory() as directory:
            with tunnel(gateway, forwards=[local(unix(f"{directory}/target"))]) as run:
                assert run.how_it_ends() == "reset"
                assert run.events.wait(FlowFailed).code in {
                    "channel-type-unknown",
                    "forwarding-prohibited",
                }

    def test_local_socket_belongs_to_its_owner(self, sshd: TestGateway):
        with targets.short_directory() as directory, targets.echo() as target:
            path = Path(directory) / "s"
            with tunnel(sshd, forwards=[local(target.address, unix(path))]):
                assert path.stat().st_mode & 0o777 == 0o600


class TestFamilies:
    def test_both_loopbacks_with_one_port(self, gateway: TestGateway):
        with targets.echo() as target, tunnel(gateway, forwards=[local(target.address)]) as run:
            for host in ("127.0.0.1", "::1"):
                with socket.create_connection((host, run.port()), 10) as sock:
                    assert exchange(sock, b"ping") == b"ping"

    def test_target_on_ipv6(self, gateway: TestGateway):
        with targets.echo(host="::1") as target:
            forwards = [local(target.address), remote(target.address)]
            with tunnel(gateway, forwards=forwards) as run:
                for index in (0, 1):
                    with run.connect(index) as sock:
                        assert exchange(sock, b"ping") == b"ping"

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_localhost_is_tried_on_both(self, gateway: TestGateway, host: str):
        """Where we connect, that is: what a gateway takes for localhost is its own affair."""
        with targets.echo(host=host) as target:
            with tunnel(gateway, forwards=[remote(Endpoint("localhost", target.port))]) as run:
                with run.connect() as sock:
                    assert exchange(sock, b"ping") == b"ping"

    def test_bind_to_another_loopback_address(self, gateway: TestGateway):
        with targets.echo() as target:
            bind = Endpoint("127.0.0.2", 0)
            with tunnel(gateway, forwards=[local(target.address, bind)]) as run:
                assert str(run.address()).startswith("127.0.0.2:")
                with run.connect() as sock:
                    assert exchange(sock, b"ping") == b"ping"
                wait_until(lambda: not run.link.handshakes)
