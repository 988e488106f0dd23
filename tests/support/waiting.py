"""Waiting for a condition with a deadline, for the few things that have no event to wait on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], *, timeout: float = 10.0, what: str = "") -> None:
    """Return as soon as ``condition()`` is true.

    Prefer an Event or a Condition where the code under test has one.

    Raises:
        AssertionError: it did not become true within ``timeout`` seconds.
    """
    if not holds_within(condition, timeout=timeout):
        raise AssertionError(f"not within {timeout} s: {what or condition}")


def holds_within(condition: Callable[[], object], *, timeout: float) -> bool:
    """Return whether ``condition()`` becomes true within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    delay = 0.001
    while not condition():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        pause.wait(min(delay, left))
        delay = min(delay * 1.5, 0.05)
    return True
