"""The table of a soak run, and the page it is written to."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netkit import __version__

REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, what was to be reached, and whether it was; ``details`` for people."""

    what: str
    goal: str
    measured: str
    ok: bool
    details: tuple[str, ...] = ()


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a table in Markdown."""
    lines = ["| what | to reach | measured | reached |", "|---|---|---|---|"]
    lines += [
        f"| {row.what} | {row.goal} | {row.measured} | {'yes' if row.ok else '**no**'} |"
        for row in rows
    ]
    return lines


def page(rows: Sequence[Row], command: str, seconds: float) -> str:
    """Return the whole page."""
    made = (
        f"Written by `{command}` on {time.strftime('%Y-%m-%d')}, in {seconds / 60:.0f} minutes:"
        f" netkit {__version__}, Python {platform.python_version()}, {_sshd()},"
        f" {platform.system()} {platform.machine()}, {os.cpu_count()} cores that client, gateway"
        " and both ends of the load share, all on loopback. Ratios are medians of interleaved runs."
    )
    how = (
        "How it is done: [tests/soak](../tests/soak). The gateway is an OpenSSH server, harmed by"
        " signals (kill, freeze), by a proxy between (cut) and by not listening (refuse). A flow"
        " that was cut must show its client a reset, one that was held must complete. New flows"
        " are counted while up to 2 000 are open, where ssh's own cost grows with their number;"
        " with few open ones ssh opens them faster: [performance.md](performance.md)."
    )
    return "\n".join(["# Reliability", "", made, "", *table(rows), "", how, ""])


def _sshd() -> str:
    done = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False)
    return done.stderr.partition(",")[0].replace("_", " ") or "an OpenSSH server"
