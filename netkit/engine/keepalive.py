"""Notices a dead peer: asks when nothing came for a while, ends the link when nothing answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netkit.errors import LinkLostError
from netkit.model import Keepalive

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.engine.loop import Timer

REQUEST = "keepalive@openssh.com"
"""Every server answers it: with success, or with failure because it does not know it."""

SAMPLES = 5
"""Round trips measured at the start: one may wait for a delayed acknowledgement, hardly all."""


OVERDUE = 5.0
"""Seconds after which a live peer has answered."""


class KeepaliveClock:
    """Keepalives of one link (ssh_config(5) ServerAliveInterval, but any byte counts as life).

    The peer is asked at every interval without a byte and is dead after ``count`` of them; with a
    count of 1 it is asked at half time.

    Attributes:
        silence: seconds that nothing had come before the question that is not answered yet; 0
            where there is none.
        survived: the longest such silence after which the peer answered; seconds.
    """

    def __init__(self, link: Link) -> None:
        self.silence = self.survived = 0.0
        self._link = link
        self._timer: Timer | None = None
        self._keepalive = Keepalive(interval=0)
        self._asked = 0
        self._is_stale = False

    def start(self, keepalive: Keepalive) -> None:
        """Begin, with a few requests one after another that measure the round trip."""
        self._keepalive = keepalive
        self.ask(SAMPLES)
        if keepalive.interval > 0:
            self._schedule(self._first())

    def change(self, keepalive: Keepalive) -> None:
        """Go on with other times."""
        self._keepalive = keepalive
        if self._timer is not None:
            self._timer.cancel()
            self._schedule(self._first())

    def _first(self) -> float:
        keepalive = self._keepalive
        return keepalive.interval if keepalive.count > 1 else keepalive.interval / 2

    def ask(self, samples: int = 1) -> None:
        """Send one request, whose answer measures the round trip, and ``samples`` in all."""
        sent = time.monotonic()

        def answered(_ok: bool, _data: bytes) -> None:  # noqa: FBT001 (a wire field)
            self._link.measured(time.monotonic() - sent)
            self.survived = max(self.survived, self.silence)
            self.silence = 0.0  # what ends the link from now on, this silence did not
            self._stale(overdue=False)
            if samples > 1:
                self.ask(samples - 1)

        self._link.ask(REQUEST, b"", answered)

    def prove(self, limit: float) -> None:
        """Ask now, and end the link if nothing at all comes within ``limit`` seconds."""
        asked = time.monotonic()
        answers: list[bool] = []

        def look() -> None:
            # What was under way already proves nothing; a peer that is busy answers late.
            if not answers and self._link.stream.last_received <= asked + limit / 2:
                raise LinkLostError(
                    f"the {self._link.peer} did not answer within {limit:g} s",
                    code="gateway-silent",
                    cause="this machine slept or its network changed, and the link did not outlive"
                    " it",
                    retryable=True,
                )

        self._link.ask(REQUEST, b"", lambda ok, _data: answers.append(ok))
        self._link.loop.call_later(limit, look)

    def _stale(self, *, overdue: bool) -> None:
        if overdue != self._is_stale:
            self._is_stale = overdue
            if self._link.on_stale is not None:
                self._link.on_stale(overdue)

    def _schedule(self, delay: float) -> None:
        self._timer = self._link.loop.call_later(delay, self._tick)

    def _tick(self) -> None:
        keepalive, link = self._keepalive, self._link
        silent = link.loop.now - link.stream.last_received
        limit = keepalive.interval * max(keepalive.count, 1)
        if silent >= limit:
            raise LinkLostError(
                f"the {link.peer} has sent nothing for {silent:.0f} s",
                code="gateway-silent",
                cause=f"it is frozen, or the network drops packets; {keepalive.count} keepalives "
                f"of {keepalive.interval:g} s were not answered",
                retryable=True,
            )
        step = self._first()
        if silent < step:
            self.survived = max(self.survived, self.silence)
            self._asked, self.silence = 0, 0.0
            self._schedule(step - silent)
            return
        if not self._asked:
            self.silence = silent
        self.ask()
        self._asked += 1
        asked = link.loop.now
        link.loop.call_later(
            min(step / 2, OVERDUE),
            lambda: self._stale(overdue=link.stream.last_received < asked),
        )
        due = min(step * (self._asked + 1), limit)
        self._schedule(max(due - silent, 0.01))
