"""What a link does to TCP: a queue, a rate, a delay and losses.  Pure: times in, times out.

A `Line` is one direction of a link; every `Sender`, one direction of one TCP connection, puts its
bytes on it and is told when they arrive.  This is an imitation, and these are its limits:

* The rate is that of TCP's payload.  Headers are not counted: a full link shows its nominal rate,
  where a real one whose rate is that of its packets shows 3.5 % less (52 bytes of header per 1448).
* A queue that is full holds the sender back; it drops nothing.  So a lossless line needs no
  congestion window: it is full from the start, where TCP would need a few round trips to fill it.
* A lost segment costs what it costs a TCP with selective acknowledgements (RFC 6675, and RFC 8985
  where the retransmission is lost again): it comes a round trip later, whatever the same
  connection sent behind it waits for it, and the congestion window is halved, once per round trip
  (RFC 5681, RFC 6582).  The window begins at ten segments (RFC 6928).  Timeouts are left out: a
  loss with nothing behind it costs a round trip too, where TCP would wait longer.
* Acknowledgements are never lost, and meet no queue.
"""

from __future__ import annotations

import heapq
import math
from random import Random
from typing import Final

from netkit.text.link_shapes import LinkShape

SEGMENT: Final = 1448
"""Bytes of payload of a full segment: 1500 less the headers of IPv4 and of TCP with timestamps."""

MIN_QUEUE: Final = 32 << 10
QUEUE_TIME: Final = 0.1
"""A router's queue: a round trip of the line's rate, at least 0.1 s and `MIN_QUEUE` bytes."""

MOST_HELD: Final = 256 << 20
"""Bytes on a line at once, whatever its shape says: queued, on the way or not yet taken."""

MIN_WINDOW: Final = 4 << 20
"""Bytes of one connection at once, at least: what a receiver grows its buffer to."""

GRAIN: Final = 0.001
"""Seconds: what takes less to send arrives in one piece."""

INITIAL_WINDOW: Final = 10 * SEGMENT

_MAX_GRAIN: Final = 128 << 10
_STEP: Final = 0.004


class Line:
    """One direction of a link, shared by its senders first come, first served.

    Attributes:
        rate: bytes per second.
        delay: seconds from one end to the other.
        round_trip: seconds there and back.
        loss: the share of segments that is lost.
        capacity: bytes that the queue in front of it holds.
        step: bytes of room that are worth waiting for when it is full.
        window: bytes that one sender may have on it.
        held: bytes that all have on it.
    """

    def __init__(self, shape: LinkShape, random: Random) -> None:
        self.rate = shape.rate
        self.round_trip = shape.round_trip
        self.delay = shape.round_trip / 2
        self.loss = shape.loss
        queue = max(MIN_QUEUE, shape.rate * max(shape.round_trip, QUEUE_TIME))
        self.capacity = min(int(queue), MOST_HELD // 4)
        self.step = max(SEGMENT, min(int(shape.rate * _STEP), self.capacity // 8))
        on_the_way = int(shape.rate * shape.round_trip)
        self.window = min(max(MIN_WINDOW, 2 * (self.capacity + on_the_way)), MOST_HELD // 2)
        self.held = 0
        self._grain = max(SEGMENT, min(int(shape.rate * GRAIN), _MAX_GRAIN))
        self._random = random
        self._free_at = -math.inf
        self._until_loss: float = self._draw()

    def room(self, now: float) -> int:
        """Return for how many bytes the queue has room."""
        waiting = max(0.0, self._free_at - now) * self.rate
        return min(self.capacity - round(waiting), MOST_HELD - self.held)

    def room_at(self) -> float:
        """Return when the queue has room for `step` bytes if nothing more comes."""
        return self._free_at - (self.capacity - self.step) / self.rate

    def clear_at(self, now: float) -> float:
        """Return when what is put on the line ``now`` begins to be sent."""
        return max(now, self._free_at)

    def transmit(self, size: int, now: float) -> list[tuple[float, int, int]]:
        """Queue ``size`` bytes of one connection.

        Returns:
            Pieces: when each has left the transmitter, its bytes, and how often it is lost.  A
            retransmission takes its time on the line at once, not a round trip later.
        """
        pieces = []
        while size:
            piece = min(size, self._grain)
            segments = -(-piece // SEGMENT)
            if segments > self._until_loss:
                # up to the one that is lost, or that one
                piece = min(piece, max(1, int(self._until_loss)) * SEGMENT)
            lost = self._losses(-(-piece // SEGMENT))
            self._free_at = self.clear_at(now) + piece * (1 + lost) / self.rate
            pieces.append((self._free_at, piece, lost))
            size -= piece
        return pieces

    def _losses(self, segments: int) -> int:
        """Count ``segments`` and return how often the last of them is lost in a row."""
        if self._until_loss >= segments:
            self._until_loss -= segments
            return 0
        times = 1
        while self._random.random() < self.loss:
            times += 1
        self._until_loss = self._draw()
        return times

    def _draw(self) -> float:
        """Return how many segments pass before the next one that is lost."""
        if not self.loss:
            return math.inf
        # Geometric, by inversion; 1 - random() is never 0.
        return int(math.log(1 - self._random.random()) / math.log1p(-self.loss))


class Sender:
    """One direction of one connection: what it may put on the line, and when that arrives.

    Attributes:
        line: which it is put on.
        held: bytes that are put and not `taken` yet.
        window: the congestion window, bytes; infinite on a line without loss.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.held = 0
        self.window: float = INITIAL_WINDOW if line.loss else math.inf
        self._threshold: float = math.inf
        self._last_due = -math.inf
        self._flight = 0
        self._reduced_at = -math.inf
        # (when our side hears of it, when it was put, its bytes acknowledged or 0: lost)
        self._news: list[tuple[float, float, int]] = []

    def allowance(self, now: float) -> int:
        """Return how many bytes may be put now; 0 or less: none."""
        self._hear(now)
        left = min(self.line.room(now), self.line.window - self.held)
        return left if self.window == math.inf else min(left, int(self.window) - self._flight)

    @property
    def is_full(self) -> bool:
        """Whether no segment more may be put before something is taken."""
        return self.held + SEGMENT > self.line.window

    def next_news(self) -> float | None:
        """Return when the allowance may change by an acknowledgement; None: by none."""
        return self._news[0][0] if self._news else None

    def put(self, size: int, now: float) -> list[tuple[float, int]]:
        """Put ``size`` bytes on the line; return (when it arrives, bytes), in order."""
        line = self.line
        self.held += size
        line.held += size
        arrivals = []
        for left_at, piece, lost in line.transmit(size, now):
            due = left_at + line.delay + lost * line.round_trip
            if line.loss:
                self._watch(due, left_at, piece, lost, now)
            self._last_due = max(self._last_due, due)
            arrivals.append((self._last_due, piece))
        return arrivals

    def end(self, now: float) -> float:
        """Return when an end of the stream (FIN, RST) that is sent now arrives."""
        self._last_due = max(self._last_due, self.line.clear_at(now) + self.line.delay)
        return self._last_due

    def taken(self, size: int) -> None:
        """``size`` bytes were taken by the receiver, or dropped."""
        self.held -= size
        self.line.held -= size

    def _watch(self, due: float, left_at: float, size: int, lost: int, now: float) -> None:
        self._flight += size
        for time in range(1, lost + 1):
            heapq.heappush(self._news, (left_at + time * self.line.round_trip, now, 0))
        heapq.heappush(self._news, (due + self.line.delay, now, size))

    def _hear(self, now: float) -> None:
        """Take in the acknowledgements and losses that are known by now."""
        # RFC 7661 section 4.3: a window that is not used does not grow.
        is_used = self._flight * 2 >= self.window
        while self._news and self._news[0][0] <= now:
            when, sent, size = heapq.heappop(self._news)
            if size:
                self._flight -= size
                if is_used:
                    self._grow(size)
            elif sent >= self._reduced_at:
                self._threshold = max(self.window / 2, 2 * SEGMENT)
                self.window = self._threshold
                self._reduced_at = when

    def _grow(self, size: int) -> None:
        if self.window < self._threshold:
            self.window += size
        else:
            self.window += SEGMENT * size / self.window
        self.window = min(self.window, self.line.window)
