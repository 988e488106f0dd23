"""hosts(5) files, those of Windows too, and the ``hosts`` line of nsswitch.conf(5)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from diagnostics.parsers.addresses import literal
from diagnostics.parsers.text import clean, lines

_MAX_LINES = 300_000  # block lists of advertisers are that long
_MAX_FOUND = 32
_MAX_NAMES = 32
_ORDINARY = re.compile(r"[0-9.]{7,15}[ \t]+[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class HostsLine:
    """A line that gives ``address`` to ``names``, as written; ``number`` counts from 1."""

    number: int
    address: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostsFile:
    """The lines about the names that were asked for, and those that say nothing.

    ``bad`` holds the first of the latter as (number, text), ``bad_count`` counts them.
    """

    found: tuple[HostsLine, ...] = ()
    bad: tuple[tuple[int, str], ...] = ()
    bad_count: int = 0

    def about(self, name: str) -> tuple[HostsLine, ...]:
        """Return the lines that give ``name`` an address."""
        wanted = name.lower()
        return tuple(
            line for line in self.found if any(each.lower() == wanted for each in line.names)
        )


def hosts(data: bytes, names: Collection[str]) -> HostsFile:
    """Parse a hosts file and keep what it says about ``names``."""
    wanted = {name.lower() for name in names if name}
    found: list[HostsLine] = []
    bad: list[tuple[int, str]] = []
    bad_count = 0
    for number, line in enumerate(lines(data, _MAX_LINES, 2048), 1):
        if _ORDINARY.match(line) and not any(name in line.lower() for name in wanted):
            continue  # nearly every line of a long file
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) < 2 or literal(words[0]) is None:
            bad_count += 1
            if len(bad) < _MAX_FOUND:
                bad.append((number, clean(line, 80)))
        elif len(found) < _MAX_FOUND and any(word.lower() in wanted for word in words[1:]):
            found.append(HostsLine(number, words[0], tuple(words[1 : 1 + _MAX_NAMES])))
    return HostsFile(tuple(found), tuple(bad), bad_count)


def nsswitch_hosts(data: bytes) -> tuple[str, ...]:
    """Return the services that are asked for host names, in order; none where no line says."""
    for line in lines(data, 1000, 1024):
        database, colon, services = line.partition("#")[0].partition(":")
        if colon and database.strip() == "hosts":
            return tuple(word for word in services.split() if not word.startswith("["))[:16]
    return ()
