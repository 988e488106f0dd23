"""The machine that measures: its processors, and how busy they are."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """Return what the processor calls itself, or its architecture."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def work() -> tuple[float, float]:
    """Return seconds that all processors together have worked, and that have passed for them.

    What a hypervisor withheld counts as work: it was not to be had.
    """
    times = psutil.cpu_times()
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    idle = times.idle + getattr(times, "iowait", 0.0)
    return total - idle, total
