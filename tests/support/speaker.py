"""A server of a few words, for clients that only want to know who is there.

with Speaker(b"RFB 003.008\\n", listens_first=False) as server:
    server.at, server.heard
"""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from netkit.model import Endpoint

CONFIRM = bytes.fromhex("030000130ed000001234000200080002000000")
"""An RDP server's connection confirm, which chooses network level authentication."""


class Speaker:
    """Says one line per connection, in the smallest pieces, and closes it.

    Attributes:
        at: where it listens.
        heard: the first bytes of each client.
    """

    def __init__(self, *lines: bytes, listens_first: bool = True) -> None:
        self.heard: list[bytes] = []
        self._lines = lines
        self._listens_first = listens_first
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.at = Endpoint("127.0.0.1", self._sock.getsockname()[1])
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._sock.close()

    def _run(self) -> None:
        for line in self._lines:
            try:
                sock, _ = self._sock.accept()
            except OSError:  # nobody came
                return
            # the client may have heard enough, and leave
            with sock, contextlib.suppress(ConnectionError):
                if self._listens_first:
                    self.heard.append(sock.recv(4096))
                for byte in line:
                    sock.sendall(bytes([byte]))
                if not self._listens_first:
                    self.heard.append(sock.recv(4096))
