"""The demo's target, and the client that talks to it: bytes each way, with their SHA-256.

One request per connection, a line of ASCII:

    send N\\n              the target sends N bytes, then their digest
    take N\\n, N bytes     the target answers ``got N\\n`` once it has them, then their digest

A digest is 64 hexadecimal characters and a line end.  Bytes are hashed after the clock has
stopped, so that a figure is about the tunnel and not about SHA-256.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netkit.errors import NetkitError
from netkit.model import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 1_000_000_000
_BLOCK = 1 << 20
_TIMEOUT = 60.0
_REQUEST = re.compile(rb"(send|take) (\d{1,10})\n")
_DIGEST_BYTES = 65


class DemoError(NetkitError):
    """The bytes did not come through, or not whole."""

    exit_code = 3
    default_code = "demo-failed"


@dataclass(frozen=True, slots=True)
class Transfer:
    """``size`` bytes moved in ``seconds``; the digests of what was sent and what arrived."""

    size: int
    seconds: float
    sent: str
    arrived: str

    @property
    def is_whole(self) -> bool:
        """Whether every byte arrived, in order."""
        return self.sent == self.arrived

    @property
    def rate(self) -> float:
        """Return bytes per second."""
        return self.size / max(self.seconds, 1e-9)


class Target:
    """A TCP server on a free loopback port that answers ``send`` and ``take``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, name="netkit-target", daemon=True)]
        self.address = Endpoint("127.0.0.1", self._listener.getsockname()[1])

    def start(self) -> None:
        """Accept connections."""
        self._threads[0].start()

    def stop(self) -> None:
        """Close the listener and every connection; idempotent, from any thread."""
        with self._lock:
            self._stopped = True
            for sock in [self._listener, *self._open]:
                # close() alone would not wake a thread that waits in accept() or recv()
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                self._listener.close()
            threads = [thread for thread in self._threads if thread.ident is not None]
        for thread in threads:
            thread.join(2.0)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                if self._stopped:
                    return
                continue
            thread = threading.Thread(
                target=self._serve, args=(sock,), name="netkit-target-flow", daemon=True
            )
            with self._lock:
                if self._stopped:
                    sock.close()
                    return
                self._open.add(sock)
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            with sock, contextlib.suppress(OSError):
                _tune(sock)
                _answer(sock)
        finally:
            with self._lock:
                self._open.discard(sock)


def _answer(sock: socket.socket) -> None:
    request = bytearray()
    while not request.endswith(b"\n") and len(request) < 32:
        byte = sock.recv(1)
        if not byte:
            return
        request += byte
    match = _REQUEST.fullmatch(bytes(request))
    if match is None or int(match[2]) > MOST_BYTES:
        return
    size = int(match[2])
    if match[1] == b"send":
        payload = Payload(size)
        payload.send(sock)
        digest = payload.digest()
    else:
        buffer = bytearray(size)
        _receive(sock, buffer)
        sock.sendall(b"got %d\n" % size)
        digest = hashlib.sha256(buffer).hexdigest()
    sock.sendall(digest.encode("ascii") + b"\n")
    # The client closes first: a close with unread data would be a reset.
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)


class Payload:
    """``size`` random bytes in which every block differs, so that lost or swapped ones show."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._block = os.urandom(_BLOCK)

    def send(self, sock: socket.socket) -> None:
        """Send it all; raises ``OSError``."""
        for block in self._blocks():
            sock.sendall(block)

    def digest(self) -> str:
        """Return its SHA-256 in hexadecimal."""
        total = hashlib.sha256()
        for block in self._blocks():
            total.update(block)
        return total.hexdigest()

    def _blocks(self) -> Iterator[memoryview]:
        block = bytearray(self._block)
        for start in range(0, self._size, _BLOCK):
            block[:8] = start.to_bytes(8, "big")
            yield memoryview(block)[: self._size - start]


def download(address: Endpoint, size: int) -> Transfer:
    """Fetch ``size`` bytes through ``address``.

    Raises:
        DemoError: the connection failed or ended early.
    """
    buffer = bytearray(size)  # made before the clock starts
    with _connected(address) as sock:
        begun = time.perf_counter()
        sock.sendall(b"send %d\n" % size)
        _receive(sock, buffer)
        seconds = time.perf_counter() - begun
        sent = _receive_digest(sock)
    return Transfer(size, seconds, sent, hashlib.sha256(buffer).hexdigest())


def upload(address: Endpoint, size: int) -> Transfer:
    """Send ``size`` bytes through ``address``; the clock stops when the target has them all.

    Raises:
        DemoError: the connection failed or ended early.
    """
    payload = Payload(size)
    with _connected(address) as sock:
        begun = time.perf_counter()
        sock.sendall(b"take %d\n" % size)
        payload.send(sock)
        _receive(sock, bytearray(len(b"got %d\n" % size)))
        seconds = time.perf_counter() - begun
        arrived = _receive_digest(sock)
    return Transfer(size, seconds, payload.digest(), arrived)


@contextlib.contextmanager
def _connected(address: Endpoint) -> Iterator[socket.socket]:
    try:
        with socket.create_connection((address.host, address.port), _TIMEOUT) as sock:
            _tune(sock)
            yield sock
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise DemoError(
            f"the transfer through {address} failed: {reason}",
            cause="the tunnel, its gateway or its target ended",
        ) from error


def _receive(sock: socket.socket, buffer: bytearray) -> None:
    """Fill ``buffer``; raises ``OSError``, also when the peer sends less."""
    view = memoryview(buffer)
    while view:
        count = sock.recv_into(view)
        if not count:
            raise ConnectionError(f"the connection ended {len(view)} bytes early")
        view = view[count:]


def _receive_digest(sock: socket.socket) -> str:
    buffer = bytearray(_DIGEST_BYTES)
    _receive(sock, buffer)
    return buffer.decode("ascii", "replace").strip()


def _tune(sock: socket.socket) -> None:
    sock.settimeout(_TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
