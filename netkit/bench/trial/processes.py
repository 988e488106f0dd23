"""A server in a process of its own: what it says, what it costs, and its end with all its children.

Should this process end without a word (`os._exit`, SIGKILL), a guard ends the server and removes
its files: a shell that waits for the end of a pipe.  There is none on Windows.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

MAX_LINES: Final = 200
MAX_LINE: Final = 1000
"""What is kept of what a server says: its latest lines, and bytes of each."""

STOP_LIMIT: Final = 2.0
"""Seconds for each step of the end."""

ORPHAN_LIMIT: Final = 5.0
"""Seconds to look for children that a server left when it died."""

_TICK: Final = 0.1
_POLL: Final = 0.01

# $1: the server, $2: its directory.  The server's children end when their connections do.
_GUARD: Final = 'read -r _; kill "$1"; rm -rf -- "$2"'


class Served:
    """A running server.

    Args:
        argv: how to start it; its path is absolute.
        directory: where its files are; the guard removes it.
        env: its environment; None for ours.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self, argv: Sequence[str], directory: Path, *, env: Mapping[str, str] | None = None
    ) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self._said = threading.Condition()
        self._seen: dict[psutil.Process, float] = {}
        self._stopping = threading.Lock()
        self._is_stopped = False
        self._argv = tuple(argv)
        self._process = subprocess.Popen(  # noqa: S603 - an argv list of ours
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=env,
            # Ctrl-C in our terminal is for us alone.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._reader = threading.Thread(target=self._read, name="netkit-trial", daemon=True)
        self._reader.start()
        self._guard = _start_guard(self._process.pid, directory)

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None

    def wait_for(
        self, pattern: str, seconds: float, cancelled: threading.Event
    ) -> re.Match[str] | None:
        """Wait for a line that ``pattern`` is found in.

        Returns:
            None if it has ended before, if it takes longer or if that is cancelled.
        """
        deadline = time.monotonic() + seconds
        with self._said:
            while not (found := self.find(pattern)):
                is_over = not self._reader.is_alive() or cancelled.is_set()
                if is_over or time.monotonic() >= deadline:
                    break
                self._said.wait(_TICK)
        return found

    def find(self, pattern: str) -> re.Match[str] | None:
        """Return the first match in what it has said so far."""
        regex = re.compile(pattern)
        with self._said:
            return next(filter(None, map(regex.search, self._lines)), None)

    def last_words(self) -> str:
        """Return the last line it has said; empty if there is none."""
        with self._said:
            return next((line for line in reversed(self._lines) if line), "")

    def cpu_seconds(self) -> float | None:
        """Return the CPU time of the server and of those of its children that run the same program.

        It never falls: a child that has ended counts with what was last seen of it.
        """
        with contextlib.suppress(psutil.Error):
            main = psutil.Process(self.pid)
            name = main.name()
            for process in (main, *main.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    # sshd's children are sshd-session and sshd-auth since OpenSSH 9.8
                    if process.name().startswith(name):
                        times = process.cpu_times()
                        self._seen[process] = times.user + times.system
        return sum(self._seen.values()) if self._seen else None

    def stop(self, port: int = 0) -> None:
        """End it and everything it has started; idempotent.

        ``port`` is where it listens: by that its children are found if it has died before them.
        """
        with self._stopping:
            if self._is_stopped:
                return
            self._is_stopped = True
            if not self.has_ended:
                # first, while there is a parent that waits for them
                _await_end(_kill(_descendants(self.pid)))
                self._process.kill()
            self._process.wait()
            self._end_orphans(port)
            if self._guard is not None:
                self._guard.kill()
                self._guard.communicate()

    def _end_orphans(self, port: int) -> None:
        """End what outlived the server, until nobody can say anything any more.

        Each of its children holds the pipe that the reader reads.  One look does not always show
        them all: the system's table of connections changes while it is read.
        """
        name = Path(self._argv[0]).name
        deadline = time.monotonic() + ORPHAN_LIMIT
        while True:
            _await_end(_kill(_orphans(port, name) if port else []))
            self._reader.join(_TICK if port else STOP_LIMIT)
            if not port or not self._reader.is_alive() or time.monotonic() >= deadline:
                return

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            while line := stream.readline(MAX_LINE):
                text = line.decode("utf-8", "replace").strip()
                with self._said:
                    self._lines.append(text)
                    self._said.notify_all()


def _descendants(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def _orphans(port: int, name: str) -> list[psutil.Process]:
    """Find the processes ``name`` that serve connections to a port, and what they started."""
    pids: set[int] = set()
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.pid and connection.laddr and connection.laddr.port == port:
                pids.add(connection.pid)
    found: set[psutil.Process] = set()
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.name().startswith(name):
                found.update((process, *process.children(recursive=True)))
    return list(found)


def _kill(processes: list[psutil.Process]) -> list[psutil.Process]:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return processes


def _await_end(processes: list[psutil.Process]) -> None:
    """Wait until they run no more; one that nobody has collected yet does not run."""
    deadline = time.monotonic() + STOP_LIMIT
    pause = threading.Event()
    while any(map(_runs, processes)) and time.monotonic() < deadline:
        pause.wait(_POLL)


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def _start_guard(pid: int, directory: Path) -> subprocess.Popen[bytes] | None:
    shell = None if sys.platform == "win32" else shutil.which("sh", path=os.defpath)
    if shell is None:
        return None
    with contextlib.suppress(OSError):
        return subprocess.Popen(  # noqa: S603 - an argv list of ours
            [shell, "-c", _GUARD, "netkit-bench-guard", str(pid), str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return None
