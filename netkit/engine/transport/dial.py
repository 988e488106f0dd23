"""A connected byte stream to the first gateway: TCP, a proxy, or the pipe of a ProxyCommand."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from netkit.engine.transport import dial_errors, proxy
from netkit.engine.transport.proxy_command import ProxyCommand
from netkit.model import Hop

STAGGER: Final = 0.25
"""Seconds an address gets before the next one is tried beside it (RFC 8305 section 5)."""

MAX_ADDRESSES: Final = 16
_TICK: Final = 0.1
_UNDER_WAY: Final = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0)}
_FAMILIES: Final = {
    "any": socket.AF_UNSPEC,
    "inet": socket.AF_INET,
    "inet6": socket.AF_INET6,
}

_Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]


@dataclass(slots=True)
class Connection:
    """A connected socket and what has to be ended with it.

    ``address`` is the peer's ``ip:port``, or the command of a ProxyCommand.
    """

    sock: socket.socket
    address: str
    _command: ProxyCommand | None = None

    def close(self) -> None:
        """Close the socket and end and reap the ProxyCommand; idempotent, takes at most 3 s."""
        self.sock.close()
        if self._command:
            self._command.close()


def dial(
    hop: Hop,
    *,
    cancelled: threading.Event | None = None,
    log: Callable[[str, str], None] | None = None,
    ask: Callable[[str], str | None] | None = None,
) -> Connection:
    """Connect to a hop directly, through its proxy or its ProxyCommand.

    Several addresses are tried in turn, each a quarter second after the one before, and the
    first to answer wins; ``hop.connect_timeout`` seconds bound the whole, name resolution included.
    ``log`` receives (code, text) of what a ProxyCommand says; ``ask`` asks for a proxy's password.

    Raises:
        UsageError: the proxy cannot be used (see `netkit.engine.transport.proxy.connect`).
        GatewayUnreachableError: codes ``name-not-resolved``, ``dns-failed``,
            ``connection-refused``, ``timed-out``, ``no-route``, ``connection-reset``,
            ``blocked-locally``, ``bind-address-unavailable``, ``cancelled``,
            ``proxy-command-failed``, ``proxy-unreachable``, ``proxy-refused``.
    """
    if hop.proxy:
        sock = proxy.connect(hop, hop.proxy, ask=ask, cancelled=cancelled)
        _tune(sock)
        return Connection(sock, str(hop.proxy))
    if hop.proxy_command:
        command = ProxyCommand(hop.proxy_command, log)
        return Connection(command.sock, hop.proxy_command, command)
    deadline = time.monotonic() + hop.connect_timeout
    family = _FAMILIES.get(hop.address_family, socket.AF_UNSPEC)
    found = _resolve(hop, hop.host, hop.port, family, deadline, cancelled)
    bind = None
    if hop.bind_address:
        bind = _resolve(hop, hop.bind_address, 0, family, deadline, cancelled)
    race = _Race(hop, _interleaved(found), bind, deadline, cancelled)
    sock = race.run()
    try:
        _tune(sock)
        name = sock.getpeername()
    except OSError as error:
        sock.close()
        raise dial_errors.unreachable(hop, [(hop.host, error)]) from error
    return Connection(sock, _show(name))


def _tune(sock: socket.socket) -> None:
    sock.setblocking(True)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _resolve(
    hop: Hop,
    host: str,
    port: int,
    family: int,
    deadline: float,
    cancelled: threading.Event | None,
) -> list[_Address]:
    """Resolve a name without waiting longer than the deadline.

    The system's resolver can neither be limited nor interrupted, so a name goes to a thread of its
    own, which is left behind in the worst case.
    """
    if _is_literal(host):
        return _getaddrinfo(hop, host, port, family)
    result: list[list[_Address] | Exception] = []
    done = threading.Event()

    def work() -> None:
        try:
            result.append(_getaddrinfo(hop, host, port, family))
        except Exception as error:  # noqa: BLE001 (raised again in the caller's thread)
            result.append(error)
        done.set()

    threading.Thread(target=work, name="netkit-resolve", daemon=True).start()
    while not done.wait(_TICK):
        _check_cancelled(cancelled)
        if time.monotonic() >= deadline:
            raise dial_errors.slow_resolver(host, hop.connect_timeout)
    found = result[0]
    if isinstance(found, Exception):
        raise found
    return found


def _getaddrinfo(hop: Hop, host: str, port: int, family: int) -> list[_Address]:
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise dial_errors.not_resolved(hop, host, error) from error
    pairs = [(info[0], info[4]) for info in found]
    unique: dict[_Address, None] = dict.fromkeys(pairs)  # type: ignore[arg-type]
    return list(unique)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _interleaved(addresses: Sequence[_Address]) -> list[_Address]:
    """Alternate the families, beginning with the resolver's first (RFC 8305 section 4)."""
    if not addresses:
        return []
    first = [a for a in addresses if a[0] == addresses[0][0]]
    other = [a for a in addresses if a[0] != addresses[0][0]]
    mixed: list[_Address] = []
    while first or other:
        mixed += [first.pop(0)] if first else []
        mixed += [other.pop(0)] if other else []
    return mixed[:MAX_ADDRESSES]


@dataclass(slots=True)
class _Race:
    """Connection attempts side by side; the first that succeeds is kept."""

    hop: Hop
    waiting: list[_Address]
    bind: list[_Address] | None
    deadline: float
    cancelled: threading.Event | None
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    failed: list[tuple[str, OSError]] = field(default_factory=list)

    def run(self) -> socket.socket:
        winner: socket.socket | None = None
        next_start = time.monotonic()
        try:
            while winner is None:
                _check_cancelled(self.cancelled)
                now = time.monotonic()
                if now >= self.deadline:
                    self._time_out()
                    raise dial_errors.unreachable(self.hop, self.failed)
                if self.waiting and (now >= next_start or not self.selector.get_map()):
                    self._start(*self.waiting.pop(0))
                    next_start = now + STAGGER
                if not self.waiting and not self.selector.get_map():
                    raise dial_errors.unreachable(self.hop, self.failed)
                winner = self._wait(min(_TICK, max(self.deadline - now, 0)))
        finally:
            for key in list(self.selector.get_map().values()):
                if key.fileobj is not winner and isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()
            self.selector.close()
        return winner

    def _start(self, family: socket.AddressFamily, address: tuple[str, int] | object) -> None:
        shown = _show(address)
        sock = None
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            if self.bind is not None:
                self._bind(sock, family)
            code = sock.connect_ex(address)  # type: ignore[arg-type]
            if code not in _UNDER_WAY:
                raise dial_errors.as_error(code)
            # Windows reports a failed connection as exceptional, which selectors map to write
            self.selector.register(sock, selectors.EVENT_WRITE, shown)
        except OSError as error:
            self.failed.append((shown, error))
        else:
            sock = None
        finally:
            if sock:
                sock.close()

    def _bind(self, sock: socket.socket, family: socket.AddressFamily) -> None:
        own = [address for kind, address in self.bind or () if kind == family]
        if not own:
            raise OSError(errno.EAFNOSUPPORT, f"BindAddress {self.hop.bind_address} is not of it")
        try:
            sock.bind(own[0])
        except OSError as error:
            raise dial_errors.bind_failed(self.hop, error) from error

    def _wait(self, timeout: float) -> socket.socket | None:
        if not self.selector.get_map():
            return None
        for key, _ in self.selector.select(timeout):
            sock = key.fileobj
            if not isinstance(sock, socket.socket):
                continue
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.selector.unregister(sock)
            if code == 0:
                return sock
            sock.close()
            self.failed.append((key.data, dial_errors.as_error(code)))
        return None

    def _time_out(self) -> None:
        for key in self.selector.get_map().values():
            self.failed.append((key.data, TimeoutError(errno.ETIMEDOUT, "no answer")))


def _check_cancelled(cancelled: threading.Event | None) -> None:
    if cancelled and cancelled.is_set():
        raise dial_errors.cancelled()


def _show(address: object) -> str:
    if not isinstance(address, tuple):
        return str(address)
    host, port = address[:2]
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(str(host).partition("%")[0]).version == 6:
            return f"[{host}]:{port}"
    return f"{host}:{port}"
