"""The tunnels of this process, by name, and what their events add up to.

Events are counted in the thread in which they happen, under a lock that is held for a few
operations; snapshots are taken by whoever wants one.  How many forwards and codes are told apart
is bounded: a client chooses neither.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from netkit.events import (
    Event,
    FlowClosed,
    FlowFailed,
    FlowOpened,
    ForwardBound,
    Health,
    HealthChanged,
    LinkUp,
    LinkView,
    Retrying,
    State,
    Status,
    evolve,
)

if TYPE_CHECKING:
    from netkit.events import TunnelView
    from netkit.model import ForwardSpec
    from netkit.supervision import Supervised

MAX_FORWARDS: Final = 200
MAX_CODES: Final = 30
OTHER: Final = "other"
"""What is counted beyond those."""

NO_FORWARD: Final = "none"
"""Flows that belong to no forward, such as windows of X programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardFigures:
    """What is known of one forward; ``failed`` is by code, in alphabetical order."""

    label: str
    health: Health | None = None
    held: int = 0
    opened: int = 0
    failed: tuple[tuple[str, int], ...] = ()
    closed_clean: int = 0
    closed_badly: int = 0
    flows_open: int = 0
    bytes_to_gateway: int = 0
    bytes_from_gateway: int = 0


_USELESS: Final = frozenset({Health.DOWN, Health.STALE, Health.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is known of one tunnel.  ``keepalive`` is in seconds, None while unknown.

    ``overdue`` is how many seconds ago the next attempt should have been made, 0 where none is due.
    """

    name: str
    state: State
    reason: str
    links: tuple[LinkView, ...] = ()
    forwards: tuple[ForwardFigures, ...] = ()
    reconnects: int = 0
    retries: int = 0
    keepalive: float | None = None
    overdue: float = 0.0

    @property
    def trouble(self) -> str:
        """Why new connections would not be carried; empty where they would."""
        carried = self.state is State.WAITING and any(link.up for link in self.links)
        if self.state is not State.UP and not carried:
            return f"{self.state.value}: {self.reason}" if self.reason else self.state.value
        known = [forward.health for forward in self.forwards if forward.health is not None]
        if known and all(health in _USELESS for health in known):
            return "no forward works"
        return ""


@dataclass(slots=True)
class _Sums:
    """What the events of one forward add up to; ``seen`` are byte counts given out already."""

    health: Health | None = None
    opened: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    closed_clean: int = 0
    closed_badly: int = 0
    flows_open: int = 0
    sent: int = 0
    received: int = 0
    seen: tuple[int, int] = (0, 0)


class Watched:
    """One tunnel.  Methods may be called from any thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._tunnel: Supervised | None = None
        self._status = Status()
        self._link: LinkView | None = None
        self._links_made = 0
        self._retries = 0
        self._sums: dict[str, _Sums] = {}
        self._open: set[int] = set()
        self._ended = False

    def attach(self, tunnel: Supervised | None) -> None:
        """Ask ``tunnel`` for what events do not say; None where it cannot be asked."""
        self._tunnel = tunnel

    def end(self) -> None:
        """The tunnel is over."""
        self._tunnel = None
        with self._lock:
            self._ended = True

    def see(self, event: Event) -> None:
        """Count an event; never blocks."""
        with self._lock:
            self._status = evolve(self._status, event)
            match event:
                case FlowOpened() | FlowClosed() | FlowFailed():
                    self._count_flow(event)
                case LinkUp(hop=hop, hops=hops) if hop == hops:
                    self._links_made += 1
                    self._link = LinkView(
                        number=1,
                        gateway=event.gateway,
                        up=True,
                        server=event.server,
                        cipher=event.cipher,
                    )
                case Retrying():
                    self._retries += 1
                case ForwardBound(forward=forward):
                    sums = self._of(forward)
                    sums.health = sums.health or Health.UNVERIFIED
                case HealthChanged(forward=forward, health=health):
                    self._of(forward).health = health

    def _count_flow(self, event: FlowOpened | FlowClosed | FlowFailed) -> None:
        sums = self._of(event.forward)
        if isinstance(event, FlowOpened):
            sums.opened += 1
            sums.flows_open += 1
            self._open.add(event.flow)
        elif isinstance(event, FlowClosed):
            self._open.discard(event.flow)
            sums.flows_open -= 1
            sums.sent += event.bytes_to_gateway
            sums.received += event.bytes_from_gateway
            if event.error:
                sums.closed_badly += 1
            else:
                sums.closed_clean += 1
        else:
            known = event.code in sums.failed or len(sums.failed) < MAX_CODES
            sums.failed[event.code if known else OTHER] += 1

    def _of(self, forward: ForwardSpec | None) -> _Sums:
        name = label(forward)
        if name not in self._sums and len(self._sums) >= MAX_FORWARDS:
            name = OTHER
        return self._sums.setdefault(name, _Sums())

    def figures(self) -> Figures:
        """Return what is known now."""
        tunnel = self._tunnel
        view = tunnel.view() if tunnel is not None else None
        flows = tunnel.flows() if tunnel is not None else ()
        live: dict[str, tuple[int, int]] = {}
        with self._lock:
            for flow in flows:
                if flow.number in self._open:  # else its bytes have been counted at its end
                    name = label(flow.forward)
                    sent, received = live.get(name, (0, 0))
                    live[name] = (
                        sent + flow.bytes_to_gateway,
                        received + flow.bytes_from_gateway,
                    )
            forwards = tuple(
                _figures(name, sums, live.get(name, (0, 0))) for name, sums in self._sums.items()
            )
            made = self._from_events(forwards)
        return made if view is None else _with_view(made, view)

    def _from_events(self, forwards: tuple[ForwardFigures, ...]) -> Figures:
        state = State.DOWN if self._ended else self._status.state
        link = self._link
        return Figures(
            name=self.name,
            state=state,
            reason=self._status.reason,
            links=() if link is None else (replace(link, up=state in {State.UP, State.STOPPING}),),
            forwards=forwards,
            reconnects=max(0, self._links_made - 1),
            retries=self._retries,
        )


def _figures(name: str, sums: _Sums, live: tuple[int, int]) -> ForwardFigures:
    # A flow that is just ending may be in neither count: a counter never goes back.
    sums.seen = (
        max(sums.seen[0], sums.sent + live[0]),
        max(sums.seen[1], sums.received + live[1]),
    )
    return ForwardFigures(
        label=name,
        health=sums.health,
        opened=sums.opened,
        failed=tuple(sorted(sums.failed.items())),
        closed_clean=sums.closed_clean,
        closed_badly=sums.closed_badly,
        flows_open=sums.flows_open,
        bytes_to_gateway=sums.seen[0],
        bytes_from_gateway=sums.seen[1],
    )


def _with_view(made: Figures, view: TunnelView) -> Figures:
    """Return ``made`` with what the tunnel itself says in place of what its events told."""
    said = {label(each.forward): each for each in view.forwards[:MAX_FORWARDS]}
    forwards = tuple(
        replace(each, health=said[each.label].health, held=said[each.label].held)
        if each.label in said
        else replace(each, health=None)  # it was removed, its counters stay
        for each in made.forwards
    )
    counted = {each.label for each in made.forwards}
    new = tuple(
        ForwardFigures(label=name, health=each.health, held=each.held)
        for name, each in said.items()
        if name not in counted
    )
    return replace(
        made,
        state=view.state,
        reason=view.reason,
        links=view.links,
        forwards=(*forwards, *new)[: MAX_FORWARDS + 1],
        reconnects=view.reconnects,
        keepalive=view.keepalive,
        overdue=view.overdue,
    )


def label(forward: ForwardSpec | None) -> str:
    """Return what a forward is called: the same however the user wrote it."""
    return NO_FORWARD if forward is None else str(replace(forward, text=""))


class Fleet:
    """All tunnels of this process."""

    def __init__(self) -> None:
        self._watched: tuple[Watched, ...] = ()

    def add(self, name: str) -> Watched:
        """Begin to watch a tunnel."""
        watched = Watched(name)
        self._watched = (*self._watched, watched)
        return watched

    def figures(self) -> tuple[Figures, ...]:
        """Return what is known of each, in the order in which they were added."""
        return tuple(watched.figures() for watched in self._watched)
