"""The two ways to leave a local side: with RST, or with a last message that survives the close."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from typing import TYPE_CHECKING

from netkit.engine.loop import READ

if TYPE_CHECKING:
    from netkit.engine.link import Link

LINGER_LIMIT = 5.0
"""Seconds that a side which still sends is listened to after the last word to it."""

DROP_TURN = 16
"""Receives that are dropped before everybody else gets a turn."""

# struct linger has two shorts on Windows and two ints elsewhere.
_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


def reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN, where the kind of socket has one (socket(7) SO_LINGER)."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    sock.close()


class Farewell:
    """A last short message to a local side, and a close that does not destroy it.

    Closing a socket with unread input sends RST, which can overtake the message; so what still
    comes is read and dropped for a moment.
    """

    def __init__(self, link: Link, sock: socket.socket, message: bytes) -> None:
        self._link = link
        self._sock = sock
        link.handshakes.add(self)
        self._timer = link.loop.call_later(LINGER_LIMIT, self.abort)
        with contextlib.suppress(OSError):
            # The client may have left, or not read: then there is nobody to say goodbye to.
            sock.send(message)
            sock.shutdown(socket.SHUT_WR)
        link.loop.add(sock.fileno(), READ, self._ready)

    def _ready(self, _events: int) -> None:
        self._drop()

    def _drop(self) -> None:
        try:
            for _ in range(DROP_TURN):
                if not self._sock.recv(65536):
                    break
            else:
                self._link.loop.post(self._drop)
                return
        except (BlockingIOError, InterruptedError):
            self._link.loop.rearm_read(self._sock.fileno())
            return
        except OSError:
            pass
        self.abort()

    def abort(self) -> None:
        """Close now."""
        self._timer.cancel()
        self._link.handshakes.discard(self)
        self._link.loop.remove(self._sock.fileno())
        self._sock.close()
