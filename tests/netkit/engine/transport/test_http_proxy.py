from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from netkit.engine.transport.http_proxy import MAX_HEAD, HttpProxy, RefusedError, UnreachableError


class Scripted:
    """A proxy that says prepared pieces, each once the one before was taken."""

    def __init__(self, *pieces: bytes) -> None:
        self.heard = b""
        self.holds = False
        self._pieces = pieces
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            with client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while not self.heard.endswith(b"\r\n\r\n"):
                    self.heard += client.recv(4096)
                for piece in self._pieces:
                    client.sendall(piece)
                if not self.holds:
                    client.shutdown(socket.SHUT_WR)
                while client.recv(4096):
                    pass


@contextlib.contextmanager
def scripted(*pieces: bytes) -> Iterator[Scripted]:
    server = Scripted(*pieces)
    server._thread.start()
    try:
        yield server
    finally:
        server._listener.close()
        server._thread.join()


def connect(server: Scripted, user: str = "", password: str = "") -> socket.socket:
    return HttpProxy("127.0.0.1", server.port, user, password).connect("gw.example", 22, 5.0)


def read_all(sock: socket.socket) -> bytes:
    with sock, sock.makefile("rb") as file:
        return file.read()


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 Connection established\r\n\r\nSSH-2.0-x\r\n",),
        (b"HTTP/1.0 200\r\nVia: x\r\n\r", b"\nSSH-2.0-x\r\n"),
        tuple(bytes([each]) for each in b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nSSH-2.0-x\r\n"),
    ],
)
def test_what_the_server_says_first_is_not_lost(pieces: tuple[bytes, ...]):
    with scripted(*pieces) as server:
        assert read_all(connect(server)) == b"SSH-2.0-x\r\n"
    assert server.heard == b"CONNECT gw.example:22 HTTP/1.1\r\nHost: gw.example:22\r\n\r\n"


def test_basic_authentication():
    with scripted(b"HTTP/1.1 200 OK\r\n\r\n") as server:
        connect(server, "Aladdin", "open sesame").close()
    # the example of RFC 7617 section 2
    assert b"\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n" in server.heard


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 Proxy Authentication"),
        (b"HTTP/1.1 503\r\n\r\n", "503"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "it is no HTTP proxy"),
        (b"HTTP/1.1 abc\r\n\r\n", "its answer is no HTTP"),
        (b"", "it hung up"),
        (b"HTTP/1.1 200 OK\r\n", "it hung up"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * MAX_HEAD, "its answer has no end"),
    ],
)
def test_refusals(answer: bytes, text: str):
    with scripted(answer) as server, pytest.raises(RefusedError, match=text):
        connect(server)


def test_no_proxy_there():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(UnreachableError):
            HttpProxy("127.0.0.1", unused.getsockname()[1]).connect("gw", 22, 5.0)


def test_an_answer_that_drips_has_an_end():
    with scripted(*[b"HTTP/1.1 200 OK\r\n"], *[b"A: b\r\n"] * 3) as server:
        server.holds = True
        with pytest.raises(TimeoutError):
            HttpProxy("127.0.0.1", server.port).connect("gw", 22, 0.3)
