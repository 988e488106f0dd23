"""One benchmark from the first login to the last byte.

What is measured is kept as it comes, so an interrupted or broken run still shows what is known.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netkit.bench import schedule
from netkit.bench.measuring import latency
from netkit.bench.measuring.logins import LoggedIn, common_ciphers, log_in
from netkit.bench.measuring.record import MORE_TIME, Progress, Record, Route
from netkit.bench.measuring.throughput import BASE, Throughput
from netkit.bench.measuring.ways import find_way, make_way
from netkit.bench.model import Connections, Direction, Echo, FirstBytes, Measured, Setting, Way
from netkit.errors import LinkLostError, NetkitError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netkit.doctor.session import Access

PROBE_TIME: Final = 10.0
LATENCY_SHARE: Final = 0.12
LATENCY_MOST: Final = 3.0
BESIDE_SHARE: Final = 0.12
BESIDE_MOST: Final = 4.0
BESIDE_START: Final = 0.1
BESIDE_TRIPS: Final = 10
"""Seconds and round trips for opening a flow beside a transfer, and for that to come to its end."""

CIPHER_SHARE: Final = 0.22
FIRST_BYTES: Final = 20
CONNECTION_ROUNDS: Final = 3


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
        self._ours = ciphers
        self._corpora = corpora
        self._record = Record(setting, seconds, access.cancelled, progress)
        self._throughput = Throughput(self._record, corpora, gateway_cpu)
        self._routes: list[Route] = []

    def run(self) -> Measured:
        """Measure, and return what is known when time is up, or when it was interrupted.

        Raises:
            NetkitError: the first login failed.
        """
        record = self._record
        try:
            self._measure()
        except NetkitError as error:
            if not record.cancelled.is_set():
                if not record.logins:
                    raise
                record.fail("the rest", error)
        finally:
            for route in self._routes:
                route.close()
        return record.measured()

    def _measure(self) -> None:
        plain = self._first_route()
        if plain is None:
            return
        record, throughput = self._record, self._throughput
        self._latency(plain)
        packed = self._packed_route()
        throughput.look(plain)
        share = BESIDE_SHARE + (CIPHER_SHARE if throughput.cipher_matters else 0.0)
        throughput.compression(plain, packed, record.left * (1 - share))
        self._ciphers(plain)
        self._beside(plain)

    # --- logging in ---

    def _log_in(self, cipher: str = "", *, compression: bool = False) -> LoggedIn:
        made = log_in(self._access, cipher=cipher, compression=compression)
        self._record.logins.append(made.login)
        return made

    def _first_route(self) -> Route | None:
        """Log in and find out how bytes can be made to pass; None where they cannot."""
        record = self._record
        record.tell("logging in")
        made = self._log_in()
        try:
            record.setting = replace(
                record.setting,
                server=made.server,
                cipher=made.cipher,
                ciphers=common_ciphers(self._ours, made.theirs, made.cipher),
                compression="zlib@openssh.com" in made.theirs.compression,
                round_trip=latency.idle_round_trip(made.session, 5, PROBE_TIME),
            )
            record.tell("asking what the gateway allows")
            way, why = find_way(made.session, PROBE_TIME)
            route = self._passable(made, way, why)
        except BaseException:
            made.session.close()
            raise
        record.setting = replace(record.setting, way=route.way.way if route else Way.NONE)
        return route

    def _passable(self, made: LoggedIn, way: Way, why: str) -> Route | None:
        """Prepare the way that was found, a loop where there is none."""
        if way is not Way.NONE:
            return self._route(made, way)
        try:
            route = self._route(made, Way.LOOP)
        except LinkLostError:
            raise
        except NetkitError as error:
            self._record.fail(f"throughput ({why})", error)
            made.session.close()
            return None
        self._record.notes.append(f"{why}, so bytes go out and back through a loop")
        return route

    def _route(self, made: LoggedIn, way: Way) -> Route:
        record = self._record
        trip = record.setting.round_trip
        route = Route(made, make_way(made.session, way, self._corpora, trip, record.cancelled))
        self._routes.append(route)
        return route

    def _more(self, cipher: str, *, compression: bool = False) -> Route:
        """Log in once more and prepare the same way; leaves nothing behind where that fails."""
        made = self._log_in(cipher, compression=compression)
        try:
            return self._route(made, self._record.setting.way)
        except BaseException:
            made.session.close()
            raise

    def _packed_route(self) -> Route | None:
        record = self._record
        if not record.setting.compression:
            record.skip("compression", "the gateway does not offer it")
            return None
        record.tell("logging in, with compression")
        try:
            return self._more(record.setting.cipher, compression=True)
        except NetkitError as error:
            record.fail("compression", error)
            return None

    # --- latency ---

    def _latency(self, route: Route) -> None:
        record, way, stop = self._record, route.way, self._record.cancelled
        budget = min(record.left * LATENCY_SHARE, LATENCY_MOST)
        with record.part("round trips"):
            ends = way.echo()
            try:
                samples = latency.echo(ends, budget / 2, stop=stop)
            finally:
                for end in ends:
                    end.close()
            record.echoes.append(Echo(beside=None, samples=samples))
        with record.part("first bytes"):
            samples = latency.first_bytes(way, budget / 4, FIRST_BYTES, stop)
            how = "forward" if way.way is Way.LOOP else "command"
            record.first_bytes.append(FirstBytes(how=how, samples=samples))
        with record.part("new flows"):
            for number in range(CONNECTION_ROUNDS):
                self._connect(route, number, budget / 4 / CONNECTION_ROUNDS)

    def _connect(self, route: Route, number: int, seconds: float) -> None:
        stop = self._record.cancelled
        if route.way.way is Way.LOOP:
            began = time.monotonic()
            count = len(latency.first_bytes(route.way, seconds, latency.MOST_SAMPLES, stop))
            took, at_once = time.monotonic() - began, 1
        else:
            count, took = latency.sessions(route.logged_in.session, seconds, stop)
            at_once = latency.AT_ONCE
        if count:
            made = Connections(round=number, at_once=at_once, count=count, seconds=took)
            self._record.connections.append(made)

    # --- ciphers, and latency beside bulk ---

    def _ciphers(self, plain: Route) -> None:
        record = self._record
        others = record.setting.ciphers[1:]
        if not others:
            return
        if not self._throughput.cipher_matters:
            record.skip("other ciphers", "processors are not what limits, so they cost nothing")
            return
        routes = [plain]
        for cipher in others:
            record.tell(f"logging in with {cipher}")
            try:
                routes.append(self._more(cipher))
            except NetkitError as error:
                record.fail(cipher, error)
        self._throughput.ciphers(routes, record.left - min(record.left * 0.4, BESIDE_MOST))

    def _beside(self, route: Route) -> None:
        record = self._record
        directions = route.way.directions
        trip = record.setting.round_trip
        for number, direction in enumerate(directions):
            what = f"round trips beside a transfer, {direction.value}"
            share = record.left / (len(directions) - number)
            each = min(share, BESIDE_MOST / len(directions)) - BESIDE_START - BESIDE_TRIPS * trip
            if each < schedule.SHORTEST + BESIDE_TRIPS * trip:
                record.skip(what, MORE_TIME)
                continue
            with record.part(what):
                self._echo_beside(route, direction, each)

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
            samples = latency.echo(ends, seconds, stop=self._record.cancelled)
        finally:
            stop.set()
            mover.join()
            for end in ends:
                end.close()
            route.way.drop(bulk)
        if failed:
            raise failed[0]
        self._record.echoes.append(Echo(beside=direction, samples=samples))
