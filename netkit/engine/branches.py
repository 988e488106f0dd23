"""Further links of a tunnel beside its first one, which carries what the gateway listens on.

Each has a `Supervisor` of its own.  One that cannot be had is no failure of the tunnel: the others
carry everything.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from netkit.engine.supervisor import Supervisor
from netkit.errors import LinkLostError, NetkitError
from netkit.events import Connecting, Event, LinkDown, LinkUp, Notice, Retrying
from netkit.plan.link_choice import IDLE, MOST, Load, spare, wants_more

if TYPE_CHECKING:
    from netkit.engine.chain import Chain
    from netkit.model import Endurance
    from netkit.plan.retries import Moment

CLOSE_TIME: Final = 1.0
"""Seconds for each step of closing a link that is lost."""

LOOK: Final = 5.0
"""Seconds between two looks whether a link is still needed."""

TRUNK: Final = 1
"""The number of the first link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What a branch needs of its tunnel.

    Attributes:
        make: connects the link of a number.
        up: lets flows go over it.
        loads: what the links that are up carry.
        emit: takes what there is to say.
        look, random: the world's.
    """

    make: Callable[[int, threading.Event], Chain]
    up: Callable[[int, Chain], None]
    loads: Callable[[], list[Load]]
    emit: Callable[[Event], None]
    look: Callable[[], Moment]
    random: Callable[[], float]


class Branch:
    """One further link, again and again: `netkit.engine.supervisor.Lives`."""

    def __init__(
        self,
        number: int,
        gateway: str,
        owner: Owner,
        *,
        lasting: bool,
        endurance: Endurance,
        refused: Callable[[], None],
    ) -> None:
        """A ``lasting`` one is kept, whether or not it is used.

        ``refused`` is called where no further try may help.
        """
        self.number = number
        self.gateway = gateway
        self.chain: Chain | None = None
        self.over = False
        self._owner = owner
        self._lasting = lasting
        self._refused = refused
        self._since = 0.0
        self._used = 0.0
        self._told = False
        self._supervisor = Supervisor(
            endurance, self, self._hear, self._give_up, look=owner.look, random=owner.random
        )

    def start(self) -> None:
        """Begin to connect."""
        self._supervisor.start()

    def ended(self) -> None:
        """Its link has ended; any thread."""
        self._supervisor.look_again()

    def kick(self) -> None:
        """Try now, or prove the link."""
        self._supervisor.kick()

    def stop(self, limit: float) -> None:
        """End it; bounded."""
        self.over = True
        self._supervisor.stop()
        chain = self.chain
        if chain is not None:
            chain.close(limit)
        self._supervisor.join(limit)

    # --- Lives, in the supervisor's thread ---

    @property
    def is_lost(self) -> bool:
        """Whether there is no link, or one that has ended."""
        return self.chain is None or self.chain.has_ended

    @property
    def is_awaited(self) -> bool:
        """Nobody waits for it: the others carry what comes."""
        return False

    def lost(self) -> tuple[NetkitError | None, float]:
        """Clean up; return why it ended and for how long it lived."""
        chain = self.chain
        if chain is None:
            return LinkLostError("it was not there yet"), 0.0
        chain.link.wait(CLOSE_TIME)
        if chain.link.is_stopping:
            chain.close(CLOSE_TIME)
            return None, 0.0
        error = chain.link.error or LinkLostError("the link ended")
        chain.close(CLOSE_TIME)
        return error, time.monotonic() - self._since

    def connect(self, cancelled: threading.Event) -> None:
        """Make the next link; raises NetkitError."""
        chain = self._owner.make(self.number, cancelled)
        self.chain = chain
        if self.over:
            chain.close(CLOSE_TIME)
            raise LinkLostError("the tunnel was stopped", code="stopped")
        self._since = self._used = time.monotonic()
        self._told = False
        self._owner.up(self.number, chain)

    def prove(self, limit: float) -> None:
        """Have the link show that it lives."""
        if self.chain is not None:
            self.chain.link.prove_alive(limit)

    def chores(self) -> float | None:
        """Close a link that nobody needs; return seconds to the next look."""
        if self._lasting or self.chain is None:
            return None
        now = time.monotonic()
        if spare(self._owner.loads(), TRUNK) != self.number:
            self._used = now
        elif now - self._used > IDLE:
            self.over = True
            self.chain.link.stop()
        return LOOK

    def _hear(self, event: Event) -> None:
        """Say once that it could not be had; what else happens to it is no event of the tunnel."""
        if isinstance(event, Retrying) and event.attempt > 1 and not self._told:
            self._told = True
            text = f"link {self.number} could not be made ({event.reason}) and is tried again"
            self._owner.emit(Notice(code="fewer-links", text=text))

    def _give_up(self, error: NetkitError | None) -> None:
        if error is not None and not self.over:
            self._refused()
            text = f"link {self.number} cannot be made: {error.summary}; the others carry all"
            self._owner.emit(Notice(code="fewer-links", text=text))
        self.over = True


class Branches:
    """All further links of a tunnel."""

    def __init__(self, links: int, gateway: Callable[[int], str], endurance: Endurance) -> None:
        """Keep ``links`` in all, or with 0 as many as it takes.

        ``gateway`` says what the gateway of a link is called.
        """
        self._links = links
        self._gateway = gateway
        # The first one is made as later ones are; what ends with its link is the tunnel.
        # A number of tries is meant for it, too: a branch costs nobody anything while it is away.
        self._endurance = replace(endurance, reconnect=True, retries=None)
        self._refused = False
        self._owner: Owner | None = None
        self._all: list[Branch] = []
        self._closed = False
        self._lock = threading.Lock()

    def start(self, owner: Owner) -> None:
        """Begin; the first link is up."""
        self._owner = owner
        for _ in range(max(self._links - 1, 1)):
            self._open()

    def consider(self, loads: list[Load]) -> None:
        """Open another link where one is wanted; any thread."""
        if self._links or self._owner is None:
            return
        with self._lock:
            self._all = [each for each in self._all if not each.over]
            coming = any(each.is_lost for each in self._all)
            if self._closed or self._refused or coming or not wants_more(loads, MOST):
                return
        self._open()

    def refuse(self) -> None:
        """A further login was refused: another one is not tried before the first link is new."""
        self._refused = True

    def renew(self) -> None:
        """The first link is another one: what was refused beside the last may do beside this."""
        if self._owner is None:
            return
        with self._lock:
            self._refused = False
            self._all = [each for each in self._all if not each.over]
            missing = self._links - 1 - len(self._all)
        for _ in range(missing):
            self._open()

    def _open(self) -> None:
        assert self._owner is not None
        with self._lock:
            if self._closed or len(self._all) >= max(self._links, MOST) - 1:
                return
            taken = {each.number for each in self._all}
            number = next(n for n in range(TRUNK + 1, len(taken) + 3) if n not in taken)
            made = Branch(
                number,
                self._gateway(number),
                self._owner,
                lasting=self._links > 0,
                endurance=self._endurance,
                refused=self.refuse,
            )
            self._all.append(made)
        made.start()

    def ended(self, chain: Chain) -> bool:
        """A link has ended; return whether it was one of these."""
        for each in tuple(self._all):
            if each.chain is chain:
                each.ended()
                return True
        return False

    def kick(self) -> None:
        """Have each try now, or prove its link."""
        for each in tuple(self._all):
            each.kick()

    def close(self, limit: float) -> None:
        """End all of them; bounded, at the same time.  Idempotent."""
        with self._lock:
            self._closed = True
            ending = list(self._all)
        threads = [
            threading.Thread(target=each.stop, args=(limit,), name="netkit-branch", daemon=True)
            for each in ending
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            with contextlib.suppress(RuntimeError):
                thread.join(3 * limit)


def heard_of_branches(emit: Callable[[Event], None]) -> Callable[[Event], None]:
    """Return what passes on a branch's flows, and not that its link comes and goes."""

    def hear(event: Event) -> None:
        if not isinstance(event, Connecting | LinkUp | LinkDown):
            emit(event)

    return hear
