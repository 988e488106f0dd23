"""Whose turn it is to open sessions: many at once, or one alone.

A gateway allows only so many (sshd's MaxSessions), so a question that counts them must not be
disturbed, nor make others be refused.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """Shared turns, and exclusive ones that wait for the shared to end."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._shared = 0
        self._alone = False
        self._waiting = 0

    @contextmanager
    def shared(self, deadline: float) -> Iterator[bool]:
        """Take part; false where it did not come to that by ``deadline`` of `time.monotonic`."""
        with self._changed:
            got = self._wait(lambda: not self._alone and not self._waiting, deadline)
            self._shared += got
        try:
            yield got
        finally:
            with self._changed:
                self._shared -= got
                self._changed.notify_all()

    @contextmanager
    def alone(self, deadline: float) -> Iterator[bool]:
        """Be the only one; false where it did not come to that by ``deadline``."""
        with self._changed:
            self._waiting += 1
            got = self._wait(lambda: not self._alone and not self._shared, deadline)
            self._waiting -= 1
            self._alone = self._alone or got
            self._changed.notify_all()
        try:
            yield got
        finally:
            with self._changed:
                if got:
                    self._alone = False
                self._changed.notify_all()

    def _wait(self, free: object, deadline: float) -> bool:
        assert callable(free)
        return bool(self._changed.wait_for(free, max(deadline - time.monotonic(), 0.0)))
