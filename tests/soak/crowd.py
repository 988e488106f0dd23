"""Two thousand connections at once, twenty thousand one after another."""

from __future__ import annotations

import contextlib
import selectors
import socket
import statistics
import time
from collections.abc import Callable

from soak.report import Row
from soak.rig import Client, Rig, client
from support.waiting import holds_within

AT_ONCE = 2000
ROUNDS = 10
COMING = 64
"""Connections that come at the same time; what ssh's backlog holds."""

MEGABYTE = 1e6


def rows(there: Rig) -> list[Row]:
    """Return the table's rows."""
    with (
        client(there, "netkit", [there.echo]) as netkit,
        client(there, "ssh", [there.echo]) as ssh,
    ):
        fresh = _state(netkit)
        most = _crowd(netkit.ports[0], lambda: int(netkit.process.memory_info().rss))
        rates: dict[str, list[float]] = {"netkit": [], "ssh": []}
        for number in range(ROUNDS):
            pair = [("netkit", netkit), ("ssh", ssh)]
            for name, each in pair if number % 2 else pair[::-1]:
                rates[name].append(_rate(each))
        most = max(most, netkit.process.memory_info().rss)
        left = _left(netkit, fresh)
    ratio = statistics.median(a / b for a, b in zip(rates["netkit"], rates["ssh"], strict=True))
    figures = ", ".join(f"{name} {statistics.median(all_):.0f}/s" for name, all_ in rates.items())
    return [
        Row(
            f"{AT_ONCE} flows at once, {ROUNDS * AT_ONCE} opened and closed: most memory",
            "RSS <= 200 MB",
            f"{most / MEGABYTE:.0f} MB",
            most <= 200 * MEGABYTE,
        ),
        Row("… descriptors and threads left at the end", "0", left or "0", not left),
        Row(
            f"… new flows per second, {COMING} at a time, against `ssh -L`",
            ">= 0.9 x",
            f"{ratio:.2f} x ({figures})",
            ratio >= 0.9,
        ),
    ]


def _state(each: Client) -> tuple[int, int]:
    return each.process.num_fds(), each.process.num_threads()


def _left(each: Client, fresh: tuple[int, int]) -> str:
    def is_clean() -> bool:
        return all(now <= before for now, before in zip(_state(each), fresh, strict=True))

    if holds_within(is_clean, timeout=20):
        return ""
    fds, threads = (now - before for now, before in zip(_state(each), fresh, strict=True))
    return f"{fds} descriptors, {threads} threads"


def _crowd(port: int, memory: Callable[[], int] | None = None) -> int:
    """Open `AT_ONCE` connections, `COMING` of them at a time, use each, and close them all.

    Returns the ``memory`` while all are open.
    """
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        made = open_now = coming = 0
        while open_now < AT_ONCE:
            while made < AT_ONCE and coming < COMING:
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", port))
                selector.register(sock, selectors.EVENT_WRITE)
                made, coming = made + 1, coming + 1
            for key, events in selector.select(60):
                sock = key.fileobj  # type: ignore[assignment]
                if events & selectors.EVENT_WRITE:
                    sock.send(b"x")
                    selector.modify(sock, selectors.EVENT_READ)
                else:
                    assert sock.recv(1) == b"x"
                    selector.unregister(sock)
                    open_now, coming = open_now + 1, coming - 1
        return memory() if memory is not None else 0


def _rate(each: Client) -> float:
    """Return how many connections a second are opened, used and closed."""
    began = time.monotonic()
    _crowd(each.ports[0])
    return AT_ONCE / (time.monotonic() - began)
