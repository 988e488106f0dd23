"""A server in a process of its own, played by small programs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from netkit.bench.trial import processes
from netkit.bench.trial.processes import MAX_LINE, MAX_LINES, Served
from support import cli
from support.processes import is_gone
from support.waiting import wait_until

NEVER = threading.Event()

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")


@contextlib.contextmanager
def served(directory: Path, source: str, port: int = 0) -> Iterator[Served]:
    server = Served([sys.executable, "-u", "-c", textwrap.dedent(source)], directory)
    try:
        yield server
    finally:
        server.stop(port)


def test_what_it_says_can_be_waited_for(tmp_path: Path):
    with served(
        tmp_path, "import sys; print('port 17'); print('ready', file=sys.stderr); input()"
    ) as s:
        found = s.wait_for(r"port (\d+)", 10, NEVER)
        assert found
        assert found[1] == "17"
        assert s.wait_for("ready", 10, NEVER)


def test_its_end_ends_the_waiting(tmp_path: Path):
    with served(tmp_path, "print('no'); print('out of luck'); print()") as s:
        assert s.wait_for("ready", 60, NEVER) is None
        assert s.last_words() == "out of luck"
        wait_until(lambda: s.has_ended)


def test_waiting_is_bounded_and_can_be_cancelled(tmp_path: Path):
    cancelled = threading.Event()
    with served(tmp_path, "import time; time.sleep(60)") as s:
        assert s.wait_for("ready", 0.01, NEVER) is None
        cancelled.set()
        assert s.wait_for("ready", 60, cancelled) is None
        assert not s.has_ended
        assert s.last_words() == ""


def test_what_is_kept_is_bounded(tmp_path: Path):
    source = f"""
    for number in range({MAX_LINES * 3}):
        print(number, "x" * {MAX_LINE * 3})
    print("done")
    """
    with served(tmp_path, source) as s:
        assert s.wait_for("^done$", 20, NEVER)
        assert len(s._lines) == MAX_LINES
        assert max(map(len, s._lines)) <= MAX_LINE


def test_program_that_is_not_there_is_an_os_error(tmp_path: Path):
    with pytest.raises(OSError, match="netkit-no-such"):
        Served([str(tmp_path / "netkit-no-such")], tmp_path)


PARENT = """
    import subprocess, sys
    burn = "import time\\nwhile time.process_time() < 0.2: pass\\nprint('burnt')\\ninput()"
    child = subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE)
    other = subprocess.Popen(["sleep", "60"])
    print("children", child.pid, other.pid)
    child.wait()
    print("child gone")
    sys.stdin.read()
    other.wait()
"""


@posix
def test_cpu_time_counts_children_of_the_same_program_and_never_falls(tmp_path: Path):
    with served(tmp_path, PARENT) as s:
        found = s.wait_for(r"children (\d+) (\d+)", 20, NEVER)
        assert found
        assert s.wait_for("burnt", 20, NEVER)
        before = s.cpu_seconds()
        assert before is not None
        assert before >= 0.15
        assert int(found[2]) not in {process.pid for process in s._seen}
        os.kill(int(found[1]), signal.SIGKILL)
        assert s.wait_for("child gone", 20, NEVER)
        after = s.cpu_seconds()
        assert after is not None
        assert after >= before


@posix
def test_stop_ends_the_children_too_and_is_idempotent(tmp_path: Path):
    with served(tmp_path, PARENT) as s:
        found = s.wait_for(r"children (\d+) (\d+)", 20, NEVER)
        assert found
        s.stop()
        s.stop()
        assert s.has_ended
        for pid in (s.pid, int(found[1]), int(found[2])):
            wait_until(partial(is_gone, pid))


def test_server_that_was_never_asked_is_not_seen_afterwards(tmp_path: Path):
    with served(tmp_path, "input()") as s:
        s.stop()
        assert s.cpu_seconds() is None


ORPHAN = """
    import os, socket, sys, time
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    serving, _ = listener.accept()
    child = os.fork()
    if child:
        print("port", listener.getsockname()[1], "child", child)
        os.kill(os.getpid(), 9)
    listener.close()
    client.close()
    time.sleep(60)
"""


sees_sockets = pytest.mark.skipif(
    sys.platform != "linux", reason="sockets of other processes are seen"
)


def with_an_orphan(directory: Path) -> tuple[Served, int, int]:
    """Return a server that has died, its port and the child that serves on."""
    server = Served(
        [os.path.realpath(sys.executable), "-u", "-c", textwrap.dedent(ORPHAN)], directory
    )
    found = server.wait_for(r"port (\d+) child (\d+)", 20, NEVER)
    assert found
    wait_until(lambda: server.has_ended)
    assert psutil.pid_exists(int(found[2]))
    return server, int(found[1]), int(found[2])


@sees_sockets
def test_children_of_a_server_that_died_are_found_by_their_port(tmp_path: Path):
    server, port, child = with_an_orphan(tmp_path)
    server.stop(port)
    assert is_gone(child)


@sees_sockets
def test_they_are_looked_for_until_they_are_gone(tmp_path: Path, monkeypatch):
    """The table of connections changes while it is read, and a process may end meanwhile."""
    server, port, child = with_an_orphan(tmp_path)
    real = psutil.net_connections("tcp")
    (seen,) = {each for each in real if each.laddr and each.laddr.port == port and each.pid}
    ended = subprocess.Popen(["true"])
    ended.wait()
    looks = iter([[], [seen._replace(pid=ended.pid)], [seen._replace(pid=ended.pid), seen]])
    monkeypatch.setattr(psutil, "net_connections", lambda _kind: next(looks))
    server.stop(port)
    assert is_gone(child)
    assert next(looks, None) is None


@sees_sockets
def test_looking_for_them_has_an_end(tmp_path: Path, monkeypatch):
    server, port, child = with_an_orphan(tmp_path)
    monkeypatch.setattr(processes, "ORPHAN_LIMIT", 0.3)
    monkeypatch.setattr(psutil, "net_connections", lambda _kind: [])
    server.stop(port)
    assert not is_gone(child)
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: is_gone(child))


@posix
def test_server_and_files_are_gone_when_we_die_without_a_word(tmp_path: Path):
    directory = tmp_path / "files of the trial"
    directory.mkdir()
    source = f"""
        import os, sys
        from pathlib import Path
        from netkit.bench.trial.processes import Served
        server = Served(["/bin/sleep", "60"], Path({str(directory)!r}))
        print(server.pid, flush=True)
        os._exit(1)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        env=cli.environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    pid = int(done.stdout)
    wait_until(lambda: is_gone(pid))
    wait_until(lambda: not directory.exists())
