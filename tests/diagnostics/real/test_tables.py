from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import psutil
import pytest

from diagnostics.real import tables
from diagnostics.system import SocketRow, SocketTable, ToolOutput
from support.waiting import wait_until

DARWIN = Path(__file__).parents[2] / "recorded/darwin"
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux'")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="drops the rights of root")


@linux
def test_our_own_sockets():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET6) as six:
        six.bind(("::1", 0))
        six.listen()
        read = tables.LinuxSockets()
        table = read()
        for sock in (server, six):
            host, port = sock.getsockname()[:2]
            (row,) = (row for row in table.rows if (row.port, row.state) == (port, "LISTEN"))
            assert (row.host, row.pid, row.uid) == (host, os.getpid(), os.geteuid())
        assert table.complete
        assert not table.error
        port = server.getsockname()[1]
        again = read()
    assert [row.pid for row in again.rows if row.port == port] == [os.getpid()]
    assert not [row for row in read().rows if row.port == port and row.state == "LISTEN"]


@linux
def test_another_process():
    code = (
        "import socket,sys; s=socket.create_server(('127.0.0.1',0));"
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        port = int(process.stdout.readline())
        rows = [row for row in tables.LinuxSockets()().rows if row.port == port]
        process.stdin.close()
    assert [(row.pid, row.uid) for row in rows] == [(process.pid, os.geteuid())]


UNPRIVILEGED = """
import json, os, socket, sys
import diagnostics.real.tables as tables
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
own = socket.create_server(("127.0.0.1", 0))
table = tables.LinuxSockets()()
wanted = (int(sys.argv[1]), own.getsockname()[1])
rows = {row.port: (row.pid, row.uid) for row in table.rows if row.port in wanted}
print(json.dumps([os.getpid(), wanted, rows, table.complete, table.owners]))
"""


@linux
@as_root
def test_without_rights():
    """The sockets of others are seen, with their user, and without their process."""
    root = Path(__file__).parents[3]
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, str(server.getsockname()[1])],
            check=True,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
    pid, (others, own), rows, complete, owners = json.loads(done.stdout)
    assert rows[str(others)] == [None, 0]
    assert rows[str(own)] == [pid, 65534]
    assert complete
    assert not owners


def proc(root: Path, *, tcp: str = "", tcp6: str | None = None, **held: tuple[int, ...]) -> str:
    """Make a /proc in which the processes (``p7``) hold sockets."""
    (root / "net").mkdir()
    head = "  sl  local_address rem_address   st\n"
    (root / "net/tcp").write_text(head + tcp)
    if tcp6 is not None:
        (root / "net/tcp6").write_text(head + tcp6)
    for name, inodes in held.items():
        directory = root / name[1:] / "fd"
        directory.mkdir(parents=True)
        (directory / "0").symlink_to("/dev/null")
        (directory / "1").symlink_to("pipe:[1]")
        (directory / "2").write_text("no link")
        for number, inode in enumerate(inodes):
            (directory / str(10 + number)).symlink_to(f"socket:[{inode}]")
    return str(root)


def line(port: int, inode: int, uid: int = 0) -> str:
    return f"0: 0100007F:{port:04X} 00000000:0000 0A 0:0 00:0 0 {uid} 0 {inode} 1 0\n"


def pids(table: SocketTable) -> dict[int, int | None]:
    return {row.port: row.pid for row in table.rows}


def test_who_holds_what(tmp_path: Path):
    text = line(1, 100) + line(2, 200) + line(3, 300) + line(4, 0)
    root = proc(tmp_path, tcp=text, p7=(100, 300), p8=(100, 200), pself=(9,))
    read = tables.LinuxSockets(root)
    table = read()
    assert pids(table) == {1: 7, 2: 8, 3: 7, 4: None}
    assert table.owners
    assert not table.error  # no tcp6: a kernel without IPv6


def test_descriptors_are_looked_at_again_only_for_new_sockets(tmp_path: Path, monkeypatch):
    root = proc(tmp_path, tcp=line(1, 100) + line(2, 999), p7=(100,))
    read = tables.LinuxSockets(root)
    asked: list[int] = []
    sockets_of = tables.LinuxSockets._sockets_of

    def ask(self: tables.LinuxSockets, pid: int, limit: int) -> list[int]:
        asked.append(pid)
        return sockets_of(self, pid, limit)

    monkeypatch.setattr(tables.LinuxSockets, "_sockets_of", ask)
    first = read()
    assert pids(first) == {1: 7, 2: None}
    assert not first.owners
    assert asked == [os.getpid(), 7]
    assert pids(read()) == {1: 7, 2: None}
    assert asked == [os.getpid(), 7]
    (tmp_path / "net/tcp").write_text("head\n" + line(1, 100) + line(3, 101))
    (tmp_path / "7/fd/30").symlink_to("socket:[101]")
    third = read()
    assert pids(third) == {1: 7, 3: 7}
    assert third.owners


def test_a_holder_that_has_ended_is_looked_for_again(tmp_path: Path):
    root = proc(tmp_path, tcp=line(1, 100), p7=(100,), p8=(100,))
    read = tables.LinuxSockets(root)
    assert pids(read()) == {1: 7}
    for entry in (tmp_path / "7/fd").iterdir():
        entry.unlink()
    (tmp_path / "7/fd").rmdir()
    (tmp_path / "7").rmdir()
    assert pids(read()) == {1: 8}


@pytest.mark.parametrize("limit", ["_MAX_LINKS", "_SEARCH"])
def test_the_search_is_bounded(tmp_path: Path, monkeypatch, limit: str):
    monkeypatch.setattr(tables, limit, 3 if limit == "_MAX_LINKS" else -1.0)
    root = proc(tmp_path, tcp=line(1, 100), p7=(), p8=(100,))
    table = tables.LinuxSockets(root)()
    assert pids(table) == {1: None}
    assert not table.owners


def test_a_table_that_is_cut(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(tables, "_MAX_TABLE", 60)
    assert not tables.LinuxSockets(proc(tmp_path, tcp=line(1, 0)))().complete


def test_no_proc(tmp_path: Path):
    table = tables.LinuxSockets(str(tmp_path))()
    assert table == SocketTable((), complete=False, owners=False, error=table.error)
    assert "ENOENT" in table.error
    assert tables.LinuxSockets(str(tmp_path / "nothing"))._pids() == []


# --- psutil ---


def connection(status: str, pid: int | None, local: object = ("127.0.0.1", 1), peer: object = ()):
    return types.SimpleNamespace(status=status, pid=pid, laddr=local, raddr=peer)


def test_psutil(monkeypatch):
    found = [
        connection("LISTEN", 4),
        connection("FIN_WAIT2", 5, ("::1", 2), ("::1", 3)),
        connection("TIME_WAIT", 0, ("127.0.0.1", 4), ("127.0.0.1", 5)),
        connection("NONE", 9, ()),
    ]
    monkeypatch.setattr(psutil, "net_connections", lambda kind: found)
    assert tables.psutil_sockets() == SocketTable(
        (
            SocketRow("127.0.0.1", 1, "LISTEN", pid=4),
            SocketRow("::1", 2, "FIN_WAIT_2", "::1", 3, 5),
            SocketRow("127.0.0.1", 4, "TIME_WAIT", "127.0.0.1", 5),
        )
    )
    found.append(connection("LISTEN", None))
    assert not tables.psutil_sockets().owners


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (psutil.AccessDenied(), "EACCES"),
        (OSError("broken"), "broken"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_psutil_refuses(monkeypatch, error: Exception, text: str):
    def fail(kind: str) -> None:
        raise error

    monkeypatch.setattr(psutil, "net_connections", fail)
    table = tables.psutil_sockets()
    assert (table.rows, table.complete, table.error) == ((), False, text)


# --- macOS ---


class Tools:
    """Prints what was recorded."""

    def __init__(self, **printed: str | ToolOutput) -> None:
        self.printed = printed
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, argv: tuple[str, ...]) -> ToolOutput:
        self.asked.append(argv)
        found = self.printed.get(argv[0])
        if isinstance(found, ToolOutput):
            return found
        if found is None:
            return ToolOutput(argv, "missing")
        return ToolOutput(argv, "ran", 0, (DARWIN / found).read_bytes())


def deny(monkeypatch) -> None:
    def fail(kind: str) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", fail)


def test_macos_netstat_knows_everybody():
    run = Tools(netstat="netstat_tcp_tahoe.txt")
    table = tables.DarwinSockets(run)()
    assert run.asked == [("netstat", "-anvW", "-p", "tcp")]
    assert SocketRow("::", 5000, "LISTEN", pid=612) in table.rows
    assert (table.complete, table.owners) == (True, True)


def test_macos_by_lsof(monkeypatch):
    deny(monkeypatch)
    run = Tools(lsof="lsof_tcp.txt")
    table = tables.DarwinSockets(run)()
    assert [argv[0] for argv in run.asked] == ["netstat", "netstat", "lsof"]
    assert SocketRow("::", 5000, "LISTEN", pid=501, uid=501) in table.rows
    assert not table.complete


def test_macos_by_psutil(monkeypatch):
    monkeypatch.setattr(psutil, "net_connections", lambda kind: [connection("LISTEN", 4)])
    assert tables.DarwinSockets(Tools())().rows == (SocketRow("127.0.0.1", 1, "LISTEN", pid=4),)


def test_macos_without_any_tool(monkeypatch):
    deny(monkeypatch)
    table = tables.DarwinSockets(Tools())()
    assert (table.rows, table.complete) == ((), False)
    assert "lsof: missing" in table.error


# --- which, and sharing ---


@pytest.mark.parametrize(
    ("platform", "reader"),
    [("linux", "LinuxSockets"), ("darwin", "DarwinSockets"), ("win32", "function")],
)
def test_each_system_has_its_way(monkeypatch, platform: str, reader: str):
    monkeypatch.setattr(tables.sys, "platform", platform)
    assert type(tables.of_this_system(Tools())._read).__name__ == reader


def test_who_asks_meanwhile_shares_the_next_reading(monkeypatch):
    """No answer is older than its question, and a crowd costs two readings."""
    begun, go = threading.Event(), threading.Event()
    readings: list[int] = []

    def read() -> SocketTable:
        readings.append(len(readings))
        begun.set()
        assert go.wait(20)
        return SocketTable(error=str(len(readings)))

    asked: list[float] = []

    def now() -> float:
        asked.append(time.monotonic())
        return asked[-1]

    monkeypatch.setattr(tables, "time", types.SimpleNamespace(monotonic=now))
    shared = tables.Tables(read)
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(shared().error)) for _ in range(8)]
    threads[0].start()
    assert begun.wait(20)
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: len(asked) == 9)  # eight questions, and the reading that has begun
    go.set()
    for thread in threads:
        thread.join(20)
    assert sorted(answers) == ["1", *["2"] * 7]
    assert shared().error == "3"
