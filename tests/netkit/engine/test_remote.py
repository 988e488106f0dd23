"""Remote forwards between two links; against real gateways they are in tests/conformance."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from netkit.engine import remote as engine
from netkit.engine.remote import RemoteForwards
from netkit.errors import LinkLostError, RemoteForwardError, RemoteProtocolError
from netkit.events import Notice
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from netkit.wire.messages import DEBUG, Fields, string, u32
from support import targets
from support.links import LinkPair, tcp_pair
from support.tunnels import outcome, read_exactly
from support.waiting import wait_until

TARGET = Endpoint("127.0.0.1", 1)


def spec(bind: Address, to: Address | None = TARGET) -> ForwardSpec:
    return ForwardSpec(ForwardKind.REMOTE, bind, to)


class Gateway:
    """The far link as a gateway that agrees to everything, or to nothing."""

    def __init__(self, pair: LinkPair) -> None:
        self.pair = pair
        self.asked: list[tuple[str, bytes]] = []
        self.agrees = True
        self.answers = True
        self.next_port = 4000
        self.remotes = RemoteForwards(pair.near)
        pair.far.on_global = self.request

    def request(self, event) -> bool:
        if "forward" not in event.kind:
            return False
        self.asked.append((event.kind, event.data))
        if not self.answers:
            return True
        data = b""
        if event.kind == "tcpip-forward":
            fields = Fields(event.data, 0)
            fields.string()
            if fields.u32() == 0:
                self.next_port += 1
                data = u32(self.next_port)
        self.pair.far.mux.answer_global(ok=self.agrees, data=data if self.agrees else b"")
        return True

    def connect(self, kind: str, data: bytes) -> socket.socket:
        """Return a client's socket that the gateway offers as a channel."""
        one, two = tcp_pair()
        two.setblocking(False)
        self.pair.far.run(lambda: self.pair.far.start_flow(two, kind, data))
        return one

    def tcp(self, host: str, port: int) -> socket.socket:
        data = string(host) + u32(port) + string("192.0.2.1") + u32(5000)
        return self.connect("forwarded-tcpip", data)


@pytest.fixture
def gateway():
    with LinkPair() as pair:
        yield Gateway(pair)


class TestAsking:
    @pytest.mark.parametrize(
        ("host", "sent"),
        [("", "localhost"), ("*", ""), ("0.0.0.0", "0.0.0.0"), ("::1", "::1"), ("Name", "Name")],
    )
    def test_address_as_ssh_sends_it(self, gateway, host, sent):
        gateway.remotes.request(spec(Endpoint(host, 80)))
        assert gateway.asked == [("tcpip-forward", string(sent) + u32(80))]

    def test_unix_path(self, gateway):
        entry = gateway.remotes.request(spec(UnixPath("/tmp/s")))
        assert gateway.asked == [("streamlocal-forward@openssh.com", string("/tmp/s"))]
        assert entry.address == UnixPath("/tmp/s")

    def test_allocated_port(self, gateway):
        assert gateway.remotes.request(spec(Endpoint("", 0))).address.port == 4001
        assert gateway.remotes.request(spec(Endpoint("", 0))).address.port == 4002

    @pytest.mark.parametrize(
        ("bind", "word"),
        [
            (Endpoint("", 80), "root"),
            (Endpoint("", 8080), "taken"),
            (UnixPath("/tmp/s"), "exists"),
        ],
    )
    def test_refusal_says_what_it_may_be(self, gateway, bind, word):
        gateway.agrees = False
        with pytest.raises(RemoteForwardError) as caught:
            gateway.remotes.request(spec(bind))
        assert word in caught.value.cause
        assert gateway.remotes.table == []

    def test_no_answer_within_the_callers_limit(self, gateway):
        gateway.answers = False
        began = time.monotonic()
        with pytest.raises(RemoteForwardError) as caught:
            gateway.remotes.request(spec(Endpoint("", 80)), limit=0.2)
        assert caught.value.code == "remote-forward-unanswered"
        assert time.monotonic() - began < 5

    def test_no_answer(self, gateway, monkeypatch):
        monkeypatch.setattr(engine, "REPLY_TIME", 0.2)
        gateway.answers = False
        with pytest.raises(RemoteForwardError) as caught:
            gateway.remotes.request(spec(Endpoint("", 80)))
        assert caught.value.code == "remote-forward-unanswered"

    def test_end_of_the_link(self, gateway):
        gateway.answers = False
        threading.Timer(0.05, gateway.pair.far.stop).start()
        with pytest.raises(LinkLostError):
            gateway.remotes.request(spec(Endpoint("", 80)))

    @pytest.mark.parametrize("port", [0, 65536, 1 << 31])
    def test_port_that_does_not_exist(self, gateway, port):
        gateway.next_port = port - 1
        with pytest.raises(RemoteProtocolError):
            gateway.remotes.request(spec(Endpoint("", 0)))

    def test_bind_that_others_can_reach_is_not_taken_for_granted(self, gateway):
        gateway.remotes.request(spec(Endpoint("127.0.0.1", 80)))
        assert not [event for event in gateway.pair.reports if isinstance(event, Notice)]
        gateway.remotes.request(spec(Endpoint("*", 81)))
        assert gateway.pair.report_of(Notice).code == "gateway-ports-unverified"

    def test_override_is_told(self, gateway):
        text = 'Forwarding listen address "localhost" overridden by server GatewayPorts'
        message = bytes([DEBUG, 1]) + string(text) + string("")
        gateway.pair.far.loop.post(lambda: gateway.pair.far.stream.send(message))
        assert gateway.pair.report_of(Notice).code == "gateway-ports-override"


class TestIncoming:
    def test_reaches_the_target(self, gateway):
        with targets.greeting(b"hi") as target:
            gateway.remotes.request(spec(Endpoint("", 0), target.address))
            with gateway.tcp("localhost", 4001) as sock:
                assert read_exactly(sock, 2) == b"hi"

    def test_unix_to_unix(self, gateway):
        with targets.short_directory() as directory:
            with targets.greeting(b"hi", path=Path(directory) / "t") as target:
                gateway.remotes.request(spec(UnixPath("/there/s"), target.address))
                data = string("/there/s") + string("")
                with gateway.connect("forwarded-streamlocal@openssh.com", data) as sock:
                    assert read_exactly(sock, 2) == b"hi"

    def test_is_given_to_who_asked(self, gateway):
        given = []

        def accept(request, source) -> None:
            given.append((request.kind, source))
            gateway.pair.near.mux.refuse(request.channel, 4, "seen")

        gateway.remotes.request(spec(Endpoint("", 0), None), accept=accept)
        with gateway.tcp("localhost", 4001) as sock:
            assert outcome(sock) == "reset"
        assert given == [("forwarded-tcpip", "192.0.2.1:5000")]

    def test_x11_is_given_to_who_asked(self, gateway):
        given = []

        def take(request) -> None:
            given.append((request.kind, request.data))
            gateway.pair.near.mux.refuse(request.channel, 4, "seen")

        gateway.remotes.on_x11 = take
        data = string("127.0.0.1") + u32(5000)
        with gateway.connect("x11", data) as sock:
            assert outcome(sock) == "reset"
        assert given == [("x11", data)]

    @pytest.mark.parametrize(
        ("kind", "data"),
        [
            ("forwarded-tcpip", string("localhost") + u32(9) + string("c") + u32(1)),
            ("forwarded-streamlocal@openssh.com", string("/other") + string("")),
            ("x11", string("c") + u32(1)),
            ("session", b""),
        ],
    )
    def test_what_was_not_asked_for(self, gateway, kind, data):
        gateway.remotes.request(spec(Endpoint("", 0)))
        with gateway.connect(kind, data) as sock:
            assert outcome(sock) == "reset"
        assert gateway.pair.is_idle()

    def test_nonsense_ends_the_link(self, gateway):
        with gateway.connect("forwarded-tcpip", b"\xff") as sock:
            assert outcome(sock) == "reset"
        assert gateway.pair.near.wait(10)
        assert isinstance(gateway.pair.near.error, RemoteProtocolError)

    def test_target_that_refuses(self, gateway):
        with targets.refuse() as closed:
            gateway.remotes.request(spec(Endpoint("", 0), closed.address))
            with gateway.tcp("localhost", 4001) as sock:
                assert outcome(sock) == "reset"
        assert gateway.pair.report_of(Notice).code == "local-target-failed"
        assert gateway.pair.is_idle()

    def test_end_of_the_link_while_the_target_is_connected(self, gateway, monkeypatch):
        dial = type("Dial", (), {"cancel": lambda self: None})()
        monkeypatch.setattr(gateway.remotes.dialer, "connect", lambda *_: dial)
        gateway.remotes.request(spec(Endpoint("", 0)))
        with gateway.tcp("localhost", 4001) as sock:
            wait_until(lambda: gateway.pair.near.handshakes, what="the dial")
            gateway.pair.near.stop()
            assert outcome(sock) == "reset"


class TestCancelling:
    def test_names_the_allocated_port_and_forgets(self, gateway):
        entry = gateway.remotes.request(spec(Endpoint("", 0)))
        gateway.remotes.cancel(entry)
        assert gateway.asked[-1] == ("cancel-tcpip-forward", string("localhost") + u32(4001))
        assert gateway.remotes.table == []

    def test_unix(self, gateway):
        gateway.remotes.cancel(gateway.remotes.request(spec(UnixPath("/tmp/s"))))
        assert gateway.asked[-1] == ("cancel-streamlocal-forward@openssh.com", string("/tmp/s"))

    def test_twice_does_no_harm(self, gateway):
        entry = gateway.remotes.request(spec(Endpoint("", 0)))
        gateway.remotes.cancel(entry)
        gateway.remotes.cancel(entry)
        assert gateway.remotes.table == []
        assert not gateway.pair.near.has_ended

    def test_refused_one_is_kept_and_closed(self, gateway):
        with targets.echo() as target:
            entry = gateway.remotes.request(spec(Endpoint("", 0), target.address))
            gateway.agrees = False
            with pytest.raises(RemoteForwardError):
                gateway.remotes.cancel(entry)
            with gateway.tcp("localhost", 4001) as sock:
                assert outcome(sock) == "reset"
            assert not target.connections

    def test_all_at_once(self, gateway):
        for port in (80, 81, 82):
            gateway.remotes.request(spec(Endpoint("", port)))
        gateway.pair.near.run(gateway.remotes.cancel_all)
        wait_until(lambda: len(gateway.asked) == 6, what="three cancels")
        with gateway.tcp("localhost", 81) as sock:
            assert outcome(sock) == "reset"
