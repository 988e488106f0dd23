"""Scripted destinations on loopback: what a forward leads to in a test.

``with echo() as target:`` listens; ``target.address`` is where.  Each accepted connection runs the
script in its own thread and is recorded in ``target.connections``.  ``stop`` shuts every
connection down and joins every thread, so a stuck script cannot outlive its test.
"""

from __future__ import annotations

import contextlib
import hashlib
import selectors
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from netkit.model import Address, Endpoint, UnixPath
from support.waiting import wait_until

CHUNK = 64 * 1024
# A prime length, so that a lost, doubled or swapped packet of any usual size changes the digest.
_PATTERN = hashlib.shake_256(b"netkit test pattern").digest(65_521)


class Connection:
    """One accepted connection, and what became of it.

    Attributes:
        peer: who connected, as ``getpeername`` says.
        received: bytes read so far.
        ended: empty while it runs, then ``eof`` (the script finished), ``reset`` (the other side
            or the script reset it), ``stopped`` (by ``Target.stop``) or the error's text.
    """

    def __init__(self, sock: socket.socket, peer: object, stopping: threading.Event) -> None:
        self.sock = sock
        self.peer = peer
        self.stopping = stopping
        self.received = 0
        self.ended = ""
        self._hash = hashlib.sha256()

    def read(self, limit: int = CHUNK) -> bytes:
        """Return up to ``limit`` bytes, ``b""`` at EOF."""
        data = self.sock.recv(limit)
        self.received += len(data)
        self._hash.update(data)
        return data

    def read_to_eof(self) -> None:
        """Read and count until the other side says that it has no more."""
        while self.read():
            pass

    @property
    def digest(self) -> str:
        """SHA-256 of all that was read, hexadecimal."""
        return self._hash.hexdigest()

    def reset(self) -> None:
        """Close with an RST (TCP only)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def __repr__(self) -> str:
        return f"<Connection from {self.peer} received={self.received} {self.ended or 'running'}>"


Script = Callable[[Connection], None]


class Target:
    """A listening socket that runs ``script`` for each connection, in a thread of its own.

    Args:
        script: what a connection does; the socket is closed when it returns.
        host: a literal loopback address; not used with ``path``.
        port: 0 for one that is free.
        path: listen on this unix socket instead.
        receive_buffer: ``SO_RCVBUF`` in bytes, small for readers that are to stall soon.
    """

    def __init__(
        self,
        script: Script,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: Path | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        self._script = script
        self._path = path
        if path is not None:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._listener = socket.socket(family, socket.SOCK_STREAM)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            if receive_buffer is not None:
                self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self._listener.bind(str(path) if path is not None else (host, port))
            self._listener.listen(1024)
        except OSError:
            self._listener.close()
            raise
        self._listener.setblocking(False)
        self.address: Address = (
            UnixPath(str(path))
            if path is not None
            else Endpoint(host, self._listener.getsockname()[1])
        )
        self.connections: list[Connection] = []
        self._stopping = threading.Event()
        self._wake_read, self._wake_write = socket.socketpair()
        # Here, not in the thread: a test that begins now is not to find a descriptor more later.
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._scripts: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept_all, name=f"target {self.address}")
        self._acceptor.start()

    @property
    def host(self) -> str:
        assert isinstance(self.address, Endpoint)
        return self.address.host

    @property
    def port(self) -> int:
        assert isinstance(self.address, Endpoint)
        return self.address.port

    def connect(self, timeout: float = 10.0) -> socket.socket:
        """Return a socket connected to this target."""
        if isinstance(self.address, Endpoint):
            return socket.create_connection((self.host, self.port), timeout)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(self.address.path)
        return sock

    def connection(self, index: int = 0, *, timeout: float = 10.0) -> Connection:
        """Return the connection of that number, waiting until it is there."""
        self.wait_for_connections(index + 1, timeout=timeout)
        return self.connections[index]

    def wait_for_connections(self, count: int, *, timeout: float = 10.0) -> None:
        """Wait until ``count`` connections have been accepted since the start."""
        wait_until(
            lambda: len(self.connections) >= count,
            timeout=timeout,
            what=f"{count} connections at {self.address}, got {len(self.connections)}",
        )

    def wait_until_ended(self, count: int = 1, *, timeout: float = 10.0) -> None:
        """Wait until the scripts of ``count`` connections have finished."""
        wait_until(
            lambda: sum(bool(c.ended) for c in self.connections) >= count,
            timeout=timeout,
            what=f"{count} ended connections at {self.address}, got {self.connections}",
        )

    def stop(self) -> None:
        """Stop listening, end every connection, join every thread; twice is fine."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._wake_write.close()
        self._acceptor.join()
        for connection in self.connections:
            with contextlib.suppress(OSError):  # it ended by itself
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._scripts:
            thread.join()
        self._wake_read.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _accept_all(self) -> None:
        with self._listener, self._selector as selector:
            while not self._stopping.is_set():
                selector.select()
                try:
                    sock, peer = self._listener.accept()
                except BlockingIOError:
                    continue
                sock.setblocking(True)
                connection = Connection(sock, peer, self._stopping)
                thread = threading.Thread(
                    target=self._run, args=(connection,), name="target script"
                )
                self._scripts.append(thread)
                self.connections.append(connection)
                thread.start()

    def _run(self, connection: Connection) -> None:
        outcome = "eof"
        try:
            self._script(connection)
            if connection.sock.fileno() < 0:
                outcome = "reset"
        except (ConnectionResetError, BrokenPipeError):
            outcome = "reset"
        except OSError as error:
            outcome = str(error)
        finally:
            connection.sock.close()
            connection.ended = "stopped" if self._stopping.is_set() else outcome


def pattern(size: int) -> Iterator[bytes]:
    """Yield ``size`` bytes of the test pattern, the same every time, in pieces."""
    for start in range(0, size, len(_PATTERN)):
        yield _PATTERN[: size - start]


def pattern_digest(size: int) -> str:
    """Return the SHA-256 of ``size`` bytes of the test pattern, hexadecimal."""
    digest = hashlib.sha256()
    for piece in pattern(size):
        digest.update(piece)
    return digest.hexdigest()


def echo(*, host: str = "127.0.0.1", path: Path | None = None) -> Target:
    """Send back what comes, and EOF after EOF."""

    def script(connection: Connection) -> None:
        while data := connection.read():
            connection.sock.sendall(data)

    return Target(script, host=host, path=path)


def sink(*, host: str = "127.0.0.1", path: Path | None = None) -> Target:
    """Read until EOF, say nothing."""
    return Target(Connection.read_to_eof, host=host, path=path)


def source(size: int, *, host: str = "127.0.0.1", path: Path | None = None) -> Target:
    """Send ``size`` bytes of ``pattern``, then EOF, then read until EOF."""

    def script(connection: Connection) -> None:
        for piece in pattern(size):
            connection.sock.sendall(piece)
        connection.sock.shutdown(socket.SHUT_WR)
        connection.read_to_eof()

    return Target(script, host=host, path=path)


def half_close(*, host: str = "127.0.0.1", path: Path | None = None) -> Target:
    """Read until EOF, only then answer with the digest (64 hexadecimal digits), and close."""

    def script(connection: Connection) -> None:
        connection.read_to_eof()
        connection.sock.sendall(connection.digest.encode("ascii"))

    return Target(script, host=host, path=path)


def greeting(text: bytes, *, host: str = "127.0.0.1", path: Path | None = None) -> Target:
    """Speak first, as SSH, SMTP and POP servers do, then read until EOF."""

    def script(connection: Connection) -> None:
        connection.sock.sendall(text)
        connection.read_to_eof()

    return Target(script, host=host, path=path)


def reset(*, after: int = 0, host: str = "127.0.0.1") -> Target:
    """Reset the connection as soon as ``after`` bytes have come (0: at once)."""

    def script(connection: Connection) -> None:
        while connection.received < after and connection.read(after - connection.received):
            pass
        connection.reset()

    return Target(script, host=host)


def blackhole(
    *, host: str = "127.0.0.1", path: Path | None = None, receive_buffer: int | None = 4096
) -> Target:
    """Accept, and neither read nor write until the target is stopped."""

    def script(connection: Connection) -> None:
        connection.stopping.wait()

    return Target(script, host=host, path=path, receive_buffer=receive_buffer)


def slow_reader(
    go: threading.Event, *, host: str = "127.0.0.1", receive_buffer: int | None = 4096
) -> Target:
    """Read nothing until ``go`` is set, then everything until EOF, then answer with the digest.

    Slowness by event instead of by clock: the test decides when the stall is over.
    """

    def script(connection: Connection) -> None:
        while not go.wait(0.05):
            if connection.stopping.is_set():
                return
        connection.read_to_eof()
        connection.sock.sendall(connection.digest.encode("ascii"))

    return Target(script, host=host, receive_buffer=receive_buffer)


class Refuse:
    """A port that refuses: bound, so that nobody else can take it, and never listened on."""

    def __init__(self, *, host: str = "127.0.0.1") -> None:
        self._sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._sock.bind((host, 0))
        self.host = host
        self.port: int = self._sock.getsockname()[1]
        self.address = Endpoint(host, self.port)

    def stop(self) -> None:
        self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def refuse(*, host: str = "127.0.0.1") -> Refuse:
    """Return a port on which every connection is refused."""
    return Refuse(host=host)


def short_directory() -> tempfile.TemporaryDirectory[str]:
    """Return a directory whose path is short enough for a unix socket (107 bytes at most)."""
    return tempfile.TemporaryDirectory(prefix="nk-")
