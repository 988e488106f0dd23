"""How bytes are made to pass: by commands on the gateway, or by a loop through it.

A way belongs to one session.  Its flows are opened when they are first needed and kept, so that
a transfer is not preceded by the start of a program.
"""

from __future__ import annotations

import abc
import contextlib
import queue
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from netkit.bench.measuring import commands
from netkit.bench.measuring.bulk import Bulk, Download, Loop, Pace, Upload
from netkit.bench.measuring.ends import (
    TICK,
    End,
    FlowBrokenError,
    accept_end,
    open_command,
    open_flow,
)
from netkit.bench.model import Direction, Way
from netkit.engine.dynamic import direct_tcpip
from netkit.errors import NetkitError, OpenError
from netkit.model import Endpoint

if TYPE_CHECKING:
    from netkit.doctor.session import Session
    from netkit.wire.mux import OpenRequest

T = TypeVar("T")

OPEN_TIME: Final = 10.0
"""Seconds for a flow to open and a program to start."""

TRIES: Final = 3
PAUSE: Final = 0.2
"""Seconds before the second try; twice that before the third."""

NONCE: Final = 16
MOST_SAID: Final = 4096
LOOPBACK: Final = Endpoint("localhost", 0)


class Maker(abc.ABC):
    """What a benchmark needs of a way; raises `NetkitError` where the gateway does not play.

    Attributes:
        way: what it is.
        directions: which transfers it can make.
    """

    def __init__(
        self,
        session: Session,
        way: Way,
        directions: tuple[Direction, ...],
        corpora: Mapping[str, bytes],
        round_trip: float,
        cancelled: threading.Event,
    ) -> None:
        self.way = way
        self.directions = directions
        self._session = session
        self._corpora = corpora
        self._round_trip = round_trip
        self._cancelled = cancelled
        self._bulks: dict[tuple[Direction, str], Bulk] = {}
        self._paces: dict[tuple[Direction, str], Pace] = {}

    def bulk(self, direction: Direction, corpus: str) -> Bulk:
        """Return the flow for bulk data of ``corpus``, the same one each time."""
        key = (direction, corpus)
        if key not in self._bulks:
            # What was learnt of the speed outlives a flow that broke.
            pace = self._paces.setdefault(key, Pace(round_trip=self._round_trip))
            self._bulks[key] = self._make(direction, corpus, pace)
        return self._bulks[key]

    def drop(self, bulk: Bulk) -> None:
        """Forget a flow that broke."""
        bulk.close()
        self._bulks = {key: kept for key, kept in self._bulks.items() if kept is not bulk}

    def close(self) -> None:
        """End every flow."""
        for bulk in self._bulks.values():
            bulk.close()
        self._bulks.clear()

    def gateway_cpu(self) -> float | None:
        """Return seconds of CPU that the gateway spent for this connection; None: unknown."""
        return None

    @abc.abstractmethod
    def _make(self, direction: Direction, corpus: str, pace: Pace) -> Bulk: ...

    @abc.abstractmethod
    def echo(self) -> tuple[End, End]:
        """Open a flow for round trips: what is written to the one end comes out of the other."""

    @abc.abstractmethod
    def first_byte(self) -> float:
        """Open a flow, wait for its first byte, close it; return the seconds until it came."""


class ShellWay(Maker):
    """Commands of the gateway's shell make, take and return bytes."""

    def __init__(
        self,
        session: Session,
        way: Way,
        corpora: Mapping[str, bytes],
        round_trip: float,
        cancelled: threading.Event,
    ) -> None:
        both = (Direction.DOWN, Direction.UP)
        super().__init__(session, way, both, corpora, round_trip, cancelled)
        self._posix = way is Way.POSIX
        self._clock: End | None = None
        self._has_clock = True

    def _make(self, direction: Direction, corpus: str, pace: Pace) -> Bulk:
        if direction is Direction.UP:
            sink = self._ready(commands.SINK if self._posix else commands.POWERSHELL_SINK)
            return Upload(sink, self._corpora[corpus], pace)
        return Download(self._source(corpus), pace)

    def _source(self, corpus: str) -> End:
        make = commands.source if self._posix else commands.powershell_source
        seed = b"" if commands.is_generated(corpus) else self._corpora[corpus][: commands.WHOLE]
        return self._ready(make(corpus), seed)

    def _ready(self, command: str, seed: bytes = b"") -> End:
        """Start a command, give it ``seed``, and wait until it says that it is ready."""
        return self._retried(lambda: self._ready_once(command, seed))

    def _retried(self, call: Callable[[], T]) -> T:
        """Return what ``call`` returns, at the third try if need be.

        dropbear closes a session that has just been opened when the program of another ends at
        that moment, which takes longer on a busy gateway.
        """
        for number in range(1, TRIES):
            with contextlib.suppress(FlowBrokenError):
                return call()
            self._cancelled.wait(number * PAUSE)
        return call()

    def _ready_once(self, command: str, seed: bytes) -> End:
        end = self._start(command)
        deadline = time.monotonic() + OPEN_TIME + 30 * self._round_trip
        try:
            end.write_all(seed, deadline)
            said = end.read_exactly(len(commands.READY), deadline)
        except BaseException:
            end.close()
            raise
        if said != commands.READY:
            end.close()
            raise FlowBrokenError("the gateway's shell answers something else than was asked")
        return end

    def _start(self, command: str) -> End:
        return open_command(self._session.link, command, OPEN_TIME, self._cancelled)

    def echo(self) -> tuple[End, End]:
        """See `Maker.echo`."""
        end = self._ready(commands.ECHO if self._posix else commands.POWERSHELL_ECHO)
        return end, end

    def first_byte(self) -> float:
        """See `Maker.first_byte`."""
        return self._retried(self._first_byte)

    def _first_byte(self) -> float:
        command = commands.FIRST_BYTE if self._posix else commands.POWERSHELL_FIRST_BYTE
        began = time.monotonic()
        with self._start(command) as end:
            end.read_exactly(1, began + OPEN_TIME)
            return time.monotonic() - began

    def gateway_cpu(self) -> float | None:
        """See `Maker.gateway_cpu`."""
        if not self._has_clock:
            return None
        try:
            found = commands.cpu_seconds(self._read_clock(time.monotonic() + OPEN_TIME))
        except (FlowBrokenError, OpenError):
            found = None
        self._has_clock = found is not None
        return found

    def _read_clock(self, deadline: float) -> bytes:
        if self._clock is None:
            self._clock = self._start(commands.CPU if self._posix else commands.POWERSHELL_CPU)
        self._clock.write_all(b"\n", deadline)
        said = b""
        while not said.endswith(b"\n") or commands.CPU_END not in said:
            said += self._clock.read_exactly(1, deadline)
            if len(said) > MOST_SAID:
                raise FlowBrokenError("the gateway's shell says more than was asked")
        return said

    def close(self) -> None:
        """See `Maker.close`."""
        super().close()
        if self._clock is not None:
            self._clock.close()


class LoopWay(Maker):
    """A remote forward of our own, and flows to it: out through the gateway and back again."""

    def __init__(
        self,
        session: Session,
        corpora: Mapping[str, bytes],
        round_trip: float,
        cancelled: threading.Event,
    ) -> None:
        """Have the gateway listen.

        Raises:
            NetkitError: it does not, or no flow gets there.
        """
        super().__init__(session, Way.LOOP, (Direction.LOOP,), corpora, round_trip, cancelled)
        self._came: queue.SimpleQueue[End] = queue.SimpleQueue()
        self._listener = session.listen(LOOPBACK, self._accept, OPEN_TIME)
        self.address = Endpoint(LOOPBACK.host, self._listener.port)
        for end in self.echo():
            end.close()

    def _accept(self, request: OpenRequest, _source: str) -> None:
        self._came.put(accept_end(self._session.link, request.channel, self._cancelled))

    def pair(self) -> tuple[End, End]:
        """Open a flow and return its ends: ours, and the one that came back."""
        out = self._open()
        deadline = time.monotonic() + OPEN_TIME
        nonce = secrets.token_bytes(NONCE)
        try:
            out.write_all(nonce, deadline)
            while True:
                back = self._next(deadline)
                # Whoever else may connect there does not know it.
                if back.read_exactly(NONCE, deadline) == nonce:
                    return out, back
                back.close()
        except BaseException:
            out.close()
            raise

    def _open(self) -> End:
        data = direct_tcpip(self.address, ("127.0.0.1", 0))
        return open_flow(self._session.link, "direct-tcpip", data, OPEN_TIME, self._cancelled)

    def _next(self, deadline: float) -> End:
        while time.monotonic() < deadline and not self._cancelled.is_set():
            try:
                return self._came.get(timeout=TICK)
            except queue.Empty:
                continue
        raise OpenError(
            "the gateway does not bring our own flow back",
            code="loop-broken",
            cause="something else listens where our remote forward should, or it is filtered",
        )

    def _make(self, direction: Direction, corpus: str, pace: Pace) -> Bulk:
        del direction
        return Loop(*self.pair(), self._corpora[corpus], pace)

    def echo(self) -> tuple[End, End]:
        """See `Maker.echo`."""
        return self.pair()

    def first_byte(self) -> float:
        """See `Maker.first_byte`."""
        began = time.monotonic()
        with self._open() as out, self._next(began + OPEN_TIME) as back:
            back.write_all(b"x", began + OPEN_TIME)
            out.read_exactly(1, began + OPEN_TIME)
            return time.monotonic() - began


def find_way(session: Session, timeout: float) -> tuple[Way, str]:
    """Find out what the gateway's shell is; `Way.NONE` and why where no command runs.

    Raises:
        LinkLostError: the link ended.
    """
    done = session.run(commands.PROBE, timeout)
    if commands.is_posix(done.stdout):
        return Way.POSIX, ""
    if session.error is not None:
        raise session.error
    windows = session.run(commands.POWERSHELL_PROBE, timeout)
    if b"netkit-powershell" in windows.stdout:
        return Way.POWERSHELL, ""
    if done.outcome == "ran" and done.stdout.strip():
        return Way.NONE, "the gateway's shell is none that is known here"
    if done.outcome == "ran":
        return Way.NONE, "the gateway runs no commands for this account"
    return Way.NONE, {
        "timed-out": "a command gave no answer",
        "refused": "the gateway refuses to run commands",
    }.get(done.outcome, "the gateway opens no session")


def make_way(
    session: Session,
    way: Way,
    corpora: Mapping[str, bytes],
    round_trip: float,
    cancelled: threading.Event,
) -> Maker:
    """Prepare ``way`` on a session; raises `NetkitError` where the gateway does not play."""
    if way is Way.LOOP:
        return LoopWay(session, corpora, round_trip, cancelled)
    if way is Way.NONE:
        raise NetkitError("no bytes can be made to pass", code="no-way")
    return ShellWay(session, way, corpora, round_trip, cancelled)
