"""Ports for servers that cannot choose one themselves."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Final

_LOWEST: Final = 10_000
_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_EPHEMERAL: Final = 32_768
"""Where the ports begin that the system gives away; the default of Linux."""


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nothing listens at.

    It is none of those that the system gives to the next who asks for any: tests that run beside
    this one make thousands of connections.
    """
    for _ in range(1000):
        port = random.randrange(_LOWEST, max(_ephemeral(), _LOWEST + 1))
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


def _ephemeral() -> int:
    try:
        return int(_RANGE.read_text().split()[0])
    except (OSError, ValueError):
        return _EPHEMERAL
