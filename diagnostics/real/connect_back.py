"""Whether a listener of our own is really the one that is reached at its address.

A table of sockets and a bind that succeeds do not prove it: another process may sit in front of an
address (Windows), a session may have a loopback of its own, and a filter may pass the handshake
alone.  So a nonce goes through, both ways, and then as many bytes as asked for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import struct
import sys
import time
from dataclasses import dataclass, field

from diagnostics.real.dialing import listener, name_of_socket, numeric
from diagnostics.real.errnos import name_of
from diagnostics.system import ConnectBack
from netkit.model import Endpoint

_NONCE = 16
_MAX_SIZE = 64 << 20
_PIECE = 1 << 16
_MAX_GUESTS = 8
"""Connections of others that are put up with meanwhile."""

_GRACE = 0.5
"""Seconds in which a connection that was made has to show up at our listener."""

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
# struct linger: close() resets, so that no connection in TIME_WAIT keeps anybody from the port
_ABORT = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


def connect_back(address: Endpoint, size: int, timeout: float) -> ConnectBack:
    """Listen on ``address``, connect to it, exchange a nonce, then ``size`` bytes."""
    began = time.monotonic()
    try:
        listening = listener(address)
    except OSError as error:
        spent = time.monotonic() - began
        return ConnectBack(address, "bind-failed", name_of(error), seconds=spent)
    bound = name_of_socket(listening)
    with listening, contextlib.ExitStack() as stack:
        exchange = _Exchange(listening, began + timeout, min(max(size, 0), _MAX_SIZE), stack)
        outcome, error_name = exchange.run(_destination(address, bound))
        spent = time.monotonic() - began
        return ConnectBack(address, outcome, error_name, bound, exchange.received, spent)


def _destination(address: Endpoint, bound: Endpoint | None) -> Endpoint:
    port = address.port or (bound.port if bound is not None else 0)
    return Endpoint(_WILDCARDS.get(address.host, address.host), port)


@dataclass(slots=True)
class _Exchange:
    """Both ends of the connection, in one thread."""

    listening: socket.socket
    deadline: float
    size: int
    stack: contextlib.ExitStack
    received: int = 0
    _guests: dict[socket.socket, bytes] = field(default_factory=dict)

    def run(self, destination: Endpoint) -> tuple[str, str]:
        """Return the outcome and the errno name that goes with it."""
        try:
            client = self._connect(destination)
        except OSError as error:
            return "timed-out" if _is_timeout(error) else "connect-failed", name_of(error)
        nonce = os.urandom(_NONCE)
        try:
            client.send(nonce)
            ours = self._find(client, nonce)
            if isinstance(ours, str):
                return ours, ""
            return self._stream(client, ours, nonce), ""
        except OSError as error:
            return "timed-out" if _is_timeout(error) else "wrong-data", name_of(error)

    def _connect(self, destination: Endpoint) -> socket.socket:
        family, where = numeric(destination)
        client = self._keep(socket.socket(family, socket.SOCK_STREAM))
        client.settimeout(self._left())
        client.connect(where)
        client.setblocking(False)
        return client

    def _keep(self, sock: socket.socket) -> socket.socket:
        """Close ``sock`` at the end, in a way that leaves nothing in the table."""
        self.stack.callback(sock.close)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        sock.setblocking(False)
        return sock

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "the time is up")
        return left

    def _find(self, client: socket.socket, nonce: bytes) -> socket.socket | str:
        """Return the accepted socket on which the nonce came, or the outcome without it."""
        patience = min(self.deadline, time.monotonic() + _GRACE)
        own = client.getsockname()
        with selectors.DefaultSelector() as selector:
            selector.register(self.listening, selectors.EVENT_READ)
            selector.register(client, selectors.EVENT_READ)
            while (left := patience - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    sock = key.fileobj
                    assert isinstance(sock, socket.socket)
                    if sock is self.listening:
                        self._accept(selector)
                    elif sock is client:
                        return "someone-else"  # our end says nothing before the nonce came
                    elif self._hears(sock, nonce, selector):
                        return sock
        ours = [heard for guest, heard in self._guests.items() if _peer(guest) == own]
        if not ours:
            return "someone-else"
        return "timed-out" if nonce.startswith(ours[0]) else "wrong-data"

    def _accept(self, selector: selectors.BaseSelector) -> None:
        try:
            guest, _ = self.listening.accept()
        except OSError:
            return
        self._keep(guest)
        if len(self._guests) >= _MAX_GUESTS:
            guest.close()
            return
        self._guests[guest] = b""
        selector.register(guest, selectors.EVENT_READ)

    def _hears(self, guest: socket.socket, nonce: bytes, selector: selectors.BaseSelector) -> bool:
        try:
            piece = guest.recv(_NONCE - len(self._guests[guest]))
        except BlockingIOError:
            return False
        except OSError:
            piece = b""
        heard = self._guests[guest] = self._guests[guest] + piece
        if heard == nonce:
            return True
        if not piece or not nonce.startswith(heard):
            selector.unregister(guest)
        return False

    def _stream(self, client: socket.socket, ours: socket.socket, nonce: bytes) -> str:
        """Answer the nonce, then pass the bytes; return the outcome."""
        answer = nonce[::-1]
        ours.send(answer)
        client.settimeout(self._left())
        heard = b""
        while len(heard) < _NONCE:
            client.settimeout(self._left())
            if not (piece := client.recv(_NONCE - len(heard))):
                break
            heard += piece
        client.setblocking(False)
        if heard != answer:
            return "wrong-data"
        return self._pass(client, ours, nonce * (_PIECE // _NONCE))

    def _pass(self, client: socket.socket, ours: socket.socket, pattern: bytes) -> str:
        sent = 0
        with selectors.DefaultSelector() as selector:
            selector.register(ours, selectors.EVENT_READ)
            if self.size:
                selector.register(client, selectors.EVENT_WRITE)
            while self.received < self.size:
                left = self.deadline - time.monotonic()
                ready = selector.select(left) if left > 0 else []
                if not ready:
                    return "stalled"
                for key, _ in ready:
                    if key.fileobj is ours:
                        piece = ours.recv(_PIECE)
                        if not piece or piece != _part(pattern, self.received, len(piece)):
                            return "wrong-data"
                        self.received += len(piece)
                    elif sent < self.size:
                        with contextlib.suppress(BlockingIOError):
                            room = min(_PIECE, self.size - sent)
                            sent += client.send(_part(pattern, sent, room))
                    else:
                        selector.unregister(client)
        return "ok"


def _part(pattern: bytes, offset: int, length: int) -> bytes:
    start = offset % _NONCE
    return (pattern + pattern[:_NONCE])[start : start + length]


def _peer(sock: socket.socket) -> object:
    try:
        return sock.getpeername()
    except OSError:
        return None


def _is_timeout(error: OSError) -> bool:
    return isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT
