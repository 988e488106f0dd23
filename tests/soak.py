"""A soak run: a tunnel whose link is harmed again and again under load, and what came of it.

    python tests/soak.py [MINUTES] [--write]      (5 by default, 15 at most; ``make soak``)

Kill, freeze, cut and refuse take turns while 50 clients fetch data with a checksum.  Measured are
how long it takes until a new connection has its first byte after the gateway listens again, how
long a frozen gateway goes unnoticed, and what is left at the end.  ``--write`` puts the table into
docs/reliability.md.  The exit code is 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
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
from support import leaks, targets, tunnels
from support.faults import FaultProxy
from support.tunnels import Run, TestGateway, local, read_all

REPORT = Path(__file__).parents[1] / "docs" / "reliability.md"
LONGEST = 15.0
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
        threading.Event().wait(random.random() * 3)
        gateway.server.listen_again()
        began = time.monotonic()
        with run.connect(timeout=40) as sock:
            sock.recv(1)
        seen.first_byte.append(time.monotonic() - began)
    run.events.wait(LinkUp, count=ups + 1, timeout=60)
    seen.cycles[fault] += 1
    threading.Event().wait(0.5 + random.random() / 2)


def soak(minutes: float) -> Seen:
    """Return what was seen in about so many minutes."""
    seen = Seen()
    before = leaks.snapshot()
    end = time.monotonic() + minutes * 60
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
            while time.monotonic() < end:
                for fault in random.sample(FAULTS, len(FAULTS)):
                    cycle(fault, run, gateway, proxy, seen)
        run.wait_idle()
    seen.left = [str(thing) for thing in leaks.leaked(before)]
    return seen


def rows(seen: Seen) -> list[tuple[str, str, str, bool]]:
    """Return the table: what, the limit, what was measured, and whether it holds."""
    first = sorted(seen.first_byte)
    p50 = statistics.median(first)
    p99 = first[min(len(first) - 1, int(len(first) * 0.99))]
    noticed, limit = max(seen.noticed), KEEPALIVE.interval * KEEPALIVE.count + 1
    bad = {end: count for end, count in seen.ends.items() if end not in ("whole", "reset")}
    return [
        (
            f"first byte through a new connection after the gateway is back ({len(first)} times)",
            "p50 <= 0.5 s, p99 <= 2 s",
            f"p50 {p50:.2f} s, p99 {p99:.2f} s",
            p50 <= 0.5 and p99 <= 2,
        ),
        (
            f"frozen gateway noticed ({len(seen.noticed)} times)",
            f"<= {limit:g} s",
            f"at most {noticed:.2f} s",
            noticed <= limit,
        ),
        (
            f"{seen.cycles.total()} cycles of {', '.join(FAULTS)} with {CLIENTS} clients",
            "every flow whole or reset; nobody refused",
            f"{seen.ends['whole']} whole, {seen.ends['reset']} reset, {bad or 'none'} other",
            not bad,
        ),
        (
            "left at the end: threads, descriptors, processes",
            "0",
            str(len(seen.left)),
            not seen.left,
        ),
    ]


def main() -> int:
    """Run it, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("minutes", nargs="?", type=float, default=5.0)
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    args = parser.parse_args()
    seen = soak(min(args.minutes, LONGEST))
    table = rows(seen)
    lines = ["| what | to reach | measured | |", "|---|---|---|---|"]
    lines += [f"| {a} | {b} | {c} | {'yes' if ok else '**no**'} |" for a, b, c, ok in table]
    print("\n".join([*lines, *seen.left]))
    if args.write:
        head = (
            "# Reliability\n\nWritten by `make soak`: one tunnel through an OpenSSH server on this"
            f" machine, keepalive {KEEPALIVE.count} times {KEEPALIVE.interval:g} s, harmed again"
            " and again.\n\n"
        )
        REPORT.write_text(head + "\n".join(lines) + "\n")
    return 0 if all(ok for *_, ok in table) else 1


if __name__ == "__main__":
    raise SystemExit(main())
