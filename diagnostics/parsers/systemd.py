"""What systemd says: which unit listens where, and which unit a process belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.parsers.addresses import literal
from diagnostics.parsers.text import lines

LIST_SOCKETS = ("systemctl", "list-sockets", "--all", "--full", "--no-legend", "--no-pager")

_MAX_LINES = 2000
_UNIT = re.compile(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]{0,254}")
_CONTAINER = re.compile(r"(?:docker|libpod|cri-containerd)[-/]([0-9a-f]{12,64})(?:\.scope)?")


@dataclass(frozen=True, slots=True)
class ListeningUnit:
    """A socket unit and the address it listens on; ``*`` and ``[::]`` are every address."""

    host: str
    port: int
    unit: str


@dataclass(frozen=True, slots=True)
class Membership:
    """Where a process belongs.  ``user``: the unit is one of the user's own manager."""

    unit: str = ""
    user: bool = False
    container: str = ""


def listening(data: bytes) -> tuple[ListeningUnit, ...]:
    """Return the TCP and UDP addresses of ``systemctl list-sockets``; sockets of files have none.

    Columns are LISTEN, UNIT and ACTIVATES; older versions have TYPE after the first with
    ``--show-types`` alone.
    """
    found = []
    for line in lines(data, _MAX_LINES, 1024):
        words = line.split()
        if len(words) < 2 or not words[1].endswith(".socket") or not _UNIT.fullmatch(words[1]):
            continue
        host, colon, port = words[0].rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not port.isascii() or not port.isdecimal() or len(port) > 5:
            continue
        if host == "*" or literal(host) is not None:
            found.append(ListeningUnit("::" if host == "*" else host, int(port), words[1]))
    return tuple(found)


def membership(data: bytes) -> Membership:
    """Return what ``/proc/PID/cgroup`` says (cgroups(7)): the path of cgroup v2, or any of v1."""
    for line in lines(data, 64, 4096):
        path = line.split(":", 2)[-1] if line.count(":") >= 2 else ""
        match = _CONTAINER.search(path)
        if match is not None:
            return Membership(container=match[1][:12])
        parts = path.split("/")
        unit = next((part for part in reversed(parts) if part.endswith(".service")), "")
        if unit and _UNIT.fullmatch(unit):
            manager = re.fullmatch(r"user@\d{1,10}\.service", unit) is not None
            if manager:
                return Membership()
            user = any(part.startswith("user@") for part in parts)
            return Membership(unit, user)
    return Membership()
