"""Bulk transfers through a flow, timed by what has really arrived on the other side.

What is on the way is bounded by the speed that was seen so far, so that a slow link is not filled
with minutes of data, and a transfer ends soon after it should.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final, Protocol

from netkit.bench.marks import Mark
from netkit.bench.measuring import commands
from netkit.bench.measuring.ends import End, FlowBrokenError
from netkit.engine.keepalive import REQUEST as KEEPALIVE

FIRST_ALLOWANCE: Final = 64 << 10
"""Bytes under way while nothing is known of the speed."""

LEAST_ALLOWANCE: Final = 3 * commands.PIECE

ALLOWANCE_TIME: Final = 0.05
"""Seconds of traffic under way, apart from what the round trip needs."""

ALLOWANCE_TRIPS: Final = 4
CHUNK: Final = 256 << 10
SMALL_CHUNK: Final = commands.PIECE
MARK_EVERY: Final = 0.005
MARKS: Final = 8
"""Marks on the way at least: what one says has arrived makes room for more."""

DRAIN: Final = 10.0
"""Seconds for what is under way at the end of a transfer to arrive."""


@dataclass(slots=True, kw_only=True)
class Pace:
    """How many bytes may be under way.

    Attributes:
        round_trip: seconds.
        rate: bytes per second that were seen; 0: nothing is known yet.
    """

    round_trip: float
    rate: float = 0.0

    @property
    def allowance(self) -> float:
        """Bytes that may be under way now."""
        if not self.rate:
            return FIRST_ALLOWANCE
        span = ALLOWANCE_TIME + ALLOWANCE_TRIPS * self.round_trip
        return max(LEAST_ALLOWANCE, self.rate * span)

    def learn(self, size: int, seconds: float) -> None:
        """Take note that ``size`` bytes arrived in ``seconds``."""
        if size > 0 and seconds > 0:
            # What is known from before is let go of by and by: a transfer begins slowly.
            self.rate = max(size / seconds, self.rate / 2)


class Bulk(Protocol):
    """A flow that carries bulk data; may be used again and again."""

    def move(self, seconds: float, stop: threading.Event | None = None) -> list[Mark]:
        """Move data for ``seconds``, or until ``stop``; return marks of what arrived, in order."""
        ...

    @property
    def window(self) -> int:
        """Bytes that the receiving side grants at most."""
        ...

    def close(self) -> None:
        """End the flow."""


class Download:
    """Bytes that a source on the gateway says when asked."""

    def __init__(self, end: End, pace: Pace) -> None:
        self._end = end
        self._pace = pace
        self._asked = 0
        self._came = 0
        self._buffer = bytearray(CHUNK)

    @property
    def window(self) -> int:
        """Our window; it grows."""
        return self._end.link.run(lambda: self._end.flow.channel.window.size)

    def move(self, seconds: float, stop: threading.Event | None = None) -> list[Mark]:
        """See `Bulk.move`."""
        began = time.monotonic()
        deadline, noted = began + seconds, began
        marks: list[Mark] = []
        start = self._came
        while (now := time.monotonic()) < deadline and not (stop and stop.is_set()):
            self._ask()
            before = self._came
            self._read(deadline + DRAIN)
            # Marks that stand right behind data say how fast it comes, however large its pieces.
            if now - noted >= MARK_EVERY and self._came > before:
                marks.append(self._mark())
                self._pace.learn(self._came - start, now - began)
                noted = now
        last = deadline + DRAIN
        while self._came < self._asked and not (stop and stop.is_set()):
            self._read(last)
        return marks

    def _ask(self) -> None:
        allowance = self._pace.allowance
        wanted = []
        while self._asked - self._came < allowance:
            size, request = commands.unit(allowance / 2, self._asked)
            wanted.append(request)
            self._asked += size
        if wanted:
            self._end.write_all(b"".join(wanted), time.monotonic() + DRAIN)

    def _read(self, deadline: float) -> None:
        self._came += self._end.read_into(self._buffer)
        if time.monotonic() > deadline:
            raise FlowBrokenError("a flow of the benchmark broke", cause="nothing comes any more")

    def _mark(self) -> Mark:
        end = self._end
        link = end.link

        def look() -> Mark:
            return Mark(
                time.monotonic(), end.flow.delivered, link.stream.received, time.thread_time()
            )

        return link.run(look)

    def close(self) -> None:
        """End the flow."""
        self._end.close()


class Upload:
    """Bytes that the gateway takes and drops.

    The gateway answers requests in order (RFC 4254 section 4), so the answer to a request that was
    sent behind some data says that this data has arrived.
    """

    def __init__(self, end: End, data: bytes, pace: Pace) -> None:
        self._end = end
        self._data = memoryview(data)
        self._at = 0
        self._pace = pace
        self._changed = threading.Condition()
        self._pushed = 0
        self._marked = 0
        self._arrived = 0
        self._asking = False
        self._window = 0

    @property
    def window(self) -> int:
        """The gateway's window: the most room that was seen (sessions begin without any)."""
        return self._window

    def move(self, seconds: float, stop: threading.Event | None = None) -> list[Mark]:
        """See `Bulk.move`."""
        self._await_window()
        marks: list[Mark] = []
        noted = began = time.monotonic()
        deadline, start = began + seconds, self._arrived
        while (now := time.monotonic()) < deadline and not (stop and stop.is_set()):
            step = max(self._pace.allowance / MARKS, commands.PIECE)
            if self._pushed - self._marked < step:
                self._push()
            else:
                self._pause()
            if self._pushed - self._marked >= step or now - noted >= MARK_EVERY:
                self._ask(marks)
                noted = now
                self._pace.learn(self._arrived - start, now - began)
        self._settle(marks, stop)
        return [mark for mark in marks if mark.time <= deadline or mark is marks[-1]]

    def _await_window(self) -> None:
        """Wait until the gateway takes data: sshd grants a window when the program has started."""
        deadline = time.monotonic() + DRAIN
        while not self._window and time.monotonic() < deadline:
            self._window = self._end.link.run(self._room)
            if not self._window:
                self._pause()

    def _room(self) -> int:
        return self._end.flow.channel.send_window

    def _pause(self) -> None:
        self._end.look()
        with self._changed:
            self._changed.wait(MARK_EVERY)

    def _push(self) -> None:
        room = self._pace.allowance - (self._pushed - self._arrived)
        if room <= 0:
            self._pause()
            return
        if self._at >= len(self._data):
            self._at = 0
        size = CHUNK if room >= CHUNK else SMALL_CHUNK
        sent = self._end.write(self._data[self._at : self._at + size])
        self._at += sent
        self._pushed += sent

    def _ask(self, marks: list[Mark]) -> None:
        """Have the gateway say when it has what has been sent so far, if that is anything new."""
        if not self._asking:
            self._asking = True
            self._end.link.loop.post(lambda: self._mark(marks))

    def _mark(self, marks: list[Mark]) -> None:
        # in the loop's thread
        link, flow = self._end.link, self._end.flow
        sent, wire, room = flow.sent, link.stream.writer.total, flow.channel.send_window
        self._window = max(self._window, room)

        def answered(_ok: bool, _data: bytes) -> None:  # noqa: FBT001 (a wire field)
            marks.append(Mark(time.monotonic(), sent, wire, time.thread_time(), room == 0))
            with self._changed:
                self._arrived = sent
                self._changed.notify_all()

        if sent > self._marked:
            link.ask(KEEPALIVE, b"", answered)
        with self._changed:
            self._marked = sent
            self._asking = False
            self._changed.notify_all()

    def _settle(self, marks: list[Mark], stop: threading.Event | None) -> None:
        """Wait until all of it has arrived."""
        deadline = time.monotonic() + DRAIN
        while self._arrived < self._pushed and not (stop and stop.is_set()):
            self._ask(marks)
            self._pause()
            if time.monotonic() > deadline:
                raise FlowBrokenError(
                    "a flow of the benchmark broke", cause="the gateway takes no data any more"
                )

    def close(self) -> None:
        """End the flow."""
        self._end.close()


class Loop:
    """Bytes that go out by one flow and come back by another."""

    def __init__(self, out: End, back: End, data: bytes, pace: Pace) -> None:
        self._out = out
        self._back = back
        self._data = memoryview(data)
        self._at = 0
        self._pace = pace
        self._pushed = 0
        self._came = 0

    @property
    def window(self) -> int:
        """The gateway's window, which the way out needs."""
        return self._out.window

    def move(self, seconds: float, stop: threading.Event | None = None) -> list[Mark]:
        """See `Bulk.move`."""
        marks: list[Mark] = []
        begun = time.monotonic()
        deadline = begun + seconds
        failed: list[BaseException] = []
        over = threading.Event()
        pusher = threading.Thread(
            target=self._push_until, args=(over, failed), name="netkit-bench", daemon=True
        )
        pusher.start()
        buffer = bytearray(CHUNK)
        noted, start = begun, self._came
        try:
            while (now := time.monotonic()) < deadline and not (stop and stop.is_set()):
                count = self._back.read_into(buffer)
                self._came += count
                if now - noted >= MARK_EVERY and count:
                    marks.append(self._mark())
                    self._pace.learn(self._came - start, now - begun)
                    noted = now
                if failed:
                    raise failed[0]
        finally:
            over.set()
            pusher.join(DRAIN)
        last = time.monotonic() + DRAIN
        while self._came < self._pushed and not (stop and stop.is_set()):
            self._came += self._back.read_into(buffer)
            if time.monotonic() > last:
                raise FlowBrokenError("a flow of the benchmark broke", cause="nothing comes back")
        return marks

    def _push_until(self, over: threading.Event, failed: list[BaseException]) -> None:
        try:
            while not over.is_set():
                room = self._pace.allowance - (self._pushed - self._came)
                if room <= 0:
                    over.wait(0.001)
                    continue
                if self._at >= len(self._data):
                    self._at = 0
                size = CHUNK if room >= CHUNK else SMALL_CHUNK
                sent = self._out.write(self._data[self._at : self._at + size])
                self._at += sent
                self._pushed += sent
        except Exception as error:  # noqa: BLE001 - it is raised by the thread that waits
            failed.append(error)

    def _mark(self) -> Mark:
        out, back = self._out, self._back
        link = out.link

        def look() -> Mark:
            starved = out.flow.channel.send_window == 0
            size = back.flow.delivered
            return Mark(time.monotonic(), size, link.stream.received, time.thread_time(), starved)

        return link.run(look)

    def close(self) -> None:
        """End both flows."""
        self._out.close()
        self._back.close()
