"""X clients of a gateway between two links; with real servers in tests/integration/recipe."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

import pytest

from netkit.engine import x11 as engine
from netkit.engine.remote import RemoteForwards
from netkit.engine.x11 import X11Door, XServer
from netkit.events import FlowClosed, FlowOpened, Notice
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from netkit.wire.messages import Fields, string, u32
from netkit.wire.x11 import MAGIC_COOKIE, MISMATCH, MISSING, setup
from support import targets
from support.links import LinkPair, tcp_pair
from support.tunnels import outcome, read_all, read_exactly
from support.waiting import wait_until

FAKE, REAL = bytes(range(16)), b"R" * 16
GOOD = setup("<", MAGIC_COOKIE, FAKE)
INSIDE = setup("<", MAGIC_COOKIE, REAL)


class Gateway:
    """The far link as an sshd with X clients; the near one lends ``address``."""

    def __init__(self, pair: LinkPair, address, cookie: bytes = REAL, **more) -> None:
        self.pair = pair
        self.remotes = RemoteForwards(pair.near)
        self.server = XServer(name=":0", address=address, cookie=cookie, screen=3)
        self.door = X11Door(pair.near, self.remotes.dialer, self.server, FAKE, **more)
        self.remotes.on_x11 = self.door.open_request

    def client(self) -> socket.socket:
        one, two = tcp_pair()
        two.setblocking(False)
        data = string("127.0.0.1") + u32(4711)
        self.pair.far.run(lambda: self.pair.far.start_flow(two, "x11", data))
        one.settimeout(20)
        return one

    @property
    def notices(self) -> list[str]:
        return [event.code for event in self.pair.reports if isinstance(event, Notice)]


@pytest.fixture
def pair():
    with LinkPair() as pair:
        yield pair


@pytest.fixture
def server():
    """An X server that says what it is told: a client sees what the server got of it."""
    with targets.echo() as target:
        yield target


def opened(pair: LinkPair) -> FlowOpened:
    """Return the event of the first flow to the X server."""
    events = [event for event in pair.reports if isinstance(event, FlowOpened)]
    return next(event for event in events if event.target == "X server :0")


def reason(sock: socket.socket, order: str = "<") -> str:
    """Read a refusal to its end."""
    data = read_all(sock)
    status, length, _, _, words = struct.unpack_from(f"{order}BBHHH", data)
    assert (status, len(data)) == (0, 8 + 4 * words)
    return data[8 : 8 + length].decode()


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_cookie_is_replaced_and_the_rest_goes_through(pair, server, order):
    gateway = Gateway(pair, server.address)
    with gateway.client() as sock:
        sock.sendall(setup(order, MAGIC_COOKIE, FAKE) + b"request")
        expected = setup(order, MAGIC_COOKIE, REAL) + b"request"
        assert read_exactly(sock, len(expected)) == expected
        sock.sendall(b"more" * 100_000)
        assert read_exactly(sock, 400_000) == b"more" * 100_000
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""
    assert pair.is_idle()
    assert opened(pair).source == "127.0.0.1:4711"
    assert [event.error for event in pair.reports if isinstance(event, FlowClosed)] == ["", ""]
    assert gateway.notices == []


def test_in_pieces_and_with_an_end_that_comes_early(pair, server):
    gateway = Gateway(pair, server.address)
    with gateway.client() as sock:
        for byte in GOOD + b"x":
            sock.sendall(bytes([byte]))
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == INSIDE + b"x"
    assert pair.is_idle()


def test_what_comes_while_the_server_is_connected_is_kept(pair, monkeypatch):
    with targets.echo() as target:
        gateway = Gateway(pair, target.address)
        later = []
        connect = gateway.remotes.dialer.connect

        def slowly(address, done):
            later.append(lambda: connect(address, done))
            return type("Dial", (), {"cancel": lambda self: None})()

        monkeypatch.setattr(gateway.remotes.dialer, "connect", slowly)
        with gateway.client() as sock:
            sock.sendall(GOOD + b"one")
            wait_until(lambda: later, what="the dial")
            sock.sendall(b"two")
            sock.shutdown(socket.SHUT_WR)
            wait_until(lambda: next(iter(pair.near.handshakes))._eof, what="the end of data")
            pair.near.loop.post(later[0])
            assert read_all(sock) == INSIDE + b"onetwo"
        assert pair.is_idle()


def test_server_without_access_control_gets_no_cookie(pair, server):
    gateway = Gateway(pair, server.address, cookie=b"")
    with gateway.client() as sock:
        sock.sendall(GOOD)
        assert read_exactly(sock, 12) == setup("<", b"", b"")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""


def test_unix_socket(pair):
    with targets.short_directory() as directory:
        with targets.echo(path=Path(directory) / "X0") as target:
            with Gateway(pair, target.address).client() as sock:
                sock.sendall(GOOD)
                assert read_exactly(sock, len(INSIDE)) == INSIDE


@pytest.mark.skipif(not Path("/proc/net/unix").exists(), reason="Linux alone has them")
def test_abstract_socket(pair):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0netkit-test-{id(pair)}")
        listener.listen()
        listener.settimeout(20)
        name = listener.getsockname().decode()
        with Gateway(pair, UnixPath(name)).client() as sock:
            sock.sendall(GOOD)
            server, _ = listener.accept()
            with server:
                assert read_exactly(server, len(INSIDE)) == INSIDE


class TestRefused:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize(
        ("cookie", "text"), [(b"X" * 16, MISMATCH), (REAL, MISMATCH), (None, MISSING)]
    )
    def test_client_is_told_and_the_server_never_reached(self, pair, server, order, cookie, text):
        gateway = Gateway(pair, server.address)
        said = setup(order, MAGIC_COOKIE, cookie) if cookie else setup(order, b"", b"")
        with gateway.client() as sock:
            sock.sendall(said + b"QueryTree")
            assert reason(sock, order) == text
        assert pair.is_idle()
        assert not server.connections
        assert gateway.notices == [
            "x11-cookie-mismatch" if cookie else "x11-cookie-missing",
        ]

    def test_what_is_no_client(self, pair, server):
        gateway = Gateway(pair, server.address)
        with gateway.client() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert outcome(sock) in ("eof", "reset")
        assert pair.is_idle()
        assert gateway.notices == ["x11-no-setup"]
        assert not server.connections

    @pytest.mark.parametrize("said", [b"", GOOD[:-1]])
    def test_half_a_setup(self, pair, server, said):
        gateway = Gateway(pair, server.address)
        with gateway.client() as sock:
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
            assert outcome(sock) in ("eof", "reset")
        assert pair.is_idle()
        assert not server.connections

    @pytest.mark.parametrize("said", [b"", GOOD[:20]])
    def test_client_that_is_silent_or_slow(self, pair, server, monkeypatch, said):
        monkeypatch.setattr(engine, "HANDSHAKE_TIME", 0.2)
        gateway = Gateway(pair, server.address)
        with gateway.client() as sock:
            sock.sendall(said)
            assert outcome(sock) in ("eof", "reset")
        assert pair.is_idle()
        assert gateway.notices == ["x11-no-setup"]
        assert not server.connections

    def test_client_that_leaves(self, pair, server):
        gateway = Gateway(pair, server.address)
        sock = gateway.client()
        wait_until(lambda: pair.near.handshakes, what="the client")
        sock.close()
        assert pair.is_idle()

    def test_a_limit_of_clients_that_say_nothing(self, pair, server, monkeypatch):
        monkeypatch.setattr(engine, "MAX_HANDSHAKES", 2)
        gateway = Gateway(pair, server.address)
        idle = [gateway.client() for _ in range(2)]
        wait_until(lambda: len(gateway.door._waiting) == 2, what="both")
        with gateway.client() as third:
            assert outcome(third) == "reset"
        idle[0].sendall(GOOD)
        assert read_exactly(idle[0], len(INSIDE)) == INSIDE
        with gateway.client() as fourth:
            fourth.sendall(GOOD)
            assert read_exactly(fourth, len(INSIDE)) == INSIDE
        for sock in idle:
            sock.close()
        assert pair.is_idle()

    def test_notices_come_to_an_end(self, pair, server):
        gateway = Gateway(pair, server.address)
        for _ in range(8):
            with gateway.client() as sock:
                sock.sendall(setup("<", MAGIC_COOKIE, REAL))
                assert reason(sock) == MISMATCH
        notices = [event for event in pair.reports if isinstance(event, Notice)]
        assert len(notices) == 5
        assert "further ones" in notices[-1].text
        assert FAKE.hex() not in repr(notices)

    @pytest.mark.parametrize("ask", [False, True])
    def test_channel_that_nobody_asked_for(self, pair, server, ask):
        gateway = Gateway(pair, server.address)
        if ask:
            gateway.door.close()
        else:
            gateway.remotes.on_x11 = None
        with gateway.client() as sock:
            assert outcome(sock) == "reset"
        assert pair.is_idle()

    def test_end_of_the_forwards_is_the_end_of_the_display(self, pair, server):
        gateway = Gateway(pair, server.address)
        pair.near.run(gateway.remotes.cancel_all)
        with gateway.client() as sock:
            assert outcome(sock) == "reset"


class TestServerThatIsGone:
    def test_client_is_told(self, pair):
        with targets.refuse() as closed:
            gateway = Gateway(pair, closed.address)
            with gateway.client() as sock:
                sock.sendall(GOOD)
                assert reason(sock) == "netkit: X server :0 is not reached: Connection refused"
        assert pair.is_idle()
        assert gateway.notices == ["x11-server-unreachable"]

    def test_server_that_dies_resets_its_clients(self, pair):
        with targets.reset() as target:
            with Gateway(pair, target.address).client() as sock:
                sock.sendall(GOOD)
                assert outcome(sock) == "reset"
        assert pair.is_idle()

    def test_link_that_ends_meanwhile(self, pair, server):
        with Gateway(pair, server.address).client() as sock:
            wait_until(lambda: pair.near.handshakes, what="the client")
            pair.near.stop()
            assert outcome(sock) == "reset"


def test_a_single_connection(pair, server):
    gateway = Gateway(pair, server.address, single=True)
    assert gateway.door.request()[:1] == b"\1"
    with gateway.client() as first:
        first.sendall(GOOD)
        assert read_exactly(first, len(INSIDE)) == INSIDE
        with gateway.client() as second:
            assert outcome(second) == "reset"
        first.sendall(b"still")
        assert read_exactly(first, 5) == b"still"


def test_request_as_the_rfc_has_it(pair, server):
    gateway = Gateway(pair, server.address)
    fields = Fields(gateway.door.request(), 0)
    assert fields.boolean() is False
    assert fields.text() == "MIT-MAGIC-COOKIE-1"
    assert fields.text() == FAKE.hex()
    assert fields.u32() == 3
    assert fields.rest() == b""
    assert REAL.hex() not in repr(gateway.server)
    assert repr(REAL) not in repr(gateway.server)


def test_clients_of_a_remote_forward_get_past_the_same_door(pair, server):
    forward = ForwardSpec(ForwardKind.REMOTE, Endpoint("", 6001), server.address)
    gateway = Gateway(pair, server.address, forward=forward)

    def agree(_event: object) -> bool:
        pair.far.mux.answer_global(ok=True)
        return True

    pair.far.on_global = agree
    gateway.remotes.request(forward, accept=gateway.door.accept)
    data = string("localhost") + u32(6001) + string("192.0.2.1") + u32(5000)

    def client() -> socket.socket:
        one, two = tcp_pair()
        two.setblocking(False)
        pair.far.run(lambda: pair.far.start_flow(two, "forwarded-tcpip", data))
        return one

    with client() as sock:
        sock.sendall(GOOD)
        assert read_exactly(sock, len(INSIDE)) == INSIDE
    with client() as sock:
        sock.sendall(setup("<", b"", b""))
        assert reason(sock) == MISSING
    assert opened(pair).forward is forward
    assert len(server.connections) == 1


def test_many_at_once(pair, server):
    gateway = Gateway(pair, server.address)

    def one(results: list[bytes]) -> None:
        with gateway.client() as sock:
            sock.sendall(GOOD)
            results.append(read_exactly(sock, len(INSIDE)))

    results: list[bytes] = []
    threads = [threading.Thread(target=one, args=(results,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [INSIDE] * 20
    assert pair.is_idle()
