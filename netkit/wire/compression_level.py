"""How hard to compress: what the link and the processor allow.

Time that a bulk transfer spends waiting for the socket is time in which we could have compressed
better, and then the link would have carried more.  Time that it spends compressing while the
socket takes everything is time in which the link stood idle.  So where the link is the limit, try
harder, as far as the processor keeps up; where the processor is, try less.  Where neither is (the
source is slow, or the peer's window), nobody waits for the compressor and zlib's usual level does.

Data that does not get smaller is stored, which costs nothing, and tried again after a while.

No clock here, and no compressor: the caller says what happened in a span of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SPAN_SECONDS: Final = 0.025
SPAN_BYTES: Final = 512 << 10
"""A span is judged when it has lasted and carried at least so much: more than what waits in front
of the socket, which is blocked until half of that is gone, and then for a while is not."""

PROBE_BYTES: Final = 64 << 10
"""So much is enough to see that data cannot be compressed."""

LINK_LIMITS: Final = 0.10
"""The share of time spent waiting for the socket from which on the link is the limit."""

LINK_KEEPS_UP: Final = 0.03
CPU_LIMITS: Final = 0.6
"""With less waiting than this, and more compressing than that, the compressor is the limit."""

CPU_SHARE: Final = 0.5
"""Share of time that compressing may take for the sake of a better ratio."""

KERNEL_TAKES: Final = 512 << 10
"""Compressed bytes that a kernel may take although the link behind it is slow."""

INCOMPRESSIBLE: Final = 0.98
"""Bytes out per byte in from which on compressing is given up for a while."""

PROBE_SHARE: Final = 0.05
"""Share of time for trying whether stored data can be compressed after all."""

MOST_PATIENCE: Final = 64
"""Spans between a step and the step back, at most; doubled by each step back."""


@dataclass(frozen=True, slots=True)
class Span:
    """What happened in a stretch of time.

    Attributes:
        seconds: how long it was.
        busy: seconds of it spent compressing.
        blocked: seconds of it in which the socket took nothing more.
        plain, packed: bytes before and after compression.
    """

    seconds: float
    busy: float
    blocked: float
    plain: int
    packed: int


class LevelPolicy:
    """Chooses among methods that are ordered from fastest to best.

    Attributes:
        level: the number of the method in use.
        stored: payloads are not compressed at the moment.
        pause: seconds for which they are not, from the last decision on.
    """

    __slots__ = (
        "_costs",
        "_last",
        "_patience",
        "_since",
        "_taken",
        "_usual",
        "level",
        "pause",
        "stored",
    )

    def __init__(self, costs: Sequence[float], usual: int) -> None:
        """``costs`` are the methods' times per byte, to any scale; ``usual`` comes first."""
        self._costs = tuple(costs)
        self._usual = self.level = usual
        self._last = 0
        self._patience = 1
        self._since = 0
        self._taken = 0
        self.stored = False
        self.pause = 0.0

    def is_due(self, seconds: float, plain: int, packed: int) -> bool:
        """Whether a span is to be judged that has lasted ``seconds`` and carried so many bytes."""
        if self.stored:
            return seconds >= self.pause
        if plain >= SPAN_BYTES and seconds >= SPAN_SECONDS:
            return True
        return plain >= PROBE_BYTES and packed > INCOMPRESSIBLE * plain

    def review(self, span: Span) -> None:
        """Judge a span that was due; sets ``level`` and ``stored`` for what follows."""
        if self.stored:
            self.stored = False
            return
        if span.packed > INCOMPRESSIBLE * span.plain:
            self.stored = True
            self.pause = span.busy / PROBE_SHARE
            return
        step = self._wish(span)
        self._since += 1
        if step and step == -self._last:
            if self._since < self._patience:
                return
            self._patience = min(2 * self._patience, MOST_PATIENCE)
        elif self._since > 2 * MOST_PATIENCE:
            self._patience = 1
        if step:
            self.level += step
            self._last, self._since = step, 0

    def _wish(self, span: Span) -> int:
        """Return -1 for a faster method, 1 for a better one, 0 for the same."""
        seconds = max(span.seconds, 1e-9)
        busy, blocked = span.busy / seconds, span.blocked / seconds
        self._taken = 0 if blocked > LINK_KEEPS_UP else self._taken + span.packed
        if self._taken > KERNEL_TAKES and busy > CPU_LIMITS:
            return -1 if self.level > 0 else 0
        if self.level + 1 == len(self._costs):
            return 0
        more = busy * (self._costs[self.level + 1] / self._costs[self.level] - 1)
        if busy + more > CPU_SHARE:
            return 0
        link_limits = blocked - more > LINK_LIMITS
        return 1 if link_limits or self.level < self._usual else 0
