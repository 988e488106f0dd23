"""The links of a tunnel, one after the other, and what waits between two of them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from netkit.engine.acceptors import not_carried
from netkit.engine.branches import CLOSE_TIME, TRUNK, Branches, Owner
from netkit.engine.carriers import Carrier, Carriers
from netkit.engine.forwards import Forward, Forwards, attach
from netkit.engine.hold import Held, Hold
from netkit.engine.probing import Prober
from netkit.engine.pulse import Pulse
from netkit.engine.reach import Reach
from netkit.engine.supervisor import POLL
from netkit.errors import LinkLostError, NetkitError
from netkit.events import Event, Health, LinkDown, Notice

if TYPE_CHECKING:
    from netkit.engine.chain import Chain
    from netkit.engine.hop_link import Company
    from netkit.engine.limits import TunnelLimits
    from netkit.engine.link import Link
    from netkit.engine.listeners import Listener
    from netkit.engine.predecessors import Predecessors
    from netkit.engine.relay import Flow
    from netkit.model import Address, ForwardSpec, Keepalive, Plan
    from netkit.plan.retries import Moment


class Links:
    """Makes links, and lets a tunnel's forwards go over the present one.

    Attributes:
        chain: the present one, or the last there was; None before the first.
        hold: what accepts while there is none.
        changed: called from any thread when the link has ended, or somebody waits for one.
        tick: called every `POLL` seconds while there is no link.
    """

    def __init__(
        self,
        plan: Plan,
        forwards: Forwards,
        company: Callable[[threading.Event, int], Company],
        emit: Callable[[Event], None],
        limits: TunnelLimits,
        earlier: Predecessors | None = None,
    ) -> None:
        """``company`` takes part in one attempt, which the event given to it ends.

        Its number is that of the link.
        """
        self.chain: Chain | None = None
        self.hold: Hold | None = None
        self.changed: Callable[[], None] = _nothing
        self.tick: Callable[[], None] = _nothing
        self._plan = plan
        self._forwards = forwards
        self._pulse = Pulse(plan, emit)
        self._reach = Reach(
            plan, company, emit, self._prepare, self._link_ended, lambda: self._pulse.keepalive
        )
        self._emit = emit
        self._limits = limits
        self._earlier = earlier
        self._noted: Chain | None = None
        self._closed = False
        self._lock = threading.RLock()
        self._rescued: deque[Held] = deque()
        self._up = threading.Event()
        self._prober = Prober(plan.endurance.probe, forwards, lambda: self._closed)
        self._is_many = plan.endurance.links != 1
        self._carriers = Carriers(together=plan.endurance.links == 0)
        self._branches = Branches(plan.endurance.links, self._reach.name_of, plan.endurance)

    # --- what there is ---

    @property
    def keepalive(self) -> Keepalive:
        """That of the links to come."""
        return self._pulse.keepalive

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

    def links(self) -> tuple[tuple[int, Chain], ...]:
        """Return all links that have logged in, and their numbers."""
        chain = self.chain
        first = ((TRUNK, chain),) if chain is not None and chain.since else ()
        more = (each for each in self._carriers.all() if each.number != TRUNK)
        return (*first, *((each.number, each.chain) for each in more))

    def held(self) -> dict[int, int]:
        """Return how many connections wait, by `id` of the forward."""
        hold = self.hold
        return hold.counts() if hold is not None else {}

    def wait_up(self, timeout: float) -> Link | None:
        """Return the link, once there is one within ``timeout`` seconds."""
        others = () if self.is_up else self._carriers.all()
        if others:
            return others[0].link
        self._up.wait(timeout)
        chain = self.chain
        return chain.link if chain is not None and self._up.is_set() else None

    # --- up ---

    def first(self, cancelled: threading.Event, check: Callable[[], None]) -> None:
        """Make the first link and begin to accept.  ``check`` may raise between two steps.

        Raises:
            NetkitError: what failed; `close` cleans up.
        """
        chain = self.chain = self._trunk(cancelled)
        chain.remotes = self._forwards.arm(chain.link, self._plan.forwards, check)

    def accept(self) -> None:
        """Accept over the first link; raises what is in the way."""
        chain = self.chain
        assert chain is not None
        self._forwards.listen()
        if self._is_many:
            self._begin_hold([])
            self._carry(TRUNK, chain)
        else:
            chain.link.run(lambda: self._forwards.attach(chain.link))
        self._forwards.settle(self._plan.forwards, chain.remotes)
        self._begin()

    def branch(self, look: Callable[[], Moment], random: Callable[[], float]) -> None:
        """Make the further links, if there are to be any; the first is up."""
        if not self._is_many:
            return
        owner = Owner(
            make=self._reach.branch,
            up=self._carry,
            loads=self._carriers.loads,
            emit=self._emit,
            look=look,
            random=random,
        )
        self._branches.start(owner)

    def connect(self, cancelled: threading.Event) -> None:
        """Make a later link, and let everything go over it.

        Raises:
            NetkitError: what failed; what waited still waits.
        """
        chain = self._trunk(cancelled)
        try:
            self._take_over(chain)
        except BaseException:
            chain.close(CLOSE_TIME)
            raise
        finally:
            self._reach.settled()
        self._pulse.came(chain.link, chain.way)
        self._begin()
        # What waits here does not wait for what the gateway says of its own ports.
        with contextlib.suppress(LinkLostError):  # it is up no more, which shows by itself
            chain.remotes = self._forwards.arm_again(chain.link)

    def _trunk(self, cancelled: threading.Event) -> Chain:
        chain = self._reach.trunk(cancelled)
        chain.link.on_stale = self._stale
        return chain

    def _carry(self, number: int, chain: Chain) -> None:
        """Let flows go over a link that is up."""
        self._carriers.add(Carrier(number, chain))
        if chain.has_ended:
            self._give_back(chain)
        elif not self.is_up and number != TRUNK:
            self._forwards.begun()
        if self.hold is not None:
            self.hold.serve()
        if number == TRUNK:
            self._branches.renew()

    def _give_back(self, chain: Chain) -> None:
        """Hand nothing more to a link that has ended; what it did not get to waits again."""
        hold = self.hold
        for held in self._carriers.remove(chain):
            held.drop() if hold is None else hold.put(held)

    def _give(self, held: Held) -> bool:
        """In the thread of the reception."""
        if not self._carriers.give(held):
            return False
        self._branches.consider(self._carriers.loads())
        return True

    def _prepare(self, link: Link) -> None:
        link.rescue = self._rescue
        self._limits.apply(link)

    def _take_over(self, chain: Chain) -> None:
        with self._lock:
            if self._closed:
                raise LinkLostError("the tunnel was stopped", code="stopped")
            if self._is_many:
                self.chain = chain
                self._carry(TRUNK, chain)
                return
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
        self._prober.now()
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
        remotes = self.chain.remotes if self.chain is not None else None
        if not self.is_up or remotes is None:
            raise LinkLostError(
                "there is no link to the gateway at the moment", code="link-lost", retryable=True
            )
        entry = self._forwards.ask(remotes, spec)
        return self._forwards.add(spec, None, entry.address).addresses

    def remove(self, forward: Forward) -> None:
        """End a forward, its flows too."""
        with self._lock:
            listener = bound = self._forwards.drop(forward)
            chain, hold = self.chain, self.hold
            if listener is not None and hold is not None:
                hold.remove(listener)
                listener = None if self._is_many else listener
            for _, each in self.links():
                if not each.has_ended:
                    _end_flows(each.link, forward.spec, listener)
            if bound is not None:
                bound.detach()
                bound.close()
        remotes = chain.remotes if chain is not None else None
        for entry in list(remotes.table) if remotes is not None else ():
            if remotes is not None and entry.forward is forward.spec:
                with contextlib.suppress(NetkitError):
                    remotes.cancel(entry)

    # --- down ---

    def _link_ended(self, chain: Chain, _error: NetkitError | None) -> None:
        """In the thread of the link that ended."""
        self._give_back(chain)
        if chain is self.chain:
            self._up.clear()
            self.changed()
            return
        if self._branches.ended(chain) and not (self._carriers or self.is_up or self._closed):
            self._forwards.set_all(Health.DOWN, "the last link is lost")

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
        hold, held = self.hold, Held(forward, flow.release(), peer)
        if self._is_many and hold is not None:
            hold.put(held)
        else:
            self._rescued.append(held)
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
        self._pulse.lost(chain.link, chain.way)
        with self._lock:
            if not self._is_many:
                self._forwards.detach()
                if self._plan.endurance.reconnect and not self._closed:
                    self._hold_after(chain)
        if self._plan.endurance.reconnect:
            self._emit(LinkDown(gateway=self.gateway, code=error.code, reason=error.summary))
        self._forwards.set_all(Health.DOWN, error.summary, remote_alone=len(self._carriers) > 0)
        chain.close(CLOSE_TIME)
        return error, time.monotonic() - chain.since

    def _hold_after(self, chain: Chain) -> None:
        """Begin to hold; where no descriptors are left, with those of the link that was lost."""
        try:
            self._begin_hold([])
        except OSError:
            chain.close(CLOSE_TIME)
            self._begin_hold([])

    def _begin_hold(self, held: list[Held]) -> None:
        self.hold = hold = Hold(
            self._plan.endurance.hold,
            came=self.changed,
            exhausted=lambda text: self._emit(Notice(code="out-of-descriptors", text=text)),
            tick=self.tick,
            every=POLL,
            give=self._give if self._is_many else None,
            lost=lambda held, why: self._emit(
                not_carried(self._reach.number(), held.forward, held.peer, why)
            ),
        )
        while self._rescued:
            held.append(self._rescued.popleft())
        hold.start(self._forwards.listeners, held)

    def stop_accepting(self, work: Callable[[], None]) -> None:
        """Run ``work``, which closes the listeners, in the thread that accepts.

        Raises:
            NetkitError: the link has ended.
        """
        chain, hold = self.chain, self.hold
        if self._is_many and hold is not None:
            hold.call(work)
        elif chain is not None:
            chain.link.run(work)

    def close(self, limit: float) -> None:
        """End everything; each step takes at most ``limit`` seconds.  Idempotent."""
        self._closed = True
        self._branches.close(limit)
        self._reach.close(limit)
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
        health = Health.STALE if overdue else Health.UNVERIFIED
        reason = "the gateway does not answer at the moment" if overdue else ""
        self._forwards.set_all(health, reason, remote_alone=len(self._carriers) > 1)
        if not overdue:
            self._prober.now()

    def kick(self) -> None:
        """Have the further links try now, or prove themselves."""
        self._branches.kick()

    def prove(self, limit: float) -> None:
        """Have the link show within ``limit`` seconds that it lives."""
        if self.chain is not None:
            self.chain.link.prove_alive(limit)

    def chores(self) -> float | None:
        """Ask for what the gateway refused, prove forwards; return seconds to the next time."""
        chain = self.chain
        if chain is None or chain.remotes is None:
            return None
        if self._earlier is not None and chain is not self._noted and chain.remotes.table:
            self._noted = chain
            self._earlier.note(chain.link)
        due: list[float | None] = []
        with contextlib.suppress(NetkitError):  # the link is lost, which shows by itself
            due = [self._forwards.retry(chain.remotes), self._prober.run(chain.link)]
        return min((each for each in due if each is not None), default=None)


def _end_flows(link: Link, spec: ForwardSpec, listener: Listener | None) -> None:
    def work() -> None:
        if listener is not None:
            listener.detach()
        for flow in list(link.flows):
            if flow.forward is spec:
                flow.abort("its forward was removed")

    with contextlib.suppress(NetkitError):  # it has ended, and its flows with it
        link.run(work)


def _nothing() -> None:
    """What nobody asked to be told."""
