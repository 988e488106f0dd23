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
        self._silence = self._lost_at = 0.0
        self._survived: dict[str, float] = {}
        self._way = ""

    def lost(self, link: Link, way: str) -> None:
        """A link that took a ``way`` has broken."""
        self._silence = link.keepalive.silence
        self._survived[way] = max(self._survived.get(way, 0.0), link.keepalive.survived)
        self._lost_at = time.monotonic()
        self._way = way

    def came(self, link: Link, way: str) -> None:
        """The next one is up.  By another way it tells nothing of the one that broke."""
        silence, self._silence = self._silence, 0.0
        if not self._adapts or not silence or way != self._way:
            return
        survived = self._survived[way]
        before, away = self.keepalive, time.monotonic() - self._lost_at
        interval = tightened(before.interval, silence, away, survived=survived)
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
                way=way,
                alive=survived,
                dead=silence,
                interval=interval,
            )
        )
