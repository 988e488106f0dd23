"""``--access-log FILE``: one line of JSON for each flow that ended, or could not be carried.

Lines are written on a thread of their own.  A file of more than `MAX_SIZE` bytes becomes
``FILE.1``, and so on to ``FILE.5``; the file is opened anew for what comes together, so that
another program may rotate it as well.  When it cannot be written, that is said once, the tunnel
goes on, and lines are lost until it can.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from netkit.events import Event, FlowClosed, FlowFailed, FlowOpened, Notice
from netkit.observe.fleet import label

MAX_SIZE: Final = 10 << 20
KEPT: Final = 5
_BACKLOG: Final = 10_000
_TOGETHER: Final = 500
_REST: Final = 1.0

Tell = Callable[[Notice], None]


@dataclass(frozen=True, slots=True)
class _Begun:
    when: datetime
    source: str
    target: str


class FlowRecorder:
    """Makes the lines of one tunnel; ``put`` takes them and must not block."""

    def __init__(self, name: str, put: Callable[[dict[str, Any]], None]) -> None:
        self._name = name
        self._put = put
        self._lock = threading.Lock()
        self._begun: dict[int, _Begun] = {}

    def see(self, event: Event) -> None:
        """Note what a flow's end needs of its beginning, and make its line at the end."""
        now = datetime.now(UTC)
        match event:
            case FlowOpened():
                with self._lock:
                    self._begun[event.flow] = _Begun(now, event.source, event.target)
            case FlowClosed():
                with self._lock:
                    begun = self._begun.pop(event.flow, None)
                self._put(self._closed(event, begun or _Begun(now, "", "")))
            case FlowFailed():
                with self._lock:
                    self._begun.pop(event.flow, None)
                self._put(self._failed(event, now))

    def _closed(self, event: FlowClosed, begun: _Begun) -> dict[str, Any]:
        return {
            **self._head(begun.when, event, begun.source, begun.target),
            "bytes_to_gateway": event.bytes_to_gateway,
            "bytes_from_gateway": event.bytes_from_gateway,
            "seconds": round(event.seconds, 3),
            "ended": "error" if event.error else "clean",
            "reason": event.error,
        }

    def _failed(self, event: FlowFailed, now: datetime) -> dict[str, Any]:
        return {
            **self._head(now, event, event.source, event.target),
            "bytes_to_gateway": 0,
            "bytes_from_gateway": 0,
            "seconds": 0.0,
            "ended": event.code or "failed",
            "reason": event.reason,
        }

    def _head(
        self, when: datetime, event: FlowClosed | FlowFailed, source: str, target: str
    ) -> dict[str, Any]:
        return {
            "time": rfc3339(when),
            "tunnel": self._name,
            "forward": label(event.forward),
            "flow": event.flow,
            "source": source,
            "target": target,
        }


def rfc3339(when: datetime) -> str:
    """Return a time of UTC as RFC 3339 has it, with milliseconds."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class AccessLog:
    """Writes lines to a file.  Begun and ended once for every tunnel; the last one ends it."""

    def __init__(self, path: Path, *, max_size: int = MAX_SIZE, kept: int = KEPT) -> None:
        self._path = path
        self._max_size = max_size
        self._kept = kept
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._users = 0
        self._thread: threading.Thread | None = None
        self._tell: Tell = lambda _event: None
        self._lost = 0
        self._is_failing = False
        self._said = False

    def begin(self, tell: Tell) -> None:
        """Begin to write; ``tell`` is given a notice when that fails.  Tries the file at once."""
        with self._lock:
            self._users += 1
            if self._thread is not None:
                return
            self._tell = tell
            self._thread = threading.Thread(target=self._run, name="netkit-access-log", daemon=True)
            self._write([])
            self._thread.start()

    def put(self, line: dict[str, Any]) -> None:
        """Take a line to write; never blocks."""
        if self._queue.qsize() >= _BACKLOG:
            self._lost += 1
        else:
            self._queue.put(line)

    def end(self) -> None:
        """Write the rest, for a second at most, when the last tunnel ends."""
        with self._lock:
            self._users -= 1
            thread = self._thread if self._users <= 0 else None
            if thread is None:
                return
            self._thread = None
        self._queue.put(None)
        thread.join(_REST)

    def _run(self) -> None:
        going = True
        while going:
            lines = [self._queue.get()]
            with contextlib.suppress(queue.Empty):
                while len(lines) < _TOGETHER:
                    lines.append(self._queue.get_nowait())
            going = None not in lines
            self._write([line for line in lines if line is not None])

    def _write(self, lines: list[dict[str, Any]]) -> None:
        data = "".join(f"{json.dumps(line)}\n" for line in lines).encode("ascii")
        try:
            _append(self._path, data, self._max_size, self._kept)
        except (OSError, ValueError) as error:
            self._lost += len(lines)
            self._failed(getattr(error, "strerror", None) or str(error))
            return
        if self._is_failing and lines:
            self._is_failing = False
            self._tell(
                Notice(
                    code="access-log-again",
                    text=f"{self._path} can be written again; {self._lost} lines were lost",
                )
            )
            self._lost = 0

    def _failed(self, reason: str) -> None:
        self._is_failing = True
        if self._said:
            return
        self._said = True
        self._tell(
            Notice(
                code="access-log-failed",
                text=f"the access log {self._path} cannot be written: {reason}; the tunnel goes on"
                " without it",
            )
        )


def _append(path: Path, data: bytes, max_size: int, kept: int) -> None:
    """Add whole lines to the file, which is 0600; rotate it first when it would grow too large.

    Raises:
        OSError: it cannot be written; none of ``data`` is in it.
    """
    descriptor = _open(path)
    try:
        size = os.fstat(descriptor).st_size
        if size and size + len(data) > max_size:
            os.close(descriptor)
            descriptor = -1
            _rotate(path, kept)
            descriptor = _open(path)
            size = os.fstat(descriptor).st_size
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError:
            with contextlib.suppress(OSError):  # half a line helps nobody
                os.ftruncate(descriptor, size)
            raise
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _open(path: Path) -> int:
    # a pipe without a reader would make the open wait
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no regular file")
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _rotate(path: Path, kept: int) -> None:
    for number in range(kept - 1, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}.{number}").replace(f"{path}.{number + 1}")
    path.replace(f"{path}.1")
