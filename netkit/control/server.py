"""The control socket of a running tunnel: few connections, short requests, bounded in every way.

Whatever comes over it never disturbs the tunnel: each connection has a thread, a line of at most
64 KiB, 5 seconds, and one of 16 places; a tunnel that answers late costs that connection only.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import selectors
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netkit.control import places
from netkit.control.protocol import (
    MAX_REQUEST,
    ControlError,
    Request,
    format_answer,
    format_failure,
    parse_request,
)
from netkit.errors import NetkitError

if TYPE_CHECKING:
    from netkit.control.answers import Answers
    from netkit.desktop.instance import ControlPoint

log = logging.getLogger("netkit.control")

MAX_CONNECTIONS: Final = 16
REQUEST_TIME: Final = 5.0
"""Seconds for a request to come, and for its answer to be taken."""

_PAUSE: Final = 0.2
"""Seconds until the next try after the system could give no descriptor."""

_JOIN_TIME: Final = 1.0


class ControlServer:
    """Answers on the control socket of one tunnel from `start` to `close`."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._closing = threading.Event()
        self._listener: socket.socket | None = None
        self._point: ControlPoint | None = None
        self._bell, self._ring = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="netkit-control", daemon=True)

    def start(self, lock: Path, folder: Path | None = None, *, tcp: bool = False) -> ControlPoint:
        """Listen, and return where; ``lock`` is the file of a claim that the caller holds.

        Raises:
            ControlError: there is no place for the socket.
        """
        try:
            self._listener, self._point = (
                places.listen_tcp() if tcp else places.listen(lock, folder)
            )
        except ControlError:
            self._bell.close()
            self._ring.close()
            raise
        self._listener.setblocking(False)
        self._acceptor.start()
        return self._point

    def close(self) -> None:
        """Stop answering.  Idempotent; takes a second at most."""
        if self._closing.is_set() or self._point is None or self._listener is None:
            return
        self._closing.set()
        places.remove(self._point)
        with contextlib.suppress(OSError):
            self._ring.send(b"\0")
        self._acceptor.join(_JOIN_TIME)
        deadline = time.monotonic() + _JOIN_TIME
        with self._lock:
            threads = tuple(self._threads)
            for each in self._connections:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RD)  # an answer that is on its way still goes
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        for end in (self._listener, self._bell, self._ring):
            end.close()

    # --- the acceptor's thread ---

    def _accept(self) -> None:
        assert self._listener is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            while not self._closing.is_set():
                selector.select()
                try:
                    connection, _ = self._listener.accept()
                except BlockingIOError:
                    continue
                except OSError as error:  # no descriptors, or the client has left already
                    log.debug("accepting failed: %s", error)
                    self._closing.wait(_PAUSE)
                    continue
                self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        connection.settimeout(REQUEST_TIME)
        if not _is_ours(connection):
            connection.close()
            return
        thread = threading.Thread(
            target=self._serve, args=(connection,), name="netkit-control-client", daemon=True
        )
        with self._lock:
            if len(self._connections) >= MAX_CONNECTIONS:
                thread = None  # type: ignore[assignment]
            else:
                self._connections.add(connection)
                self._threads.add(thread)
        try:
            if thread is None:
                _refuse(connection)
            else:
                thread.start()
        except RuntimeError:  # the system has no more threads
            self._ended(connection, thread)

    def _ended(self, connection: socket.socket, thread: threading.Thread) -> None:
        with self._lock:
            self._connections.discard(connection)
            self._threads.discard(thread)
            connection.close()

    # --- a connection's thread ---

    def _serve(self, connection: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError):
                buffer = bytearray()
                while (line := _line(connection, buffer)) and not self._closing.is_set():
                    answer, goes_on = self._answer(line)
                    _send(connection, answer)
                    if not goes_on:
                        return
        except Exception:
            log.exception("a control connection failed")
        finally:
            self._ended(connection, threading.current_thread())

    def _answer(self, line: bytes) -> tuple[bytes, bool]:
        """Return the answer, and whether to read on: not after what is no request."""
        try:
            request = parse_request(line)
            self._check(request)
        except NetkitError as error:
            return format_failure(error), False
        try:
            return format_answer(self._answers.answer(request)), True
        except NetkitError as error:
            return format_failure(error), True
        except Exception as error:
            log.exception("the request %s failed", request.do)
            text = f"the tunnel could not do it: {type(error).__name__}"
            return format_failure(ControlError(text, code="control-bug")), False

    def _check(self, request: Request) -> None:
        token = self._point.token if self._point else ""
        if token and not hmac.compare_digest(
            token.encode(), request.token.encode("utf-8", "replace")
        ):
            raise ControlError("the token is wrong", code="control-refused")


def _is_ours(connection: socket.socket) -> bool:
    """Tell whether the same user is at the other end, or root, where the system says (unix(7))."""
    if not sys.platform.startswith("linux") or connection.family != socket.AF_UNIX:
        return True  # the mode of the folder and the socket, or the token, is what keeps others out
    try:
        size = struct.calcsize("3i")
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    except OSError:
        return False
    _, user, _ = struct.unpack("3i", told)
    return user in (0, os.geteuid())


def _refuse(connection: socket.socket) -> None:
    error = ControlError(
        f"{MAX_CONNECTIONS} others talk to the tunnel", code="control-busy", retryable=True
    )
    with contextlib.suppress(OSError):
        connection.setblocking(False)
        connection.send(format_failure(error))
    connection.close()


def _line(connection: socket.socket, buffer: bytearray) -> bytes:
    """Return the next line with its end, what is too long as it is; empty at the end.

    Raises:
        OSError: it did not come in time, or the connection failed.
    """
    deadline = time.monotonic() + REQUEST_TIME
    while (end := buffer.find(b"\n")) < 0 and len(buffer) <= MAX_REQUEST:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        data = connection.recv(65536)
        if not data:
            return b""
        buffer += data
    end = len(buffer) if end < 0 else end + 1
    line = bytes(buffer[:end])
    del buffer[:end]
    return line


def _send(connection: socket.socket, data: bytes) -> None:
    connection.settimeout(REQUEST_TIME)  # for the whole of it (Python's sendall)
    connection.sendall(data)
