"""How long an echo takes beside bulk flows: with ``--links auto``, and through one ``ssh -L``."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import statistics
import threading
import time

from soak.report import Row
from soak.rig import Client, Rig, client

BULK = 4
ROUNDS = 5
SECONDS = 5.0


def rows(there: Rig) -> list[Row]:
    """Return the table's row."""
    seen: dict[str, list[float]] = {"netkit": [], "ssh": []}
    for number in range(ROUNDS):
        for name in ("netkit", "ssh") if number % 2 else ("ssh", "netkit"):
            words = ("--links", "auto") if name == "netkit" else ()
            with client(there, name, [there.echo, there.source], *words) as each:
                threading.Event().wait(0.5)  # the second link
                seen[name].append(_p99(each))
    ratio = statistics.median(a / b for a, b in zip(seen["netkit"], seen["ssh"], strict=True))
    figures = ", ".join(
        f"{name} {1000 * statistics.median(all_):.1f} ms" for name, all_ in seen.items()
    )
    return [
        Row(
            f"echo p99 beside {BULK} bulk flows, `--links auto` against one `ssh -L`",
            "<= 0.5 x",
            f"{ratio:.2f} x ({figures})",
            ratio <= 0.5,
        )
    ]


def _download(port: int, end: float) -> None:
    buffer = bytearray(1 << 20)
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 20) as sock:
        while time.time() < end:
            sock.recv_into(buffer)


def _p99(each: Client) -> float:
    """Return the 99th percentile of echoes beside downloads; seconds."""
    echo, source = each.ports
    end = time.time() + SECONDS
    context = multiprocessing.get_context("spawn")
    downloads = [context.Process(target=_download, args=(source, end)) for _ in range(BULK)]
    for process in downloads:
        process.start()
    threading.Event().wait(1)
    took = []
    with socket.create_connection(("127.0.0.1", echo), 20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.time() < end - 0.2:
            began = time.perf_counter()
            sock.sendall(bytes(32))
            sock.recv(32)
            took.append(time.perf_counter() - began)
            threading.Event().wait(0.003)
    for process in downloads:
        process.join(20)
        process.kill()
    took.sort()
    return took[int(len(took) * 0.99)]
