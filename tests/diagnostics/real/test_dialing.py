from __future__ import annotations

import errno
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from diagnostics.real import dialing
from netkit.model import Endpoint, UnixPath
from support.ports import free_port

ABORT = struct.pack("ii", 1, 0)


@contextmanager
def server(
    serve: Callable[[socket.socket], object], family: int = socket.AF_INET, where: Any = None
) -> Iterator[Any]:
    """Accept once, hand the connection to ``serve``; give the address."""
    with socket.socket(family) as listening:
        listening.bind(where or (("::1", 0) if family == socket.AF_INET6 else ("127.0.0.1", 0)))
        listening.listen()

        def work() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):  # the other side may be gone
                serve(connection)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            name = listening.getsockname()
            yield Endpoint(*name[:2]) if isinstance(name, tuple) else UnixPath(str(where))
        finally:
            thread.join(20)


def say(text: bytes) -> Callable[[socket.socket], object]:
    """Return what sends ``text`` and waits for the other side to leave."""

    def serve(sock: socket.socket) -> None:
        sock.sendall(text)
        sock.recv(1)

    return serve


def test_bind():
    found = dialing.bind(Endpoint("127.0.0.2", 0))
    assert (found.error, found.number) == ("", 0)
    assert found.bound is not None
    assert found.bound.host == "127.0.0.2"
    assert dialing.bind(found.bound).bound == found.bound


def test_a_taken_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = Endpoint(*taken.getsockname())
        found = dialing.bind(where)
        assert (found.error, found.number) == ("EADDRINUSE", errno.EADDRINUSE)
        assert found.bound is None
        assert dialing.bind(Endpoint("127.0.0.9", where.port)).error == ""


def test_only_ipv6():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert dialing.bind(Endpoint("::", port)).error == ""


@pytest.mark.parametrize(
    ("host", "error"),
    [
        ("203.0.113.1", "EADDRNOTAVAIL"),
        ("2001:db8::1", "EADDRNOTAVAIL"),
        ("localhost", "EINVAL"),
        ("x\0y", "EINVAL"),
    ],
)
def test_no_address_of_ours(host: str, error: str):
    found = dialing.bind(Endpoint(host, 0))
    assert found.error == error
    assert dialing.connect(Endpoint("not an address", 1), 1.0).outcome == "failed"


@pytest.mark.parametrize("port", [-1, 65536, 1 << 70])
def test_no_port(port: int):
    assert dialing.bind(Endpoint("127.0.0.1", port)).error
    assert dialing.connect(Endpoint("127.0.0.1", port), 1.0).outcome == "failed"


def test_windows_binds_exclusively(monkeypatch):
    """As netkit's own listener there: no SO_REUSEADDR, which would let two hold one port."""
    options = []

    class Socket(socket.socket):
        __slots__ = ()

        def setsockopt(self, *arguments: object) -> None:
            options.append(arguments)

    monkeypatch.setattr(dialing.sys, "platform", "win32")
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", -5, raising=False)
    monkeypatch.setattr(dialing.socket, "socket", Socket)
    assert dialing.bind(Endpoint("127.0.0.1", 0)).error == ""
    assert options == [(socket.SOL_SOCKET, -5, 1)]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_connect(family: int):
    with server(lambda sock: sock.recv(1), family) as address:
        found = dialing.connect(address, 5.0)
    assert (found.outcome, found.error) == ("ok", "")
    assert found.local is not None
    assert found.local.host == address.host
    if sys.platform.startswith("linux"):
        assert found.path_mtu >= 1500
    assert 0 <= found.seconds < 5


def test_refused():
    port = free_port()
    found = dialing.connect(Endpoint("127.0.0.1", port), 5.0)
    assert (found.outcome, found.error, found.local) == ("refused", "ECONNREFUSED", None)


def test_no_answer():
    """A full backlog on Linux: the handshake is not answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = Endpoint(*full.getsockname())
        with socket.create_connection(full.getsockname()):
            began = time.monotonic()
            found = dialing.connect(address, 0.2)
    assert (found.outcome, found.error) == ("timed-out", "ETIMEDOUT")
    assert time.monotonic() - began < 3


def test_connected_to_itself(monkeypatch):
    """The kernel may choose the port that nobody listens on for our own side."""

    class Socket(socket.socket):
        __slots__ = ()

        def connect(self, where: Any) -> None:
            self.bind(where)
            super().connect(where)

    port = free_port()
    monkeypatch.setattr(dialing.socket, "socket", Socket)
    assert dialing.connect(Endpoint("127.0.0.1", port), 5.0).outcome == "refused"


def test_path_mtu_where_there_is_none(monkeypatch):
    with socket.socket() as unconnected:
        assert dialing._path_mtu(unconnected) == 0
        monkeypatch.setattr(dialing.sys, "platform", "darwin")
        assert dialing._path_mtu(unconnected) == 0


def test_a_socket_without_a_name():
    sock = socket.socket()
    sock.close()
    assert dialing.name_of_socket(sock) is None


class TestTalk:
    def test_echo(self):
        with server(lambda sock: sock.sendall(sock.recv(100).upper())) as address:
            found = dialing.talk(address, b"hello", 100, 5.0, shut=False)
        assert (found.outcome, found.data, found.address) == ("ok", b"HELLO", address)

    def test_enough(self):
        with server(say(b"0123456789")) as address:
            assert dialing.talk(address, b"", 4, 5.0, shut=False).data == b"0123"

    def test_half_close(self):
        def serve(sock: socket.socket) -> None:
            data = b""
            while piece := sock.recv(100):
                data += piece
            sock.sendall(data[::-1])

        with server(serve) as address:
            assert dialing.talk(address, b"abc", 100, 5.0, shut=True).data == b"cba"

    def test_silence(self):
        with server(say(b"x")) as address:
            found = dialing.talk(address, b"", 100, 0.2, shut=False)
        assert (found.outcome, found.data, found.error) == ("timed-out", b"x", "ETIMEDOUT")

    def test_a_trickle_is_bounded_too(self):
        def serve(sock: socket.socket) -> None:
            sock.settimeout(0.01)
            while True:
                try:
                    sock.sendall(b"x")
                    if not sock.recv(1):
                        return
                except TimeoutError:
                    continue
                except OSError:
                    return

        with server(serve) as address:
            found = dialing.talk(address, b"", 1 << 20, 0.3, shut=False)
        assert found.outcome == "timed-out"
        assert len(found.data) > 1

    def test_data_that_comes_without_a_pause(self):
        one, other = socket.socketpair()
        with one, other:
            one.sendall(b"x")
            heard = bytearray()
            with pytest.raises(TimeoutError):
                dialing._hear(other, heard, 100, deadline=0.0)
        assert heard == b"x"

    def test_reset(self):
        def serve(sock: socket.socket) -> None:
            sock.sendall(b"bye")
            sock.recv(100)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)

        with server(serve) as address:
            found = dialing.talk(address, b"x", 100, 5.0, shut=False)
        assert (found.outcome, found.error) == ("reset", "ECONNRESET")

    def test_what_it_said_before_it_closed(self):
        """It wants nothing of what we send; what it said is kept."""

        def serve(sock: socket.socket) -> None:
            sock.sendall(b"go away")
            sock.shutdown(socket.SHUT_WR)
            sock.recv(1)

        with server(serve) as address:
            found = dialing.talk(address, b"x" * (32 << 20), 100, 5.0, shut=False)
        assert found.outcome in ("reset", "timed-out")

    def test_refused(self):
        port = free_port()
        assert (
            dialing.talk(Endpoint("127.0.0.1", port), b"", 1, 5.0, shut=False).outcome == "refused"
        )

    def test_unix(self, tmp_path: Path):
        where = str(tmp_path / "socket")
        with server(lambda sock: sock.sendall(b"unix"), socket.AF_UNIX, where) as address:
            assert dialing.talk(address, b"", 100, 5.0, shut=False).data == b"unix"
        found = dialing.talk(address, b"", 100, 5.0, shut=False)
        assert (found.outcome, found.error) == ("refused", "ECONNREFUSED")

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux' abstract names")
    def test_abstract(self):
        where = "\0netkit-test-dialing"
        with server(lambda sock: sock.sendall(b"abstract"), socket.AF_UNIX, where.encode()) as _:
            found = dialing.talk(UnixPath(where), b"", 100, 5.0, shut=False)
        assert found.data == b"abstract"

    @pytest.mark.parametrize(
        ("path", "error"),
        [
            ("/nonexistent/socket", "ENOENT"),
            ("x" * 200, "EINVAL"),
            ("a\0b", "EINVAL"),
            ("\ud800", "EINVAL"),
            ("", ""),
        ],
    )
    def test_no_socket_there(self, path: str, error: str):
        found = dialing.talk(UnixPath(path), b"", 1, 1.0, shut=False)
        assert found.outcome in ("failed", "refused")
        assert found.error.startswith(error)

    def test_no_unix_sockets(self, monkeypatch):
        monkeypatch.delattr(dialing.socket, "AF_UNIX")
        assert dialing.talk(UnixPath("/x"), b"", 1, 1.0, shut=False).outcome == "failed"
