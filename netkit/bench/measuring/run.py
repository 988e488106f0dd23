"""One benchmark from the first login to the last byte.

What is measured is kept as it comes, so an interrupted or broken run still shows what is known.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Final

from netkit.bench import schedule
from netkit.bench.marks import warm_stretch
from netkit.bench.measuring import latency, machine
from netkit.bench.measuring.ends import FlowBrokenError
from netkit.bench.measuring.logins import LoggedIn, common_ciphers, log_in
from netkit.bench.measuring.ways import Maker, find_way, make_way
from netkit.bench.model import (
    Connections,
    Direction,
    Echo,
    FirstBytes,
    Login,
    Measured,
    Setting,
    Skipped,
    Transfer,
    Way,
)
from netkit.bench.schedule import Want
from netkit.errors import LinkLostError, NetkitError, OpenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netkit.doctor.session import Access

BASE: Final = "random"
"""What is sent where compression is off: then it makes no difference what it is."""

PROBE_TIME: Final = 10.0
RESERVE: Final = 0.3
"""Seconds for logging out and showing the result."""

CROWDED: Final = 0.8
"""The share of all processors here from which each byte of work is felt."""

BUSY: Final = 0.5
"""The share of a processor below which another cipher changes nothing."""

LATENCY_SHARE: Final = 0.12
LATENCY_MOST: Final = 3.0
BESIDE_SHARE: Final = 0.12
BESIDE_MOST: Final = 4.0
CIPHER_SHARE: Final = 0.22
MAX_FAULTS: Final = 2
FIRST_LOOK: Final = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being measured, how much of it is done (0 … 1), and the seconds left."""

    text: str
    done: float
    left: float


@dataclass(slots=True)
class Kept:
    """What is known so far."""

    logins: list[Login] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    echoes: list[Echo] = field(default_factory=list)
    first_bytes: list[FirstBytes] = field(default_factory=list)
    connections: list[Connections] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Route:
    """One logged-in session and its way of making bytes pass."""

    def __init__(self, logged_in: LoggedIn, way: Maker) -> None:
        self.logged_in = logged_in
        self.way = way

    def close(self) -> None:
        """Log out."""
        self.way.close()
        self.logged_in.session.close()


class Benchmark:
    """Measures one gateway.

    Args:
        access: how to log in; its ``cancelled`` interrupts everything.
        setting: what is known of the surroundings; completed on the way.
        ciphers: those that we offer.
        corpora: data by name, the most interesting first.
        seconds: for all of it.
        gateway_cpu: seconds of CPU of the gateway so far, where that can be asked for here.
        progress: called in this thread with what comes next.
    """

    def __init__(
        self,
        access: Access,
        setting: Setting,
        *,
        ciphers: tuple[str, ...],
        corpora: Mapping[str, bytes],
        seconds: float,
        gateway_cpu: Callable[[], float | None] | None = None,
        progress: Callable[[Progress], None] = lambda _progress: None,
    ) -> None:
        self._access = access
        self._setting = setting
        self._ours = ciphers
        self._corpora = corpora
        self._cpu = gateway_cpu
        self._progress = progress
        self._cancelled = access.cancelled
        self._began = time.monotonic()
        self._end = self._began + seconds - RESERVE
        self._kept = Kept()
        self._faults: Counter[tuple[str, str]] = Counter()
        self._routes: list[Route] = []
        self._rate = 0.0
        self._overheads: list[float] = []

    def run(self) -> Measured:
        """Measure, and return what is known when time is up, or when it was interrupted.

        Raises:
            NetkitError: the first login failed.
        """
        try:
            self._measure()
        except NetkitError as error:
            if not self._cancelled.is_set() and not self._kept.logins:
                raise
            if not self._cancelled.is_set():
                self._skip(
                    "the rest", f"{error.summary}{f': {error.cause}' if error.cause else ''}"
                )
        finally:
            for route in self._routes:
                route.close()
        kept = self._kept
        return Measured(
            setting=replace(self._setting, took=time.monotonic() - self._began),
            logins=tuple(kept.logins),
            transfers=tuple(kept.transfers),
            echoes=tuple(kept.echoes),
            first_bytes=tuple(kept.first_bytes),
            connections=tuple(kept.connections),
            skipped=tuple(kept.skipped),
            interrupted=self._cancelled.is_set(),
            notes=tuple(kept.notes),
        )

    @property
    def _left(self) -> float:
        return max(self._end - time.monotonic(), 0.0)

    def _tell(self, text: str) -> None:
        span = self._end - self._began
        left = self._left
        self._progress(Progress(text, min(1 - left / span, 1.0) if span > 0 else 1.0, left))

    def _skip(self, what: str, why: str) -> None:
        self._kept.skipped.append(Skipped(what, why))

    # --- the parts, in order ---

    def _measure(self) -> None:
        self._tell("logging in")
        first = self._log_in()
        session = first.session
        round_trip = latency.idle_round_trip(session, 5, PROBE_TIME)
        ciphers = common_ciphers(self._ours, first.theirs, first.cipher)
        self._setting = replace(
            self._setting,
            server=first.server,
            cipher=first.cipher,
            ciphers=ciphers,
            compression="zlib@openssh.com" in first.theirs.compression,
            round_trip=round_trip,
        )
        plain = self._first_route(first)
        if plain is None:
            return
        self._latency(plain)
        packed = self._packed_route()
        self._rounds(plain, packed)
        self._ciphers(plain, ciphers[1:])
        self._beside(plain)

    def _log_in(self, cipher: str = "", *, compression: bool = False) -> LoggedIn:
        made = log_in(self._access, cipher=cipher, compression=compression)
        self._kept.logins.append(made.login)
        return made

    def _first_route(self, made: LoggedIn) -> Route | None:
        """Find out how bytes can be made to pass; None where they cannot."""
        self._tell("asking what the gateway allows")
        why = ""
        try:
            way, why = find_way(made.session, PROBE_TIME)
            if why:
                self._kept.notes.append(f"{why}, so bytes go out and back through a loop")
            route = self._route(made, Way.LOOP if way is Way.NONE else way)
        except NetkitError as error:
            made.session.close()
            if self._cancelled.is_set() or isinstance(error, LinkLostError):
                raise
            self._kept.notes.clear()
            self._skip("latency through a flow, throughput", f"{why}, and {error.summary}")
            self._setting = replace(self._setting, way=Way.NONE)
            return None
        self._setting = replace(self._setting, way=route.way.way)
        return route

    def _route(self, made: LoggedIn, way: Way) -> Route:
        trip = self._setting.round_trip
        made_way = make_way(made.session, way, self._corpora, trip, self._cancelled)
        route = Route(made, made_way)
        self._routes.append(route)
        return route

    def _more(self, cipher: str = "", *, compression: bool = False) -> Route:
        """Log in once more and prepare the same way; leaves nothing behind where that fails."""
        made = self._log_in(cipher, compression=compression)
        try:
            return self._route(made, self._setting.way)
        except BaseException:
            made.session.close()
            raise

    def _packed_route(self) -> Route | None:
        if not self._setting.compression:
            self._skip("compression", "the gateway does not offer it")
            return None
        self._tell("logging in, with compression")
        try:
            return self._more(self._setting.cipher, compression=True)
        except NetkitError as error:
            self._refuse_if_cancelled(error)
            self._skip("compression", error.summary)
            return None

    def _refuse_if_cancelled(self, error: NetkitError) -> None:
        if self._cancelled.is_set():
            raise error

    # --- latency ---

    def _latency(self, route: Route) -> None:
        budget = min(self._left * LATENCY_SHARE, LATENCY_MOST)
        way = route.way
        self._tell("round trips")
        with _Part(self, "round trips"):
            ends = way.echo()
            try:
                samples = latency.echo(ends, budget / 2, stop=self._cancelled)
            finally:
                for end in ends:
                    end.close()
            self._kept.echoes.append(Echo(beside=None, samples=samples))
        self._tell("first bytes")
        with _Part(self, "first bytes"):
            samples = latency.first_bytes(way, budget / 4, 20, self._cancelled)
            how = "forward" if way.way is Way.LOOP else "command"
            self._kept.first_bytes.append(FirstBytes(how=how, samples=samples))
        self._tell("new flows")
        with _Part(self, "new flows"):
            for number in range(3):
                self._connections(route, number, budget / 12)

    def _connections(self, route: Route, number: int, seconds: float) -> None:
        if route.way.way is Way.LOOP:
            began = time.monotonic()
            count = len(latency.first_bytes(route.way, seconds, 10_000, self._cancelled))
            took, at_once = time.monotonic() - began, 1
        else:
            count, took = latency.sessions(route.logged_in.session, seconds, self._cancelled)
            at_once = latency.AT_ONCE
        if count:
            self._kept.connections.append(
                Connections(round=number, at_once=at_once, count=count, seconds=took)
            )

    # --- throughput ---

    def _rounds(self, plain: Route, packed: Route | None) -> None:
        self._first_look(plain)
        share = 1 - (BESIDE_SHARE + (CIPHER_SHARE if self._is_busy() else 0.0))
        until = time.monotonic() + self._left * share
        wants = self._wants(plain.way.directions, packed=packed is not None)
        number, rounds = 0, 1
        while number < rounds:
            # Planned anew each time: what goes with a transfer is only known by and by.
            fewest = max(schedule.FEWEST_ROUNDS - number, 1)
            plan = self._plan(wants, until - time.monotonic(), fewest)
            for want in plan.dropped:
                self._skip(str(want), "not enough time; --time gives it more")
            wants = list(plan.wants)
            rounds = min(number + plan.rounds, schedule.MOST_ROUNDS)
            for want in plan.order(number) if number < rounds else ():
                self._tell(f"{want} ({number + 1}/{rounds})")
                route = packed if want.compression and packed is not None else plain
                self._transfer(route, want, number, plan.seconds)
            number += 1

    def _plan(self, wants: list[Want], seconds: float, fewest: int) -> schedule.Schedule:
        return schedule.plan(
            wants,
            max(seconds, 0.0),
            round_trip=self._setting.round_trip,
            rate=self._rate,
            beside=median(self._overheads) if self._overheads else None,
            fewest=fewest,
        )

    def _first_look(self, route: Route) -> None:
        """Move a little in each direction: what is started for it is then there, and how fast
        the link is can be told."""
        seconds = FIRST_LOOK + schedule.TRIPS * self._setting.round_trip
        for direction in route.way.directions:
            self._tell("a first look")
            self._transfer(route, Want(direction, compression=False, corpus=BASE), -1, seconds)
        rates = [each.rate for each in self._kept.transfers]
        self._rate = min(rates, default=0.0)

    def _is_busy(self) -> bool:
        """Whether a processor may be what limits, so that the cipher matters."""
        sides = [max(each.load, each.gateway_load or 0.0) for each in self._kept.transfers]
        crowded = any((each.busy or 0.0) >= CROWDED for each in self._kept.transfers)
        return crowded or not sides or max(sides) >= BUSY

    def _wants(self, directions: tuple[Direction, ...], *, packed: bool) -> list[Want]:
        wants = [Want(way, compression=False, corpus=BASE) for way in directions]
        if packed:
            wants += [
                Want(way, compression=True, corpus=name)
                for name in self._corpora
                for way in directions
            ]
        return wants

    def _transfer(self, route: Route, want: Want, number: int, seconds: float) -> None:
        """Make one transfer and keep it; one that breaks is told, and not tried for ever."""
        key = (route.logged_in.cipher, str(want))
        if self._faults[key] >= MAX_FAULTS:
            return
        try:
            made = self._timed(route, want, number, seconds)
        except (FlowBrokenError, OpenError) as error:
            self._refuse_if_cancelled(error)
            self._faults[key] += 1
            if self._faults[key] == MAX_FAULTS:
                cause = f": {error.cause}" if error.cause else ""
                self._skip(f"{want} ({route.logged_in.cipher})", f"{error.summary}{cause}")
            return
        if made is not None:
            self._kept.transfers.append(made)

    def _timed(self, route: Route, want: Want, number: int, seconds: float) -> Transfer | None:
        bulk = route.way.bulk(want.direction, want.corpus)
        asked = time.monotonic()
        cpu = self._cpu or route.way.gateway_cpu
        try:
            before, began, worked = cpu(), time.monotonic(), machine.work()
            marks = bulk.move(seconds)
            took, then = time.monotonic() - began, machine.work()
            after = cpu()
            if number >= 0:
                self._overheads.append(max(time.monotonic() - asked - seconds, 0.0))
        except BaseException:
            route.way.drop(bulk)
            raise
        stretch = warm_stretch(marks, self._setting.round_trip)
        if stretch is None:
            return None
        used = None
        if before is not None and after is not None and took > 0:
            used = max(after - before, 0.0) / took * stretch.seconds
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
            busy=(then[0] - worked[0]) / passed if (passed := then[1] - worked[1]) > 0 else None,
        )

    # --- ciphers, and latency beside bulk ---

    def _ciphers(self, plain: Route, others: tuple[str, ...]) -> None:
        if not others:
            return
        if not self._is_busy():
            self._skip("other ciphers", "the processors are not what limits, so they cost nothing")
            return
        budget = max(self._left - min(self._left * 0.4, BESIDE_MOST), 0.0)
        routes = [plain]
        for cipher in others:
            self._tell(f"logging in with {cipher}")
            try:
                routes.append(self._more(cipher))
            except NetkitError as error:
                self._refuse_if_cancelled(error)
                self._skip(cipher, error.summary)
        wants = [Want(way, compression=False, corpus=BASE) for way in plain.way.directions]
        budget = max(min(budget, self._left - BESIDE_SHARE * self._left), 0.0)
        plan = self._plan(wants, budget / len(routes), schedule.FEWEST_ROUNDS)
        if not plan.rounds:
            self._skip("other ciphers", "not enough time; --time gives it more")
            return
        for number in range(plan.rounds):
            for route in routes if number % 2 == 0 else routes[::-1]:
                for want in plan.wants:
                    if self._left <= 0:
                        return
                    self._tell(f"{route.logged_in.cipher}, {want.direction.value}")
                    self._transfer(route, want, 1000 + number, plan.seconds)

    def _beside(self, route: Route) -> None:
        directions = route.way.directions
        budget = min(self._left, BESIDE_MOST) / len(directions)
        for direction in directions:
            if budget < schedule.SHORTEST + 10 * self._setting.round_trip or self._left <= 0:
                self._skip("round trips beside a transfer", "not enough time; --time gives it more")
                return
            self._tell(f"round trips beside a transfer, {direction.value}")
            with _Part(self, "round trips beside a transfer"):
                self._echo_beside(route, direction, budget)

    def _echo_beside(self, route: Route, direction: Direction, seconds: float) -> None:
        bulk = route.way.bulk(direction, BASE)
        ends = route.way.echo()
        stop = threading.Event()
        failed: list[NetkitError] = []

        def move() -> None:
            try:
                bulk.move(seconds * 2, stop)
            except NetkitError as error:
                failed.append(error)

        mover = threading.Thread(target=move, name="netkit-bench-bulk", daemon=True)
        mover.start()
        try:
            samples = latency.echo(ends, seconds, stop=self._cancelled)
        finally:
            stop.set()
            mover.join()
            for end in ends:
                end.close()
            route.way.drop(bulk)
        if failed:
            raise failed[0]
        self._kept.echoes.append(Echo(beside=direction, samples=samples))


class _Part:
    """A part whose failure is told and does not end the benchmark, unless the link is gone."""

    def __init__(self, benchmark: Benchmark, what: str) -> None:
        self._benchmark = benchmark
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, FlowBrokenError | OpenError):
            return False
        if self._benchmark._cancelled.is_set():  # noqa: SLF001
            return False
        cause = f": {error.cause}" if error.cause else ""
        self._benchmark._skip(self._what, f"{error.summary}{cause}")  # noqa: SLF001
        return True
