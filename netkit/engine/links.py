"""The links of a tunnel, one after the other, and what waits between two of them."""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from netkit.engine import probing
from netkit.engine.chain import Chain
from netkit.engine.forwards import Forward, Forwards, attach
from netkit.engine.hold import Held, Hold
from netkit.engine.supervisor import POLL
from netkit.errors import LinkLostError, NetkitError
from netkit.events import Event, Health, LinkDown, Notice

if TYPE_CHECKING:
    from netkit.engine.hop_link import Company
    from netkit.engine.limits import TunnelLimits
    from netkit.engine.link import Link
    from netkit.engine.listeners import Listener
    from netkit.engine.relay import Flow
    from netkit.model import Address, ForwardSpec, Plan

log = logging.getLogger("netkit.links")

CLOSE_TIME: Final = 1.0
"""Seconds for each step of closing a link that is lost."""

PROBE_TIME: Final = 5.0
"""Seconds that a target has to answer when a forward is proved."""


class Links:
    """Makes links, and lets a tunnel's forwards go over the present one.

    Attributes:
        chain: the present one, or the last there was; None before the first.
        hold: what accepts while there is none.
        since: `time.monotonic` of the present link.
        changed: called from any thread when the link has ended, or somebody waits for one.
        tick: called every `POLL` seconds while there is no link.
    """

    def __init__(
        self,
        plan: Plan,
        forwards: Forwards,
        company: Callable[[threading.Event], Company],
        emit: Callable[[Event], None],
        limits: TunnelLimits,
    ) -> None:
        """``company`` takes part in one attempt, which the event given to it ends."""
        self.chain: Chain | None = None
        self.hold: Hold | None = None
        self.since = 0.0
        self.changed: Callable[[], None] = _nothing
        self.tick: Callable[[], None] = _nothing
        self._plan = plan
        self._forwards = forwards
        self._company = company
        self._emit = emit
        self._limits = limits
        self._coming: Chain | None = None
        self._closed = False
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._rescued: deque[Held] = deque()
        self._up = threading.Event()
        self._probe_due = 0.0

    # --- what there is ---

    @property
    def gateway(self) -> str:
        """What the user calls the gateway."""
        return self._plan.hops[-1].alias

    @property
    def is_up(self) -> bool:
        """Whether flows can go over a link."""
        return self._up.is_set()

    @property
    def is_lost(self) -> bool:
        """Whether the present link has ended."""
        return self.chain is not None and self.chain.has_ended

    @property
    def is_awaited(self) -> bool:
        """Whether a connection waits for the next link."""
        hold = self.hold
        return hold is not None and hold.is_occupied

    @property
    def end(self) -> NetkitError | None:
        """Why the present link ended."""
        return self.chain.link.error if self.chain is not None else None

    def held(self) -> dict[int, int]:
        """Return how many connections wait, by `id` of the forward."""
        hold = self.hold
        return hold.counts() if hold is not None else {}

    def wait_up(self, timeout: float) -> Link | None:
        """Return the link, once there is one within ``timeout`` seconds."""
        self._up.wait(timeout)
        chain = self.chain
        return chain.link if chain is not None and self._up.is_set() else None

    # --- up ---

    def first(self, cancelled: threading.Event, check: Callable[[], None]) -> None:
        """Make the first link and begin to accept.  ``check`` may raise between two steps.

        Raises:
            NetkitError: what failed; `close` cleans up.
        """
        plan = self._plan
        chain = self._make(cancelled)
        chain.connect(self._numbers, self._prepare)
        self.chain = chain
        chain.remotes = self._forwards.arm(chain.link, plan.forwards, check)

    def accept(self) -> None:
        """Accept over the first link; raises what is in the way."""
        chain = self.chain
        assert chain is not None
        self._forwards.listen()
        chain.link.run(lambda: self._forwards.attach(chain.link))
        self._forwards.settle(self._plan.forwards, chain.remotes)
        self._begin()

    def connect(self, cancelled: threading.Event) -> None:
        """Make a later link, and let everything go over it.

        Raises:
            NetkitError: what failed; what waited still waits.
        """
        chain = self._make(cancelled)
        try:
            chain.connect(self._numbers, self._prepare)
            chain.remotes = self._forwards.arm_again(chain.link)
            self._take_over(chain)
        except BaseException:
            chain.close(CLOSE_TIME)
            raise
        finally:
            self._coming = None
        self._begin()

    def _make(self, cancelled: threading.Event) -> Chain:
        chain = Chain(self._plan, self._company(cancelled), self._link_ended)
        with self._lock:
            self._coming = chain
            if self._closed:
                raise LinkLostError("the tunnel was stopped", code="stopped")
        return chain

    def _prepare(self, link: Link) -> None:
        link.rescue = self._rescue
        link.on_stale = self._stale
        self._limits.apply(link)

    def _take_over(self, chain: Chain) -> None:
        with self._lock:
            if self._closed:
                raise LinkLostError("the tunnel was stopped", code="stopped")
            hold, self.hold = self.hold, None
            held = hold.hand_over() if hold is not None else []
            try:
                chain.link.run(lambda: self._forwards.attach(chain.link, held))
            except BaseException:
                self._forwards.detach()
                self._begin_hold(held)
                raise
            self.chain = chain

    def _begin(self) -> None:
        self.since = time.monotonic()
        self._probe_due = 0.0
        self._forwards.begun()
        self._up.set()

    # --- changes while it runs ---

    def add_local(self, listener: Listener) -> None:
        """Accept for a further listener, which listens already."""
        with self._lock:
            self._forwards.add(listener.forward, listener, listener.addresses[0])
            if self.hold is not None:
                self.hold.add(listener)
            elif self.chain is not None:
                link = self.chain.link
                with contextlib.suppress(NetkitError):  # lost just now; the next one takes it over
                    link.run(lambda: attach(listener, link))

    def add_remote(self, spec: ForwardSpec) -> tuple[Address, ...]:
        """Have the gateway listen; return where.

        Raises:
            LinkLostError: there is no link.
            RemoteForwardError: the gateway refused.
        """
        link = self.wait_up(0)
        remotes = self.chain.remotes if self.chain is not None else None
        if link is None or remotes is None:
            raise LinkLostError(
                "there is no link to the gateway at the moment", code="link-lost", retryable=True
            )
        entry = remotes.request(spec)
        return self._forwards.add(spec, None, entry.address).addresses

    def remove(self, forward: Forward) -> None:
        """End a forward, its flows too."""
        with self._lock:
            listener = self._forwards.drop(forward)
            chain, hold = self.chain, self.hold
            if listener is not None and hold is not None:
                hold.remove(listener)
            elif chain is not None:
                with contextlib.suppress(NetkitError):
                    chain.link.run(lambda: _end_flows(chain.link, forward.spec, listener))
            if listener is not None:
                listener.detach()
                listener.close()
        remotes = chain.remotes if chain is not None else None
        for entry in list(remotes.table) if remotes is not None else ():
            if remotes is not None and entry.forward is forward.spec:
                with contextlib.suppress(NetkitError):
                    remotes.cancel(entry)

    # --- down ---

    def _link_ended(self, chain: Chain, _error: NetkitError | None) -> None:
        """In the thread of the link that ended."""
        if chain is self.chain:
            self._up.clear()
            self.changed()

    def _rescue(self, flow: Flow) -> bool:
        """Keep the local side of a flow that had no channel yet; in the link's thread."""
        endurance, forward = self._plan.endurance, flow.forward
        if not (endurance.reconnect and endurance.hold > 0) or self._closed:
            return False
        if forward is None or flow.opening is not None:
            return False
        try:
            peer = flow.sock.getpeername()
        except OSError:
            return False
        self._rescued.append(Held(forward, flow.release(), peer))
        return True

    def lost(self) -> tuple[NetkitError | None, float]:
        """Clean up after the link; return why it ended and how many seconds it lived.

        The reason is None where it was us.
        """
        chain = self.chain
        assert chain is not None
        self._up.clear()
        chain.link.wait(CLOSE_TIME)
        error = chain.link.error
        if chain.link.is_stopping:
            return None, 0.0
        error = error or LinkLostError("the link ended")
        with self._lock:
            self._forwards.detach()
            if self._plan.endurance.reconnect and not self._closed:
                self._begin_hold([])
        if self._plan.endurance.reconnect:
            self._emit(LinkDown(gateway=self.gateway, code=error.code, reason=error.summary))
        self._forwards.set_all(Health.DOWN, error.summary)
        chain.close(CLOSE_TIME)
        return error, time.monotonic() - self.since

    def _begin_hold(self, held: list[Held]) -> None:
        while self._rescued:
            held.append(self._rescued.popleft())
        self.hold = Hold(
            self._plan.endurance.hold,
            came=self.changed,
            exhausted=lambda text: self._emit(Notice(code="out-of-descriptors", text=text)),
            tick=self.tick,
            every=POLL,
        )
        self.hold.start(self._forwards.listeners, held)

    def close(self, limit: float) -> None:
        """End everything; each step takes at most ``limit`` seconds.  Idempotent."""
        self._closed = True
        coming = self._coming
        if coming is not None:
            coming.close(limit)
        with self._lock:
            chain, hold = self.chain, self.hold
            self.hold = None
        if chain is not None:
            chain.close(limit)
        if hold is not None:
            hold.stop()
        while self._rescued:
            self._rescued.popleft().drop()

    # --- while it is up ---

    def _stale(self, overdue: bool) -> None:  # noqa: FBT001 - Link.on_stale
        if overdue:
            self._forwards.set_all(Health.STALE, "the gateway does not answer at the moment")
        else:
            self._forwards.set_all(Health.UNVERIFIED)

    def prove(self, limit: float) -> None:
        """Have the link show within ``limit`` seconds that it lives."""
        if self.chain is not None:
            self.chain.link.prove_alive(limit)

    def chores(self) -> float | None:
        """Ask for what the gateway refused, prove forwards; return seconds to the next time."""
        chain = self.chain
        if chain is None or chain.remotes is None:
            return None
        due: list[float] = []
        with contextlib.suppress(NetkitError):  # the link is lost, which shows by itself
            again = self._forwards.retry(chain.remotes)
            due += [again] if again is not None else []
            every = self._plan.endurance.probe
            if every > 0:
                if time.monotonic() >= self._probe_due:
                    self._probe(chain.link)
                    self._probe_due = time.monotonic() + every
                due.append(max(self._probe_due - time.monotonic(), 0.01))
        return min(due, default=None)

    def _probe(self, link: Link) -> None:
        for forward in self._forwards.all:
            if self._closed or link.has_ended:
                return
            if probing.can_prove(forward.spec):
                health, reason = probing.prove(link, forward.spec, PROBE_TIME)
                if health is not Health.UNVERIFIED:
                    self._forwards.set_health(forward.spec, health, reason)


def _end_flows(link: Link, spec: ForwardSpec, listener: Listener | None) -> None:
    if listener is not None:
        listener.detach()
    for flow in list(link.flows):
        if flow.forward is spec:
            flow.abort("its forward was removed")


def _nothing() -> None:
    """What nobody asked to be told."""
