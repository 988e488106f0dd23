"""A few words with an X server: would it let us in, and what is it able to do."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass
from typing import Final

from diagnostics.parsers import x_setup
from diagnostics.parsers.x_setup import Reply
from netkit.model import Address, UnixPath

TIME: Final = 5.0
"""Seconds for one server to connect and to answer; one on this machine takes milliseconds."""

ABSENT, SILENT, CLOSED, STRANGE = "absent", "silent", "closed", "strange"

_NOTHING: Final = Reply("nothing")


@dataclass(frozen=True, slots=True)
class Place:
    """One way to a server; ``peer`` is its IP literal, empty for a unix socket."""

    address: Address
    peer: str = ""

    def __str__(self) -> str:
        return str(self.address).replace("\0", "@")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking at one place.

    ``outcome`` is `ABSENT` (nothing takes the connection, see ``error``), `SILENT`, `CLOSED` (it
    hung up without a word), `STRANGE` (it is no X server), or the status of its ``reply``:
    ``accepted``, ``rejected`` or ``more``.
    """

    place: Place
    outcome: str
    error: str = ""
    reply: Reply = _NOTHING


def ask(place: Place, protocol: bytes = b"", cookie: bytes = b"") -> Answer:
    """Shake hands with a server and hang up.

    The questions follow the setup at once, and the answers end when the server hangs up on the
    end of ours, so nothing has to be waited for.
    """
    deadline = time.monotonic() + TIME
    try:
        sock = _connected(place.address)
    except ConnectionResetError:
        return Answer(place, CLOSED)  # it took the connection, and was faster than we
    except (OSError, ValueError, UnicodeError) as error:
        return Answer(place, ABSENT, getattr(error, "strerror", None) or str(error))
    with sock:
        data, end = _exchange(sock, x_setup.request(protocol, cookie), deadline)
    reply = x_setup.parse(data)
    if reply.status in ("nothing", "cut"):
        return Answer(place, SILENT if end == "late" else CLOSED, reply=reply)
    return Answer(place, reply.status, reply=reply)


def _connected(address: Address) -> socket.socket:
    if not isinstance(address, UnixPath):
        return socket.create_connection((address.host, address.port), TIME)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(TIME)
        sock.connect(address.path)
    except BaseException:
        sock.close()
        raise
    return sock


def _exchange(sock: socket.socket, said: bytes, deadline: float) -> tuple[bytes, str]:
    """Return what came, and how it ended: ``eof``, ``reset`` or ``late``."""
    data = bytearray()
    try:
        sock.settimeout(TIME)
        sock.sendall(said)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        while len(data) < x_setup.MAX_REPLY:
            left = deadline - time.monotonic()
            if left <= 0:
                return bytes(data), "late"
            sock.settimeout(left)
            piece = sock.recv(65536)
            if not piece:
                break
            data += piece
    except TimeoutError:
        return bytes(data), "late"
    except OSError:
        return bytes(data), "reset"
    return bytes(data), "eof"
