"""Proxy clients of -D and of -R port, between two links; the protocols are tested in wire/."""

from __future__ import annotations

import contextlib
import socket

import pytest

from netkit.engine import dynamic as engine
from netkit.engine.dial import Dialer
from netkit.engine.dynamic import ProxyClient, ReverseProxy, direct_tcpip
from netkit.engine.goodbye import reset
from netkit.events import FlowFailed, Notice
from netkit.model import Endpoint, ForwardKind, ForwardSpec
from netkit.wire.messages import Fields
from support import targets
from support.links import PLATFORMS, LinkPair, play, tcp_pair
from support.tunnels import outcome, read_all, read_exactly
from support.waiting import wait_until

FORWARD = ForwardSpec(ForwardKind.DYNAMIC, Endpoint("", 1080))
SOCKS4 = b"\x04\x01\x00\x50\x7f\0\0\x01me\0"
GRANTED = b"\0\x5a"


@pytest.fixture(params=PLATFORMS)
def platform(request, monkeypatch):
    play(request.param, monkeypatch)


def test_open_data_is_that_of_the_rfc():
    fields = Fields(direct_tcpip(Endpoint("db.test", 5432), ("::1", 4000)), 0)
    assert bytes(fields.string()) == b"db.test"
    assert fields.u32() == 5432
    assert bytes(fields.string()) == b"::1"
    assert fields.u32() == 4000
    assert fields.rest() == b""


def client(pair: LinkPair) -> socket.socket:
    """Return a client's socket that a `ProxyClient` of the near link serves."""
    one, two = tcp_pair()
    two.setblocking(False)
    pair.near.run(lambda: ProxyClient(pair.near, two, FORWARD, ("127.0.0.1", 4000)))
    return one


class TestProxyClient:
    def test_request_byte_by_byte(self, platform):
        with LinkPair() as pair, client(pair) as sock:
            for byte in SOCKS4:
                sock.sendall(bytes([byte]))
            assert read_exactly(sock, 8)[:2] == GRANTED
            with pair.far_socket() as far:
                far.sendall(b"hello")
                assert read_exactly(sock, 5) == b"hello"

    def test_early_data_is_not_lost(self, platform):
        with LinkPair() as pair, client(pair) as sock:
            sock.sendall(SOCKS4 + b"early")
            with pair.far_socket() as far:
                assert read_exactly(far, 5) == b"early"

    def test_refused_open(self, platform):
        with LinkPair(answer=False) as pair, client(pair) as sock:
            sock.sendall(SOCKS4)
            channel = pair.offers.get(timeout=10).channel
            pair.far.run(lambda: pair.far.mux.refuse(channel, 2, "Connection refused"))
            assert read_all(sock)[:2] == b"\0\x5b"
            assert pair.report_of(FlowFailed).target == "127.0.0.1:80"

    @pytest.mark.parametrize("leave", [socket.socket.close, reset])
    @pytest.mark.parametrize("said", [b"", SOCKS4[:4]])
    def test_client_that_leaves(self, platform, leave, said):
        with LinkPair() as pair:
            sock = client(pair)
            sock.sendall(said)
            leave(sock)
            assert pair.is_idle()

    def test_nonsense_is_told(self):
        with LinkPair() as pair, client(pair) as sock:
            sock.sendall(b"\x99nonsense")
            assert read_all(sock) == b""
            assert pair.report_of(Notice).code == "proxy-protocol-unknown"

    def test_silence(self, monkeypatch):
        monkeypatch.setattr(engine, "HANDSHAKE_TIME", 0.05)
        with LinkPair() as pair, client(pair) as sock:
            assert outcome(sock) in {"eof", "reset"}

    def test_end_of_the_link(self):
        with LinkPair() as pair, client(pair) as sock:
            pair.near.stop()
            assert outcome(sock) == "reset"


@pytest.fixture
def reverse(platform):
    """The far link asks for a channel; the near one reads a proxy request from it."""
    with LinkPair() as pair:
        dialer = Dialer(pair.near.loop)
        made: list[ReverseProxy] = []
        pair.near.on_open = lambda request: made.append(
            ReverseProxy(pair.near, dialer, request.channel, FORWARD, "there:1")
        )
        one, two = tcp_pair()
        two.setblocking(False)
        flow = pair.far.run(lambda: pair.far.start_flow(two, "forwarded-tcpip", b""))
        with one:
            yield pair, one, flow


def request_for(port: int) -> bytes:
    return b"\x04\x01" + port.to_bytes(2, "big") + b"\x7f\0\0\x01me\0"


class TestReverseProxy:
    def test_granted(self, reverse):
        pair, sock, _ = reverse
        with targets.half_close() as target:
            for byte in request_for(target.port):
                sock.sendall(bytes([byte]))
            sock.sendall(b"early")
            sock.shutdown(socket.SHUT_WR)
            assert read_exactly(sock, 8)[:2] == GRANTED
            assert len(read_all(sock)) == 64
            assert target.connections[0].received == 5
        assert pair.is_idle()

    def test_refused(self, reverse):
        pair, sock, _ = reverse
        with targets.refuse() as closed:
            sock.sendall(request_for(closed.port))
            assert read_exactly(sock, 8)[:2] == b"\0\x5b"
        sock.close()
        assert pair.is_idle()

    @pytest.mark.parametrize("said", [b"", b"\x04\x01", b"\x99"])
    def test_client_that_leaves(self, reverse, said):
        pair, sock, _ = reverse
        wait_until(lambda: pair.near.handshakes, what="the proxy")
        with contextlib.suppress(OSError):  # nonsense has ended it by now
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
        assert outcome(sock) in {"eof", "reset"}
        sock.close()
        assert pair.is_idle()

    def test_client_that_leaves_while_the_target_is_connected(self, reverse, monkeypatch):
        pair, sock, _ = reverse
        monkeypatch.setattr(Dialer, "connect", lambda *_: type("Dial", (), {"cancel": bool})())
        sock.sendall(SOCKS4)
        wait_until(
            lambda: any(getattr(each, "_dial", None) for each in list(pair.near.handshakes)),
            what="the dial",
        )
        reset(sock)
        assert pair.is_idle()

    def test_end_of_the_link(self, reverse):
        pair, sock, _ = reverse
        wait_until(lambda: pair.near.handshakes, what="the proxy")
        pair.near.stop()
        assert outcome(sock) == "reset"


def test_silence_of_a_reverse_client(monkeypatch):
    monkeypatch.setattr(engine, "HANDSHAKE_TIME", 0.05)
    with LinkPair() as pair:
        dialer = Dialer(pair.near.loop)

        def serve(request) -> None:
            ReverseProxy(pair.near, dialer, request.channel, FORWARD, "there:1")

        pair.near.on_open = serve
        one, two = tcp_pair()
        two.setblocking(False)
        pair.far.run(lambda: pair.far.start_flow(two, "forwarded-tcpip", b""))
        with one:
            assert outcome(one) in {"eof", "reset"}
        assert pair.is_idle()
