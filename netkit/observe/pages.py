"""A very small HTTP server for a few pages: GET and HEAD, one request for each connection.

One thread serves all connections, none of which can hold up another: at most `MAX_CONNECTIONS`,
`MAX_REQUEST` bytes and `MAX_TIME` seconds for each.  HTTP as far as RFC 9112 asks of a server that
closes after every response.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

log = logging.getLogger("netkit.observe")

MAX_CONNECTIONS: Final = 32
MAX_REQUEST: Final = 8192
MAX_TIME: Final = 5.0
_PIECE: Final = 65536
_JOIN: Final = 2.0
_PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """A response; ``status`` as in RFC 9110 section 15."""

    body: bytes
    status: int = 200
    content_type: str = _PLAIN


Pages = Mapping[str, Callable[[], Page]]

_WORDS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def answer(head: bytes, pages: Pages) -> bytes:
    """Return the response to a request of which ``head`` is the beginning, up to the empty line."""
    line = head.split(b"\n", 1)[0].rstrip(b"\r").decode("latin-1").split(" ")
    if len(line) != 3 or not line[2].startswith("HTTP/1.") or not line[1].startswith("/"):
        return _response(Page(b"not understood\n", 400))
    method, path = line[0], line[1].partition("?")[0]
    if path not in pages:
        return _response(Page(f"there is {' and '.join(pages)}\n".encode(), 404))
    if method not in {"GET", "HEAD"}:
        return _response(Page(b"GET and HEAD only\n", 405), "Allow: GET, HEAD\r\n")
    try:
        page = pages[path]()
    except Exception:
        log.exception("the page %s failed", path)
        page = Page(b"failed, see the log\n", 500)
    return _response(page, with_body=method == "GET")


def _response(page: Page, more: str = "", *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {page.status} {_WORDS[page.status]}\r\nContent-Type: {page.content_type}\r\n"
        f"Content-Length: {len(page.body)}\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + (page.body if with_body else b"")


@dataclass(slots=True)
class _Connection:
    sock: socket.socket
    deadline: float
    request: bytes = b""
    response: memoryview | None = None


class PageServer:
    """Serves pages on listening sockets, which it owns from then on."""

    def __init__(self, listeners: list[socket.socket], pages: Pages) -> None:
        self._listeners = listeners
        self._pages = pages
        self._bell, self._ring = socket.socketpair()
        self._stopped = threading.Event()
        self._connections: dict[int, _Connection] = {}
        self._selector = selectors.DefaultSelector()
        self._accepting = False
        self._thread = threading.Thread(target=self._run, name="netkit-pages", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._bell.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        for listener in self._listeners:
            listener.setblocking(False)
        self._accept(wanted=True)
        self._thread.start()

    def stop(self) -> None:
        """Close everything."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._ring.send(b"\0")
        if self._thread.is_alive():
            self._thread.join(_JOIN)
        self._ring.close()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._turn()
        finally:
            for connection in list(self._connections.values()):
                self._close(connection)
            for listener in self._listeners:
                listener.close()
            self._selector.close()
            self._bell.close()

    def _turn(self) -> None:
        now = time.monotonic()
        ends = [connection.deadline for connection in self._connections.values()]
        wait = max(0.0, min(ends) - now) if ends else None
        for key, _ in self._selector.select(wait):
            if isinstance(key.data, _Connection):
                self._serve(key.data)
            elif key.data == "listener":
                assert isinstance(key.fileobj, socket.socket)
                self._take(key.fileobj)
        now = time.monotonic()
        for connection in [each for each in self._connections.values() if each.deadline <= now]:
            self._close(connection)
        self._accept(wanted=len(self._connections) < MAX_CONNECTIONS)

    def _accept(self, *, wanted: bool) -> None:
        """Accept, or leave what comes to the backlog."""
        if wanted == self._accepting:
            return
        self._accepting = wanted
        for listener in self._listeners:
            if wanted:
                self._selector.register(listener, selectors.EVENT_READ, "listener")
            else:
                self._selector.unregister(listener)

    def _take(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError as error:  # it left again, or there are no descriptors
            log.debug("accepting failed: %s", error)
            if not isinstance(error, BlockingIOError | ConnectionError):
                self._stopped.wait(0.1)
            return
        sock.setblocking(False)
        connection = _Connection(sock, time.monotonic() + MAX_TIME)
        self._connections[sock.fileno()] = connection
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def _serve(self, connection: _Connection) -> None:
        try:
            if connection.response is None:
                self._read(connection)
            else:
                self._write(connection)
        except BlockingIOError:
            return
        except OSError:
            self._close(connection)

    def _read(self, connection: _Connection) -> None:
        data = connection.sock.recv(MAX_REQUEST)
        connection.request += data
        if not data:
            self._close(connection)
            return
        ends = (connection.request.find(b"\r\n\r\n"), connection.request.find(b"\n\n"))
        if max(ends) >= 0:
            response = answer(connection.request, self._pages)
        elif len(connection.request) > MAX_REQUEST:
            response = _response(Page(b"too long\n", 431))
        else:
            return
        connection.response = memoryview(response)
        self._selector.modify(connection.sock, selectors.EVENT_WRITE, connection)

    def _write(self, connection: _Connection) -> None:
        left = connection.response
        assert left is not None
        connection.response = left[connection.sock.send(left[:_PIECE]) :]
        if not connection.response:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_WR)
            self._close(connection)

    def _close(self, connection: _Connection) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.sock)
        self._connections = {
            number: each for number, each in self._connections.items() if each is not connection
        }
        connection.sock.close()
