"""Connections that wait for a link: listeners go on accepting while it is remade.

What is accepted meanwhile is not read.  It goes through on the next link, or is reset when it has
waited long enough.  A `Hold` has a thread of its own and lives from one link to the next.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netkit.engine.descriptors import most_descriptors
from netkit.engine.goodbye import reset
from netkit.engine.loop import ERROR, HANGUP, Loop

if TYPE_CHECKING:
    from netkit.engine.listeners import Listener
    from netkit.engine.loop import Timer
    from netkit.model import ForwardSpec

MOST: Final = 512
"""Connections that are held at once; further ones are reset."""

SPARE: Final = 32
"""Descriptors that held connections leave for the next link."""

CALL_TIME: Final = 5.0
"""Seconds that the thread may take to do what it is asked to."""


@dataclass(frozen=True, slots=True)
class Held:
    """A connection that waits, ``since`` when by `time.monotonic`; ``peer`` is of accept(2)."""

    forward: ForwardSpec
    sock: socket.socket
    peer: object
    since: float = field(default_factory=time.monotonic)

    def drop(self) -> None:
        """Reset it."""
        reset(self.sock)


class Hold:
    """Accepts for listeners that have no link.

    Attributes:
        came: called from its thread with every connection that begins to wait.
    """

    def __init__(
        self,
        limit: float,
        *,
        came: Callable[[], None],
        exhausted: Callable[[str], None] | None = None,
        tick: Callable[[], None] | None = None,
        every: float = 5.0,
        give: Callable[[Held], bool] | None = None,
        lost: Callable[[Held, str], None] | None = None,
    ) -> None:
        """Let connections wait ``limit`` seconds; with 0 they are reset at once.

        ``give`` may find a link for each; it returns whether it did.  With it a `Hold` is the
        reception of a tunnel with several links, and lives as long as that.

        ``exhausted`` is told when descriptors have run out; ``tick`` is called ``every`` so many
        seconds.  ``lost`` is told of a connection that is reset, and why.
        """
        self.came = came
        self._lost = lost
        self._limit = limit
        self._exhausted = exhausted
        self._tick = tick
        self._every = every
        self._give = give
        self._loop = Loop()
        self._held: dict[int, tuple[Held, Timer]] = {}
        self._listeners: list[Listener] = []
        self._over = threading.Event()
        self._leaving = False
        self._thread = threading.Thread(target=self._run, name="netkit-hold", daemon=True)

    # --- any other thread ---

    def start(self, listeners: Sequence[Listener], rescued: Sequence[Held] = ()) -> None:
        """Accept for ``listeners``, which are attached to nothing, and hold ``rescued`` too."""
        self._thread.start()
        known = tuple(listeners)
        self._loop.post(lambda: self._begin(known, rescued))

    def add(self, listener: Listener) -> None:
        """Accept for one more."""
        self._call(lambda: self._attach(listener))

    def remove(self, listener: Listener) -> None:
        """Accept no more for one of them, and reset what waits for it."""
        self._call(lambda: self._drop(listener))

    def put(self, held: Held) -> None:
        """Take what was rescued from a link; any thread."""
        self._loop.post(lambda: self._take(held))

    def serve(self) -> None:
        """There may be a link for what waits; any thread."""
        self._loop.post(self._serve)

    @property
    def is_occupied(self) -> bool:
        """Whether anything waits."""
        return bool(self._held)

    def counts(self) -> dict[int, int]:
        """Return how many wait, by `id` of the forward."""
        counts: dict[int, int] = {}
        for held, _ in list(self._held.values()):
            counts[id(held.forward)] = counts.get(id(held.forward), 0) + 1
        return counts

    def hand_over(self) -> list[Held]:
        """End; return what waits, the first first.  Listeners are attached to nothing then."""
        left: list[Held] = []

        def leave() -> None:
            for listener in self._listeners:
                listener.detach()
            for fd, (held, timer) in self._held.items():
                timer.cancel()
                self._loop.remove(fd)
                left.append(held)
            self._held.clear()
            self._leaving = True

        self._call(leave)
        self._thread.join(CALL_TIME)
        return left

    def stop(self) -> None:
        """End; what waits is reset.  Idempotent."""
        for held in self.hand_over():
            held.drop()

    def call(self, work: Callable[[], None]) -> None:
        """Run ``work`` in its thread, unless it is over; any other thread."""
        self._call(work)

    def _call(self, work: Callable[[], None]) -> None:
        if threading.current_thread() is self._thread:
            work()
            return
        with contextlib.suppress(TimeoutError):  # it is over
            self._loop.call(work, CALL_TIME, self._over)

    # --- its own thread ---

    def _run(self) -> None:
        try:
            self._beat()
            while not self._leaving:
                self._loop.run_once(wait=True)
        finally:
            for held, _ in self._held.values():
                held.drop()
            self._held.clear()
            self._over.set()
            self._loop.close()

    def _beat(self) -> None:
        if self._tick is not None:
            self._loop.call_later(self._every, self._beat_once)

    def _beat_once(self) -> None:
        if self._tick is not None:
            self._tick()
        self._beat()

    def _begin(self, listeners: Sequence[Listener], rescued: Sequence[Held]) -> None:
        for held in rescued:
            self._take(held)
        for listener in listeners:
            self._attach(listener)

    def _attach(self, listener: Listener) -> None:
        forward = listener.forward
        self._listeners.append(listener)
        listener.attach(
            self._loop, lambda sock, peer: self._take(Held(forward, sock, peer)), self._exhausted
        )

    def _drop(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)
        listener.detach()
        for held, _ in list(self._held.values()):
            if held.forward is listener.forward:
                self._forget(held)

    def _serve(self) -> None:
        for held, timer in list(self._held.values()):
            fd = held.sock.fileno()
            # Before another thread may have it: it is watched in one loop at a time.
            self._loop.remove(fd)
            if self._give is not None and self._give(held):
                timer.cancel()
                del self._held[fd]
            else:
                self._watch(fd, held)

    def _take(self, held: Held) -> None:
        if self._give is not None and self._give(held):
            return
        fd = held.sock.fileno()
        if why := self._refusal(fd):
            self._reset(held, why)
            return
        left = max(held.since + self._limit - time.monotonic(), 0.0)
        timer = self._loop.call_later(left, lambda: self._forget(held, late=True))
        self._held[fd] = (held, timer)
        self._watch(fd, held)
        self.came()

    def _watch(self, fd: int, held: Held) -> None:
        # Only its end is of interest; a FIN alone is none, for such a client may still listen.
        self._loop.add(fd, 0, lambda events: self._reported(held, events))

    def _reported(self, held: Held, events: int) -> None:
        if events & (ERROR | HANGUP):
            self._forget(held)

    def _refusal(self, fd: int) -> str:
        """Return why a connection cannot wait; empty where it can."""
        if self._limit <= 0:
            return "there is no link"
        if len(self._held) >= MOST:
            return f"{MOST} connections wait for the link already"
        # The lowest free number is given away: a high one says how few are left.
        if fd >= most_descriptors() - SPARE:
            return "too few descriptors are left to wait for the link (ulimit -n)"
        return ""

    def _reset(self, held: Held, why: str) -> None:
        held.drop()
        if self._lost is not None:
            self._lost(held, why)

    def _forget(self, held: Held, *, late: bool = False) -> None:
        """Reset it: it has waited long enough (``late``), or its client has left."""
        fd = held.sock.fileno()
        entry = self._held.get(fd)
        if entry is None or entry[0] is not held:
            return
        del self._held[fd]
        entry[1].cancel()
        self._loop.remove(fd)
        if late:
            self._reset(held, f"there was no link for {self._limit:g} s")
        else:
            held.drop()
