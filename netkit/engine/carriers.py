"""The links of a tunnel that has several, and which of them carries a connection.

With several links nothing is accepted in a link's thread: a reception (`netkit.engine.hold`) does,
asks `Carriers` for the link that a connection would disturb least, and hands it over.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from netkit.engine.acceptors import acceptor
from netkit.plan.link_choice import Load, Traffic, behaves, choose, expected

if TYPE_CHECKING:
    from netkit.engine.chain import Chain
    from netkit.engine.hold import Held
    from netkit.engine.link import Link
    from netkit.engine.relay import Flow
    from netkit.model import ForwardSpec

FRESH: Final = 0.02
"""Seconds for which a count of flows is good; what was handed over since is added."""

LEARNED: Final = 1000
"""Forwards whose traffic is remembered."""


class Carrier:
    """A link that is up, and what is on its way to it."""

    def __init__(self, number: int, chain: Chain) -> None:
        self.number = number
        self.chain = chain
        self._coming: deque[Held] = deque()
        self._over = False
        self._lock = threading.Lock()

    @property
    def link(self) -> Link:
        """The link."""
        return self.chain.link

    def give(self, held: Held) -> bool:
        """Have the link carry a connection; return False where it has ended."""
        with self._lock:
            if self._over:
                return False
            self._coming.append(held)
        self.link.loop.post(self._begin)
        return True

    def _begin(self) -> None:
        """In the thread of the link's loop."""
        while True:
            with self._lock:
                if not self._coming:
                    return
                held = self._coming.popleft()
            acceptor(self.link, held.forward)(held.sock, held.peer)

    def end(self) -> list[Held]:
        """Take nothing more; return what the link did not get to.  Idempotent."""
        with self._lock:
            self._over = True
            left = list(self._coming)
            self._coming.clear()
        return left


class Carriers:
    """Those that are up; any thread."""

    def __init__(
        self, *, together: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``together`` is as for `netkit.plan.link_choice.choose`."""
        self._together = together
        self._clock = clock
        self._all: dict[int, Carrier] = {}
        self._loads: dict[int, dict[Traffic, int]] = {}
        self._counted = 0.0
        self._learned: dict[int, tuple[ForwardSpec, Traffic]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all)

    def all(self) -> tuple[Carrier, ...]:
        """Return them, the first first."""
        with self._lock:
            return tuple(each for _, each in sorted(self._all.items()))

    def add(self, carrier: Carrier) -> None:
        """One more is up."""
        with self._lock:
            self._all[carrier.number] = carrier
            self._counted = 0.0

    def remove(self, chain: Chain) -> list[Held]:
        """One has ended; return what it did not get to."""
        with self._lock:
            gone = [each for each in self._all.values() if each.chain is chain]
            for each in gone:
                del self._all[each.number]
            self._counted = 0.0
        return [held for each in gone for held in each.end()]

    def give(self, held: Held) -> bool:
        """Have one of them carry a connection; return whether there was one that could."""
        while True:
            with self._lock:
                if not self._all:
                    return False
                loads = self._current()
                kind = expected(held.forward, self._known(held.forward))
                carrier = self._all[choose(loads, kind, together=self._together)]
                counts = self._loads[carrier.number]
                counts[kind] = counts.get(kind, 0) + 1
            if carrier.give(held):
                return True
            self.remove(carrier.chain)

    def loads(self) -> list[Load]:
        """Return what each of them carries."""
        with self._lock:
            return self._current() if self._all else []

    def _current(self) -> list[Load]:
        now = self._clock()
        if now - self._counted > FRESH:
            self._counted = now
            self._loads = {
                number: self._count(each.link, now) for number, each in self._all.items()
            }
        return [Load(number, counts) for number, counts in sorted(self._loads.items())]

    def _count(self, link: Link, now: float) -> dict[Traffic, int]:
        counts: dict[Traffic, int] = {}
        # A copy of a set is made in one go, whatever its own thread does meanwhile.
        for flow in tuple(link.flows):
            kind = self._judge(flow, now)
            counts[kind] = counts.get(kind, 0) + 1
        return counts

    def _judge(self, flow: Flow, now: float) -> Traffic:
        by_name = expected(flow.forward, None)
        if by_name is not Traffic.UNKNOWN:
            return by_name
        found = behaves(flow.sent + flow.delivered, now - flow.started)
        if flow.forward is None:
            return found
        if found is Traffic.UNKNOWN:
            return self._known(flow.forward) or found
        self._learned[id(flow.forward)] = (flow.forward, found)
        if len(self._learned) > LEARNED:
            del self._learned[next(iter(self._learned))]
        return found

    def _known(self, forward: ForwardSpec) -> Traffic | None:
        entry = self._learned.get(id(forward))
        return entry[1] if entry is not None else None
