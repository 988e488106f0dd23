"""A peer that breaks the protocol, and garbage on the way: pitfall 20, rule 10."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable

import pytest

from netkit.engine import stream
from netkit.errors import GatewayUnreachableError, LinkLostError, NetkitError, RemoteProtocolError
from netkit.events import FlowOpened
from netkit.model import Endpoint
from netkit.wire import messages as wire
from netkit.wire.messages import Fields, string, u32
from support import targets, tunnels
from support.faults import Direction, FaultProxy
from support.hostile import (
    HostileServer,
    about,
    confirm_all,
    confirmation,
    data,
    forwarded,
    refusal,
)
from support.tunnels import TestGateway, exchange, local, outcome, remote, tunnel

ANYWHERE = Endpoint("target.test", 1)
PACKET = 128 << 10

# What a server says on channel {c}, and a word of what it is blamed for.
CRIMES: dict[str, tuple[Callable[[int], list[bytes]], str]] = {
    "data for no channel": (lambda c: [data(c + 99, b"x")], "does not exist"),
    "eof for no channel": (lambda c: [about(wire.CHANNEL_EOF, c + 99)], "does not exist"),
    "close for no channel": (lambda c: [about(wire.CHANNEL_CLOSE, c + 99)], "does not exist"),
    "window for no channel": (
        lambda c: [about(wire.CHANNEL_WINDOW_ADJUST, c + 99, 1)],
        "does not exist",
    ),
    "confirmed twice": (lambda c: [confirmation(c)], "twice"),
    "refused after confirming": (lambda c: [refusal(c, 1, "no")], "twice"),
    "more than the window": (
        lambda c: [data(c, bytes(PACKET))] * 500,  # the kernel takes some of it, too
        "window",
    ),
    "packet too large": (lambda c: [data(c, bytes(PACKET + 1))], "at most"),
    "extended data too large": (
        lambda c: [about(wire.CHANNEL_EXTENDED_DATA, c, 1) + string(bytes(PACKET + 1))],
        "at most",
    ),
    "window beyond 2**32": (
        lambda c: [about(wire.CHANNEL_WINDOW_ADJUST, c, 0xFFFFFFFF)],
        "2**32",
    ),
    "data after eof": (lambda c: [about(wire.CHANNEL_EOF, c), data(c, b"x")], "takes none"),
    "reply to no request": (lambda c: [bytes([wire.REQUEST_SUCCESS])] * 99, "not made"),
    "channel reply to no request": (lambda c: [about(wire.CHANNEL_SUCCESS, c)], "not made"),
    "data shorter than it says": (
        lambda c: [bytes([wire.CHANNEL_DATA]) + u32(c) + u32(99) + b"x"],
        "shorter",
    ),
    "unknown message": (lambda c: [bytes([101])], "does not know"),
    "local extension": (lambda c: [bytes([127]) + b"x"], "does not know"),
    "endless name": (lambda c: [bytes([wire.GLOBAL_REQUEST]) + string("x" * 5000)], "5000 bytes"),
    "truncated open": (lambda c: [bytes([wire.CHANNEL_OPEN]) + string("x11")], "too short"),
    "truncated data": (lambda c: [bytes([wire.CHANNEL_DATA]) + b"\0\0"], ""),
    "truncated confirmation": (lambda c: [about(wire.CHANNEL_OPEN_CONFIRMATION, c)], ""),
    "truncated request": (lambda c: [about(wire.CHANNEL_REQUEST, c)], "too short"),
}


@pytest.mark.parametrize("crime", CRIMES)
def test_crime_ends_the_link_and_is_named(crime: str):
    say, word = CRIMES[crime]
    with HostileServer(confirm_all) as server:
        with tunnel(server.hop(), forwards=[local(ANYWHERE)]) as run:
            with run.connect() as sock:
                channel = server.channel()
                run.events.wait(FlowOpened)
                with contextlib.suppress(OSError, EOFError):
                    server.send(*say(channel))
                error = run.tunnel.wait(10)
                assert outcome(sock) == ("eof" if "after eof" in crime else "reset")
    assert isinstance(error, RemoteProtocolError), error
    assert error.exit_code == 4
    assert word in error.summary


def test_max_packet_0():
    """Nothing could ever be sent; it must not look like an end of data."""

    def script(server, kind, _fields):
        if kind == wire.CHANNEL_OPEN:
            server.send(confirmation(server.opened[-1], packet=0))

    with HostileServer(script) as server:
        with tunnel(server.hop(), forwards=[local(ANYWHERE)]) as run:
            try:
                with run.connect() as sock:
                    server.channel()
                    sock.sendall(b"data")
                    seen = outcome(sock)
            except (ConnectionResetError, BrokenPipeError):
                seen = "reset"  # said once: a read behind it would find a mere end
            assert seen == "reset"
            assert isinstance(run.tunnel.wait(10), RemoteProtocolError)
            assert server.count(wire.CHANNEL_EOF) == 0


def test_data_before_the_confirmation():
    def script(server, kind, _fields):
        if kind == wire.CHANNEL_OPEN:
            server.send(data(server.opened[-1], b"too soon"))

    with HostileServer(script) as server:
        with tunnel(server.hop(), forwards=[local(ANYWHERE)]) as run:
            assert run.how_it_ends() == "reset"
            assert isinstance(run.tunnel.wait(10), RemoteProtocolError)


def test_connection_layer_before_the_login():
    """Messages of type 80 and above before authentication are nothing a client may believe."""
    with HostileServer() as server:
        server.before_login = lambda: server.send(forwarded(1, "localhost", 22))
        run = tunnels.make(server.hop())
        with pytest.raises(RemoteProtocolError) as caught:
            run.tunnel.start()
    assert "authentication" in caught.value.summary


class TestFloods:
    def test_opens_that_nobody_asked_for(self):
        """Each is refused and forgotten."""
        with HostileServer() as server, tunnel(server.hop()) as run:
            for number in range(2000):
                server.send(forwarded(number, "localhost", 4000))
            server.wait_for(wire.CHANNEL_OPEN_FAILURE, 2000)
            assert not run.link.mux.channels
            assert not run.tunnel.ended

    def test_opens_of_a_forward_are_bounded(self, monkeypatch):
        """More channels at once than OpenSSH itself would hold end the link."""

        def script(server, kind, _fields):
            if kind == wire.GLOBAL_REQUEST:
                server.send(bytes([wire.REQUEST_SUCCESS]) + u32(4001))

        with targets.blackhole() as hole, HostileServer(script) as server:
            with tunnel(server.hop(), forwards=[remote(hole.address)]) as run:
                run.link.mux._max_incoming = 50
                for number in range(51):
                    server.send(forwarded(number, "localhost", 4001))
                error = run.tunnel.wait(10)
        assert isinstance(error, RemoteProtocolError)
        assert "more than 50 channels" in error.summary

    def test_questions_whose_answers_are_not_read(self, monkeypatch):
        monkeypatch.setattr(stream, "MAX_QUEUED", 64 << 10)
        with HostileServer(receive_buffer=4096) as server:
            with tunnel(server.hop()) as run:
                question = bytes([wire.GLOBAL_REQUEST]) + string("what is the time") + b"\1"

                def flood() -> None:
                    # the thread that would read is the one that sends
                    with contextlib.suppress(Exception):
                        while not run.tunnel.ended:
                            server.send(question)

                server.handle(wire.GLOBAL_REQUEST, flood)
                run.link.loop.post(lambda: run.link.ask("hello", b"", lambda *_: None))
                error = run.tunnel.wait(30)
        assert isinstance(error, NetkitError)
        assert error.code == "peer-flood"
        assert "answer" in error.summary

    def test_keepalives_are_answered_one_by_one(self):
        with HostileServer() as server, tunnel(server.hop()):
            question = bytes([wire.GLOBAL_REQUEST]) + string("keepalive@openssh.com") + b"\1"
            for _ in range(500):
                server.send(question)
            server.wait_for(wire.REQUEST_FAILURE, 500)

    def test_debug_and_ignore_messages(self):
        with HostileServer() as server, tunnel(server.hop()) as run:
            text = string(b"\x1b[31m" + b"x" * 30000)
            for _ in range(20):
                server.send(bytes([wire.IGNORE]) + text, bytes([wire.DEBUG, 1]) + text + string(""))
            assert not run.link.wait(0.2)

    def test_window_adjusts_and_requests_on_a_channel(self):
        with HostileServer(confirm_all) as server:
            with tunnel(server.hop(), forwards=[local(ANYWHERE)]) as run, run.connect() as sock:
                channel = server.channel()
                ask = about(wire.CHANNEL_REQUEST, channel) + string("exit-status")
                for _ in range(500):
                    server.send(about(wire.CHANNEL_WINDOW_ADJUST, channel, 1), ask + b"\1" + u32(0))
                server.wait_for(wire.CHANNEL_FAILURE, 500)
                sock.sendall(b"fine")
                assert server.wait_for(wire.CHANNEL_DATA).endswith(b"fine")


class TestGarbage:
    """One flipped bit anywhere on the way."""

    # banner, key exchange, service, login, first requests: by bytes from the start
    @pytest.mark.parametrize("at", [0, 3, 20, 45, 60, 300, 900, 1100, 1300, 1500, 1700, 1900, 2100])
    @pytest.mark.parametrize("direction", list(Direction))
    def test_while_connecting(self, sshd: TestGateway, at: int, direction: Direction):
        with FaultProxy(sshd.port) as proxy, targets.echo() as target:
            proxy.garble(direction, after=at)
            hop = sshd.behind(proxy.port, connect_timeout=3.0)
            run = tunnels.make(hop, forwards=[local(target.address)])
            error: NetkitError | None = None
            try:
                run.tunnel.start()
                with contextlib.suppress(OSError), run.connect() as sock:
                    sock.settimeout(5)
                    exchange(sock, bytes(4000))
                error = run.tunnel.wait(0.2)
            except NetkitError as caught:
                error = caught
            finally:
                run.tunnel.stop(0)
            assert proxy.passed(direction) > at or error is None
            if error is not None:
                assert_explains(error)
            else:
                # A bit of the server's comment or of padding that nothing protects yet.
                assert direction is Direction.TO_CLIENT or at < 100

    @pytest.mark.parametrize("direction", list(Direction))
    @pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes128-ctr"])
    @pytest.mark.parametrize("mac", ["hmac-sha2-256", "hmac-sha2-256-etm@openssh.com"])
    def test_while_data_flows(self, sshd: TestGateway, direction, cipher: str, mac: str):
        chance = random.Random(f"{cipher}{mac}{direction}")
        with FaultProxy(sshd.port) as proxy, targets.echo() as target:
            hop = sshd.behind(proxy.port, ciphers=(cipher,), macs=(mac,))
            for _ in range(4):
                with tunnel(hop, forwards=[local(target.address)]) as run, run.connect() as sock:
                    exchange(sock, b"ping")
                    proxy.garble(direction, after=chance.randrange(200_000))
                    assert "reset" in ends_both_ways(sock)
                    error = run.tunnel.wait(10)
                    assert error is not None
                    assert_explains(error)
                    if direction is Direction.TO_CLIENT:
                        assert isinstance(error, RemoteProtocolError)

    def test_random_bytes_instead_of_packets(self, sshd: TestGateway):
        chance = random.Random(1)
        with HostileServer() as server:
            with tunnel(server.hop()) as run:
                with contextlib.suppress(OSError):
                    server.send_raw(chance.randbytes(100_000))
                error = run.tunnel.wait(10)
        assert isinstance(error, RemoteProtocolError)


def ends_both_ways(sock: socket.socket) -> list[str]:
    """Send and read until both ends; return how each did (an RST is told to one of them only)."""
    hows: list[str] = []

    def send() -> None:
        try:
            while True:
                sock.sendall(bytes(1 << 15))
        except (ConnectionResetError, BrokenPipeError) as error:
            hows.append("reset" if isinstance(error, ConnectionResetError) else "pipe")

    sender = threading.Thread(target=send)
    sender.start()
    hows.append(outcome(sock))
    sender.join()
    return hows


def assert_explains(error: NetkitError) -> None:
    """One line that a person understands, and no trace of Python in it."""
    assert isinstance(error, GatewayUnreachableError | LinkLostError) or error.exit_code in {5, 6}
    text = f"{error.summary} {error.cause}"
    assert error.code
    for word in ("Traceback", "Error(", "object at 0x", "NoneType", "internal error"):
        assert word not in text, text
    assert text.isprintable()


def test_strange_text_from_the_gateway_is_tamed(sshd: TestGateway):
    def script(server: HostileServer, kind: int, _fields: Fields) -> None:
        if kind == wire.CHANNEL_OPEN:
            server.send(refusal(server.opened[-1], 2, "\x1b]0;owned\x07" + "y" * 5000))

    with HostileServer(script) as server, tunnel(server.hop()) as run:
        with pytest.raises(NetkitError) as caught:
            run.tunnel.open("x", 1)
    assert caught.value.summary.isprintable()
    assert len(caught.value.summary) < 400
