"""The links of one way to the gateway: hop by hop, each through the one before."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from netkit.engine.hop_link import Company, HopLink, connect
from netkit.errors import LinkLostError
from netkit.events import Connecting
from netkit.model import Keepalive
from netkit.text.networks import way_of

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.engine.remote import RemoteForwards
    from netkit.errors import NetkitError
    from netkit.model import Hop, Plan


class Chain:
    """What leads to the gateway, from `connect` to `close`; it is connected once.

    Attributes:
        keepalive: of the last link; may be changed before `connect`.
        since: `time.monotonic` of the last hop's login; 0 before it.
        remotes: the remote forwards of the last link, once it was asked for any.
        has_ended: whether the last link is over; a moment before its own `has_ended`.
        on_ended: called once with the last link's error, in that link's thread.
    """

    def __init__(
        self, plan: Plan, company: Company, on_ended: Callable[[Chain, NetkitError | None], None]
    ) -> None:
        self.remotes: RemoteForwards | None = None
        self.has_ended = False
        self.since = 0.0
        self.keepalive = plan.keepalive
        self._plan = plan
        self._company = company
        self._on_ended = on_ended
        self._hops: list[HopLink] = []
        self._lock = threading.Lock()
        self._closed = False

    @property
    def way(self) -> str:
        """Which way it takes: ``HOST:PORT`` of every hop."""
        return way_of(self._plan.hops)

    def connect(self, numbers: Iterator[int], prepare: Callable[[Link], None]) -> None:
        """Reach every hop and log in.

        ``numbers`` are for the flows of the last link, which is shown to ``prepare`` before
        anybody may use it.

        Raises:
            NetkitError: what failed; what is up by then is closed by `close`.
        """
        hops = self._plan.hops
        for number, hop in enumerate(hops, 1):
            self._company.emit(Connecting(gateway=hop.alias, hop=number, hops=len(hops)))
            entry = self._hop(hop, last=number == len(hops))
            if number == len(hops):
                entry.link.numbers = numbers
                prepare(entry.link)
            # After this the end is told of; what ended before shows at the next question.
            entry.link.start_keepalive(
                self.keepalive if number == len(hops) else Keepalive(interval=0)
            )
            if number == len(hops):
                self.since = time.monotonic()
            self._company.emit(entry.up(number, len(hops)))

    def _hop(self, hop: Hop, *, last: bool) -> HopLink:
        through = self._hops[-1].link if self._hops else None
        entry = connect(hop, through, self._company, observe=last)
        with self._lock:
            closed = self._closed
            self._hops.append(entry)
        if last:
            entry.link.on_ended = self._ended
        if closed or self._company.cancelled.is_set():
            entry.close(1.0)
            raise LinkLostError("the tunnel was stopped while it started", code="stopped")
        return entry

    def _ended(self, error: NetkitError | None) -> None:
        self.has_ended = True
        self._on_ended(self, error)

    @property
    def last(self) -> HopLink:
        """The hop that is the gateway, or the last that was reached."""
        return self._hops[-1]

    @property
    def link(self) -> Link:
        """The link that flows go over."""
        return self._hops[-1].link

    def close(self, limit: float) -> None:
        """Close everything, the last link first; each step takes at most ``limit`` seconds."""
        with self._lock:
            self._closed = True
            hops = list(self._hops)
        for entry in reversed(hops):
            entry.close(limit)
