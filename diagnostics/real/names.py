"""The system's resolver, with a time limit that it does not have itself."""

from __future__ import annotations

import queue
import socket
import threading
import time

from diagnostics.real.errnos import name_of, name_of_lookup
from diagnostics.system import Resolution

_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
_AT_ONCE = threading.BoundedSemaphore(32)
"""Lookups that may be unanswered; a thread that waits for the resolver cannot be ended."""


def resolve(name: str, family: str, timeout: float) -> Resolution:
    """Look ``name`` up; a lookup that takes longer goes on unheard."""
    began = time.monotonic()
    slots = _AT_ONCE
    if not slots.acquire(timeout=max(0.0, timeout)):
        return Resolution(name, error="timeout", text="too many lookups are unanswered")
    answer: queue.SimpleQueue[Resolution] = queue.SimpleQueue()

    def work() -> None:
        try:
            answer.put(_look_up(name, family))
        finally:
            slots.release()

    threading.Thread(target=work, name="doctor-resolve", daemon=True).start()
    try:
        found = answer.get(timeout=max(0.0, began + timeout - time.monotonic()))
    except queue.Empty:
        found = Resolution(name, error="timeout", text=f"no answer within {timeout:g} s")
    seconds = time.monotonic() - began
    return Resolution(name, found.addresses, found.error, found.text, seconds)


def _look_up(name: str, family: str) -> Resolution:
    if not name or "\0" in name:
        return Resolution(name, error="invalid", text="this is no host name")
    wanted = _FAMILIES.get(family, socket.AF_UNSPEC)
    try:
        found = socket.getaddrinfo(name, None, wanted, socket.SOCK_STREAM)
    except socket.gaierror as error:
        return Resolution(name, error=name_of_lookup(error), text=error.strerror or str(error))
    except (UnicodeError, ValueError) as error:  # an empty or overlong label
        return Resolution(name, error="invalid", text=str(error))
    except OSError as error:
        return Resolution(name, error=name_of(error), text=error.strerror or str(error))
    usable = (address for kind, *_, address in found if kind in _FAMILIES.values())
    return Resolution(name, tuple(dict.fromkeys(str(address[0]) for address in usable)))
