"""Flows that the limit of `netkit.wire.pacing` holds back, and the clock that lets them go.

The limit relies on early credits.  A peer that turns out to credit late would wait for data while
the flow waits for credit; so no flow is held for longer than a moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netkit.wire.pacing import STALL_LIMIT

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.engine.relay import Flow


class HeldFlows:
    """The held flows of one link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._since: dict[Flow, float] = {}

    def add(self, flow: Flow) -> None:
        """Watch a flow that waits for a credit while the peer's window has room."""
        if not self._since:
            self._link.loop.call_later(STALL_LIMIT, self._look)
        self._since[flow] = self._link.loop.now

    def _look(self) -> None:
        held, self._since = self._since, {}
        for flow, since in held.items():
            if not flow.is_held:
                continue
            if self._link.loop.now - since < STALL_LIMIT / 2:
                self.add(flow)
                continue
            flow.pacer.lift()
            self._link.ready[flow] = None
