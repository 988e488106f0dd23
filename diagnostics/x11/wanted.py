"""Whether somebody wants X, and which forwards are about it.  Pure."""

from __future__ import annotations

import re

from diagnostics.model import Severity, Target
from diagnostics.parsers.x_display import MAX_NUMBER, X_PORT
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec

X_PORTS = range(X_PORT, X_PORT + 64)
"""Registered for X11: 6000-6063 (IANA, Service Name and Transport Protocol Port Number)."""

PROTOCOLS = frozenset({"x", "x11"})

_SOCKET = re.compile(r"/\.X11-unix/X([0-9]{1,5})$")
_LAUNCHD = re.compile(r"/com\.apple\.launchd\.[^/]+/org\.[a-z]+[:.]")


def asked(target: Target) -> bool:
    """Return whether X11 itself is what was asked about."""
    return target.protocol.lower() in PROTOCOLS


def wanted(target: Target) -> bool:
    """Return whether X11 matters: somebody asked for it, or a forward leads to a display."""
    return asked(target) or any(map(is_about_x, target.forwards))


def severity(*, matters: bool) -> Severity:
    """Return how bad it is when X does not work."""
    return Severity.ERROR if matters else Severity.WARNING


def is_about_x(forward: ForwardSpec) -> bool:
    """Return whether a forward leads to an X server, as far as its target tells."""
    return forward.to is not None and is_server(forward.to)


def is_server(address: Address) -> bool:
    """Return whether this is where an X server would listen."""
    if isinstance(address, Endpoint):
        return address.port in X_PORTS
    return bool(_SOCKET.search(address.path) or _LAUNCHD.search(address.path))


def remote(target: Target) -> tuple[ForwardSpec, ...]:
    """Return the remote forwards that bring a display to the gateway."""
    return tuple(
        forward
        for forward in target.forwards
        if forward.kind is ForwardKind.REMOTE and is_about_x(forward)
    )


def number_of(address: Address) -> int | None:
    """Return the display that a listening point is for; None where there is no such display."""
    if isinstance(address, Endpoint):
        number = address.port - X_PORT
        return number if 0 <= number <= MAX_NUMBER else None
    match = _SOCKET.search(address.path)
    return int(match[1]) if match else None
