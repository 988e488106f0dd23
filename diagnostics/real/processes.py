"""Who a process is: psutil, every answer by itself, because each may be denied by itself."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from diagnostics.parsers.secrets import without_passwords
from diagnostics.system import ProcessInfo

_MAX_WORDS = 64
_MAX_WORD = 1024

T = TypeVar("T")


class Services:
    """Which Windows services live in which process; asked once, since it takes its time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_pid: dict[int, tuple[str, ...]] | None = None

    def of(self, pid: int) -> tuple[str, ...]:
        """Return the names of the services in a process; none but on Windows."""
        if sys.platform != "win32":
            return ()
        with self._lock:
            if self._by_pid is None:
                self._by_pid = _services_by_pid()
            return self._by_pid.get(pid, ())


def _services_by_pid() -> dict[int, tuple[str, ...]]:
    import psutil  # noqa: PLC0415 (import cost)

    found: dict[int, tuple[str, ...]] = {}
    try:
        for service in psutil.win_service_iter():  # type: ignore[attr-defined,unused-ignore]
            try:
                pid, name = service.pid(), service.name()
            except (psutil.Error, OSError):
                continue
            if pid:
                found[pid] = (*found.get(pid, ()), str(name))
    except (psutil.Error, OSError, AttributeError):
        return found
    return found


def process(pid: int, services: Services) -> ProcessInfo | None:
    """Return what this user may know of a process; None: there is none."""
    import psutil  # noqa: PLC0415 (import cost)

    def ask(question: Callable[[], T], otherwise: T) -> T:
        try:
            answer = question()
        except psutil.ZombieProcess:
            return otherwise
        except psutil.NoSuchProcess:
            raise
        except (psutil.Error, OSError, RuntimeError, ValueError, LookupError):
            return otherwise
        return otherwise if answer is None else answer

    try:
        found = psutil.Process(pid)
        with found.oneshot():
            return ProcessInfo(
                pid,
                ask(found.name, ""),
                _command(ask(found.cmdline, [])),
                ask(found.username, ""),
                ask(found.exe, ""),
                ask(found.create_time, 0.0),
                ask(found.ppid, None),
                services.of(pid),
            )
    except (psutil.Error, OSError, ValueError, OverflowError, TypeError):
        return None


def _command(words: list[str]) -> tuple[str, ...]:
    return without_passwords(tuple(word[:_MAX_WORD] for word in words[:_MAX_WORDS]))
