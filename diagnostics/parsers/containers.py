"""Which ports containers publish: ``docker ps`` and ``podman ps`` with `FORMAT`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.parsers.text import clean, lines

FORMAT = "{{.ID}}\t{{.Names}}\t{{.Ports}}"

_MAX_CONTAINERS = 2000
_MAX_PORTS = 2000
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PUBLISHED = re.compile(r"(.{0,64}):(\d{1,5})(?:-(\d{1,5}))?->\d{1,5}(?:-\d{1,5})?/tcp")


@dataclass(frozen=True, slots=True)
class Published:
    """Ports of this machine that lead to a container; ``host`` is where, 0.0.0.0 for everywhere."""

    container: str
    name: str
    host: str
    low: int
    high: int


def published(data: bytes) -> tuple[Published, ...]:
    """Return the published TCP ports; those that a container merely exposes are left out."""
    found: list[Published] = []
    for line in lines(data, _MAX_CONTAINERS, 16_384):
        fields = line.split("\t")
        if len(fields) != 3:
            continue
        container, name = _word(fields[0], 64), _word(fields[1], 100)
        for text in fields[2].split(",")[:_MAX_PORTS]:
            match = _PUBLISHED.fullmatch(text.strip())
            if match is None or len(found) >= _MAX_PORTS:
                continue
            # Docker before 28 wrote ::: for all IPv6 addresses, later ones write [::]:
            host = match[1].removeprefix("[").removesuffix("]")
            low = int(match[2])
            high = int(match[3] or low)
            if 0 < low <= high <= 65535 and (container or name):
                found.append(Published(container, name, clean(host, 64), low, high))
    return tuple(found)


def _word(text: str, limit: int) -> str:
    """Return a name as docker allows it, which can be no option of a command; else nothing.

    Of the names that links give a container the first is its own.
    """
    match = _WORD.fullmatch(text.split(",", 1)[0].strip()[:limit])
    return "" if match is None else match[0]
