"""A tunnel's keepalive from link to link: shorter after a drop that fits an idle timeout."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from netkit.events import Event, KeepaliveTightened
from netkit.model import Keepalive
from netkit.plan.keepalives import tightened

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.model import Plan


class Pulse:
    """Learns from the links that break.

    Attributes:
        keepalive: for the links to come.
    """

    def __init__(self, plan: Plan, emit: Callable[[Event], None]) -> None:
        self.keepalive = plan.keepalive
        self._adapts = plan.adapts
        self._emit = emit
        self._silence = self._survived = self._lost_at = 0.0

    def lost(self, link: Link) -> None:
        """A link has broken."""
        self._silence = link.keepalive.silence
        self._survived = max(self._survived, link.keepalive.survived)
        self._lost_at = time.monotonic()

    def came(self, link: Link) -> None:
        """The next one is up."""
        silence, self._silence = self._silence, 0.0
        if not self._adapts or not silence:
            return
        before, away = self.keepalive, time.monotonic() - self._lost_at
        interval = tightened(before.interval, silence, away, survived=self._survived)
        if interval is None:
            return
        # an outage may last as long as before
        count = max(before.count, math.ceil(before.interval * before.count / interval))
        self.keepalive = Keepalive(interval, count)
        link.loop.post(lambda: link.keepalive.change(self.keepalive))
        text = (
            f"the link broke after {silence:.0f} s of silence and a new one works: something on the"
            f" way forgets idle connections; a keepalive is sent every {interval:g} s from now on"
        )
        self._emit(
            KeepaliveTightened(
                code="keepalive-tightened",
                text=text,
                alive=self._survived,
                dead=silence,
                interval=interval,
            )
        )
