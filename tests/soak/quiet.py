"""A tunnel that nobody uses, and how long its status takes."""

from __future__ import annotations

import statistics
import threading
import time

from soak.report import Row
from soak.rig import Rig, client

SECONDS = 40.0
ASKED = 10
MEGABYTE = 1e6


def rows(there: Rig) -> list[Row]:
    """Return the table's rows."""
    with client(there, "netkit", [there.echo]) as netkit:
        took = sorted(_status(there) for _ in range(ASKED))
        threading.Event().wait(2)
        before = netkit.process.cpu_times()
        threading.Event().wait(SECONDS)
        after = netkit.process.cpu_times()
        memory = netkit.process.memory_info().rss
    used = (after.user + after.system - before.user - before.system) / SECONDS
    middle = statistics.median(took)
    return [
        Row(
            f"`netkit status` ({ASKED} times)",
            "< 0.2 s",
            f"median {middle:.3f} s, at most {took[-1]:.3f} s",
            middle < 0.2,
        ),
        Row(
            f"idle tunnel over {SECONDS:g} s: processor",
            "< 0.1 %",
            f"{100 * used:.3f} %",
            used < 0.001,
        ),
        Row("… memory", "RSS <= 60 MB", f"{memory / MEGABYTE:.0f} MB", memory <= 60 * MEGABYTE),
    ]


def _status(there: Rig) -> float:
    began = time.monotonic()
    assert there.user.run("status").code == 0
    return time.monotonic() - began
