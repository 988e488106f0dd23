"""Notices of what strangers cause: a flood of connections is none of notices."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

NOTICE_EVERY: Final = 10.0
"""Seconds between two notices of one kind."""

Notify = Callable[[str, str], None]


class Teller:
    """Notices, of each kind not too many; any thread."""

    def __init__(self, notify: Notify, clock: Callable[[], float] = time.monotonic) -> None:
        self._notify = notify
        self._clock = clock
        self._last: dict[str, float] = {}
        self._silent: dict[str, int] = {}
        self._lock = threading.Lock()

    def tell(self, code: str, text: str, about: str = "") -> None:
        """Tell it, or count it for the next time.

        A kind is a ``code``, and what it is ``about``, of which there must be few.
        """
        now, kind = self._clock(), f"{code} {about}"
        with self._lock:
            last = self._last.get(kind)
            if last is not None and now - last < NOTICE_EVERY:
                self._silent[kind] = self._silent.get(kind, 0) + 1
                return
            self._last[kind] = now
            silent = self._silent.pop(kind, 0)
        self._notify(code, f"{text} (and {silent} more before it)" if silent else text)
