"""The thread that keeps a tunnel's link: waits for its end, and makes the next one.

What a link is, and what is to be done when it comes and goes, is behind `Lives`; when to try, and
what to make of failures, is decided by `netkit.plan.retries`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from netkit.errors import LinkLostError, NetkitError, ResourceError
from netkit.events import Event, Notice, Retrying
from netkit.plan.retries import Backoff, Moment, change, hurried, may_help

if TYPE_CHECKING:
    from netkit.model import Endurance

POLL: Final = 5.0
"""Seconds between two looks at the clocks and the network."""

PATIENCE: Final = 2.0
"""Seconds that an attempt to connect may be old before a better moment makes it begin again."""

LONGEST_TRY: Final = 900.0
"""Seconds that an attempt takes at most, with several gateways that each answer slowly."""

PROOF_TIME: Final = 5.0
"""Seconds that a link has to show that it outlived a sleep or a change of network."""


class Lives(Protocol):
    """The links of a tunnel, one after the other."""

    @property
    def gateway(self) -> str:
        """What the user calls it."""

    @property
    def is_lost(self) -> bool:
        """Whether the present link has ended."""

    @property
    def is_awaited(self) -> bool:
        """Whether a connection waits for the next link."""

    def lost(self) -> tuple[NetkitError | None, float]:
        """Clean up after the present link; return why it ended and for how long it lived."""

    def connect(self, cancelled: threading.Event) -> None:
        """Make the next link and let everything go over it; raises NetkitError."""

    def prove(self, limit: float) -> None:
        """Have the present link show within ``limit`` seconds that it lives."""

    def chores(self) -> float | None:
        """Do what is due while the link is up; return seconds to the next time, if any."""


class Supervisor:
    """Keeps the links of a tunnel coming.

    Attributes:
        attempt: which attempt in a row is due or under way; 0 while the link is up.
        due: `time.monotonic` of the next attempt; None while none is due.
        reconnects: how often the link was remade.
    """

    def __init__(
        self,
        endurance: Endurance,
        lives: Lives,
        emit: Callable[[Event], None],
        give_up: Callable[[NetkitError | None], None],
        *,
        look: Callable[[], Moment],
        random: Callable[[], float],
    ) -> None:
        """``give_up`` ends the tunnel; ``look`` and ``random`` are the world's."""
        self.attempt = 0
        self.due: float | None = None
        self.reconnects = 0
        self._endurance = endurance
        self._lives = lives
        self._emit = emit
        self._give_up = give_up
        self._look = look
        self._seen: Moment | None = None
        self._backoff = Backoff(random)
        self._changed = threading.Condition()
        self._kicked = False
        self._stopping = False
        self._trying: tuple[threading.Event, float] | None = None
        self._last = self._lost_at = 0.0
        self._thread = threading.Thread(target=self._run, name="netkit-supervisor", daemon=True)

    # --- any thread ---

    def start(self) -> None:
        """Begin; the first link is up."""
        self._thread.start()

    def look_again(self) -> None:
        """Something may have changed: the link ended, or somebody waits for one."""
        with self._changed:
            self._changed.notify_all()

    def kick(self) -> None:
        """Try now, or prove the link that is up."""
        with self._changed:
            self._kicked = True
            if self._trying is not None and time.monotonic() - self._trying[1] > PATIENCE:
                self._trying[0].set()
            self._changed.notify_all()

    def tick(self) -> None:
        """Look at the clocks and the network while there is no link; to be called every `POLL`."""
        before, after = self._seen, self._look()
        self._seen = after
        if before is not None and change(before, after, POLL):
            self.kick()

    def stop(self) -> None:
        """Begin nothing new; what is under way is told to end."""
        with self._changed:
            self._stopping = True
            if self._trying is not None:
                self._trying[0].set()
            self._changed.notify_all()

    def overdue(self, now: float) -> float:
        """Return by how many seconds what should have been done by ``now`` is late."""
        due, trying = self.due, self._trying
        if trying is not None:
            return max(0.0, now - trying[1] - LONGEST_TRY)
        return 0.0 if due is None else max(0.0, now - due)

    def join(self, limit: float) -> None:
        """Wait for the end; at once where it is this very thread, or was never started."""
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(limit)

    # --- its own thread ---

    def _run(self) -> None:
        try:
            while self._serve() and self._remake():
                pass
        except BaseException:
            self._give_up(LinkLostError("netkit failed to keep the link", code="bug"))
            raise

    def _serve(self) -> bool:
        """Watch over a link that is up until it is lost; return False when all is over."""
        pause = self._lives.chores()
        while True:
            rest = POLL if self._endurance.reconnect else None
            if pause is not None:
                rest = pause if rest is None else min(rest, pause)
            before = self._look()
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopping or self._kicked or self._lives.is_lost, rest
                )
                if self._stopping:
                    return False
                kicked, self._kicked = self._kicked, False
            if self._lives.is_lost:
                return True
            why = change(before, self._look(), rest) if rest is not None else ""
            if kicked or why:
                self._lives.prove(PROOF_TIME)
            pause = self._lives.chores()

    def _remake(self) -> bool:
        """Make the next link; return whether there is one."""
        began = self._last = self._lost_at = time.monotonic()
        error, lived = self._lives.lost()
        if not self._endurance.reconnect or error is None:
            self._give_up(error)
            return False
        self._backoff.lived(lived)
        self._seen = self._look()
        self.attempt = 0
        while self._may_go_on(error):
            self.attempt += 1
            if not self._pause(error):
                return False
            failed, cut_short = self._try()
            if failed is None:
                self._connected(time.monotonic() - began)
                return True
            if self._stopping:
                return False
            if cut_short and may_help(failed):
                self.attempt -= 1  # it did not fail: it made room for a fresh one
            else:
                error = failed
        self._give_up(error)
        return False

    def _may_go_on(self, error: NetkitError) -> bool:
        retries = self._endurance.retries
        return (retries is None or self.attempt < retries) and may_help(error)

    def _connected(self, seconds: float) -> None:
        self.attempt = 0
        self.reconnects += 1
        self._emit(Notice(code="reconnected", text=f"connected again after {seconds:.1f} s"))

    def _pause(self, error: NetkitError) -> bool:
        """Wait until the next try is due; return False when all is over."""
        delay = self._backoff.next()
        self.due = due = time.monotonic() + delay
        self._emit(
            Retrying(
                gateway=self._lives.gateway,
                attempt=self.attempt,
                seconds=round(delay, 2),
                code=error.code,
                reason=error.summary,
            )
        )
        with self._changed:
            while not self._stopping:
                now = time.monotonic()
                if self._lives.is_awaited:
                    due = hurried(due, self._last, now, self._lost_at)
                if self._kicked:
                    self._kicked = False
                    self._backoff.reset()
                    break
                if now >= due:
                    break
                self.due = due
                self._changed.wait(due - now)
            self.due = None
            return not self._stopping

    def _try(self) -> tuple[NetkitError | None, bool]:
        """Try once; return what went wrong, and whether the attempt was told to end."""
        cancelled = threading.Event()
        with self._changed:
            if self._stopping:
                cancelled.set()
            self._trying = (cancelled, time.monotonic())
        try:
            self._lives.connect(cancelled)
        except NetkitError as error:
            return error, cancelled.is_set()
        except OSError as error:
            return _exhausted(error.strerror or str(error)), cancelled.is_set()
        except RuntimeError as error:
            if "new thread" not in str(error):
                raise
            return _exhausted(str(error)), cancelled.is_set()
        finally:
            self._last = time.monotonic()
            with self._changed:
                self._trying = None
        return None, False


def _exhausted(why: str) -> ResourceError:
    """Return the error of a try for which this machine had no descriptor or thread."""
    return ResourceError(
        f"this machine has nothing left to connect with: {why}",
        cause="too many connections or programs are open; what is held here is let go in time",
    )
