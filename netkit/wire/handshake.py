"""What the proxy handshakes share: their events, their bound, and how they treat names.

A handshake looks at the front of the client's byte stream, takes what belongs to it and leaves
the rest untouched, so nothing behind the request is lost however the bytes were chunked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from netkit.model import Endpoint
from netkit.wire.open_failures import Failure

HANDSHAKE_LIMIT = 8192
"""Bytes of the client's stream that a handshake reads at most before it refuses."""

NAME_LIMIT = 255
"""Bytes of a host name, the most SOCKS5 can carry."""

ProxyProtocol = Literal["socks4", "socks4a", "socks5", "http-connect", "http"]


@dataclass(frozen=True, slots=True)
class NeedMore:
    """The handshake waits for more bytes of the client."""


@dataclass(frozen=True, slots=True)
class Request:
    """The client wants a connection to ``target``; a name is as the client wrote it."""

    target: Endpoint
    protocol: ProxyProtocol


@dataclass(frozen=True, slots=True)
class Refused:
    """The handshake failed.  Send pending output, then ``reply``, then close.

    ``code`` is kebab-case: ``proxy-protocol-unknown``, ``proxy-request-malformed``,
    ``proxy-request-too-large``, ``proxy-command-unsupported`` or ``proxy-login-unsupported``.
    ``text`` tells a person what the client did, and is safe to show (one line).
    """

    code: str
    text: str
    reply: bytes = b""


ProxyEvent = NeedMore | Request | Refused

NEED_MORE = NeedMore()


class Handshake(Protocol):
    """One protocol's server side."""

    @property
    def leading(self) -> bytes:
        """Bytes the target gets before anything else (a rewritten HTTP head)."""

    def take_output(self) -> bytes:
        """Return what the client must get now, once."""

    def advance(self, buffer: bytearray) -> ProxyEvent:
        """Take the handshake's bytes off the front of ``buffer``."""

    def succeeded(self, bound: Endpoint | None, /) -> bytes:
        """Return the reply to a request whose channel is open."""

    def failed(self, failure: Failure, text: str, /) -> bytes:
        """Return the reply to a request whose channel is not."""


def decode_name(raw: bytes) -> str | None:
    """Return the host name a client sent, unchanged, or ``None`` when it cannot be one.

    A name is 1 to 255 bytes of UTF-8 without spaces, control and invisible characters: it will
    stand in logs and in the gateway's resolver.
    """
    if not 0 < len(raw) <= NAME_LIMIT:
        return None
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return name if name.isprintable() and " " not in name else None
