"""Every check of netkit's own, in the order in which they are shown; and those of third parties."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diagnostics.model import Check

CHECKS: tuple[Check, ...] = (
    # loopback and localhost
    # network
    # ports
    # keys and agent
    # gateway
    # forwarding
    # NAT
    # X11
    # protocol
)
