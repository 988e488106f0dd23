"""Listening TCP sockets in ``netstat.exe -ano``, as WSL can ask Windows for them.

The words are in the user's language.  A row that listens is known by its peer, whose port is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.parsers.addresses import literal
from diagnostics.parsers.text import lines

_MAX_LINES = 100_000


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening socket of Windows."""

    host: str
    port: int
    pid: int


def listeners(data: bytes) -> tuple[Listener, ...]:
    """Return the listeners; what is no row of one is passed over."""
    found = []
    for line in lines(data, _MAX_LINES, 300):
        words = line.split()
        # A state of several words (Japanese, French) does not matter: the process is the last.
        if len(words) < 5 or words[0].upper() != "TCP":
            continue
        local, peer = _address(words[1]), _address(words[2])
        pid = words[-1]
        if local is None or peer is None or peer[1] != 0:
            continue
        if pid.isascii() and pid.isdecimal() and len(pid) < 11:
            found.append(Listener(*local, int(pid)))
    return tuple(found)


def _address(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]").partition("%")[0]
    if not port.isascii() or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        return None
    return None if literal(host) is None else (host, int(port))
