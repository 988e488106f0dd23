"""What this machine's way into the network looks like, cheaply enough to ask every few seconds."""

from __future__ import annotations

import socket
from typing import Final

_ELSEWHERE: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses that are nobody's (RFC 5737, RFC 3849), so that the default route leads to them."""

_DISCARD: Final = 9


def sources() -> tuple[str, ...]:
    """Return the address that each family's default route would send from, empty where none.

    Another interface, another address or no route at all is another answer.  Nothing is sent: a
    UDP socket that is connected only asks the kernel for a route (udp(7)).
    """
    return tuple(_source(family, host) for family, host in _ELSEWHERE)


def _source(family: int, host: str) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((host, _DISCARD))
            return str(sock.getsockname()[0])
    except OSError:
        return ""
