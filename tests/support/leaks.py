"""What a test may leave behind: nothing.

A snapshot names the threads, descriptors and child processes of this process; ``leaked`` says
what a later moment has more.  Resources of fixtures that outlive a test are excused by the caller.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from support.waiting import holds_within

GRACE = 5.0
"""Seconds that threads and children which are on their way out get to be gone."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A resource: ``identity`` tells it from a later one that reuses its number."""

    kind: str
    identity: tuple[object, ...]
    text: str = field(compare=False)  # a process may rename itself, as sshd does

    def __str__(self) -> str:
        return f"{self.kind} {self.text}"


def snapshot() -> frozenset[Thing]:
    """Return every thread, descriptor and child process there is now."""
    return frozenset(_threads() | _descriptors() | _children())


def leaked(before: AbstractSet[Thing], *, grace: float | None = None) -> list[Thing]:
    """Return what is there now and was not ``before``, after ``grace`` (``GRACE``) seconds.

    Garbage is collected first: a socket in a reference cycle is closed then, and its
    ResourceWarning fails the test with a better message than ours.
    """
    if not snapshot() - before:
        return []
    gc.collect()
    left: list[Thing] = []

    def is_clean() -> bool:
        left[:] = sorted(snapshot() - before, key=str)
        return not left

    holds_within(is_clean, timeout=GRACE if grace is None else grace)
    return left


def _threads() -> set[Thing]:
    # pytest-timeout has a timer thread per test where there are no signals.
    return {
        Thing("thread", (id(thread), thread.ident), f"{thread.name!r} daemon={thread.daemon}")
        for thread in threading.enumerate()
        if not thread.name.startswith("pytest_timeout")
    }


def _descriptors() -> set[Thing]:
    if sys.platform == "linux":
        return _linux_descriptors()
    process = psutil.Process()
    files = {Thing("descriptor", (f.fd, f.path), f"{f.fd} {f.path}") for f in process.open_files()}
    sockets = {
        Thing("descriptor", (c.fd, c.laddr, c.raddr), f"{c.fd} {c.laddr} {c.raddr}")
        for c in process.net_connections(kind="all")
    }
    return files | sockets


def _linux_descriptors() -> set[Thing]:
    found = set()
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - four times faster than Path.iterdir
        try:
            target = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - as above
        except OSError:
            continue  # the descriptor of this very listing
        found.add(Thing("descriptor", (number, target), f"{number} {target}"))
    return found


def _children() -> set[Thing]:
    return {_child(pid) for pid in _child_pids()}


def _child_pids() -> set[int]:
    try:
        tasks = os.listdir("/proc/self/task")  # noqa: PTH208 - as above
        texts = [Path(f"/proc/self/task/{task}/children").read_text("ascii") for task in tasks]
    except OSError:  # a thread ended meanwhile, another system, or a kernel without this file
        return {child.pid for child in psutil.Process().children()}
    return {int(pid) for text in texts for pid in text.split()}


def _child(pid: int) -> Thing:
    try:
        process = psutil.Process(pid)
        born = process.create_time()
        command = " ".join(process.cmdline()) or f"{process.name()} ({process.status()})"
    except psutil.Error:
        return Thing("child process", (pid, None), str(pid))
    return Thing("child process", (pid, born), f"{pid} {command}")
