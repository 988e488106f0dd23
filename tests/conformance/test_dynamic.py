"""SOCKS and HTTP on one port: pitfalls 10 and 11, rule 5."""

from __future__ import annotations

import hashlib

import pytest

from netkit.engine import dynamic as engine
from netkit.events import FlowClosed, FlowFailed, Notice
from netkit.model import Endpoint
from netkit.wire import messages as wire
from netkit.wire.messages import Fields, string, u32
from support import targets, tunnels
from support.hostile import HostileServer, confirmation, data, refusal
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


def socks4(host: str, port: int) -> bytes:
    return b"\x04\x01" + port.to_bytes(2, "big") + bytes(map(int, host.split("."))) + b"user\0"


def socks4a(host: str, port: int) -> bytes:
    return b"\x04\x01" + port.to_bytes(2, "big") + b"\0\0\0\x01user\0" + host.encode() + b"\0"


def socks5(host: str, port: int) -> bytes:
    """The greeting and the request at once, by name."""
    name = bytes([len(host)]) + host.encode()
    return b"\x05\x01\x00" + b"\x05\x01\x00\x03" + name + port.to_bytes(2, "big")


def connect(host: str, port: int) -> bytes:
    return f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()


# request, and the first bytes of the answer: granted, refused, unknown, prohibited
PROTOCOLS = {
    "socks4": (socks4, b"\0\x5a", b"\0\x5b", b"", b"\0\x5b"),  # it has no names
    "socks4a": (socks4a, b"\0\x5a", b"\0\x5b", b"\0\x5b", b"\0\x5b"),
    "socks5": (socks5, b"\x05\0\x05\0", b"\x05\0\x05\x05", b"\x05\0\x05\x04", b"\x05\0\x05\x02"),
    "connect": (connect, b"HTTP/1.1 200", b"HTTP/1.1 502", b"HTTP/1.1 502", b"HTTP/1.1 403"),
}
REPLY_SIZE = {"socks4": 8, "socks4a": 8, "socks5": 12}


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def read_reply(sock, protocol: str) -> bytes:
    if protocol != "connect":
        return read_exactly(sock, REPLY_SIZE[protocol])
    reply = b""
    while not reply.endswith(b"\r\n\r\n"):
        reply += read_exactly(sock, 1)
    return reply


class TestReplies:
    def test_granted(self, gateway: TestGateway, protocol: str):
        request, granted, *_ = PROTOCOLS[protocol]
        with targets.echo() as target, tunnel(gateway, forwards=[dynamic()]) as run:
            with run.connect() as sock:
                sock.sendall(request("127.0.0.1", target.port))
                assert read_reply(sock, protocol).startswith(granted)
                assert exchange(sock, b"ping") == b"ping"
            assert run.events.wait(FlowClosed).error == ""
            run.wait_idle()

    def test_bytes_behind_the_request_come_first(self, gateway: TestGateway, protocol: str):
        request, granted, *_ = PROTOCOLS[protocol]
        with targets.echo() as target, tunnel(gateway, forwards=[dynamic()]) as run:
            with run.connect() as sock:
                early = bytes(range(256)) * 16
                sock.sendall(request("127.0.0.1", target.port) + early)
                sock.sendall(b"and later ones")
                assert read_reply(sock, protocol).startswith(granted)
                assert read_exactly(sock, len(early) + 14) == early + b"and later ones"

    def test_target_that_speaks_first(self, gateway: TestGateway, protocol: str):
        request, granted, *_ = PROTOCOLS[protocol]
        with targets.greeting(b"220 hello\r\n") as target:
            with tunnel(gateway, forwards=[dynamic()]) as run, run.connect() as sock:
                sock.sendall(request("127.0.0.1", target.port))
                assert read_reply(sock, protocol).startswith(granted)
                assert read_exactly(sock, 11) == b"220 hello\r\n"

    def test_refused(self, gateway: TestGateway, protocol: str):
        request, _, refused, *_ = PROTOCOLS[protocol]
        with targets.refuse() as closed, tunnel(gateway, forwards=[dynamic()]) as run:
            with run.connect() as sock:
                sock.sendall(request("127.0.0.1", closed.port))
                assert read_all(sock).startswith(refused)
            assert run.events.wait(FlowFailed).code == "target-refused"
            run.wait_idle()

    @pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name != "socks4"])
    def test_unknown_name(self, gateway: TestGateway, protocol: str):
        request, _, _, unknown, _ = PROTOCOLS[protocol]
        with tunnel(gateway, forwards=[dynamic()]) as run:
            with run.connect() as sock:
                sock.sendall(request("no-such-host.invalid", 80))
                reply = read_all(sock)
            run.wait_idle()
            if gateway.name == "dropbear" and protocol == "socks5":
                unknown = b"\x05\0\x05"  # dropbear gives no reason
            assert reply.startswith(unknown)

    def test_prohibited(self, tmp_path, protocol: str):
        request, _, _, _, prohibited = PROTOCOLS[protocol]
        with tunnels.start("sshd", tmp_path, PermitOpen="127.0.0.1:1") as gateway:
            with tunnel(gateway, forwards=[dynamic()]) as run, run.connect() as sock:
                sock.sendall(request("127.0.0.1", 2))
                assert read_all(sock).startswith(prohibited)

    def test_nothing_is_said_before_the_gateway_answers(self, protocol: str):
        request, granted, *_ = PROTOCOLS[protocol]
        with HostileServer() as server, tunnel(server.hop(), forwards=[dynamic()]) as run:
            with run.connect() as sock:
                sock.sendall(request("127.0.0.1", 80))
                channel = server.channel()
                if protocol == "socks5":
                    assert read_exactly(sock, 2) == b"\x05\0"
                    granted = granted[2:]
                run.link.run(lambda: None)
                sock.setblocking(False)
                with pytest.raises(BlockingIOError):
                    sock.recv(1)
                sock.settimeout(20)
                server.send(confirmation(channel), data(channel, b"banner"))
                assert read_exactly(sock, len(granted)) == granted

    @pytest.mark.parametrize(
        ("reason", "text", "code", "status"),
        [
            (1, "administratively prohibited", 2, 403),
            (2, "Connection refused", 5, 502),
            (2, "No route to host", 4, 502),
            (2, "Network is unreachable", 3, 502),
            (2, "Connection timed out", 6, 504),
            (2, "Name or service not known", 4, 502),
            (3, "unknown", 7, 501),
            (4, "resource shortage", 1, 503),
        ],
    )
    def test_every_reason_has_its_own_code(self, reason, text, code, status):
        def script(server, kind, _fields):
            if kind == wire.CHANNEL_OPEN:
                server.send(refusal(server.opened[-1], reason, text))

        with HostileServer(script) as server, tunnel(server.hop(), forwards=[dynamic()]) as run:
            with run.connect() as sock:
                sock.sendall(socks5("127.0.0.1", 80))
                assert read_all(sock)[3] == code
            with run.connect() as sock:
                sock.sendall(connect("127.0.0.1", 80))
                answer = read_all(sock)
                assert int(answer.split()[1]) == status


class TestNames:
    @pytest.mark.parametrize("request_of", [socks4a, socks5, connect])
    def test_go_to_the_gateway_as_typed(self, request_of):
        """Split horizon and privacy: nothing is resolved here."""
        with HostileServer() as server, tunnel(server.hop(), forwards=[dynamic()]) as run:
            with run.connect() as sock:
                sock.sendall(request_of("Printer.Example.invalid", 631))
                asked = server.wait_for(wire.CHANNEL_OPEN)
        fields = Fields(asked, 0)
        assert bytes(fields.string()) == b"direct-tcpip"
        assert asked.endswith(fields.rest())
        assert string("Printer.Example.invalid") + u32(631) in asked

    def test_a_slow_lookup_here_would_not_hold_others_up(self, gateway: TestGateway):
        with targets.echo() as target:
            forwards = [dynamic(), local(target.address)]
            with tunnel(gateway, forwards=forwards) as run:
                with run.connect() as first, run.connect(1) as second:
                    first.sendall(socks5("no-such-host.invalid", 80))
                    assert exchange(second, b"ping") == b"ping"
                    assert read_all(first)


class TestRefusedRequests:
    @pytest.mark.parametrize(
        ("said", "reply"),
        [
            (b"\x05\x01\x00\x05\x03\x00\x01\x7f\0\0\x01\0\x50", b"\x05\0\x05\x07"),  # UDP
            (b"\x05\x01\x00\x05\x02\x00\x01\x7f\0\0\x01\0\x50", b"\x05\0\x05\x07"),  # BIND
            (b"\x05\x01\x01", b"\x05\xff"),  # only with GSSAPI
            (b"\x04\x02\0\x50\x7f\0\0\x01\0", b"\0\x5b"),  # SOCKS 4 BIND
            (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"HTTP/1.1 4"),
            (b"\x16\x03\x01\x00", b""),  # TLS
        ],
    )
    def test_gets_an_answer_and_a_notice(self, sshd: TestGateway, said: bytes, reply: bytes):
        with tunnel(sshd, forwards=[dynamic()]) as run:
            with run.connect() as sock:
                sock.sendall(said)
                answer = read_all(sock)
            assert answer.startswith(reply)
            assert run.events.wait(Notice).text
            run.wait_idle()

    def test_client_that_says_nothing_is_left(self, sshd: TestGateway, monkeypatch):
        monkeypatch.setattr(engine, "HANDSHAKE_TIME", 0.2)
        with tunnel(sshd, forwards=[dynamic()]) as run:
            with run.connect() as silent, run.connect() as slow:
                slow.sendall(b"\x05\x01")
                assert outcome(silent) in {"eof", "reset"}
                assert outcome(slow) in {"eof", "reset"}
            run.wait_idle()

    def test_client_that_never_ends_its_request_is_left(self, sshd: TestGateway):
        with tunnel(sshd, forwards=[dynamic()]) as run:
            with run.connect() as sock:
                sock.sendall(b"GET http://x/" + b"y" * 9000)
                assert read_all(sock).startswith(b"HTTP/1.1 4")
            run.wait_idle()


class TestReverse:
    """``-R port``: the client is on the gateway's side, we connect."""

    def test_granted(self, gateway: TestGateway, protocol: str):
        request, granted, *_ = PROTOCOLS[protocol]
        with targets.half_close() as target, tunnel(gateway, forwards=[remote(None)]) as run:
            with run.connect() as sock:
                sock.sendall(request("127.0.0.1", target.port) + b"early")
                assert read_reply(sock, protocol).startswith(granted)
                for piece in targets.pattern(1 << 20):
                    sock.sendall(piece)
                sock.shutdown(1)
                digest = hashlib.sha256(b"early")
                for piece in targets.pattern(1 << 20):
                    digest.update(piece)
                assert read_all(sock).decode() == digest.hexdigest()
            run.wait_idle()

    def test_refused(self, gateway: TestGateway, protocol: str):
        request, _, refused, *_ = PROTOCOLS[protocol]
        with targets.refuse() as closed, tunnel(gateway, forwards=[remote(None)]) as run:
            with run.connect() as sock:
                sock.sendall(request("127.0.0.1", closed.port))
                assert read_reply(sock, protocol).startswith(refused)
            run.wait_idle()

    def test_unknown_name(self, gateway: TestGateway):
        with tunnel(gateway, forwards=[remote(None)]) as run, run.connect() as sock:
            sock.sendall(socks5("no-such-host.invalid", 80))
            assert read_reply(sock, "socks5")[3] == 4

    def test_client_that_leaves_early(self, gateway: TestGateway):
        with targets.echo() as target, tunnel(gateway, forwards=[remote(None)]) as run:
            for part in (b"", b"\x05", b"\x05\x01\x00\x05", socks4("127.0.0.1", target.port)):
                with run.connect() as sock:
                    sock.sendall(part)
            target.wait_until_ended(1)
            run.wait_idle(timeout=5)

    def test_data_while_the_target_is_connected_is_bounded(self):
        """What comes behind the request waits uncredited, so the window bounds it."""
        with HostileServer() as server:
            window = 1 << 21

            def script(_server, kind, _fields):
                if kind == wire.GLOBAL_REQUEST:
                    server.send(bytes([wire.REQUEST_SUCCESS]) + u32(4000))

            server.script = script
            with tunnel(server.hop(), forwards=[remote(None)]) as run:
                head = bytes([wire.CHANNEL_OPEN]) + string("forwarded-tcpip")
                head += u32(5) + u32(window) + u32(1 << 15)
                server.send(head + string("localhost") + u32(4000) + string("c") + u32(1))
                opened = Fields(server.wait_for(wire.CHANNEL_OPEN_CONFIRMATION), 0)
                opened.u32()
                ours = opened.u32()
                server.send(data(ours, socks5("no-such-host.invalid", 80)))
                for _ in range(window // (1 << 15)):
                    server.send(data(ours, bytes((1 << 15) - 100)))
                server.wait_for(wire.CHANNEL_CLOSE)
                credited = [
                    Fields(rest, 4).u32()
                    for kind, rest in server.messages
                    if kind == wire.CHANNEL_WINDOW_ADJUST
                ]
                assert sum(credited) <= window
                assert isinstance(run.address(), Endpoint)
