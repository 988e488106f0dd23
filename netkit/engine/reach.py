"""Making the links of a tunnel: by the way that worked last, or by another one."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from netkit.engine.branches import CLOSE_TIME, TRUNK
from netkit.engine.chain import Chain
from netkit.engine.ways import Ways
from netkit.errors import LinkLostError, NetkitError
from netkit.events import Event, Notice
from netkit.plan.retries import may_help

if TYPE_CHECKING:
    from netkit.engine.hop_link import Company
    from netkit.engine.link import Link
    from netkit.model import Keepalive, Plan


class Reach:
    """Connects the links of one tunnel."""

    def __init__(
        self,
        plan: Plan,
        company: Callable[[threading.Event, int], Company],
        emit: Callable[[Event], None],
        prepare: Callable[[Link], None],
        ended: Callable[[Chain, NetkitError | None], None],
        keepalive: Callable[[], Keepalive],
    ) -> None:
        """``company`` takes part in one attempt for the link of a number.

        ``prepare`` is shown each link before anybody may use it; ``ended`` is told of its end.
        ``keepalive`` is that of the links to come.
        """
        self._keepalive = keepalive
        self._ways = Ways(plan)
        self._company = company
        self._emit = emit
        self._prepare = prepare
        self._ended = ended
        self._numbers = itertools.count(1)
        self._coming: Chain | None = None
        self._closed = False
        self._was_up = False
        self._lock = threading.Lock()

    def name_of(self, number: int) -> str:
        """Return what the gateway of the link of a number is called."""
        return self._ways.of(number)[-1].alias

    def number(self) -> int:
        """Return the number of a connection that no link carried."""
        return next(self._numbers)

    def trunk(self, cancelled: threading.Event) -> Chain:
        """Connect the first link, by one way after another from the one that worked last.

        Raises:
            NetkitError: what failed on the last way; nothing is left behind.
        """
        for way in self._ways.in_turn():
            chain = self._chain(way, cancelled, TRUNK)
            with self._lock:
                self._coming = chain
                if self._closed:
                    raise LinkLostError("the tunnel was stopped", code="stopped")
            try:
                self._connect(chain)
            except NetkitError as error:
                if not self._ways.failed(way, error) or cancelled.is_set():
                    raise self._verdict(way, error) from error
                text = f"{way.hops[-1].alias}: {error.summary}; trying another gateway"
                self._emit(Notice(code="another-gateway", text=text))
            else:
                self._was_up = True
                self._ways.worked(way)
                return chain
        raise self._ways.refused()

    def _verdict(self, way: Plan, error: NetkitError) -> NetkitError:
        """Return the error that counts: for a tunnel that was up, a refusal of the last way alone.

        One that was never up ends with either, and the refusal says what to do.
        """
        left = self._ways.left()
        if left is None or may_help(error) or not self._was_up:
            return error
        text = f"{way.hops[-1].alias}: {error.summary}; it is not asked again"
        self._emit(Notice(code="another-gateway", text=text))
        return left

    def branch(self, number: int, cancelled: threading.Event) -> Chain:
        """Connect a further link; raises as `trunk` does."""
        way = self._ways.plan_of(number)
        chain = self._chain(way, cancelled, number)
        self._connect(chain)
        return chain

    def _chain(self, way: Plan, cancelled: threading.Event, number: int) -> Chain:
        chain = Chain(way, self._company(cancelled, number), self._ended)
        chain.keepalive = self._keepalive()
        return chain

    def _connect(self, chain: Chain) -> None:
        try:
            chain.connect(self._numbers, self._prepare)
        except BaseException:
            chain.close(CLOSE_TIME)
            raise

    def settled(self) -> None:
        """The first link is in use, or was given up: it is no matter of `close` any more."""
        self._coming = None

    def close(self, limit: float) -> None:
        """Connect nothing more; what is under way ends.  Idempotent."""
        with self._lock:
            self._closed = True
            coming = self._coming
        if coming is not None:
            coming.close(limit)
