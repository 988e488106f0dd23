"""A tunnel's limits at work: whom listeners let in, and which flows are metered.

`TunnelLimits` belongs to a tunnel and outlives its links.  A `Guard` is one forward's: its listener
asks it about every connection, `RemoteForwards` about every channel of the gateway.  Who is not let
in is reset at once, as haproxy's ``reject`` does and sshd beyond MaxSessions: in the backlog of the
kernel he would hold up those who are.
"""

from __future__ import annotations

import functools
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from netkit.engine.goodbye import reset
from netkit.engine.metered import (
    SWEEP,
    Gate,
    LimitedFlow,
    Meter,
    resume_sending,
    resume_writing,
)
from netkit.engine.teller import Notify, Teller
from netkit.plan.limits import SourceRules, TargetRules, has_room, is_exposed
from netkit.wire.channel import Channel, ChannelState
from netkit.wire.messages import PROHIBITED, RESOURCE_SHORTAGE
from netkit.wire.untrusted import printable
from netkit.wire.window import WindowBudget

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.engine.relay import Flow
    from netkit.model import Endpoint, ForwardSpec, Limits

Carried = socket.socket | Channel


class Guard:
    """Who may use one forward; any thread."""

    def __init__(self, forward: ForwardSpec, limits: Limits, teller: Teller) -> None:
        self._forward = forward
        self._limit = limits.flows
        self._is_exposed = is_exposed(forward)
        self._sources = SourceRules(limits.sources)
        self._teller = teller
        self._carried: list[tuple[Carried, str]] = []
        self._lock = threading.Lock()

    def admit(self, sock: socket.socket, peer: object) -> bool:
        """Tell whether a connection may be carried; one that may not has been reset."""
        host = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        if self._judge(sock, host):
            return True
        reset(sock)
        return False

    def refusal(self, channel: Channel, source: str) -> tuple[int, str] | None:
        """Return with which reason and text to refuse a channel from ``source``; None: do not.

        ``source`` is ``HOST:PORT`` as the gateway says; the reason is of RFC 4254 section 5.1.
        """
        host = source.rpartition(":")[0].strip("[]")
        if not self._knows(host):
            return PROHIBITED, "clients from there are not allowed"
        if not self._has_room(channel, host):
            return RESOURCE_SHORTAGE, "this forward has as many connections as it may"
        return None

    def _judge(self, sock: socket.socket, host: str) -> bool:
        return self._knows(host) and self._has_room(sock, host)

    def _knows(self, host: str) -> bool:
        if not self._is_exposed or self._sources.allow(host):
            return True
        self._teller.tell(
            "source-refused",
            f"forward {self._forward}: a client at {printable(host, 100) or '?'} was refused: it is"
            " in no network of --allow-source",
        )
        return False

    def _has_room(self, carried: Carried, host: str) -> bool:
        if not self._limit:
            return True
        with self._lock:
            live = self._carried
            if self._is_exposed or len(live) >= self._limit:
                live = self._carried = [each for each in live if not _is_over(each[0])]
            mine = sum(each == host for _, each in live) if self._is_exposed else 0
            if has_room(self._limit, len(live), mine, shared=self._is_exposed):
                live.append((carried, host))
                return True
        self._teller.tell(
            "too-many-flows",
            f"forward {self._forward}: a connection{self._whose(host, mine)} was reset: "
            f"{len(live)} are open, and --max-flows is {self._limit}",
        )
        return False

    def _whose(self, host: str, mine: int) -> str:
        return f" of {printable(host, 100)}, which has {mine}," if self._is_exposed else ""


class LinkLimits:
    """What of the limits one link's flows feel; of the thread of its loop."""

    def __init__(self, link: Link, owner: TunnelLimits) -> None:
        self._link = link
        self._owner = owner
        self._gates: dict[int, tuple[Gate, Gate]] = {}
        self._watched: set[LimitedFlow] = set()
        self._is_sweeping = False

    def allows(self, target: Endpoint) -> bool:
        """Tell whether a client of a dynamic forward may reach ``target``."""
        return self._owner.targets.allow(target)

    def refusal(
        self, forward: ForwardSpec, channel: Channel, source: str
    ) -> tuple[int, str] | None:
        """Return how to refuse a channel of the gateway, as `Guard.refusal`; None: do not."""
        return self._owner.guard(forward).refusal(channel, source)

    def flow(
        self, sock: socket.socket, channel: Channel, number: int, forward: ForwardSpec
    ) -> Flow | None:
        """Return a flow that is limited; None where its forward's are not."""
        limits = self._owner.limits
        if not limits.rate and not limits.idle:
            return None
        made = LimitedFlow(
            self._link,
            sock,
            channel,
            number,
            forward,
            gates=self._gates_of(forward) if limits.rate else None,
            on_end=self._watched.discard,
        )
        if limits.idle:
            self._watched.add(made)
            if not self._is_sweeping:
                self._is_sweeping = True
                self._link.loop.call_later(limits.idle, self._sweep)
        return made

    def _gates_of(self, forward: ForwardSpec) -> tuple[Gate, Gate]:
        gates = self._gates.get(id(forward))
        if gates is None:
            up, down = self._owner.meters(forward)
            loop = self._link.loop
            gates = Gate(loop, up, resume_sending), Gate(loop, down, resume_writing)
            self._gates[id(forward)] = gates
        return gates

    def _sweep(self) -> None:
        """End the flows that were silent for too long; look again when the next one may be."""
        idle = self._owner.limits.idle
        now = self._link.loop.now
        first = now + idle
        for flow in list(self._watched):
            if not flow.is_relaying:
                continue
            due = flow.moved + idle
            if due <= now:
                flow.abort(f"no byte passed in either direction for {idle:g} s")
            else:
                first = min(first, due)
        self._is_sweeping = bool(self._watched)
        if self._is_sweeping:
            self._link.loop.call_later(max(first - now, SWEEP), self._sweep)


class TunnelLimits:
    """Everything that is limited in one tunnel.

    Attributes:
        targets: which targets the clients of dynamic forwards may ask for.
    """

    def __init__(self, limits: Limits, notify: Notify) -> None:
        """``notify`` takes notices: code and text.

        Raises:
            UsageError: a pattern of ``limits`` is none.
        """
        self.limits = limits
        self.targets = TargetRules(limits.targets)
        self._sources = SourceRules(limits.sources)
        self._teller = Teller(notify)
        self._budget = WindowBudget(limits.window) if limits.window else None
        self._guards: dict[int, tuple[ForwardSpec, Guard]] = {}
        self._meters: dict[int, tuple[ForwardSpec, Meter, Meter]] = {}
        self._lock = threading.Lock()

    def guard(self, forward: ForwardSpec) -> Guard:
        """Return who decides about the clients of ``forward``."""
        with self._lock:
            # The forward is kept beside it, so that its id is no other's.
            entry = self._guards.setdefault(
                id(forward), (forward, Guard(forward, self.limits, self._teller))
            )
        return entry[1]

    def admission(self, forward: ForwardSpec) -> Callable[[socket.socket, object], bool] | None:
        """Return what a listener asks about its connections; None where all may come."""
        if not self.limits.flows and not (self.limits.sources and is_exposed(forward)):
            return None
        return self.guard(forward).admit

    def meters(self, forward: ForwardSpec) -> tuple[Meter, Meter]:
        """Return what ``forward``'s flows draw from, towards the gateway and back."""
        with self._lock:
            made = functools.partial(Meter, self.limits.rate)
            entry = self._meters.get(id(forward))
            if entry is None:
                entry = self._meters[id(forward)] = (forward, made(), made())
        return entry[1], entry[2]

    def apply(self, link: Link) -> None:
        """Limit the flows of ``link``, which has none yet."""
        if self._budget is not None:
            link.mux.budget = self._budget
        if any((self.limits.flows, self.limits.rate, self.limits.idle)) or (
            self.limits.targets or self.limits.sources
        ):
            link.limits = LinkLimits(link, self)


def _is_over(carried: Carried) -> bool:
    if isinstance(carried, socket.socket):
        return carried.fileno() < 0
    return carried.state is ChannelState.CLOSED
