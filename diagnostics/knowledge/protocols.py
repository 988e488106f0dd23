"""Protocols and what becomes of them in a tunnel that carries single TCP connections.

The entries are in the two modules beside this one.
"""

from __future__ import annotations

from diagnostics.knowledge import protocols_tcp as tcp
from diagnostics.knowledge import protocols_udp as udp
from diagnostics.knowledge.protocol_types import Passes, Protocol

TABLE: tuple[Protocol, ...] = (
    *udp.DATAGRAMS,
    *udp.OTHERS,
    *tcp.SEVERAL,
    *tcp.REDIRECTS,
    *tcp.FIXED,
    *tcp.PLAIN,
)
"""Every protocol that is known here."""

NAMES: tuple[str, ...] = tuple(sorted(name for each in TABLE for name in each.names))
"""What ``netkit doctor --for`` takes beside ``forward``."""

_BY_NAME = {name: each for each in TABLE for name in each.names}
_BY_PORT = {port: each for each in TABLE if each.passes is not Passes.YES for port in each.ports}


def by_name(name: str) -> Protocol | None:
    """Return the protocol of that name."""
    return _BY_NAME.get(name.lower())


def by_port(port: int) -> Protocol | None:
    """Return the protocol that makes trouble in a tunnel and has this port; None: there is none."""
    return _BY_PORT.get(port)
