"""What a link and its flows are like at a moment, as values; in the thread of the link's loop."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from netkit.errors import NetkitError
from netkit.events import FlowView, LinkView
from netkit.wire.channel import ChannelState

if TYPE_CHECKING:
    from netkit.engine.chain import Chain
    from netkit.engine.relay import Flow

KEPT: Final = 10_000
"""Flows whose last traffic is remembered."""


def link_view(chain: Chain, number: int, now: float) -> LinkView:
    """Return a link as it is; ``now`` is of `time.monotonic`."""
    entry = chain.last
    link, agreed = entry.link, entry.transport.agreed
    return LinkView(
        number=number,
        gateway=entry.hop.alias,
        up=not link.has_ended,
        since=max(now - chain.since, 0.0),
        round_trip=link.round_trip,
        silent=max(now - link.stream.last_received, 0.0),
        flows=len(link.flows),
        bulk=sum(flow.intake.bulk for flow in link.flows),
        server=entry.transport.server_version,
        cipher=agreed.cipher if agreed is not None else "",
    )


LOOK_TIME: Final = 1.0
"""Seconds that a link may take to say what it is like."""


def look(chain: Chain, number: int, now: float) -> tuple[LinkView, int, int]:
    """Return what a link is like, and the payload of its open flows both ways; any thread."""

    def work() -> tuple[LinkView, int, int]:
        flows = chain.link.flows
        return (
            link_view(chain, number, now),
            sum(flow.sent for flow in flows),
            sum(flow.delivered for flow in flows),
        )

    # A link that has ended would be waited for in vain, a moment.
    if not chain.has_ended:
        with contextlib.suppress(NetkitError):
            return chain.link.run(work, LOOK_TIME)
    return LinkView(number=number, gateway=chain.last.hop.alias, up=False), 0, 0


class FlowWatch:
    """Looks at flows, and remembers what they had moved when it last looked.

    Flows themselves note no times, which would cost each batch; so how long one has been idle is
    known from the second look on.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, float]] = {}

    def look_at(self, links: Sequence[tuple[int, Chain]], now: float) -> tuple[FlowView, ...]:
        """Return the flows of all ``links``, the oldest first; any thread."""
        views: list[FlowView] = []
        for number, chain in links:
            link = chain.link
            if chain.has_ended:
                continue
            with contextlib.suppress(NetkitError):
                views += link.run(lambda: self.look(list(link.flows), number, now), LOOK_TIME)  # noqa: B023
        numbers = {view.number for view in views}
        self._seen = {n: seen for n, seen in self._seen.items() if n in numbers}
        return tuple(sorted(views, key=lambda view: view.number))

    def look(self, flows: list[Flow], link: int, now: float) -> tuple[FlowView, ...]:
        """Return the flows of link number ``link``, the oldest first; in its thread."""
        return tuple(
            self._view(flow, link, now) for flow in sorted(flows, key=lambda flow: flow.number)
        )

    def _view(self, flow: Flow, link: int, now: float) -> FlowView:
        moved = flow.sent + flow.delivered
        before = self._seen.get(flow.number)
        since = before[1] if before is not None and before[0] == moved else now
        if before is None and not moved:
            since = flow.started
        if len(self._seen) < KEPT:
            self._seen[flow.number] = (moved, since)
        return FlowView(
            number=flow.number,
            link=link,
            forward=flow.forward,
            source=flow.source,
            target=flow.target,
            bytes_to_gateway=flow.sent,
            bytes_from_gateway=flow.delivered,
            seconds=max(now - flow.started, 0.0),
            idle=max(now - since, 0.0),
            window=flow.channel.send_window,
            waits=waits(flow),
        )


def waits(flow: Flow) -> str:
    """Return what a flow waits for: ``opening``, ``reader``, ``window``, ``link`` or nothing."""
    if flow.channel.state is ChannelState.OPENING:
        return "opening"
    if flow.outbox.pending is not None:
        return "reader"
    if flow.readable and flow.channel.send_window == 0:
        return "window"
    if flow.readable and (flow.is_held or not flow.link.stream.can_relay):
        return "link"
    return ""
