"""Connects to targets from a link's loop without blocking it: the far side of incoming channels.

Names are resolved in threads, because getaddrinfo blocks; addresses are tried one after the other,
each with its own time limit.  sshd resolves in its session process and freezes every flow of the
link for as long (channels.c, connect_to_helper); this is what that costs us to avoid.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections import deque
from collections.abc import Callable

from netkit.engine.loop import ERROR, HANGUP, WRITE, Loop, Timer
from netkit.model import Address, Endpoint, UnixPath

ATTEMPT_LIMIT = 20.0
"""Seconds for one address; shorter than the two minutes of most kernels."""

MAX_LOOKUPS = 16
"""Names resolved at once; more wait their turn."""

Done = Callable[[socket.socket | None, OSError | None], None]
_Resolved = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | str]

_LOOPBACK: tuple[tuple[socket.AddressFamily, str], ...] = (
    (socket.AF_INET, "127.0.0.1"),
    (socket.AF_INET6, "::1"),
)


class Dial:
    """One attempt to reach a target; `cancel` ends it without a call."""

    def __init__(self, dialer: Dialer, done: Done) -> None:
        self._dialer = dialer
        self._done: Done | None = done
        self._left: deque[_Resolved] = deque()
        self._sock: socket.socket | None = None
        self._timer: Timer | None = None
        self._error: OSError = OSError(errno.EHOSTUNREACH, "No address for the target")

    def cancel(self) -> None:
        """Give up; ``done`` is not called."""
        self._done = None
        self._drop()

    def start(self, addresses: list[_Resolved], error: OSError | None = None) -> None:
        """Try ``addresses``; in the loop's thread."""
        if error is not None:
            self._error = error
        self._left.extend(addresses)
        self._next()

    def _next(self) -> None:
        if self._done is None:
            return
        while self._left:
            family, address = self._left.popleft()
            if self._dialer.loop.is_full:
                self._error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
                break
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
            except OSError as error:
                self._error = error
                continue
            sock.setblocking(False)
            try:
                code = sock.connect_ex(address)
            except (OSError, OverflowError, ValueError):
                # A port or path that no address can have; Python refuses it before the kernel.
                code = errno.EINVAL
            if code == 0:
                self._finish(sock)
                return
            # A unix socket never connects later: EAGAIN is a full backlog (connect(2)).
            if code in (errno.EINPROGRESS, errno.EWOULDBLOCK) and not isinstance(address, str):
                self._sock = sock
                loop = self._dialer.loop
                loop.add(sock.fileno(), WRITE, self._ready)
                self._timer = loop.call_later(ATTEMPT_LIMIT, self._expired)
                return
            sock.close()
            self._error = OSError(code, os.strerror(code))
        done, self._done = self._done, None
        done(None, self._error)

    def _ready(self, events: int) -> None:
        if not events & (WRITE | ERROR | HANGUP) or self._sock is None:
            return
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0:
            sock, self._sock = self._sock, None
            self._dialer.loop.remove(sock.fileno())
            self._finish(sock)
            return
        self._error = OSError(code, os.strerror(code))
        self._drop()
        self._next()

    def _expired(self) -> None:
        self._error = OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        self._drop()
        self._next()

    def _finish(self, sock: socket.socket) -> None:
        if self._timer is not None:
            self._timer.cancel()
        done, self._done = self._done, None
        if done is None:
            sock.close()
            return
        if sock.family != getattr(socket, "AF_UNIX", None):
            # Refused on some systems once the target has left: reading will tell.
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        done(sock, None)

    def _drop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._sock is not None:
            self._dialer.loop.remove(self._sock.fileno())
            self._sock.close()
            self._sock = None


class Dialer:
    """Dials for one loop."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._lookups = 0
        self._waiting: deque[tuple[Dial, Endpoint]] = deque()

    def connect(self, target: Address, done: Done) -> Dial:
        """Connect to ``target``; ``done(socket, None)`` or ``done(None, error)`` follows, once.

        It may be called before this returns.  The socket does not block and has TCP_NODELAY.
        """
        dial = Dial(self, done)
        if isinstance(target, UnixPath):
            if hasattr(socket, "AF_UNIX"):
                dial.start([(socket.AF_UNIX, target.path)])
            else:
                dial.start([], OSError(errno.EAFNOSUPPORT, "no unix sockets on this system"))
            return dial
        known = _without_lookup(target)
        if known is not None:
            dial.start(known)
        elif self._lookups < MAX_LOOKUPS:
            self._look_up(dial, target)
        else:
            self._waiting.append((dial, target))
        return dial

    def _look_up(self, dial: Dial, target: Endpoint) -> None:
        thread = threading.Thread(
            target=self._resolve, args=(dial, target), name="netkit-resolver", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            # The system gives us no more threads; that costs this flow and not the link.
            dial.start([], OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)))
            return
        self._lookups += 1

    def _resolve(self, dial: Dial, target: Endpoint) -> None:
        addresses: list[_Resolved] = []
        failure: OSError | None = None
        try:
            found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            addresses = [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]
        except (OSError, ValueError) as error:
            failure = error if isinstance(error, OSError) else socket.gaierror(0, str(error))
        self.loop.post(lambda: self._resolved(dial, addresses, failure))

    def _resolved(self, dial: Dial, addresses: list[_Resolved], error: OSError | None) -> None:
        self._lookups -= 1
        while self._waiting and self._lookups < MAX_LOOKUPS:
            self._look_up(*self._waiting.popleft())
        dial.start(addresses, error)


def _without_lookup(target: Endpoint) -> list[_Resolved] | None:
    """Return the addresses of literals and of ``localhost`` (RFC 6761 section 6.3)."""
    if target.host.lower() in ("localhost", ""):
        return [(family, (host, target.port)) for family, host in _LOOPBACK]
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, target.host)
        except (OSError, ValueError):
            continue
        return [(family, (target.host, target.port))]
    return None
