"""A tunnel whose link is harmed again and again under load, and what came of it.

Kill, freeze, cut and refuse take turns while 50 clients fetch data with a checksum.
"""

from __future__ import annotations

import hashlib
import random
import signal
import statistics
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from netkit.events import LinkDown, LinkUp
from netkit.model import Endurance, Keepalive
from soak.report import Row
from support import leaks, targets, tunnels
from support.faults import FaultProxy
from support.tunnels import Run, TestGateway, local, read_all

CLIENTS = 50
SIZE = 256 * 1024
KEEPALIVE = Keepalive(interval=0.5, count=2)
FAULTS = ("kill", "freeze", "cut", "refuse")


@dataclass
class Seen:
    """What was measured: seconds, and counts of how flows ended."""

    first_byte: list[float] = field(default_factory=list)
    noticed: list[float] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    cycles: Counter[str] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)


class Load:
    """Clients that fetch ``SIZE`` bytes one after another, each with its checksum."""

    def __init__(self, run: Run, want: str, seen: Seen) -> None:
        self._run, self._want, self._seen = run, want, seen
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._fetch) for _ in range(CLIENTS)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            if thread.is_alive():
                self._count("hung")

    def _fetch(self) -> None:
        while not self._stop.wait(random.random() * 0.5):
            self._count(fetch(self._run, self._want))

    def _count(self, end: str) -> None:
        with self._lock:
            self._seen.ends[end] += 1


def fetch(run: Run, want: str) -> str:
    """Return how one connection ended: ``whole``, ``reset``, ``refused`` or what is wrong."""
    try:
        with run.connect(timeout=40) as sock:
            data = read_all(sock)
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "hung"
    if hashlib.sha256(data).hexdigest() == want:
        return "whole"
    return "truncated"


def cycle(fault: str, run: Run, gateway: TestGateway, proxy: FaultProxy, seen: Seen) -> None:
    """Harm the link once, and wait until it is there again."""
    ups, downs = len(run.events.of(LinkUp)), len(run.events.of(LinkDown))
    began = time.monotonic()
    if fault == "freeze":
        stopped = gateway.serving
        gateway.signal(signal.SIGSTOP)
        run.events.wait(LinkDown, count=downs + 1, timeout=30)
        seen.noticed.append(time.monotonic() - began)
        for process in stopped:
            process.kill()
    elif fault == "cut":
        proxy.cut()
    elif fault == "kill":
        gateway.kill()
    else:
        gateway.server.stop()
        run.events.wait(LinkDown, count=downs + 1, timeout=30)
        threading.Event().wait(random.random() * 1.5)
        gateway.server.listen_again()
        began = time.monotonic()
        with run.connect(timeout=40) as sock:
            sock.recv(1)
        seen.first_byte.append(time.monotonic() - began)
    run.events.wait(LinkUp, count=ups + 1, timeout=60)
    seen.cycles[fault] += 1
    threading.Event().wait(0.2 + random.random() / 4)


def harm(cycles: int, limit: float) -> Seen:
    """Return what was seen in so many cycles."""
    seen = Seen()
    before = leaks.snapshot()
    end = time.monotonic() + limit
    with (
        tempfile.TemporaryDirectory() as directory,
        tunnels.start("sshd", Path(directory)) as gateway,
        FaultProxy(gateway.port) as proxy,
        targets.source(SIZE) as target,
        tunnels.tunnel(
            gateway.behind(proxy.port),
            forwards=[local(target.address)],
            keepalive=KEEPALIVE,
            endurance=Endurance(hold=30),
        ) as run,
    ):
        with run.connect() as sock:
            want = hashlib.sha256(read_all(sock)).hexdigest()
        with Load(run, want, seen):
            while seen.cycles.total() < cycles and time.monotonic() < end:
                for fault in random.sample(FAULTS, len(FAULTS)):
                    cycle(fault, run, gateway, proxy, seen)
        run.wait_idle()
    seen.left = [str(thing) for thing in leaks.leaked(before)]
    return seen


def rows(cycles: int, limit: float) -> list[Row]:
    """Return the table's rows: of so many cycles, in at most about ``limit`` seconds."""
    seen = harm(cycles, limit)
    first = sorted(seen.first_byte)
    p50 = statistics.median(first)
    p99 = first[min(len(first) - 1, int(len(first) * 0.99))]
    noticed, most = max(seen.noticed), KEEPALIVE.interval * KEEPALIVE.count + 1
    bad = {end: count for end, count in seen.ends.items() if end not in ("whole", "reset")}
    done = seen.cycles.total()
    return [
        Row(
            f"gateway away and back: first byte through a new connection after sshd listens again"
            f" ({len(first)} times)",
            "p50 <= 0.5 s, p99 <= 2 s",
            f"p50 {p50:.2f} s, p99 {p99:.2f} s",
            p50 <= 0.5 and p99 <= 2,
        ),
        Row(
            "… connection attempts refused meanwhile",
            "0",
            str(seen.ends["refused"]),
            not seen.ends["refused"],
        ),
        Row(
            f"gateway frozen (SIGSTOP), keepalive {KEEPALIVE.count} x {KEEPALIVE.interval:g} s:"
            f" noticed ({len(seen.noticed)} times)",
            f"<= {most:g} s",
            f"at most {noticed:.2f} s",
            noticed <= most,
        ),
        Row(
            f"{done} cycles of {', '.join(FAULTS)} under load of {CLIENTS} flows: how they ended",
            f"{cycles} cycles; every flow whole, with its checksum, or reset",
            f"{seen.ends['whole']} whole, {seen.ends['reset']} reset, {bad or 'none'} else",
            not bad and done >= cycles,
        ),
        Row(
            "… threads, descriptors, processes left at the end",
            "0",
            str(len(seen.left)),
            not seen.left,
            tuple(seen.left),
        ),
    ]
