"""The forwards of a tunnel: where they listen, from one link to the next, and how they are."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from netkit.engine import listeners
from netkit.engine.acceptors import acceptor
from netkit.engine.predecessors import holder_of
from netkit.engine.remote import RemoteForwards
from netkit.errors import LinkLostError, NetkitError, RemoteForwardError
from netkit.events import Event, ForwardBound, Health, HealthChanged, Notice
from netkit.model import Address, Endpoint, Fix, ForwardKind, ForwardSpec
from netkit.plan.retries import Backoff

if TYPE_CHECKING:
    from netkit.engine.hold import Held
    from netkit.engine.link import Link
    from netkit.engine.listeners import Admit
    from netkit.engine.remote import Accept, RemoteListener
    from netkit.text.port_holders import Holder

LATE: Final = 1.0
"""Seconds before a remote forward that was refused on a new link is asked for again."""


@dataclass(frozen=True, slots=True)
class Forward:
    """A forward of a running tunnel; ``addresses`` is where it really listens."""

    spec: ForwardSpec
    addresses: tuple[Address, ...]

    @property
    def address(self) -> Address:
        """The first address."""
        return self.addresses[0]


class Lending(Protocol):
    """What lends a display to the gateway: `X11Session` or `X11Mapping`."""

    def connected(self, link: Link, remotes: RemoteForwards) -> None:
        """A link is up, and not asked for remote forwards yet; raises what is in the way."""

    def accept(self, forward: ForwardSpec) -> Accept | None:
        """Return what takes the channels of a remote forward; None: its own target does."""


@dataclass(slots=True)
class _Late:
    """A remote forward that the gateway has not granted on this link."""

    spec: ForwardSpec
    backoff: Backoff
    due: float
    asked: bool = False


class Forwards:
    """All forwards of one tunnel.

    Attributes:
        all: those that are up, in the order of the plan, with the addresses they really have.
        listeners: the local side of those that listen here.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        x11: Lending | None,
        random: Callable[[], float],
        admission: Callable[[ForwardSpec], Admit | None] | None = None,
        takeover: Callable[[Link], bool] | None = None,
    ) -> None:
        """``admission`` says who is asked about the connections of a forward; None: nobody.

        ``takeover`` may end the session that is in the way; returns whether it did.
        """
        self.all: tuple[Forward, ...] = ()
        self.listeners: list[listeners.Listener] = []
        self._emit = emit
        self._x11 = x11
        self._random = random
        self._admission = admission
        self._takeover = takeover
        self._lock = threading.Lock()
        self._health: dict[int, tuple[Health, str]] = {}
        self._late: dict[int, _Late] = {}
        self._not_lent: set[int] = set()

    # --- listening here ---

    def bind(self, specs: Sequence[ForwardSpec]) -> None:
        """Bind those of ``specs`` that listen here; raises BindError."""
        for spec in specs:
            if spec.kind is not ForwardKind.REMOTE:
                self.listeners.append(self.listener(spec))

    def listener(self, spec: ForwardSpec) -> listeners.Listener:
        """Return what is bound for a forward that listens here; raises BindError."""
        made = listeners.bind(spec)
        if self._admission is not None:
            made.admit = self._admission(spec)
        return made

    def listen(self) -> None:
        """Let the kernel take connections; raises BindError."""
        for listener in self.listeners:
            listener.listen()

    def attach(self, link: Link, held: Sequence[Held] = ()) -> None:
        """Accept over ``link``, and carry what waited; in the thread of its loop."""
        for listener in self.listeners:
            attach(listener, link)
        for each in held:
            acceptor(link, each.forward)(each.sock, each.peer)

    def detach(self) -> None:
        """Accept nothing; in the thread that did, or when that has ended."""
        for listener in self.listeners:
            listener.detach()

    def close(self) -> None:
        """Give all ports back."""
        for listener in self.listeners:
            listener.detach()
            listener.close()

    # --- listening there ---

    def arm(
        self, link: Link, specs: Sequence[ForwardSpec], check: Callable[[], None]
    ) -> RemoteForwards:
        """Ask for everything on the first link; ``check`` is called before each and may raise.

        Raises:
            RemoteForwardError: the gateway refused.
            NetkitError: what was in the way of the display.
        """
        remotes = RemoteForwards(link)
        if self._x11 is not None:
            self._x11.connected(link, remotes)
        for spec in specs:
            if spec.kind is ForwardKind.REMOTE:
                check()
                self.ask(remotes, spec)
        return remotes

    def ask(self, remotes: RemoteForwards, spec: ForwardSpec) -> RemoteListener:
        """Ask for one for the first time.

        Raises:
            RemoteForwardError: the gateway refused; who holds the port is named where it tells.
            LinkLostError: the link ended meanwhile.
        """
        try:
            return self._request(remotes, spec, 0)
        except RemoteForwardError as error:
            holder = holder_of(remotes.link, spec.bind)
            if holder is not None:
                error.cause = f"the port is taken there: {holder} listens on it"
                error.fixes = (_end_of(holder),)
            raise

    def arm_again(self, link: Link) -> RemoteForwards:
        """Ask for everything on a later link; what is refused is asked for again, by `retry`.

        Raises:
            LinkLostError: the link ended meanwhile.
        """
        remotes = RemoteForwards(link, again=True)
        self._late.clear()
        self._not_lent.clear()
        no_display = self._lend_again(link, remotes)
        for forward in self.all:
            if forward.spec.kind is not ForwardKind.REMOTE:
                continue
            if no_display and self._accept(forward.spec) is not None:
                self._not_lent.add(id(forward.spec))
                self.set_health(forward.spec, Health.REFUSED, no_display)
            elif not self._ask_again(remotes, forward, told=False):
                backoff = Backoff(self._random, first=LATE)
                due = time.monotonic() + backoff.next()
                self._late[id(forward.spec)] = _Late(forward.spec, backoff, due)
        return remotes

    def _lend_again(self, link: Link, remotes: RemoteForwards) -> str:
        """Lend the display; return why that failed, empty where it did not."""
        if self._x11 is None:
            return ""
        try:
            self._x11.connected(link, remotes)
        except LinkLostError:
            raise
        except NetkitError as error:
            remotes.on_x11 = None
            text = f"the display is not lent any more: {error.summary}"
            self._emit(Notice(code="x11-ended", text=text))
            return error.summary
        return ""

    def _accept(self, spec: ForwardSpec) -> Accept | None:
        return self._x11.accept(spec) if self._x11 is not None else None

    def _ask_again(self, remotes: RemoteForwards, forward: Forward, *, told: bool) -> bool:
        had = forward.address
        port = had.port if isinstance(had, Endpoint) else 0
        try:
            entry = self._request(remotes, forward.spec, port)
        except RemoteForwardError as error:
            if not told:
                self.set_health(forward.spec, Health.REFUSED, held_text(had))
                self._emit(
                    Notice(code="remote-port-held", text=f"{error.summary}: {held_text(had)}")
                )
            return False
        if told:
            text = f"forward {forward.spec}: the gateway listens on {entry.address} again"
            self._emit(Notice(code="remote-port-back", text=text))
        if entry.address != had:
            self._replace(forward.spec, (entry.address,))
        self.set_health(forward.spec, Health.UNVERIFIED)
        return True

    def _request(self, remotes: RemoteForwards, spec: ForwardSpec, port: int) -> RemoteListener:
        try:
            return remotes.request(spec, accept=self._accept(spec), port=port)
        except RemoteForwardError:
            if self._takeover is None or not self._takeover(remotes.link):
                raise
        return remotes.request(spec, accept=self._accept(spec), port=port)

    def retry(self, remotes: RemoteForwards) -> float | None:
        """Ask again for what is due; return seconds until the next one is, None for none.

        Raises:
            LinkLostError: the link ended meanwhile.
        """
        for late in list(self._late.values()):
            if late.due > time.monotonic():
                continue
            found = self.find(late.spec)
            if found is None or self._ask_again(remotes, found, told=True):
                self._late.pop(id(late.spec), None)
            else:
                self._name_holder(remotes, found, late)
                late.due = time.monotonic() + late.backoff.next()
        dues = [late.due for late in self._late.values()]
        return max(min(dues) - time.monotonic(), 0.01) if dues else None

    def _name_holder(self, remotes: RemoteForwards, forward: Forward, late: _Late) -> None:
        """Say once which program holds the port, where the gateway lets us see."""
        if late.asked:
            return
        late.asked = True
        holder = holder_of(remotes.link, forward.address)
        if holder is not None:
            text = holder_text(forward.address, holder)
            self.set_health(forward.spec, Health.REFUSED, text)
            self._emit(Notice(code="remote-port-holder", text=text))

    # --- what there is ---

    def settle(self, specs: Sequence[ForwardSpec], remotes: RemoteForwards | None) -> None:
        """Everything listens: note where, and tell."""
        where: dict[int, tuple[Address, ...]] = {
            id(listener.forward): listener.addresses for listener in self.listeners
        }
        if remotes is not None:
            where |= {id(entry.forward): (entry.address,) for entry in remotes.table}
        self.all = tuple(Forward(spec, where[id(spec)]) for spec in specs)
        for forward in self.all:
            self._health[id(forward.spec)] = (Health.UNVERIFIED, "")
            self._tell(forward)

    def _tell(self, forward: Forward) -> None:
        self._emit(ForwardBound(forward=forward.spec, addresses=forward.addresses))

    def _replace(self, spec: ForwardSpec, addresses: tuple[Address, ...]) -> None:
        made = Forward(spec, addresses)
        self.all = tuple(made if each.spec is spec else each for each in self.all)
        self._tell(made)

    def find(self, spec: ForwardSpec) -> Forward | None:
        """Return the forward of that kind which was asked to listen there, or does."""
        for each in self.all:
            if each.spec is spec:
                return each
        for each in self.all:
            if each.spec.kind is spec.kind and spec.bind in (each.spec.bind, *each.addresses):
                return each
        return None

    def add(self, spec: ForwardSpec, listener: listeners.Listener | None, at: Address) -> Forward:
        """Note a further one, which listens by ``listener`` or, on the gateway, ``at``."""
        if listener is not None:
            self.listeners.append(listener)
        made = Forward(spec, listener.addresses if listener is not None else (at,))
        self.all = (*self.all, made)
        self._health[id(spec)] = (Health.UNVERIFIED, "")
        self._tell(made)
        return made

    def drop(self, forward: Forward) -> listeners.Listener | None:
        """Forget one; return what listens for it here."""
        self.all = tuple(each for each in self.all if each is not forward)
        self._late.pop(id(forward.spec), None)
        self._health.pop(id(forward.spec), None)
        for listener in self.listeners:
            if listener.forward is forward.spec:
                self.listeners.remove(listener)
                return listener
        return None

    # --- health ---

    def health(self, spec: ForwardSpec) -> tuple[Health, str]:
        """Return what is known of a forward, and why."""
        return self._health.get(id(spec), (Health.DOWN, ""))

    def set_health(self, spec: ForwardSpec, health: Health, reason: str = "") -> None:
        """Note what is known now, and tell if that is news."""
        with self._lock:
            before = self._health.get(id(spec))
            self._health[id(spec)] = (health, reason)
        if before is None or before[0] is not health:
            self._emit(HealthChanged(forward=spec, health=health, reason=reason))

    def begun(self) -> None:
        """A link is up: what it was not refused may work."""
        for each in self.all:
            if each.spec.kind is not ForwardKind.REMOTE:
                self.set_health(each.spec, Health.UNVERIFIED)

    def set_all(self, health: Health, reason: str = "", *, remote_alone: bool = False) -> None:
        """The same for all that were not refused on this link; ``down`` is for those as well.

        ``remote_alone``: other links carry what comes here.
        """
        for each in self.all:
            if remote_alone and each.spec.kind is not ForwardKind.REMOTE:
                continue
            refused = id(each.spec) in self._late or id(each.spec) in self._not_lent
            if health is Health.DOWN or not refused:
                self.set_health(each.spec, health, reason)


def attach(listener: listeners.Listener, link: Link) -> None:
    """Accept over ``link``; in the thread of its loop."""
    listener.attach(
        link.loop,
        acceptor(link, listener.forward),
        functools.partial(link.report.notice, "out-of-descriptors"),
    )


def held_text(address: Address) -> str:
    """Return who is likely to hold what the gateway refused on a new link, and what prevents it."""
    return (
        f"it likely still holds {address} for our own link that broke, and lets go once it notices "
        "that; ClientAliveInterval 15 in its sshd_config makes that a minute"
    )


def _end_of(holder: Holder) -> Fix:
    if holder.is_session:
        note = "if that is a session of yours that nobody uses any more"
        return Fix(("kill", str(holder.pid)), where="gateway", note=note)
    note = "shows what that is; another port of the gateway may be free"
    return Fix(("ps", "-fp", str(holder.pid)), where="gateway", note=note)


def holder_text(address: Address, holder: Holder) -> str:
    """Return who holds what the gateway refused, and what helps."""
    if holder.is_session:
        return f"{address} is held by {holder} there: {held_text(address)}"
    return f"{address} is held by {holder} there: it is asked for again until that ends"
