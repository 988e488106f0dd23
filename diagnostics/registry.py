"""Every check of netkit's own, in the order in which they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnostics.checks import (
    gateway_login,
    keepalive_setting,
    loopback,
    nat,
    nat_timeout,
    port_in_use,
)

if TYPE_CHECKING:
    from diagnostics.model import Check

CHECKS: tuple[Check, ...] = (
    # loopback and localhost
    loopback.CHECK,
    # ports
    port_in_use.CHECK,
    # gateway
    gateway_login.CHECK,
    # NAT
    nat.CHECK,
    keepalive_setting.CHECK,
    nat_timeout.CHECK,
)
