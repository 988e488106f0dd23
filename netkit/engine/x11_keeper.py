"""Keeps an untrusted cookie alive, and makes sure that it limits what programs may do.

An X server drops such a cookie when nobody has used it for its time, and when it starts afresh
because its last program left.  If it lets this account in without any cookie, as desktops do, it
would then take the cookie for none and trust whoever sends it.  So one connection is held as long
as the display is lent; nobody is let in before the server has shown that it limits this cookie,
and nobody after the connection broke.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from netkit.engine.loop import READ
from netkit.errors import DisplayError
from netkit.wire.x11 import LimitProbe

if TYPE_CHECKING:
    from netkit.engine.dial import Dial, Dialer
    from netkit.engine.link import Link
    from netkit.engine.x11 import XServer

TIME: Final = 5.0
"""Seconds for the server to show what it makes of the cookie."""


class Keeper:
    """One connection to the X server, of the thread of the link's loop.

    Attributes:
        decided: set once it is known, or cannot be, whether the cookie limits.
        limits: whether it does.
    """

    def __init__(
        self, link: Link, dialer: Dialer, server: XServer, lost: Callable[[], None]
    ) -> None:
        """``lost`` is called once a cookie that limited does not count any more."""
        self.decided = threading.Event()
        self.limits = False
        self._link = link
        self._lost = lost
        self._probe = LimitProbe(server.cookie)
        self._sock: socket.socket | None = None
        link.handshakes.add(self)
        self._dial: Dial | None = dialer.connect(server.address, self._connected)

    def _connected(self, sock: socket.socket | None, _error: OSError | None) -> None:
        if sock is None:
            self.abort()
            return
        self._sock = sock
        with contextlib.suppress(OSError):
            if sock.send(self._probe.request) == len(self._probe.request):
                self._link.loop.add(sock.fileno(), READ, self._ready)
                return
        self.abort()

    def _ready(self, _events: int) -> None:
        sock = self._sock
        while sock is not None:
            try:
                data = sock.recv(65536)
            except (BlockingIOError, InterruptedError):
                self._link.loop.rearm_read(sock.fileno())
                return
            except OSError:
                data = b""
            limits = self._probe.receive(data)
            if not data or limits is False:
                had = self.limits
                self.abort()
                if had:
                    self._lost()
                return
            if limits and not self.limits:
                self.limits = True
                self.decided.set()

    def abort(self) -> None:
        """Let go: the link ends, or the server has hung up or refused."""
        sock, self._sock = self._sock, None
        if sock is not None:
            self._link.loop.remove(sock.fileno())
            sock.close()
        if self._dial is not None:
            self._dial.cancel()
        self._link.handshakes.discard(self)
        self.limits = False
        self.decided.set()


def keep(link: Link, dialer: Dialer, server: XServer, lost: Callable[[], None]) -> None:
    """Hold an untrusted cookie as long as ``link`` lives; any thread but the loop's.

    Raises:
        DisplayError: the X server does not limit what is done with it.
        LinkLostError: the link has ended.
    """
    keeper = link.run(lambda: Keeper(link, dialer, server, lost))
    keeper.decided.wait(TIME)
    if not keeper.limits:
        link.loop.post(keeper.abort)
        raise DisplayError(
            f"X server {server.name} has forgotten the untrusted cookie that it made",
            code="x-ssh-untrusted",
            cause="it started afresh, or nobody used the cookie for too long",
        )
