"""Waiting until the server behind a forward answers as an RDP, VNC or web server does.

That the forward listens says nothing of the server: the gateway connects to it for each flow.  So
one connection is made through it, and dropped after the first answer.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netkit.desktop import handshakes
from netkit.desktop.clients import Kind
from netkit.desktop.handshakes import MAX_ANSWER, Heard
from netkit.model import Endpoint

if TYPE_CHECKING:
    import ssl

AGAIN = 1.0
"""Seconds between two tries of a server that refuses."""

_AT_ONCE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""A struct linger: on, for no time."""


class Result(enum.Enum):
    """How the wait ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    SILENT = "silent"
    OTHER = "other"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Answer:
    """``text`` says what answered; ``source`` is where we asked from, as flows name it."""

    result: Result
    text: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whom to ask, and how.

    Attributes:
        at: where the forward listens.
        host: the server's name, for HTTP and TLS.
        path: of the page.
        secure: HTTP over TLS.
        limit: seconds until it counts as silent.
        again: a refusal is no answer yet: the machine may be starting.
    """

    kind: Kind
    at: Endpoint
    host: str = ""
    path: str = "/"
    secure: bool = False
    limit: float = 20.0
    again: bool = False


class Waiter:
    """Asks once, or until there is an answer; ``cancel`` ends it from any thread."""

    def __init__(self, asks_from: Callable[[str], None] = lambda _source: None) -> None:
        """``asks_from`` is told each local address that a connection is made from."""
        self._asks_from = asks_from
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._sock: socket.socket | None = None

    def cancel(self) -> None:
        """End the wait, now or when it begins."""
        self._cancelled.set()
        with self._lock:
            if self._sock is not None:
                # wakes whoever reads from it
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)

    def wait(self, question: Question) -> Answer:
        """Return how it ended, after at most about ``question.limit`` seconds."""
        deadline = time.monotonic() + question.limit
        while True:
            answer = self._ask(question, deadline)
            if self._cancelled.is_set():
                return Answer(Result.CANCELLED)
            if answer.result is not Result.REFUSED or not question.again:
                return answer
            if time.monotonic() + AGAIN >= deadline:
                return answer
            self._cancelled.wait(AGAIN)

    def _ask(self, question: Question, deadline: float) -> Answer:
        source = ""
        try:
            with self._connection(question.at, deadline) as sock:
                source = str(Endpoint(*sock.getsockname()[:2]))
                self._asks_from(source)
                if question.secure:
                    with _secured(sock, question.host) as secured:
                        self._watch(secured)
                        heard = _ask_secure(secured, question, deadline)
                else:
                    heard = _ask(sock, question, deadline)
        except TimeoutError:
            return Answer(Result.SILENT, source=source)
        except OSError:
            return Answer(Result.REFUSED, source=source)
        if heard is None:
            return Answer(Result.REFUSED, source=source)
        result = Result.ANSWERED if heard.ok else Result.OTHER
        return Answer(result, heard.text, source)

    @contextlib.contextmanager
    def _connection(self, at: Endpoint, deadline: float) -> Iterator[socket.socket]:
        with socket.create_connection((at.host, at.port), _left(deadline)) as sock:
            # A reset at the end: there is nothing to finish that the tunnel should wait for.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self._watch(sock)
            try:
                yield sock
            finally:
                self._watch(None)

    def _watch(self, sock: socket.socket | None) -> None:
        """Let ``cancel`` end what ``sock`` waits for."""
        with self._lock:
            self._sock = sock
        if sock is not None and self._cancelled.is_set():
            raise ConnectionAbortedError


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _ask(sock: socket.socket, question: Question, deadline: float) -> Heard | None:
    """Return what was heard, None when the connection ended without a byte."""
    sock.settimeout(_left(deadline))
    host = str(Endpoint(question.host or question.at.host, question.at.port))
    sock.sendall(handshakes.question(question.kind, host=host, path=question.path))
    data = b""
    while (heard := handshakes.hear(question.kind, data)) is None:
        sock.settimeout(_left(deadline))
        try:
            piece = sock.recv(MAX_ANSWER - len(data))
        except ConnectionError:
            if not data:
                raise
            piece = b""
        if not piece:
            return Heard(False, handshakes.what_speaks(data)) if data else None
        data += piece
    return heard


def _secured(sock: socket.socket, host: str) -> ssl.SSLSocket:
    import ssl

    # The browser checks the certificate and tells the person; here only somebody has to answer.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(
            sock, server_hostname=host or None, do_handshake_on_connect=False
        )
    except ValueError:  # a name that no certificate can have
        return context.wrap_socket(sock, do_handshake_on_connect=False)


def _ask_secure(sock: ssl.SSLSocket, question: Question, deadline: float) -> Heard | None:
    """Ask over TLS; a server that refuses our handshake as TLS does is one, too."""
    import ssl

    sock.settimeout(_left(deadline))
    try:
        sock.do_handshake()
        return _ask(sock, question, deadline)
    except ssl.SSLError as error:
        reason = error.reason or ""
        if "ALERT" in reason:
            return Heard(True, "HTTPS")
        if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE"):
            return Heard(False, "a server that does not speak TLS")
        raise
