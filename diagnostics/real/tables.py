"""The machine's table of TCP sockets, and whose they are, as far as this user may know."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from diagnostics.parsers import lsof, netstat_darwin, proc_net_tcp
from diagnostics.real import files
from diagnostics.system import SocketRow, SocketTable, ToolOutput

Run = Callable[[tuple[str, ...]], ToolOutput]

_MAX_TABLE = 32 << 20
_MAX_LINKS = 300_000
"""Descriptors of other processes looked at in search of the sockets' owners."""

_SEARCH = 1.0
"""Seconds after which that search gives up."""


class Tables:
    """Reads the table at each question; callers at the same time share one reading."""

    def __init__(self, read: Callable[[], SocketTable]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._began = -1.0
        self._table = SocketTable()

    def __call__(self) -> SocketTable:
        """Return a table that was read after the call."""
        asked = time.monotonic()
        with self._lock:
            if self._began < asked:
                began = time.monotonic()
                self._table = self._read()
                self._began = began
            return self._table


class LinuxSockets:
    """Reads ``/proc``; remembers between readings which process holds which socket."""

    def __init__(self, root: str = "/proc") -> None:
        self._root = root
        self._holders: dict[int, int] = {}
        self._in_vain: set[int] = set()

    def __call__(self) -> SocketTable:
        """Return the table."""
        rows: list[proc_net_tcp.TcpRow] = []
        errors, cut = [], False
        for name in ("tcp", "tcp6"):
            table = files.read(f"{self._root}/net/{name}", _MAX_TABLE)
            rows += proc_net_tcp.parse(table.data)
            cut = cut or table.truncated
            if table.error:
                errors.append(f"{table.path}: {table.error}")
        if len(errors) == 2:  # a kernel without IPv6 has no tcp6
            return SocketTable(complete=False, owners=False, error="; ".join(errors))
        self._find_holders({row.inode for row in rows if row.inode})
        return SocketTable(
            tuple(self._row(row) for row in rows), complete=not cut, owners=not self._in_vain
        )

    def _row(self, row: proc_net_tcp.TcpRow) -> SocketRow:
        pid = self._holders.get(row.inode) if row.inode else None
        return SocketRow(row.host, row.port, row.state, row.peer_host, row.peer_port, pid, row.uid)

    def _find_holders(self, inodes: set[int]) -> None:
        """Look through the descriptors of the processes that let us, if a socket is new.

        The number of a socket's inode is its own as long as it lives.
        """
        alive = {pid for pid in set(self._holders.values()) if Path(self._root, str(pid)).exists()}
        known = {i: pid for i, pid in self._holders.items() if i in inodes and pid in alive}
        self._in_vain &= inodes
        missing = inodes - known.keys() - self._in_vain
        deadline = time.monotonic() + _SEARCH
        budget = _MAX_LINKS
        for pid in self._pids() if missing else ():
            held = self._sockets_of(pid, budget)
            budget -= len(held)
            for inode in missing.intersection(held):
                known[inode] = pid
            missing -= known.keys()
            if not missing or budget <= 0 or time.monotonic() > deadline:
                break
        self._holders = known
        self._in_vain |= missing

    def _pids(self) -> list[int]:
        """Return this process, then all others, the oldest (a parent before its children) first."""
        try:
            with os.scandir(self._root) as entries:
                pids = sorted(int(entry.name) for entry in entries if entry.name.isdecimal())
        except OSError:
            return []
        own = os.getpid()
        return [own, *(pid for pid in pids if pid != own)]

    def _sockets_of(self, pid: int, limit: int) -> list[int]:
        """Return what each descriptor of a process holds: a socket's inode, or 0."""
        held: list[int] = []
        try:
            with os.scandir(f"{self._root}/{pid}/fd") as entries:
                held += [_inode(entry.path) for entry in itertools.islice(entries, limit)]
        except OSError:  # not ours to see, or gone
            pass
        return held


def _inode(path: str) -> int:
    try:
        target = os.readlink(path)  # noqa: PTH115 (thousands of them)
    except OSError:
        return 0
    number = target[8:-1] if target.startswith("socket:[") else ""
    return int(number) if number.isdecimal() else 0


def psutil_sockets() -> SocketTable:
    """Return what psutil knows (Windows; macOS and BSD as root)."""
    import psutil  # noqa: PLC0415 (import cost)

    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return SocketTable(complete=False, owners=False, error="EACCES")
    except (psutil.Error, OSError, RuntimeError) as error:
        return SocketTable(complete=False, owners=False, error=str(error) or type(error).__name__)
    rows = []
    for each in connections:
        if not each.laddr:
            continue
        peer = each.raddr or ("", 0)
        state = _PSUTIL_STATES.get(each.status, each.status)
        rows.append(
            SocketRow(each.laddr[0], each.laddr[1], state, peer[0], peer[1], each.pid or None)
        )
    missing = any(row.pid is None and row.state != "TIME_WAIT" for row in rows)
    return SocketTable(tuple(rows), owners=not missing)


_PSUTIL_STATES = {
    "FIN_WAIT1": "FIN_WAIT_1",
    "FIN_WAIT2": "FIN_WAIT_2",
    "SYN_RECV": "SYN_RECEIVED",
    "CLOSE": "CLOSED",
}
"""psutil's names (_common.py) that are not those of RFC 9293."""


class DarwinSockets:
    """Asks netstat, which tells everybody everything; else lsof, which tells what is one's own."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self) -> SocketTable:
        """Return the table."""
        for options in ("-anvW", "-anv"):
            rows = netstat_darwin.parse(self._run(("netstat", options, "-p", "tcp")).stdout)
            if rows:
                return SocketTable(
                    tuple(
                        SocketRow(r.host, r.port, r.state, r.peer_host, r.peer_port, r.pid)
                        for r in rows
                    ),
                    owners=all(row.pid or row.state == "TIME_WAIT" for row in rows),
                )
        table = psutil_sockets()
        return self._by_lsof(table.error) if table.error else table

    def _by_lsof(self, error: str) -> SocketTable:
        output = self._run(("lsof", *lsof.ARGUMENTS))
        if output.outcome != "ran":
            error = f"netstat prints no sockets, psutil: {error}, lsof: {output.outcome}"
            return SocketTable(complete=False, owners=False, error=error)
        rows = tuple(
            SocketRow(r.host, r.port, r.state, r.peer_host, r.peer_port, r.pid, r.uid)
            for r in lsof.parse(output.stdout)
        )
        return SocketTable(rows, complete=False)


def of_this_system(run: Run) -> Tables:
    """Return the way to read the table here; ``run`` runs a tool."""
    if sys.platform.startswith("linux"):
        return Tables(LinuxSockets())
    return Tables(DarwinSockets(run) if sys.platform == "darwin" else psutil_sockets)
