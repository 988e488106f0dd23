"""The tunnel: what the user starts.

`start` binds, connects hop by hop, logs in, asks for remote forwards and begins to accept; an
error undoes everything.  From then on a `Supervisor` keeps the link: when one is lost, listeners
stay bound, what they accept is held, and goes over the next link.
"""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from netkit.engine import route
from netkit.engine.branches import TRUNK, heard_of_branches
from netkit.engine.forwards import Forward, Forwards, Lending
from netkit.engine.hop_link import OPEN_TIME, Company
from netkit.engine.limits import TunnelLimits
from netkit.engine.links import Links
from netkit.engine.memory import Memory, Remembered
from netkit.engine.open_socket import open_socket
from netkit.engine.predecessors import Predecessors
from netkit.engine.supervisor import Supervisor
from netkit.engine.views import FlowWatch, look
from netkit.errors import LinkLostError, LocalProtocolError, NetkitError, UsageError
from netkit.events import (
    Event,
    FlowView,
    ForwardView,
    LinkDown,
    LinkView,
    Notice,
    Status,
    Stopping,
    TunnelView,
    evolve,
)
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, Plan
from netkit.plan.binds import find_clash
from netkit.plan.retries import Moment
from netkit.text.endpoints import check_host, parse_port

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.prompt import Prompter

__all__ = ["Forward", "Lending", "Tunnel"]

log = logging.getLogger("netkit.tunnel")

STOP_TIME = 5.0
"""Seconds for each step of the way down before the next one is forced."""

LOOK_TIME = 1.0
"""Seconds that a link may take to say what it is like."""


class Tunnel:
    """Forwards through a gateway, alive between `start` and `stop`.

    Usable as a context manager, which stops it at the end.  Methods may be called from any thread;
    ``observer`` is called from the tunnel's own threads and must not block.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        prompter: Prompter | None = None,
        password: str | None = None,
        observer: Callable[[Event], None] | None = None,
        x11: Lending | None = None,
        network: Callable[[], Hashable] = route.sources,
    ) -> None:
        """``x11`` lends a display; without it the plan's ``x11`` is not carried out.

        ``network`` is asked every few seconds; when its answer changes, the link has to prove
        itself, or is made at once.
        """
        self.plan = plan
        self._memory = Memory(prompter) if prompter is not None else None
        self._password = password
        self._logins: dict[str, str] = {}
        self._observer = observer
        self._x11 = x11
        self._network = network
        self._status = Status()
        self._status_lock = threading.Lock()
        self._told: set[tuple[str, str]] = set()
        limits = TunnelLimits(plan.limits, self._limited)
        self.earlier = earlier = Predecessors(self._emit) if plan.endurance.takeover else None
        self._forwards = Forwards(
            self._emit,
            x11,
            random.random,
            limits.admission,
            takeover=earlier.take_over if earlier is not None else None,
        )
        self._links = Links(plan, self._forwards, self._company, self._emit, limits, earlier)
        self._supervisor = Supervisor(
            plan.endurance,
            self._links,
            self._emit,
            self._give_up,
            look=self._look,
            random=random.random,
        )
        self._links.changed = self._supervisor.look_again
        self._links.tick = self._supervisor.tick
        self._watch = FlowWatch()
        self._since = time.monotonic()
        self._change_lock = threading.Lock()
        self._cancelled = threading.Event()
        self._stop_lock = threading.Lock()
        self._ended = threading.Event()
        self._error: NetkitError | None = None
        self._started = False
        self._hurry = False
        self._is_up = False

    # --- what it is ---

    @property
    def forwards(self) -> tuple[Forward, ...]:
        """The forwards, in the order of the plan, with the addresses they really have."""
        return self._forwards.all

    @property
    def status(self) -> Status:
        """A snapshot of state and counters."""
        return self._status

    @property
    def ended(self) -> bool:
        """Whether the tunnel is over."""
        return self._ended.is_set()

    @property
    def local_bind_port(self) -> int:
        """Port of the first local forward (as in the package sshtunnel).

        Raises:
            LocalProtocolError: there is none.
        """
        return self._first_local().port

    @property
    def local_bind_address(self) -> tuple[str, int]:
        """(host, port) of the first local forward (as in the package sshtunnel)."""
        address = self._first_local()
        return (address.host, address.port)

    def _first_local(self) -> Endpoint:
        for forward in self.forwards:
            address = forward.address
            if forward.spec.kind is not ForwardKind.REMOTE and isinstance(address, Endpoint):
                return address
        raise LocalProtocolError("this tunnel has no local TCP forward", code="no-local-forward")

    # --- up ---

    def start(self) -> None:
        """Bring everything up.

        Raises:
            NetkitError: what failed; nothing is left behind.
        """
        if self._started:
            raise LocalProtocolError("a tunnel starts once")
        self._started = True
        try:
            self._forwards.bind(self.plan.forwards)
            self._links.first(self._cancelled, self._check_cancelled)
            self._accept()
            if self._links.is_lost:  # before anybody was there to notice
                raise self._links.end or LinkLostError("the link ended")
            self._is_up = True
            self._supervisor.start()
            self._links.branch(self._look, random.random)
        except BaseException as error:
            known = error if isinstance(error, NetkitError) else None
            self._tear_down(known)
            raise

    def _accept(self) -> None:
        self._check_cancelled()
        self._links.accept()

    def _company(self, cancelled: threading.Event, number: int) -> Company:
        prompter: Prompter | None = self._memory
        if self._memory is not None and number == TRUNK:
            self._memory.begin()
        elif self._memory is not None:
            prompter = Remembered(self._memory)
        return Company(
            prompter=prompter,
            password=self._password,
            emit=self._emit if number == TRUNK else heard_of_branches(self._emit),
            notice=self._notice,
            cancelled=cancelled,
            logins=self._logins,
        )

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise LinkLostError("the tunnel was stopped while it started", code="stopped")

    def _look(self) -> Moment:
        return Moment(time.time(), time.monotonic(), self._network())

    # --- use ---

    def open(self, host: str, port: int, timeout: float = OPEN_TIME) -> socket.socket:
        """Return a connected socket to ``host``:``port`` as the gateway reaches it.

        No local port is involved.  The socket blocks; closing it closes the channel.  While the
        link is remade it waits as long as connections are held.

        Raises:
            UsageError: there is no such host name or port.
            OpenError: the gateway could not or would not connect.
            LinkLostError: the tunnel is down.
        """
        target = Endpoint(check_host(host, host), parse_port(str(port)))
        endurance = self.plan.endurance
        patience = min(timeout, endurance.hold) if endurance.reconnect else 0.0
        link = None if self._ended.is_set() else self._links.wait_up(patience)
        if link is None:
            raise self._error or LinkLostError("the tunnel is down", code="link-lost")
        return open_socket(link, target, timeout)

    def kick(self) -> None:
        """Try to connect now, whatever was planned; have a link that is up prove itself."""
        self._supervisor.kick()
        self._links.kick()

    def add(self, spec: ForwardSpec) -> tuple[Address, ...]:
        """Begin a forward; return where it listens.

        Raises:
            UsageError: it would listen where another one does.
            NetkitError: it cannot listen, or, for a remote one, there is no link.
        """
        with self._change_lock:
            clash = find_clash(spec, [each.spec for each in self.forwards])
            if clash is not None:
                raise UsageError(
                    f"{clash} listens there already",
                    code="duplicate-bind",
                    cause="one address and port can lead to one target",
                )
            if not self._is_up or self._cancelled.is_set():
                raise LinkLostError("the tunnel is down", code="link-lost")
            if spec.kind is ForwardKind.REMOTE:
                return self._links.add_remote(spec)
            listener = self._forwards.listener(spec)
            try:
                listener.listen()
                self._links.add_local(listener)
            except BaseException:
                listener.close()
                raise
            return listener.addresses

    def remove(self, spec: ForwardSpec) -> bool:
        """End a forward of that kind and bind, its flows too; return whether there was one."""
        with self._change_lock:
            found = self._forwards.find(spec)
            if found is None:
                return False
            self._links.remove(found)
            return True

    def kill(self, flow: int) -> bool:
        """Reset a flow; return whether there was one."""

        for _, chain in self._links.links():
            link = chain.link
            with contextlib.suppress(NetkitError):
                if not chain.has_ended and link.run(lambda: _kill(link, flow), LOOK_TIME):  # noqa: B023
                    return True
        return False

    # --- what it is like now ---

    def view(self) -> TunnelView:
        """Return what it is like now."""
        status, supervisor = self._status, self._supervisor
        now = time.monotonic()
        links, sent, received = self._look_at_links(now)
        due = supervisor.due
        held = self._links.held()
        return TunnelView(
            state=status.state,
            reason=status.reason,
            code=status.code,
            attempt=supervisor.attempt,
            retry_in=None if due is None else max(due - now, 0.0),
            reconnects=supervisor.reconnects,
            seconds=now - self._since,
            keepalive=self._links.keepalive.interval,
            links=links,
            forwards=tuple(self._view_of(each, held) for each in self.forwards),
            flows_open=status.flows_open,
            flows_total=status.flows_total,
            flows_failed=status.flows_failed,
            bytes_to_gateway=status.bytes_to_gateway + sent,
            bytes_from_gateway=status.bytes_from_gateway + received,
            overdue=supervisor.overdue(now),
        )

    def _view_of(self, forward: Forward, held: dict[int, int]) -> ForwardView:
        health, reason = self._forwards.health(forward.spec)
        return ForwardView(
            forward=forward.spec,
            addresses=forward.addresses,
            health=health,
            reason=reason,
            held=held.get(id(forward.spec), 0),
        )

    def _look_at_links(self, now: float) -> tuple[tuple[LinkView, ...], int, int]:
        views, sent, received = [], 0, 0
        for number, chain in self._links.links():
            view, up, down = look(chain, number, now)
            views.append(view)
            sent, received = sent + up, received + down
        return tuple(views), sent, received

    def flows(self) -> tuple[FlowView, ...]:
        """Return its flows, the oldest first."""
        now = time.monotonic()
        return tuple(self._watch.look_at(self._links.links(), now))

    # --- down ---

    def wait(self, timeout: float | None = None) -> NetkitError | None:
        """Wait until the tunnel has ended; return why, None when it was stopped or time is up."""
        self._ended.wait(timeout)
        return self._error

    def stop(self, drain: float = STOP_TIME) -> None:
        """Accept nothing new, give flows ``drain`` seconds to finish, reset the rest, disconnect.

        Never hangs; may be called again, also while it runs, to hurry (``drain=0``).
        """
        self._cancelled.set()
        self._supervisor.stop()
        has_flows = bool(self.forwards) or (self._x11 is not None and self._is_up)
        if drain > 0 and not self._ended.is_set() and has_flows:
            self._drain(drain)
        if drain <= 0:
            self._hurry = True
        self._tear_down(None)

    def _drain(self, seconds: float) -> None:
        links = [chain.link for _, chain in self._links.links() if not chain.has_ended]
        if not links:
            return
        with contextlib.suppress(NetkitError):
            self._links.stop_accepting(self._forwards.close)
        chain = self._links.chain
        if chain is not None and chain.remotes is not None:
            with contextlib.suppress(NetkitError):
                chain.link.run(chain.remotes.cancel_all)
        self._emit(Stopping(flows=sum(len(each.flows) for each in links), seconds=seconds))
        deadline = time.monotonic() + seconds
        while any(each.flows for each in links) and not self._hurry:
            if time.monotonic() >= deadline or all(each.wait(0.05) for each in links):
                return

    def _give_up(self, error: NetkitError | None) -> None:
        """In the supervisor's thread: the link is gone for good."""
        if not self._cancelled.is_set():
            self._error = error
            self._tear_down(error)

    def _tear_down(self, error: NetkitError | None) -> None:
        """Close everything, the last link first; bounded, and idempotent."""
        with self._stop_lock:
            self._supervisor.stop()
            self._links.close(STOP_TIME)
            self._forwards.close()
            self._end(error)
        self._supervisor.join(STOP_TIME)

    def _end(self, error: NetkitError | None) -> None:
        if not self._ended.is_set():
            why = self._error or error
            gateway = self.plan.hops[-1].alias
            self._emit(
                LinkDown(
                    gateway=gateway,
                    code=why.code if why else "stopped",
                    reason=why.summary if why else "the tunnel was stopped",
                )
            )
            self._ended.set()

    def _notice(self, code: str, text: str) -> None:
        """Say what showed while connecting, once: every later link would show it again."""
        if (code, text) not in self._told:
            self._told.add((code, text))
            self._emit(Notice(code=code, text=text))

    def _limited(self, code: str, text: str) -> None:
        self._emit(Notice(code=code, text=text))

    def _emit(self, event: Event) -> None:
        with self._status_lock:
            self._status = evolve(self._status, event)
        if self._observer is not None:
            try:
                self._observer(event)
            except Exception:
                log.exception("the observer failed on %r", event)

    def __enter__(self) -> Self:
        if not self._started:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop(0 if kind is not None else STOP_TIME)


def _kill(link: Link, number: int) -> bool:
    for flow in link.flows:
        if flow.number == number:
            flow.abort("it was killed")
            return True
    return False
