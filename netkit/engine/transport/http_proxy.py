"""CONNECT of an HTTP proxy (RFC 9110 section 9.3.6), with Basic authentication (RFC 7617).

python-socks reads the answer with one ``recv``: it takes half an answer for a whole one, and loses
the SSH server's first line where that comes with the proxy's.  Here not a byte behind the answer
is taken from the socket.
"""

from __future__ import annotations

import base64
import re
import socket
import time
from dataclasses import dataclass
from typing import Final

MAX_HEAD: Final = 16 << 10
_END: Final = b"\r\n\r\n"
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: ([^\r\n]*))?\r\n")


class UnreachableError(OSError):
    """The proxy itself could not be connected to."""


class RefusedError(OSError):
    """The proxy did not connect; the text is what it says."""


@dataclass(frozen=True, slots=True)
class HttpProxy:
    """An HTTP proxy; ``user`` may be empty."""

    host: str
    port: int
    user: str = ""
    password: str = ""

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """Return a socket to ``host``:``port``, within about ``timeout`` seconds.

        Raises:
            UnreachableError: the proxy cannot be connected to.
            RefusedError: it refuses, or is no proxy.
            OSError: the connection to it broke, or took too long.
        """
        deadline = time.monotonic() + timeout
        try:
            sock = socket.create_connection((self.host, self.port), timeout)
        except (OSError, UnicodeError) as error:
            raise UnreachableError(getattr(error, "strerror", None) or str(error)) from error
        try:
            sock.sendall(self._request(host, port))
            _read_answer(sock, deadline)
        except BaseException:
            sock.close()
            raise
        return sock

    def _request(self, host: str, port: int) -> bytes:
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
        if self.user:
            login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {login}")
        return "\r\n".join([*lines, "", ""]).encode()


def _read_answer(sock: socket.socket, deadline: float) -> None:
    """Take the head of the proxy's answer from the socket and nothing behind it.

    Raises:
        RefusedError: it is no consent.
        TimeoutError: it is not whole at ``deadline`` (of `time.monotonic`).
    """
    head = b""
    while not head.endswith(_END):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("its answer has no end in time")
        sock.settimeout(left)
        seen = sock.recv(4096, socket.MSG_PEEK)
        if not seen:
            raise RefusedError("it hung up")
        whole = head + seen
        end = whole.find(_END)
        length = len(seen) if end < 0 else end + len(_END) - len(head)
        head += sock.recv(length)
        if len(head) > MAX_HEAD:
            raise RefusedError("its answer has no end")
        if not head.startswith(b"HTTP/1."[: len(head)]):
            raise RefusedError("it is no HTTP proxy")
    status = _STATUS.match(head)
    if status is None:
        raise RefusedError("its answer is no HTTP")
    if not status[1].startswith(b"2"):
        reason = (status[2] or b"").decode("latin-1")
        raise RefusedError(f"{status[1].decode()} {reason}".strip())
