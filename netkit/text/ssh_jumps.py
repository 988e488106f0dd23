"""ProxyJump and ``-J``: gateways divided by commas, the first to be reached first."""

from __future__ import annotations

from netkit.errors import UsageError
from netkit.model import Gateway
from netkit.text.endpoints import parse_gateway

MAX_HOPS = 16
"""Longest chain of gateways, the destination included."""


def parse_jumps(text: str) -> tuple[Gateway, ...]:
    """Parse ``[user@]host[:port][,…]``; ``none`` gives an empty chain.

    Raises:
        UsageError: an item is no gateway, or there are too many.
    """
    if text.strip().lower() == "none":
        return ()
    items = text.split(",", MAX_HOPS)
    if len(items) >= MAX_HOPS:
        raise UsageError(
            f"a chain of more than {MAX_HOPS} gateways",
            code="too-many-hops",
            cause="each one encrypts everything once more; a loop is more likely than a need",
        )
    return tuple(parse_gateway(item.strip()) for item in items)
