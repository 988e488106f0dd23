"""A tiny inetd: HOST PORT PROGRAM WORDS… gets each connection as its input and output."""

from __future__ import annotations

import socket
import subprocess
import sys


def main(host: str, port: str, *argv: str) -> None:
    """Serve until killed; children that have ended are collected at the next connection."""
    children: list[subprocess.Popen[bytes]] = []
    with socket.create_server((host, int(port))) as listener:
        while True:
            sock, _ = listener.accept()
            with sock:
                end = sock.fileno()
                child = subprocess.Popen(argv, stdin=end, stdout=end, stderr=subprocess.DEVNULL)
            children = [each for each in [*children, child] if each.poll() is None]


if __name__ == "__main__":
    main(*sys.argv[1:])
