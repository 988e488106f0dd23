"""What a benchmark knows so far, the time that is left, and whom to tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from netkit.bench.measuring.ends import FlowBrokenError
from netkit.bench.model import (
    Connections,
    Echo,
    FirstBytes,
    Login,
    Measured,
    Setting,
    Skipped,
    Transfer,
)
from netkit.errors import NetkitError, OpenError

if TYPE_CHECKING:
    from netkit.bench.measuring.logins import LoggedIn
    from netkit.bench.measuring.ways import Maker

RESERVE: Final = 0.3
"""Seconds for logging out and showing the result."""

SIGN_OF_LIFE: Final = 2.0
MORE_TIME: Final = "not enough time; --time gives it more"
BREAKS: Final = (FlowBrokenError, OpenError)
"""What ends a part of a benchmark and not all of it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being measured, how much of it is done (0 … 1), and the seconds left."""

    text: str
    done: float
    left: float


@dataclass(frozen=True, slots=True)
class Route:
    """One logged-in session and its way of making bytes pass."""

    logged_in: LoggedIn
    way: Maker

    @property
    def lives(self) -> bool:
        """Whether the gateway answers at all."""
        return self.logged_in.session.keepalive(SIGN_OF_LIFE) is not None

    def close(self) -> None:
        """Log out."""
        self.way.close()
        self.logged_in.session.close()


class Record:
    """Takes what is measured as it comes.

    Args:
        setting: what is known of the surroundings; replaced when more is.
        seconds: for all of it.
        cancelled: interrupts it.
        progress: called with what comes next.
    """

    def __init__(
        self,
        setting: Setting,
        seconds: float,
        cancelled: threading.Event,
        progress: Callable[[Progress], None],
    ) -> None:
        self.setting = setting
        self.cancelled = cancelled
        self.logins: list[Login] = []
        self.transfers: list[Transfer] = []
        self.echoes: list[Echo] = []
        self.first_bytes: list[FirstBytes] = []
        self.connections: list[Connections] = []
        self.skipped: list[Skipped] = []
        self.notes: list[str] = []
        self._progress = progress
        self._began = time.monotonic()
        self._end = self._began + seconds - RESERVE

    @property
    def left(self) -> float:
        """Seconds that may still be spent."""
        return max(self._end - time.monotonic(), 0.0)

    def tell(self, text: str) -> None:
        """Say what is measured next."""
        span, left = self._end - self._began, self.left
        self._progress(Progress(text, 1 - left / span if span > 0 else 1.0, left))

    def skip(self, what: str, why: str) -> None:
        """Note what is not measured."""
        self.skipped.append(Skipped(what, why))

    def fail(self, what: str, error: NetkitError) -> None:
        """Note that something could not be measured; raises ``error`` where we are interrupted."""
        if self.cancelled.is_set():
            raise error
        self.skip(what, f"{error.summary}: {error.cause}" if error.cause else error.summary)

    @contextmanager
    def part(self, what: str) -> Iterator[None]:
        """Do a part whose failure does not end the benchmark, unless the link is gone."""
        self.tell(what)
        try:
            yield
        except BREAKS as error:
            self.fail(what, error)

    def measured(self) -> Measured:
        """Return what is known."""
        return Measured(
            setting=replace(self.setting, took=time.monotonic() - self._began),
            logins=tuple(self.logins),
            transfers=tuple(self.transfers),
            echoes=tuple(self.echoes),
            first_bytes=tuple(self.first_bytes),
            connections=tuple(self.connections),
            skipped=tuple(self.skipped),
            interrupted=self.cancelled.is_set(),
            notes=tuple(self.notes),
        )
