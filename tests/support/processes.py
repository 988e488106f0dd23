"""Whether a process of the tests has ended."""

from __future__ import annotations

import psutil


def is_gone(pid: int) -> bool:
    """Return whether it has ended, even if its parent has not looked yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
