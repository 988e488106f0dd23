"""Proving a forward: its target is opened through the tunnel, and closed again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netkit.engine.acceptors import opening
from netkit.engine.memory_channel import MemoryChannel
from netkit.events import Health
from netkit.model import ForwardKind, ForwardSpec
from netkit.wire.messages import string, u32
from netkit.wire.open_failures import classify_open_failure

if TYPE_CHECKING:
    from netkit.engine.link import Link


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
