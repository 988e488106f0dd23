"""The keepalive that follows from an idle timeout, and how to ask for it.  Pure."""

from __future__ import annotations

import math
import re

from diagnostics.idle_times import Bracket, is_time
from netkit.model import Fix

DEFAULT_INTERVAL = 30
"""Seconds between keepalives where nothing is known.  Maintainers of libp2p report that "many
residential NATs reset the stream faster than the default 75 s" (go-tcp-transport issue 73)."""

OUTAGE = 90
"""Seconds that an outage may last before a tunnel counts as lost, as with netkit's defaults."""

LONGEST_INTERVAL = 120
"""A keepalive also notices a dead gateway; more than two minutes would be late."""

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,252}")
"""What can stand in a Host line and between quotes as it is."""


def interval_for(found: Bracket) -> int:
    """Return the seconds between keepalives: two within what is survived, as one may be lost."""
    if not found.is_known:
        return DEFAULT_INTERVAL
    # Where even the shortest was fatal, half of that is a guess.
    survived = math.floor(min(found.alive if is_time(found.alive) else found.dead / 2, 1e6))
    half = survived // 2
    return max(1, min(LONGEST_INTERVAL, half - 5 if half - 5 >= 15 else min(15, half)))


def count_for(interval: float, outage: float = OUTAGE) -> int:
    """Return how many keepalives in a row may stay unanswered: as many as an outage may last."""
    if not is_time(interval) or not is_time(outage):
        return 3
    return max(2, math.ceil(min(outage / interval, 1000.0)))


def keepalive_words(found: Bracket) -> str:
    """Return in one sentence the keepalive to use, for netkit, OpenSSH and PuTTY."""
    interval = interval_for(found)
    return (
        f"Keepalive to use: netkit --keepalive {interval}; in ssh_config ServerAliveInterval"
        f" {interval} and ServerAliveCountMax {count_for(interval)}; in PuTTY (Connection)"
        f" {interval} seconds between keepalives."
    )


def keepalive_fixes(os: str, gateway: str, found: Bracket) -> tuple[Fix, ...]:
    """Return the commands that bring this keepalive about, for netkit and OpenSSH."""
    interval = interval_for(found)
    count = count_for(interval)
    forward = ("netkit", "forward", "...", "--keepalive", str(interval))
    fixes = [Fix((*forward, "--keepalive-count", str(count)))]
    if _HOST.fullmatch(gateway):
        fixes.append(_for_openssh(os, gateway, interval, count))
    return tuple(fixes)


def _for_openssh(os: str, gateway: str, interval: int, count: int) -> Fix:
    lines = (
        f"Host {gateway}",
        f"  ServerAliveInterval {interval}",
        f"  ServerAliveCountMax {count}",
    )
    note = "adds three lines for OpenSSH; a line above them that sets the same for this host wins"
    argv: tuple[str, ...]
    if os == "windows":
        words = "','".join(lines)
        argv = ("powershell", "-NoProfile", "-Command", f"Add-Content ~/.ssh/config '{words}'")
    else:
        text = r"\n".join(("", *lines, ""))
        argv = ("sh", "-c", f'printf "{text}" >> ~/.ssh/config')
    return Fix(argv, note=note, persistent=True)
