"""Binding, connecting and talking: one socket, for a moment, within a time limit."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import time

from diagnostics.real.errnos import name_of, number_of, outcome_of
from diagnostics.system import BindResult, Connected, Talk
from netkit.model import Address, Endpoint, UnixPath

_IP_MTU = 14  # <linux/in.h>
_IPV6_MTU = 24  # <linux/in6.h>
_MAX_RECEIVE = 16 << 20
_PIECE = 1 << 16

SocketAddress = tuple[str, int] | tuple[str, int, int, int]


def numeric(address: Endpoint) -> tuple[socket.AddressFamily, SocketAddress]:
    """Return the family and socket address of an IP literal, with its scope; asks no resolver.

    Raises:
        OSError: it is none.
    """
    if not 0 <= address.port <= 65535:  # getaddrinfo takes it modulo 65536
        raise OSError(errno.EINVAL, f"{address.port} is no port")
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except (socket.gaierror, ValueError) as error:
        raise OSError(f"{address.host!r} is no address") from error
    family, _kind, _protocol, _name, where = found[0]
    return family, where  # type: ignore[return-value,unused-ignore]


def name_of_socket(sock: socket.socket) -> Endpoint | None:
    """Return the address that a TCP socket has."""
    try:
        host, port = sock.getsockname()[:2]
    except (OSError, ValueError):
        return None
    return Endpoint(str(host), int(port))


def listener(address: Endpoint) -> socket.socket:
    """Return a socket that is bound exactly as `netkit.engine.listeners` would, and listens.

    Raises:
        OSError: it cannot be bound.
    """
    family, where = numeric(address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(where)
        sock.listen(128)
    except BaseException:
        sock.close()
        raise
    return sock


def bind(address: Endpoint) -> BindResult:
    """Bind, listen, close."""
    began = time.monotonic()
    try:
        with listener(address) as sock:
            bound = name_of_socket(sock)
    except OSError as error:
        spent = time.monotonic() - began
        return BindResult(address, name_of(error), number_of(error), seconds=spent)
    return BindResult(address, bound=bound, seconds=time.monotonic() - began)


def connect(address: Endpoint, timeout: float) -> Connected:
    """Connect to an IP literal and close."""
    began = time.monotonic()
    try:
        with _connected(address, timeout) as sock:
            spent = time.monotonic() - began
            mtu = _path_mtu(sock)
            return Connected(address, "ok", "", name_of_socket(sock), spent, mtu)
    except OSError as error:
        spent = time.monotonic() - began
        return Connected(address, outcome_of(error), name_of(error), seconds=spent)


def _connected(address: Address, timeout: float) -> socket.socket:
    """Return a connected socket whose time limit is ``timeout``."""
    where: SocketAddress | str | bytes
    if isinstance(address, UnixPath):
        if not hasattr(socket, "AF_UNIX"):
            raise OSError("this system's Python has no unix sockets")
        family, where = socket.AF_UNIX, _unix_name(address.path)
    else:
        family, where = numeric(address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(max(0.001, timeout))
        sock.connect(where)
        if family != getattr(socket, "AF_UNIX", None) and sock.getsockname() == sock.getpeername():
            # Nobody listens on this ephemeral port, and the kernel chose it for our own side.
            raise ConnectionRefusedError(errno.ECONNREFUSED, "connected to itself")
    except BaseException as error:
        sock.close()
        if isinstance(error, ValueError | UnicodeError):
            raise OSError(f"{address} is no address") from error
        raise
    return sock


def _unix_name(path: str) -> str | bytes:
    if path.startswith("\0"):
        return os.fsencode(path)  # an abstract name is bytes to Python, and no path
    if "\0" in path:  # the kernel would take what is before it
        raise OSError(errno.EINVAL, "a path has no NUL")
    return path


def _path_mtu(sock: socket.socket) -> int:
    if not sys.platform.startswith("linux"):
        return 0
    level, option = (
        (socket.IPPROTO_IPV6, _IPV6_MTU)
        if sock.family == socket.AF_INET6
        else (socket.IPPROTO_IP, _IP_MTU)
    )
    try:
        return sock.getsockopt(level, option)
    except OSError:
        return 0


def talk(address: Address, send: bytes, receive: int, timeout: float, *, shut: bool) -> Talk:
    """Connect, send, half-close where ``shut`` says so, and read."""
    began = time.monotonic()
    deadline = began + timeout
    try:
        sock = _connected(address, timeout)
    except OSError as error:
        outcome, name = outcome_of(error), name_of(error)
        return Talk(address, outcome, b"", name, time.monotonic() - began)
    heard = bytearray()
    with sock:
        outcome, error_name = "ok", ""
        try:
            _say(sock, send, deadline, shut=shut)
        except OSError as error:
            # What it said before it stopped listening may explain why.
            outcome, error_name = _after(error), name_of(error)
        try:
            _hear(sock, heard, min(receive, _MAX_RECEIVE), deadline)
        except OSError as error:
            outcome, error_name = _after(error), name_of(error)
    return Talk(address, outcome, bytes(heard), error_name, time.monotonic() - began)


def _after(error: OSError) -> str:
    outcome = outcome_of(error)
    return outcome if outcome in ("timed-out", "reset") else "reset"


def _say(sock: socket.socket, data: bytes, deadline: float, *, shut: bool) -> None:
    if data:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        sock.sendall(data)
    if shut:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)


def _hear(sock: socket.socket, heard: bytearray, limit: int, deadline: float) -> None:
    while len(heard) < limit:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        piece = sock.recv(min(_PIECE, limit - len(heard)))
        if not piece:
            return
        heard += piece
        if time.monotonic() >= deadline and len(heard) < limit:
            raise TimeoutError
