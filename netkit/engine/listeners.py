"""Bound sockets of local and dynamic forwards; they do not depend on any link's life.

A listener is bound first (a taken port is the cheapest error to find), listens once a link can
carry what it accepts, and is attached to that link's loop.  Detached, it keeps its port.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from netkit.engine import bind_errors
from netkit.engine.loop import READ, Loop, Timer
from netkit.errors import BindError
from netkit.model import Address, Endpoint, ForwardSpec, UnixPath

log = logging.getLogger("netkit.listeners")

BACKLOG = 1024
ACCEPT_TURN = 64
"""Connections accepted before everybody else gets a turn."""

EMFILE_PAUSE = 0.5
"""Seconds without accepting when descriptors have run out: the cause has to go away first."""

PORT_ZERO_TRIES = 16
"""Tries to find one port that is free on both loopback addresses."""

UNIX_PATH_LIMIT = 107 if sys.platform.startswith("linux") else 103
"""Longest path of a unix socket in bytes (unix(7): sun_path less its NUL)."""

INHERITS_NODELAY = sys.platform.startswith("linux")
"""Whether an accepted socket has the listening one's TCP_NODELAY."""

_umask_lock = threading.Lock()

Accepted = Callable[[socket.socket, object], None]
Admit = Callable[[socket.socket, object], bool]


class Listener:
    """The listening sockets of one forward.

    Attributes:
        addresses: where it really listens.
        admit: asked about every connection and where it came from; one that it does not let in
            it has reset.  None: all may come.
    """

    def __init__(self, forward: ForwardSpec, sockets: list[socket.socket]) -> None:
        self.forward = forward
        self.addresses = tuple(_address_of(sock) for sock in sockets)
        self._files = tuple(_file_at(address) for address in self.addresses)
        self._sockets = sockets
        self._loop: Loop | None = None
        self._accepted: Accepted | None = None
        self._pause: Timer | None = None
        self._told = False
        self.admit: Admit | None = None
        self._on_exhausted: Callable[[str], None] | None = None

    def listen(self) -> None:
        """Let the kernel take connections.

        Raises:
            BindError: another process began to listen meanwhile.
        """
        for sock, address in zip(self._sockets, self.addresses, strict=True):
            try:
                sock.listen(BACKLOG)
            except OSError as error:
                raise bind_errors.explain(address, error, forward=self.forward) from error

    def attach(
        self,
        loop: Loop,
        accepted: Accepted,
        on_exhausted: Callable[[str], None] | None = None,
    ) -> None:
        """Accept in ``loop``'s thread, and from there; each socket goes to ``accepted``."""
        self._loop = loop
        self._accepted = accepted
        self._on_exhausted = on_exhausted
        for sock in self._sockets:
            loop.add(sock.fileno(), READ, self._reporter(sock))

    def detach(self) -> None:
        """Stop accepting and keep the port; in the loop's thread, or when that has ended."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        loop, self._loop = self._loop, None
        if loop is not None:
            for sock in self._sockets:
                loop.remove(sock.fileno())

    def close(self) -> None:
        """Give the port back; unix sockets that are still ours are removed.  Idempotent."""
        sockets, self._sockets = self._sockets, []
        for sock, address, file in zip(sockets, self.addresses, self._files, strict=False):
            ours = file is not None and file == _file_at(address)
            sock.close()
            if ours and isinstance(address, UnixPath):
                try:
                    Path(address.path).unlink()
                except OSError:
                    log.debug("the unix socket %s was removed already", address.path)

    def _reporter(self, listening: socket.socket) -> Callable[[int], None]:
        return lambda _events: self._accept(listening)

    def _accept(self, listening: socket.socket) -> None:
        loop, accepted = self._loop, self._accepted
        if loop is None or accepted is None or self._pause is not None:
            return
        for _ in range(ACCEPT_TURN):
            if loop.is_full:
                self._exhausted(OSError(errno.EMFILE, f"{loop.limit} sockets are open"))
                return
            try:
                sock, peer = listening.accept()
            except BlockingIOError:
                loop.rearm_read(listening.fileno())
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._exhausted(error)
                    return
                # ECONNABORTED and what accept(2) passes on from the network: the next one.
                continue
            self._told = False
            sock.setblocking(False)
            if not INHERITS_NODELAY and sock.family != getattr(socket, "AF_UNIX", None):
                # Refused on some systems once the client has left: reading will tell.
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.admit is None or self.admit(sock, peer):
                accepted(sock, peer)
        loop.post(lambda: self._accept(listening))

    def _exhausted(self, error: OSError) -> None:
        loop = self._loop
        if loop is None:
            return
        if self._on_exhausted is not None and not self._told:
            self._told = True
            self._on_exhausted(f"{error.strerror}: new connections wait until some end")
        self._pause = loop.call_later(EMFILE_PAUSE, self._resume)

    def _resume(self) -> None:
        self._pause = None
        for sock in self._sockets:
            self._accept(sock)


def bind(forward: ForwardSpec) -> Listener:
    """Bind the local side of ``forward``.

    Raises:
        BindError: with the address, the likely cause (who holds the port) and a remedy.
    """
    if isinstance(forward.bind, UnixPath):
        return Listener(forward, [_bind_unix(forward.bind)])
    hosts = _hosts(forward.bind)
    if forward.bind.port == 0 and len(hosts) > 1:
        return Listener(forward, _bind_one_port(hosts, forward))
    return Listener(forward, _bind_all(hosts, forward.bind.port, forward))


def _hosts(bind_to: Endpoint) -> list[tuple[int, str]]:
    """Return (family, address) for the bind address; both loopbacks and both wildcards."""
    families = [socket.AF_INET, *([socket.AF_INET6] if _has_ipv6() else [])]
    if bind_to.host.lower() in ("", "localhost"):
        return list(zip(families, ("127.0.0.1", "::1"), strict=False))
    if bind_to.host == "*":
        return list(zip(families, ("0.0.0.0", "::"), strict=False))
    try:
        found = socket.getaddrinfo(
            bind_to.host, bind_to.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise BindError(
            f"cannot listen on {bind_to}: {bind_to.host!r} is no address of this machine",
            code="bind-address-unknown",
            cause="looking up the name failed: "
            f"{(isinstance(error, OSError) and error.strerror) or error}",
        ) from error
    return list(dict.fromkeys((int(family), str(address[0])) for family, *_, address in found))


def _has_ipv6() -> bool:
    """Whether ::1 can be bound here at all; a kernel without IPv6 is no half-bound forward."""
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _bind_one_port(hosts: list[tuple[int, str]], forward: ForwardSpec) -> list[socket.socket]:
    """Bind all ``hosts`` to one port that the kernel chooses for the first of them."""
    for attempt in range(PORT_ZERO_TRIES):
        first = _bind_all(hosts[:1], 0, forward)
        try:
            return first + _bind_all(hosts[1:], first[0].getsockname()[1], forward)
        except BindError as error:
            first[0].close()
            if error.code != "bind-address-in-use" or attempt == PORT_ZERO_TRIES - 1:
                raise
    raise AssertionError


def _bind_all(hosts: list[tuple[int, str]], port: int, forward: ForwardSpec) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    for family, host in hosts:
        try:
            sockets.append(_bind_tcp(family, host, port))
        except OSError as error:
            bound = [sock.getsockname()[0] for sock in sockets]
            for sock in sockets:
                sock.close()
            raise bind_errors.explain(Endpoint(host, port), error, bound, forward) from error
    return sockets


def _bind_tcp(family: int, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # SO_REUSEADDR would let two processes hold one port there.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_unix(where: UnixPath) -> socket.socket:
    """Bind a unix socket that only its owner may use; a dead one of our own gives way."""
    if not hasattr(socket, "AF_UNIX"):
        raise BindError(
            f"cannot listen on {where}: this system has no unix sockets", code="no-unix-sockets"
        )
    if len(os.fsencode(where.path)) > UNIX_PATH_LIMIT:
        raise BindError(
            f"cannot listen on {where}: the path is longer than {UNIX_PATH_LIMIT} bytes",
            code="unix-path-too-long",
            cause="the kernel's limit for unix sockets; use a shorter directory such as /tmp",
        )
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        with _umask_lock:
            _remove_stale(where.path)
            before = os.umask(0o177)
            try:
                sock.bind(where.path)
            finally:
                os.umask(before)
    except OSError as error:
        sock.close()
        raise bind_errors.explain(where, error) from error
    return sock


def _remove_stale(path: str) -> None:
    """Remove a unix socket of ours that nobody listens on; anything else stays."""
    try:
        status = os.lstat(path)
    except OSError:
        return
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
        except OSError:
            return


def _file_at(address: Address) -> tuple[int, int] | None:
    """Return which file a unix socket is, None for what has none."""
    if not isinstance(address, UnixPath):
        return None
    try:
        status = os.lstat(address.path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _address_of(sock: socket.socket) -> Address:
    name = sock.getsockname()
    return UnixPath(name) if isinstance(name, str) else Endpoint(name[0], name[1])
