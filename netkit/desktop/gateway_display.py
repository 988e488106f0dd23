"""A display number on the gateway: whether it is free there, and how X programs come to use it.

Pure but for the command that is run through a port: `diagnostics.parsers.x_gateway` reads what it
says.  Which cookie a program looks for depends on how it spells DISPLAY (libxcb, `get_authptr`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from diagnostics.parsers import x_gateway
from diagnostics.parsers.addresses import is_loopback
from diagnostics.parsers.x_display import X_PORT
from diagnostics.parsers.x_gateway import GatewayX
from netkit.errors import RemoteForwardError
from netkit.model import Fix

ASK: Final = x_gateway.ASK
INSTALL: Final = "sh -c 'PATH=$PATH:/opt/X11/bin:/usr/X11R6/bin; exec xauth -q -'"
"""Reads commands from standard input: a cookie in an argument list is everybody's to read."""

NUMBERS: Final = (*range(1, 10), *range(100, 200))
"""Display numbers that neither a desktop nor sshd (X11DisplayOffset 10) is likely to take."""

_HERE: Final = ("", "localhost", "127.0.0.1", "::1")
_ALL: Final = ("*", "0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Way:
    """How programs use the display.

    Attributes:
        display: the DISPLAY to set.
        key: under which name xauth keeps its cookie.
        elsewhere: for programs on other hosts.
    """

    display: str
    key: str
    elsewhere: bool = False


def read(answer: bytes) -> GatewayX:
    """Read the answer to `ASK`."""
    return x_gateway.parse(answer)


def check_free(number: int, there: GatewayX, gateway: str) -> None:
    """Refuse a display that the gateway has already.

    Raises:
        RemoteForwardError: with the next number that is free.
    """
    seen = ""
    if number in there.sockets:
        seen = f"/tmp/.X11-unix/X{number} is there"  # noqa: S108 - the place is the protocol's
    elif number in there.locks:
        seen = f"/tmp/.X{number}-lock is there"  # noqa: S108
    elif X_PORT + number in {port for _, port in there.listeners}:
        seen = f"something listens on port {X_PORT + number}"
    if seen:
        raise taken(f"display {number} of {gateway} is taken", seen, number, there)


def taken(summary: str, cause: str, number: int, there: GatewayX) -> RemoteForwardError:
    """Return that the gateway does not give the display away, and which it would."""
    return RemoteForwardError(
        summary,
        code="x-display-collides",
        cause=cause,
        fixes=(
            Fix(
                ("netkit", "x11", "...", "--display", str(next_free(number, there))),
                note="the next that is free" if there.answered else "tries the next one",
            ),
        ),
        retryable=True,
    )


def next_free(number: int, there: GatewayX) -> int:
    """Return the display after ``number`` that nothing there uses."""
    ports = {port for _, port in there.listeners}
    used = {number, *there.sockets, *there.locks, *(port - X_PORT for port in ports)}
    later = [each for each in NUMBERS if each > number] + list(NUMBERS)
    return next((each for each in later if each not in used), number + 1)


def is_exposed(number: int, there: GatewayX) -> bool | None:
    """Return whether other hosts reach the display; None where no shell tells."""
    hosts = [host for host, port in there.listeners if port == X_PORT + number]
    if not there.answered or not hosts:
        return None
    return any(not is_loopback(host) for host in hosts)


def ways(bind: str, host: str, number: int, *, exposed: bool | None) -> tuple[Way, ...]:
    """Return how programs use a display that is bound to ``bind`` on the gateway ``host``."""
    local = Way(f"localhost:{number}", f"unix:{number}")
    if bind.lower() in _HERE:
        return (local,)
    if bind in _ALL:
        return (local,) if exposed is False else (local, _at(host, number, elsewhere=True))
    if exposed is False and not is_loopback(bind):
        return (local,)
    return (_at(bind, number, elsewhere=not is_loopback(bind)),)


def _at(host: str, number: int, *, elsewhere: bool) -> Way:
    shown = f"[{host}]" if ":" in host else host
    return Way(f"{shown}:{number}", f"{shown}:{number}", elsewhere)


def own_name_trap(there: GatewayX, number: int) -> str:
    """Return a warning of a host whose own name is an address that cookies are not kept under."""
    trap = [each for each in there.addresses if _is_other_loopback(each)]
    if not trap or not there.host:
        return ""
    return (
        f"on the gateway {there.host}:{number} is {trap[0]}, for which X programs look for another "
        f"cookie: use localhost:{number}"
    )


def _is_other_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_loopback and text not in ("127.0.0.1", "::1")


def add_command(way: Way, cookie: bytes) -> str:
    """Return the command that gives the cookie to X programs of an account."""
    return f"xauth add {way.key} . {cookie.hex()}"


def add_words(all_ways: Sequence[Way], cookie: bytes) -> bytes:
    """Return what `INSTALL` reads for those ways that are for the gateway itself."""
    lines = [
        f"add {way.key} MIT-MAGIC-COOKIE-1 {cookie.hex()}\n"
        for way in all_ways
        if not way.elsewhere
    ]
    return "".join(lines).encode()
