"""Which programs of this machine the connections come from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from diagnostics.system import SocketTable

PAUSE: Final = 2.0
"""Seconds between two readings of the machine's table of sockets."""


class Peers:
    """Remembers programs by the source of their connections, ``127.0.0.1:50000``."""

    def __init__(
        self,
        table: Callable[[], SocketTable] | None = None,
        name_of: Callable[[int], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """By default this machine is asked."""
        self._table = table
        self._name_of = name_of
        self._clock = clock
        self._known: dict[str, str] = {}
        self._due = 0.0

    def of(self, sources: Iterable[str]) -> Mapping[str, str]:
        """Return the programs of those sources, ``psql (4242)``, as far as they are known.

        Those of other users, and of other machines, are not.
        """
        wanted = set(sources)
        self._known = {each: name for each, name in self._known.items() if each in wanted}
        now = self._clock()
        if wanted - self._known.keys() and now >= self._due:
            self._due = now + PAUSE
            self._look(wanted)
        return self._known

    def _look(self, wanted: set[str]) -> None:
        if self._table is None or self._name_of is None:
            self._table, self._name_of = _this_machine()
        for row in self._table().rows:
            source = f"{row.host}:{row.port}"
            if source in wanted and source not in self._known and row.pid:
                self._known[source] = f"{self._name_of(row.pid)} ({row.pid})"


def _this_machine() -> tuple[Callable[[], SocketTable], Callable[[int], str]]:
    from diagnostics.real_system import RealSystem
    from netkit.doctor.gateway import GatewayExaminer

    system = RealSystem(GatewayExaminer(None))

    def name_of(pid: int) -> str:
        found = system.process(pid)
        return found.name if found is not None else "?"

    return system.sockets, name_of
