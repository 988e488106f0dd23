"""Which ports a system hands out or keeps: Linux' sysctl files and Windows' ``netsh``.

``netsh`` prints its headings in the language of the user, so only the numbers are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.parsers.addresses import literal
from diagnostics.parsers.text import lines

_HIGHEST = 65535
_MAX_RANGES = 4096
_MAX_LINES = 5000
_EXCLUDED = re.compile(r"\s*(\d{1,5})\s+(\d{1,5})\s*(\*?)\s*")
_LAST_NUMBER = re.compile(".*?[:\uff1a]\\s*(\\d{1,5})\\s*")
_NUMBER = re.compile(r"\d{1,5}")


@dataclass(frozen=True, slots=True)
class Excluded:
    """A range that Windows keeps.  ``administered``: somebody reserved it to bind it himself."""

    low: int
    high: int
    administered: bool = False


@dataclass(frozen=True, slots=True)
class PortProxy:
    """A rule of ``netsh interface portproxy``; ``kind`` is ``v4tov4``, ``v6tov4`` or so."""

    kind: str
    host: str
    port: int
    to_host: str
    to_port: int


def pair(data: bytes) -> tuple[int, int] | None:
    """Return the two numbers of ``ip_local_port_range``."""
    words = data[:200].split()
    if len(words) != 2:
        return None
    low, high = (_port(word.decode("ascii", "replace")) for word in words)
    return (low, high) if low is not None and high is not None and low <= high else None


def number(data: bytes) -> int | None:
    """Return the one number of a sysctl, None where it is none."""
    return _port(data[:200].decode("ascii", "replace").strip())


def reserved(data: bytes) -> tuple[tuple[int, int], ...]:
    """Return the ranges of ``ip_local_reserved_ports``, such as ``8080,9000-9010``."""
    found = []
    for word in data[:65536].decode("ascii", "replace").split(",")[:_MAX_RANGES]:
        first, dash, last = word.strip().partition("-")
        low, high = _port(first), _port(last if dash else first)
        if low is not None and high is not None and low <= high:
            found.append((low, high))
    return tuple(found)


def excluded(data: bytes) -> tuple[Excluded, ...]:
    """Return the ranges of ``netsh int ipv4 show excludedportrange protocol=tcp``."""
    found: list[Excluded] = []
    for line in lines(data, _MAX_LINES, 200):
        match = _EXCLUDED.fullmatch(line)
        if match is None:
            continue
        low, high = _port(match[1]), _port(match[2])
        if low is not None and high is not None and low <= high and len(found) < _MAX_RANGES:
            found.append(Excluded(low, high, administered=bool(match[3])))
    return tuple(found)


def dynamic(data: bytes) -> tuple[int, int] | None:
    """Return the first and last port of ``netsh int ipv4 show dynamicport tcp``.

    It prints where the range starts and how many ports it has, one to a line.
    """
    found = [
        int(match[1])
        for match in map(_LAST_NUMBER.fullmatch, lines(data, 50, 200))
        if match is not None
    ]
    if len(found) != 2:
        return None
    start, count = found
    last = start + count - 1
    return (start, last) if 0 < start <= last <= _HIGHEST else None


def portproxy(data: bytes) -> tuple[PortProxy, ...]:
    """Return the rules of ``netsh interface portproxy show all``.

    A ``*`` for the address that is listened on is every address.
    """
    found: list[PortProxy] = []
    for line in lines(data, _MAX_LINES, 600):
        words = line.split()
        if len(words) != 4 or len(found) >= _MAX_RANGES:
            continue
        port, to_port = _port(words[1]), _port(words[3])
        family = _family(words[0])
        if port and to_port and family:
            to = _family(words[2]) or "v4"
            found.append(PortProxy(f"{family}to{to}", words[0], port, words[2], to_port))
    return tuple(found)


def _family(host: str) -> str:
    if host == "*":
        return "v4"
    address = literal(host)
    return "" if address is None else f"v{address.version}"


def _port(text: str) -> int | None:
    if not text.isascii() or _NUMBER.fullmatch(text) is None:
        return None
    value = int(text)
    return value if value <= _HIGHEST else None
