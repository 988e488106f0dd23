"""Word to the service manager, as sd_notify(3) has it: datagrams to ``$NOTIFY_SOCKET``.

    READY=1       all tunnels carry connections
    STATUS=…      what they are doing, for ``systemctl status``
    WATCHDOG=1    twice in every ``WATCHDOG_USEC``, while the tunnels are looked after
    STOPPING=1    at the end

A tunnel that waits for its next attempt is looked after: to restart it would only lose its
listening ports.  The watchdog is not fed when a tunnel cannot say how it is, or has missed its own
attempt by `OVERDUE`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from netkit.observe.fleet import Figures, Fleet


OVERDUE: Final = 60.0
_TURN: Final = 5.0
"""Seconds between two looks at the tunnels, at most."""

_LONGEST: Final = 300


def is_told(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a service manager wants to hear of us."""
    return bool(environment.get("NOTIFY_SOCKET")) and hasattr(socket, "AF_UNIX")


def notifier(fleet: Fleet, environment: Mapping[str, str] = os.environ) -> Notifier | None:
    """Return what talks to the service manager that started us; None where none did.

    Our programs (a client, ProxyCommand) must not: the variables are taken out of `os.environ`.
    """
    where = environment.get("NOTIFY_SOCKET", "")
    if not is_told(environment):
        return None
    seconds = watchdog_seconds(environment)
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        os.environ.pop(name, None)
    return Notifier(fleet, where, seconds)


def watchdog_seconds(environment: Mapping[str, str], pid: int | None = None) -> float | None:
    """Return how long the watchdog waits (sd_watchdog_enabled(3)); None: there is none for us."""
    text, owner = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if owner and owner != str(os.getpid() if pid is None else pid):
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) == 0:
        return None
    return int(text) / 1e6


class Notifier:
    """Tells a service manager about the tunnels of a fleet."""

    def __init__(self, fleet: Fleet, where: str, watchdog: float | None = None) -> None:
        self._fleet = fleet
        self._where = f"\0{where[1:]}" if where.startswith("@") else where
        self._every = _TURN if watchdog is None else min(_TURN, watchdog / 2)
        self._feeds = watchdog is not None
        self._lock = threading.Lock()
        self._users = 0
        self._awaited = 0
        self._wake = threading.Event()
        self._over = threading.Event()
        self._said = ""
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """A tunnel is about to start."""
        with self._lock:
            self._users += 1
            self._awaited += 1
            if self._thread is None:
                self._over = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._over,), name="netkit-notify", daemon=True
                )
                self._thread.start()

    def up(self) -> None:
        """A tunnel carries connections; with the last one the service is ready."""
        with self._lock:
            self._awaited -= 1
            ready = self._awaited == 0
        if ready:
            self._send("READY=1")
        self._wake.set()

    def changed(self) -> None:
        """Something has happened that may change the status; never blocks."""
        self._wake.set()

    def end(self, *, was_up: bool = True) -> None:
        """A tunnel is over, with the last one the service; one that never was up is not awaited."""
        with self._lock:
            self._users -= 1
            self._awaited -= not was_up
            ready = self._users > 0 and self._awaited == 0 and not was_up
            thread, over = self._thread, self._over
            if self._users <= 0:
                self._thread = None
        if ready:
            self._send("READY=1")
        if thread is None or self._users > 0:
            return
        over.set()
        self._wake.set()
        thread.join(1.0)
        self._send("STOPPING=1")

    def _run(self, over: threading.Event) -> None:
        while not over.is_set():
            figures = self._fleet.figures()
            text = status_line(figures)
            if text != self._said:
                self._said = text
                self._send(f"STATUS={text}")
            if self._feeds and all(map(is_looked_after, figures)):
                self._send("WATCHDOG=1")
            self._wake.wait(self._every)
            # what comes in the next moments goes into one message
            over.wait(min(0.1, self._every / 2))
            self._wake.clear()

    def _send(self, text: str) -> None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(text.encode("utf-8", "replace"), self._where)


def is_looked_after(figures: Figures) -> bool:
    """Tell whether a tunnel carries connections, or does what it can to get there."""
    return figures.overdue < OVERDUE


def status_line(figures: tuple[Figures, ...]) -> str:
    """Return one line about all of them."""
    parts = []
    for each in figures:
        flows = sum(forward.flows_open for forward in each.forwards)
        shown = each.trouble or f"up, {flows} {'flow' if flows == 1 else 'flows'}"
        parts.append(f"{each.name}: {shown}")
    text = "; ".join(parts)
    clean = "".join(letter if letter.isprintable() else "?" for letter in text)
    return clean[:_LONGEST]
