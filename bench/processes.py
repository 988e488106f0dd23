"""Child processes that never outlive the run.

Every process of a run is started here, in a session of its own (so that Ctrl-C on the terminal
reaches only the entry point, which then ends them in order), and is ended by its own pid.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

Child = subprocess.Popen[bytes]


class ProcessFailedError(Exception):
    """A process ended when it should not have, or did not end when it should have."""


class ProcessWedgedError(ProcessFailedError):
    """A process did not finish within its limit and was killed."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def ended_within(child: Child, seconds: float) -> bool:
    """Wait for ``child`` to end, at most ``seconds``; whether it did.

    Waits on the process itself (pidfd), so it returns at once when the process dies.
    """
    if child.poll() is not None:
        return True
    descriptor = os.pidfd_open(child.pid)
    try:
        waiter = select.poll()
        waiter.register(descriptor, select.POLLIN)
        waiter.poll(max(0, int(seconds * 1000)))
    finally:
        os.close(descriptor)
    return child.poll() is not None


class Processes:
    """Starts processes and ends whatever is still running when the block is left."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._talk: dict[int, IO[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A second Ctrl-C must not leave half of them running.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for child in reversed(self._children.copy()):
                self.stop(child)
        finally:
            signal.signal(signal.SIGINT, before)

    def start(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        worker: bool = False,
    ) -> Child:
        """Start ``argv`` with the repository as working directory.

        A ``worker`` is one of our own helpers: it is given a stdin (whose end tells it to
        leave) and a stdout that is read as lines of JSON.  stderr is kept for :meth:`said`.
        """
        talk = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        child = subprocess.Popen(
            list(argv),
            cwd=ROOT,
            env={**os.environ, **environment} if environment else None,
            stdin=subprocess.PIPE if worker else subprocess.DEVNULL,
            stdout=subprocess.PIPE if worker else talk,
            stderr=talk,
            start_new_session=True,
        )
        self._children.append(child)
        self._talk[child.pid] = talk
        return child

    def worker(self, script: str, *arguments: object) -> Child:
        """Start one of the scripts of this directory with this interpreter."""
        argv = [sys.executable, str(HERE / script), *(str(value) for value in arguments)]
        return self.start(argv, worker=True)

    def read_answer(self, child: Child, limit: float) -> dict[str, Any]:
        """The next line of JSON from a worker.

        Raises ProcessWedgedError after ``limit`` seconds (the worker is killed) and
        ProcessFailedError when it ended without an answer.
        """
        assert child.stdout is not None
        waiter = select.poll()
        waiter.register(child.stdout, select.POLLIN)
        if not waiter.poll(int(limit * 1000)):
            self.stop(child)
            raise ProcessWedgedError(f"no result within {limit:g} s")
        line = child.stdout.readline()
        if not line:
            ended_within(child, 5)
            raise ProcessFailedError(self.said(child) or f"ended with exit {child.poll()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ProcessFailedError(str(answer["error"]))
        return answer

    def run(self, script: str, *arguments: object, limit: float) -> dict[str, Any]:
        """Run a worker to its one answer."""
        child = self.worker(script, *arguments)
        try:
            return self.read_answer(child, limit)
        finally:
            self.stop(child)

    def said(self, child: Child) -> str:
        """The last line ``child`` wrote to stderr, or nothing."""
        talk = self._talk.get(child.pid)
        if talk is None:
            return ""
        # pread: the offset is shared with the child, which may still be writing.
        text = os.pread(talk.fileno(), 65536, 0).decode("utf-8", "replace").strip()
        return text.splitlines()[-1] if text else ""

    def stop(self, child: Child, grace: float = 3.0) -> None:
        """End ``child``: its stdin's end or SIGTERM, then after ``grace`` seconds SIGKILL."""
        if child.stdin is not None:
            child.stdin.close()
        elif child.poll() is None:
            child.terminate()
        if not ended_within(child, grace):
            child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
        talk = self._talk.pop(child.pid, None)
        if talk is not None:
            talk.close()
        if child in self._children:
            self._children.remove(child)
