"""What one hop's login showed on the way, also where it failed: for those who ask why.

The engine fills it in and never reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netkit.wire.untrusted import printable

if TYPE_CHECKING:
    import socket

    from netkit.engine.transport.algorithms import Agreed, Offer
    from netkit.engine.transport.auth_errors import Tried
    from netkit.errors import KeyFileError

MAX_MESSAGES: Final = 256
"""Debug messages of a server that are kept."""


@dataclass(slots=True)
class Witness:
    """One attempt to reach and log in to one hop.

    Attributes:
        alias: the hop.
        stage: where it is, or failed: ``tcp``, ``banner``, ``kex``, ``host-key``, ``auth``;
            ``done`` when logged in.
        seconds_tcp: what connecting took, with name resolution.
        seconds_kex: identification and key exchange, as far as it got.
        seconds_auth: authentication, people's time to answer included.
        local, peer: addresses of the TCP connection; None where there is none of our own.
        server: the server's version line.
        ours, theirs: what was offered; ``theirs`` for the direction client to server.
        agreed: what was agreed on.
        strict_kex: whether both sides can do strict key exchange; None while unknown.
        host_key: blob of the key or certificate that the server proved to own.
        methods: authentication methods that the server takes.
        tried, faults: credentials that did not do, and key files that are of no use.
        messages: texts of the server's SSH_MSG_DEBUG behind the login; sshd says there which
            options a key has.
    """

    alias: str
    stage: str = "tcp"
    seconds_tcp: float = 0.0
    seconds_kex: float = 0.0
    seconds_auth: float = 0.0
    local: tuple[str, int] | None = None
    peer: tuple[str, int] | None = None
    server: str = ""
    ours: Offer | None = None
    theirs: Offer | None = None
    agreed: Agreed | None = None
    strict_kex: bool | None = None
    host_key: bytes = b""
    methods: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()
    faults: tuple[KeyFileError, ...] = ()
    messages: list[str] = field(default_factory=list)

    def heard(self, text: str) -> None:
        """Note a debug message of the server."""
        if len(self.messages) < MAX_MESSAGES:
            self.messages.append(printable(text, 500))

    def connected(self, sock: socket.socket, *, direct: bool) -> None:
        """Note the connection; ``direct`` says that it is TCP to the hop itself."""
        self.stage = "banner"
        if direct:
            self.local, self.peer = _address(sock.getsockname), _address(sock.getpeername)


def _address(ask: object) -> tuple[str, int] | None:
    assert callable(ask)
    try:
        name = ask()
    except OSError:
        return None
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
