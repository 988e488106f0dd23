"""The identification exchange (RFC 4253 section 4.2): lines until one starts with ``SSH-``.

What answers on a port need not be an SSH server, so the lines are bounded in number and length
and each way to be no SSH server gets an error of its own.  `Identification` judges the lines that
`PacketReader.take_line` cuts; the caller reads the socket and watches the clock.
"""

from __future__ import annotations

from typing import Final

from netkit.errors import GatewayUnreachableError, RemoteProtocolError
from netkit.wire.untrusted import printable

MAX_LINES: Final = 64
MAX_BYTES: Final = 8 * 1024
"""Lines and bytes accepted before the version line; RFC 4253 sets no bound, OpenSSH 1024 lines."""

MAX_VERSION: Final = 255
"""Longest version line without its line end (RFC 4253 section 4.2)."""


class Identification:
    """Judges the lines of a peer until the version line is there.

    Attributes:
        version: the whole version line, ``SSH-2.0-…``; empty until it came.
        lines: what the peer said before it.
    """

    __slots__ = ("_bytes", "lines", "version")

    def __init__(self) -> None:
        self.version = ""
        self.lines: list[str] = []
        self._bytes = 0

    def accept(self, line: str) -> bool:
        """Take one line; return whether the version line is there.

        Raises:
            GatewayUnreachableError: code ``not-ssh``, ``ssh-protocol-1`` or ``banner-flood``.
            RemoteProtocolError: the version line breaks RFC 4253.
        """
        if line.startswith("SSH-"):
            self.version = _checked(line)
            return True
        self.lines.append(line)
        self._bytes += len(line) + 2
        if line.startswith(("HTTP/", "<html", "<!DOCTYPE", "<?xml")):
            raise self.not_ssh("a web server")
        if len(self.lines) > MAX_LINES or self._bytes > MAX_BYTES:
            raise self.flood()
        return False

    def ended(self, partial: bytes = b"") -> GatewayUnreachableError:
        """Return the error for a connection that closed before the version line."""
        if self.lines or partial:
            return self.not_ssh(_guess(partial), partial)
        return GatewayUnreachableError(
            "the gateway closed the connection before saying anything",
            code="closed-early",
            cause="the server is full (MaxStartups), blocks this address (fail2ban, hosts.deny), "
            "or a forwarder or load balancer stands there with nothing behind it",
            retryable=True,
        )

    def silent(self, seconds: float, partial: bytes = b"") -> GatewayUnreachableError:
        """Return the error for a peer that kept the version line back for ``seconds``."""
        if self.lines or partial:
            return self.not_ssh(_guess(partial), partial)
        return GatewayUnreachableError(
            f"the port accepts connections but said nothing for {seconds:.0f} s",
            code="silent-port",
            cause="an SSH server speaks first, so this is another service (TLS, a database), "
            "or the server is overloaded or frozen",
            retryable=True,
        )

    def flood(self) -> GatewayUnreachableError:
        """Return the error for a peer that talks on and on without a version line."""
        return flood(self.lines[0] if self.lines else "")

    def not_ssh(self, guess: str, partial: bytes = b"") -> GatewayUnreachableError:
        """Return the error for a port where something else than SSH speaks."""
        said = printable(self.lines[0] if self.lines else partial, 60)
        return GatewayUnreachableError(
            "what answers on this port is not an SSH server",
            code="not-ssh",
            cause=f"{guess} answered {said!r}" if guess else f"it answered {said!r}",
        )


def flood(said: str | bytes) -> GatewayUnreachableError:
    """Return the error for a flood that began with ``said``."""
    return GatewayUnreachableError(
        "what answers on this port talks without end and is not an SSH server",
        code="banner-flood",
        cause=f"more than {MAX_LINES} lines or {MAX_BYTES} bytes without a version line, "
        f"beginning {printable(said, 60)!r}",
    )


def _checked(line: str) -> str:
    protocol, dash, software = line.removeprefix("SSH-").partition("-")
    if len(line) > MAX_VERSION or not line.isprintable() or not dash or not software:
        raise RemoteProtocolError(
            "the gateway's version line is malformed",
            code="bad-version-line",
            cause=f"it sent {printable(line, 80)!r}",
        )
    if protocol not in {"2.0", "1.99"}:
        raise GatewayUnreachableError(
            f"the gateway speaks SSH protocol {printable(protocol, 20)}, which is not supported",
            code="ssh-protocol-1",
            cause=f"only protocol 2 is safe; the server is {printable(software, 60)!r}",
        )
    return line


def _guess(partial: bytes) -> str:
    if partial[:2] in {b"\x15\x03", b"\x16\x03"}:
        return "a TLS server"
    return ""
