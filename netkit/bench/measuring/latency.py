"""Round trips, first bytes, and new flows per second."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from netkit.engine.memory_channel import MemoryChannel

if TYPE_CHECKING:
    from netkit.bench.measuring.ends import End
    from netkit.bench.measuring.ways import Maker
    from netkit.doctor.session import Session

MOST_SAMPLES: Final = 5000
REPLY_TIME: Final = 20.0
AT_ONCE: Final = 8
"""Sessions that are opened at a time: OpenSSH's default MaxSessions is 10, and one is ours."""


def echo(
    ends: tuple[End, End], seconds: float, *, pause: float = 0.0, stop: threading.Event
) -> tuple[float, ...]:
    """Send bytes one after the other through an open flow for ``seconds``.

    Returns the seconds each took, oldest first.  One before them, which finds everything cold (the
    program that answers may only just start), does not count.  ``pause`` seconds pass between them.
    """
    out, back = ends
    samples: list[float] = []
    deadline = 0.0
    while len(samples) <= MOST_SAMPLES and not stop.is_set():
        began = time.monotonic()
        out.write_all(b"x", began + REPLY_TIME)
        back.read_exactly(1, began + REPLY_TIME)
        now = time.monotonic()
        samples.append(now - began)
        deadline = deadline or now + seconds
        if now >= deadline and len(samples) > 1:
            break
        if pause:
            stop.wait(pause)
    return tuple(samples[1:])


def first_bytes(way: Maker, seconds: float, most: int, stop: threading.Event) -> tuple[float, ...]:
    """Open flows one after the other for ``seconds``, ``most`` at most; return their times."""
    deadline = time.monotonic() + seconds
    samples: list[float] = []
    while len(samples) < most and not stop.is_set():
        samples.append(way.first_byte())
        if time.monotonic() >= deadline:
            break
    return tuple(samples)


def sessions(session: Session, seconds: float, stop: threading.Event) -> tuple[int, float]:
    """Open and close session channels, `AT_ONCE` at a time; return how many and how long.

    A session is opened and closed without a program, so what counts is the gateway and the link.
    """
    began = time.monotonic()
    count = 0
    while (now := time.monotonic()) - began < seconds and not stop.is_set():
        changed = threading.Condition()
        asked = [
            MemoryChannel.open(session.link, "session", changed=changed) for _ in range(AT_ONCE)
        ]
        opened = sum(channel.wait_open(now + REPLY_TIME) for channel in asked)
        for channel in asked:
            channel.close()
        session.settle(now + REPLY_TIME)
        count += opened
        if opened < AT_ONCE or session.has_ended:
            break
    return count, time.monotonic() - began


def idle_round_trip(session: Session, count: int, timeout: float) -> float:
    """Return the shortest of ``count`` round trips to the gateway, seconds; 0: no answer."""
    best = 0.0
    for _ in range(count):
        took = session.keepalive(timeout)
        if took is None:
            break
        best = min(best, took) if best else took
    return best
