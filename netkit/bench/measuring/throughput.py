"""Transfers: in rounds with and without compression, and with each cipher."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import TYPE_CHECKING, Final

from netkit.bench import schedule
from netkit.bench.marks import warm_stretch
from netkit.bench.measuring import commands, machine
from netkit.bench.measuring.record import BREAKS, MORE_TIME, Record, Route
from netkit.bench.model import Direction, Transfer
from netkit.bench.schedule import Schedule, Want
from netkit.errors import LinkLostError, NetkitError

if TYPE_CHECKING:
    from netkit.bench.measuring.bulk import Bulk

BASE: Final = "random"
"""What is sent where compression is off: then it makes no difference what it is."""

CROWDED: Final = 0.8
"""The share of all processors here from which each byte of work is felt."""

BUSY: Final = 0.5
"""The share of one processor below which another cipher changes nothing."""

FIRST_LOOK: Final = 0.1
FIRST_TRIPS: Final = 8

SEEDED: Final = 0.5
"""What the data of a source comes to on the wire, roughly: it goes there by the compressed link."""

NOTICED: Final = 0.1
"""The share of one processor below which a link's work is not felt even on a crowded machine."""

LOOK: Final = -1
"""The round of a first look, which counts only where there is no other."""

CIPHER_ROUNDS: Final = 1000
"""The number of the first round in which ciphers are compared."""

MAX_FAULTS: Final = 2
"""Broken flows of one kind after which it is given up."""


class Throughput:
    """Makes transfers and keeps them in ``record``.

    ``names`` are the corpora, the most interesting first; ``gateway_cpu`` tells seconds of CPU of
    the gateway where that can be asked for on this machine.
    """

    def __init__(
        self,
        record: Record,
        names: Iterable[str],
        gateway_cpu: Callable[[], float | None] | None,
    ) -> None:
        self._record = record
        self._names = tuple(names)
        self._cpu = gateway_cpu
        self._faults: Counter[tuple[str, str]] = Counter()
        self._overheads: list[float] = []
        self._rate = 0.0

    def look(self, route: Route) -> None:
        """Move a little each way: what is started for it is then there, and how fast the link is
        can be told."""
        trip = self._record.setting.round_trip
        for direction in route.way.directions:
            self._record.tell("a first look")
            want = Want(direction, compression=False, corpus=BASE)
            self._transfer(route, want, LOOK, FIRST_LOOK + FIRST_TRIPS * trip)
        self._rate = min((each.rate for each in self._record.transfers), default=0.0)

    @property
    def cipher_matters(self) -> bool:
        """Whether processors may be what limits."""
        known = self._record.transfers
        sides = [max(each.load, each.gateway_load or 0.0) for each in known]
        crowded = any((each.busy or 0.0) >= CROWDED for each in known)
        return max(sides, default=1.0) >= (NOTICED if crowded else BUSY)

    def compression(self, plain: Route, packed: Route | None, seconds: float) -> None:
        """Compare each corpus with compression on ``packed`` to what ``plain`` does."""
        until = time.monotonic() + seconds
        wants = self._wants(plain.way.directions, packed=packed is not None)
        seeding = self._seeding(plain) if packed else 0.0
        number, rounds = 0, 1
        while number < rounds:
            # Planned anew each time: what goes with a transfer is only known by and by.
            fewest = max(schedule.FEWEST_ROUNDS - number, 1)
            left = until - time.monotonic() - (0.0 if number else seeding)
            plan = self._plan(wants, left, fewest)
            for want in plan.dropped:
                self._record.skip(str(want), MORE_TIME)
            wants = list(plan.wants)
            rounds = min(number + plan.rounds, schedule.MOST_ROUNDS)
            for want in plan.order(number) if number < rounds else ():
                self._record.tell(f"{want} ({number + 1}/{rounds})")
                route = packed if want.compression and packed is not None else plain
                self._transfer(route, want, number, plan.seconds)
            number += 1

    def ciphers(self, routes: Sequence[Route], seconds: float) -> None:
        """Compare routes that differ in their cipher."""
        directions = routes[0].way.directions
        wants = [Want(way, compression=False, corpus=BASE) for way in directions]
        plan = self._plan(wants, seconds / len(routes), schedule.FEWEST_ROUNDS)
        for want in plan.dropped:
            self._record.skip(f"other ciphers, {want.direction.value}", MORE_TIME)
        until = time.monotonic() + seconds
        for number in range(plan.rounds):
            for route in routes if number % 2 == 0 else routes[::-1]:
                for want in plan.wants:
                    if time.monotonic() > until:
                        return
                    self._record.tell(f"{route.logged_in.cipher}, {want.direction.value}")
                    self._transfer(route, want, CIPHER_ROUNDS + number, plan.seconds)

    def _wants(self, directions: tuple[Direction, ...], *, packed: bool) -> list[Want]:
        wants = [Want(way, compression=False, corpus=BASE) for way in directions]
        if packed:
            wants += [
                Want(way, compression=True, corpus=name)
                for name in self._names
                for way in directions
            ]
        return wants

    def _seeding(self, route: Route) -> float:
        """Return the seconds until the gateway has the data that it cannot make itself."""
        if not self._rate or Direction.DOWN not in route.way.directions:
            return 0.0
        given = [name for name in self._names if not commands.is_generated(name)]
        return len(given) * SEEDED * commands.WHOLE / self._rate

    def _plan(self, wants: Sequence[Want], seconds: float, fewest: int) -> Schedule:
        return schedule.plan(
            wants,
            max(seconds, 0.0),
            round_trip=self._record.setting.round_trip,
            rate=self._rate,
            beside=median(self._overheads) if self._overheads else None,
            fewest=fewest,
        )

    def _transfer(self, route: Route, want: Want, number: int, seconds: float) -> None:
        """Make one transfer and keep it; one that breaks is told, and not tried for ever."""
        key = (route.logged_in.cipher, str(want))
        if self._faults[key] >= MAX_FAULTS or not self._record.left:
            return
        try:
            bulk = route.way.bulk(want.direction, want.corpus)
            asked = time.monotonic()
            made = self._timed(route, bulk, want, number, seconds)
        except BREAKS as error:
            self._broke(route, key, error)
            return
        if number != LOOK:
            self._overheads.append(max(time.monotonic() - asked - seconds, 0.0))
        if made is not None:
            self._record.transfers.append(made)

    def _broke(self, route: Route, key: tuple[str, str], error: NetkitError) -> None:
        """Count a fault; raises LinkLostError where it is the gateway that does not answer."""
        self._faults[key] += 1
        if not self._record.cancelled.is_set() and not route.lives:
            raise LinkLostError("the gateway gives no sign of life", code="gateway-silent")
        if self._faults[key] == MAX_FAULTS or self._record.cancelled.is_set():
            self._record.fail(f"{key[1]} ({key[0]})", error)

    def _timed(
        self, route: Route, bulk: Bulk, want: Want, number: int, seconds: float
    ) -> Transfer | None:
        cpu = self._cpu or route.way.gateway_cpu
        try:
            before, began, worked = cpu(), time.monotonic(), machine.work()
            marks = bulk.move(seconds)
            took, then = time.monotonic() - began, machine.work()
            after = cpu()
        except BaseException:
            route.way.drop(bulk)
            raise
        stretch = warm_stretch(marks, self._record.setting.round_trip)
        if stretch is None:
            return None
        used = None
        if before is not None and after is not None and took > 0:
            used = max(after - before, 0.0) / took * stretch.seconds
        passed = then[1] - worked[1]
        return Transfer(
            direction=want.direction,
            round=number,
            cipher=route.logged_in.cipher,
            compression=route.logged_in.compression,
            corpus=want.corpus,
            size=stretch.size,
            seconds=stretch.seconds,
            wire=stretch.wire,
            cpu=stretch.cpu,
            gateway_cpu=used,
            window=bulk.window,
            starved=stretch.starved,
            busy=(then[0] - worked[0]) / passed if passed > 0 else None,
        )
