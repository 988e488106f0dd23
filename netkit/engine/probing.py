"""Proving a forward: its target is opened through the tunnel, and closed again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from netkit.engine.acceptors import opening
from netkit.engine.memory_channel import MemoryChannel
from netkit.events import Health
from netkit.model import ForwardKind, ForwardSpec
from netkit.wire.messages import string, u32
from netkit.wire.open_failures import classify_open_failure

if TYPE_CHECKING:
    from netkit.engine.forwards import Forwards
    from netkit.engine.link import Link

PROBE_TIME: Final = 5.0
"""Seconds that a target has to answer when a forward is proved."""


class Prober:
    """Proves the forwards of a tunnel again and again."""

    def __init__(self, every: float, forwards: Forwards, stopped: Callable[[], bool]) -> None:
        """Prove every ``every`` seconds; 0 never does."""
        self._every = every
        self._forwards = forwards
        self._stopped = stopped
        self._due = 0.0

    def now(self) -> None:
        """Prove the next time `run` is called."""
        self._due = 0.0

    def run(self, link: Link) -> float | None:
        """Prove what can be, if it is time; return the seconds to the next time."""
        if self._every <= 0:
            return None
        if time.monotonic() >= self._due:
            self._prove_all(link)
            self._due = time.monotonic() + self._every
        return max(self._due - time.monotonic(), 0.01)

    def _prove_all(self, link: Link) -> None:
        for forward in self._forwards.all:
            if self._stopped() or link.has_ended:
                return
            if can_prove(forward.spec):
                health, reason = prove(link, forward.spec, PROBE_TIME)
                if health is not Health.UNVERIFIED:
                    self._forwards.set_health(forward.spec, health, reason)


def can_prove(spec: ForwardSpec) -> bool:
    """Return whether a forward has a target that can be opened from here."""
    return spec.kind is ForwardKind.LOCAL and spec.to is not None


def prove(link: Link, spec: ForwardSpec, limit: float) -> tuple[Health, str]:
    """Return how a forward that `can_prove` is, and why; from any thread but the loop's.

    ``limit`` is in seconds.  A link that is lost meanwhile proves nothing.
    """
    assert spec.to is not None
    kind, prefix = opening(spec.to)
    channel = MemoryChannel.open(link, kind, prefix + string("127.0.0.1") + u32(0), kept=0)
    is_open = channel.wait_open(time.monotonic() + limit)
    state, reason, text = channel.state, channel.reason, channel.text
    channel.close()
    if is_open:
        return Health.UP, ""
    if state == "refused":
        return Health.REFUSED, f"{spec.to}: {classify_open_failure(reason, text).value}"
    if state == "opening":
        return Health.REFUSED, f"{spec.to} did not answer within {limit:g} s"
    return Health.UNVERIFIED, ""
