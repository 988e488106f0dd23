"""Whether a local address is free, found out by binding it as a forward would."""

from __future__ import annotations

import contextlib
import socket
import sys

from netkit.model import Endpoint

_KNOCK = 0.2
"""Seconds for a connection on this machine; Windows tries a closed port again for two."""


def is_free(at: Endpoint) -> bool:
    """Tell whether ``at`` can be bound, and nobody answers there.

    Windows and macOS let a bind to one address succeed beside a listener at every address, and
    would send connections to either: there nobody may answer.
    """
    if not sys.platform.startswith("linux") and _answers(at):
        return False
    return _bound(at) == at


def is_there(host: str) -> bool:
    """Tell whether this machine has the address ``host``."""
    return _bound(Endpoint(host, 0)) is not None


def _bound(at: Endpoint) -> Endpoint | None:
    """Return where a bind to ``at`` leads, None where it fails.

    A session host of Windows may turn 127.0.0.1 into another address (VirtualizeLoopbackAddresses).
    """
    family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as sock:
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((at.host, at.port))
        sock.listen(1)
        host, port = sock.getsockname()[:2]
        return Endpoint(host, port)
    return None


def _answers(at: Endpoint) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((at.host, at.port), _KNOCK):
        return True
    return False
