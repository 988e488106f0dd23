"""New keys while data flows: pitfall 16."""

from __future__ import annotations

import hashlib
import socket
import threading

import pytest

from netkit.wire import packets
from support import targets, tunnels
from support.tunnels import TestGateway, exchange, local, read_all, remote, tunnel

SIZE = 12 << 20


def both_ways(connection: targets.Connection) -> None:
    def send() -> None:
        for piece in targets.pattern(SIZE):
            connection.sock.sendall(piece)
        connection.sock.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    connection.read_to_eof()
    sender.join()


def check_both_ways(run: tunnels.Run, target: targets.Target, index: int = 0) -> None:
    """Move SIZE bytes each way at once and compare digests."""
    with run.connect(index) as sock:

        def send() -> None:
            for piece in targets.pattern(SIZE):
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        data = read_all(sock)
        sender.join()
    assert hashlib.sha256(data).hexdigest() == targets.pattern_digest(SIZE)
    target.wait_until_ended(len(target.connections))
    assert target.connections[-1].digest == targets.pattern_digest(SIZE)


@pytest.fixture
def rekeys(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the keys taken into use for sending, and makes netkit want new ones each MiB."""
    from netkit.engine.transport.packetizer import LinkPacketizer

    counted: list[int] = []
    switch = LinkPacketizer.set_outbound_cipher

    def count(self, *args, **options):
        counted.append(1)
        return switch(self, *args, **options)

    monkeypatch.setattr(LinkPacketizer, "set_outbound_cipher", count)
    return counted


CIPHERS = [("aes128-gcm@openssh.com", ""), ("aes128-ctr", "hmac-sha2-256-etm@openssh.com")]


class TestByTheGateway:
    @pytest.mark.parametrize(("cipher", "mac"), CIPHERS)
    def test_sshd_under_load_both_ways(self, tmp_path, rekeys, cipher, mac):
        with tunnels.start("sshd", tmp_path, RekeyLimit="1M") as gateway:
            hop = gateway.hop(ciphers=(cipher,), macs=(mac,) if mac else ())
            with targets.Target(both_ways) as target:
                with tunnel(hop, forwards=[local(target.address)]) as run:
                    check_both_ways(run, target)
        assert len(rekeys) > 5

    def test_sshd_with_compression(self, tmp_path, rekeys):
        with tunnels.start("sshd", tmp_path, RekeyLimit="1M") as gateway:
            with targets.Target(both_ways) as target:
                hop = gateway.hop(compression=True)
                with tunnel(hop, forwards=[local(target.address)]) as run:
                    check_both_ways(run, target)
        assert len(rekeys) > 1

    def test_asyncssh_under_load_both_ways(self, tmp_path, rekeys):
        with tunnels.start("asyncssh", tmp_path, rekey_bytes=1 << 20) as gateway:
            with targets.Target(both_ways) as target:
                with tunnel(gateway, forwards=[local(target.address)]) as run:
                    check_both_ways(run, target)
        assert len(rekeys) > 5


class TestByUs:
    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(packets, "REKEY_BYTES", 1 << 20)

    def test_under_load_both_ways(self, gateway: TestGateway, rekeys):
        with targets.Target(both_ways) as target:
            with tunnel(gateway, forwards=[local(target.address)]) as run:
                check_both_ways(run, target)
                assert len(rekeys) > 5

    def test_many_flows_and_opens_meanwhile(self, gateway: TestGateway, rekeys):
        """Opens, replies and ends are held back too while keys are exchanged, and none is lost."""
        with targets.Target(both_ways) as bulk, targets.echo() as target:
            forwards = [local(bulk.address), local(target.address), remote(target.address)]
            with tunnel(gateway, forwards=forwards) as run:
                mover = threading.Thread(target=check_both_ways, args=(run, bulk))
                mover.start()
                try:
                    for _ in range(40):
                        with run.connect(1) as sock:
                            assert exchange(sock, b"ping") == b"ping"
                        with run.connect(2) as sock:
                            assert exchange(sock, b"gnip") == b"gnip"
                finally:
                    mover.join()
                run.wait_idle()
        assert len(rekeys) > 5

    def test_both_sides_at_once(self, tmp_path, rekeys):
        with tunnels.start("sshd", tmp_path, RekeyLimit="1M") as gateway:
            with targets.Target(both_ways) as target:
                with tunnel(gateway, forwards=[local(target.address)]) as run:
                    check_both_ways(run, target)
        assert len(rekeys) > 5

    def test_every_packet(self, sshd: TestGateway, rekeys, monkeypatch):
        """After a number of packets, too: the sequence number must not wrap under one key."""
        monkeypatch.setattr(packets, "REKEY_PACKETS", 20)
        with targets.echo() as target, tunnel(sshd, forwards=[local(target.address)]) as run:
            with run.connect() as sock:
                for number in range(100):
                    text = str(number).encode() * 100
                    assert exchange(sock, text) == text
        assert len(rekeys) > 5
