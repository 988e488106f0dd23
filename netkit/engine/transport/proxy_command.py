"""ProxyCommand (ssh_config(5)): a program whose standard input and output are the connection.

On POSIX its standard input and output are one end of a socketpair, so the other end is a real
socket and no thread copies bytes.  Windows has no such descriptors; two threads pump there.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import IO, Final

from netkit.errors import GatewayUnreachableError
from netkit.wire.untrusted import printable

_log = logging.getLogger("netkit.proxycommand")

EXIT_GRACE: Final = 1.0
"""Seconds a command gets to end by itself, and again after being asked to."""
PUMPED: Final = os.name == "nt"
"""Whether threads copy the bytes, because a socket cannot be a program's standard input."""
_PIECE: Final = 64 * 1024
_MAX_LINE: Final = 4096


class ProxyCommand:
    """A running ProxyCommand.

    Attributes:
        sock: our end of its standard input and output.
    """

    def __init__(self, command: str, log: Callable[[str, str], None] | None = None) -> None:
        """Start ``command``, a shell line with its ``%`` tokens already replaced.

        Raises:
            GatewayUnreachableError: there is no shell to run it.
        """
        self._command = command
        self._notice = log
        self._threads: list[threading.Thread] = []
        self.sock, theirs = socket.socketpair()
        start = self._start_pumped if PUMPED else self._start_direct
        try:
            self._process = start(theirs)
        except (OSError, ValueError) as error:
            theirs.close()
            self.sock.close()
            raise GatewayUnreachableError(
                "the ProxyCommand could not be started",
                code="proxy-command-failed",
                cause=f"{printable(command)}: {error}",
            ) from error
        if self._process.stderr:
            self._spawn(self._read_stderr, self._process.stderr)

    def close(self) -> None:
        """Close the connection, then end and reap the command; idempotent."""
        self.sock.close()
        for signal in (self._process.terminate, self._process.kill, None):
            try:
                self._process.wait(EXIT_GRACE)
                break
            except subprocess.TimeoutExpired:
                if signal:
                    signal()
        for thread in self._threads:
            # a grandchild that keeps stderr open must not hold us
            thread.join(EXIT_GRACE)

    def _start_direct(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        # A Ctrl-C reaches the whole foreground group; the command has to outlive our drain.
        line = f"trap '' INT; exec {self._command.removeprefix('exec ')}"
        process = subprocess.Popen(
            ["/bin/sh", "-c", line],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.PIPE,
        )
        theirs.close()
        return process

    def _start_pumped(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._command,
            shell=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if process.stdin and process.stdout:
            self._spawn(self._pump_in, theirs, process.stdin)
            self._spawn(self._pump_out, process.stdout, theirs)
        return process

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="netkit-proxycommand", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _pump_in(self, source: socket.socket, sink: IO[bytes]) -> None:
        with contextlib.suppress(OSError), sink:
            while piece := source.recv(_PIECE):
                sink.write(piece)
                sink.flush()

    def _pump_out(self, source: IO[bytes], sink: socket.socket) -> None:
        read = getattr(source, "read1", source.read)
        with source, sink:
            with contextlib.suppress(OSError):
                while piece := read(_PIECE):
                    sink.sendall(piece)
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)  # wakes the other pump

    def _read_stderr(self, stream: IO[bytes]) -> None:
        with stream, contextlib.suppress(OSError):
            while line := stream.readline(_MAX_LINE):
                text = printable(line)
                if not text:
                    continue
                _log.info("%s", text)
                if self._notice:
                    self._notice("proxy-command", text)
