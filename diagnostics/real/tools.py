"""Running the system's own tools: no shell, no input, the C locale, bounded output and time.

A tool runs in a session of its own; when its time is up, everything it started ends with it.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from diagnostics.system import MAX_OUTPUT, ToolOutput

_PIECE = 1 << 16
_TICK = 0.05
"""Seconds between looks at whether a tool that closed nothing has ended."""

_LINGER = 0.2
"""Seconds that output may still come once the tool has ended; a daemon it left keeps the pipe."""

_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")
"""Where tools are that an ordinary user's PATH may lack."""

_WINDOWS = ("System32", r"System32\OpenSSH", r"System32\Wbem", r"System32\WindowsPowerShell\v1.0")
_QUIET = {"LC_ALL": "C", "LANGUAGE": "C", "TERM": "dumb", "NO_COLOR": "1"}


class _Collector:
    """Keeps the first `MAX_OUTPUT` bytes of a stream and forgets the rest."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._room = MAX_OUTPUT

    def add(self, piece: bytes) -> None:
        if self._room > 0:
            self._pieces.append(piece[: self._room])
            self._room -= len(piece)

    def data(self) -> bytes:
        return b"".join(self._pieces)


def search_path(environment: dict[str, str], *, windows: bool) -> list[str]:
    """Return the directories in which tools are looked for: never the current one."""
    named = environment.get("PATH", "").split(";" if windows else ":")
    if windows:
        root = environment.get("SYSTEMROOT") or r"C:\Windows"
        drive = [each for each in named if each[1:2] == ":" or each.startswith("\\\\")]
        return list(dict.fromkeys([*(f"{root}\\{each}" for each in _WINDOWS), *drive]))
    return list(dict.fromkeys([*(each for each in named if each.startswith("/")), *_SBIN]))


def find(name: str, directories: Sequence[str], *, windows: bool) -> tuple[str, str]:
    """Return where a tool is, and why not: ``missing`` or ``denied``."""
    if "/" in name or (windows and "\\" in name):
        candidates = [name]
    else:
        endings = ("",) if not windows or "." in name else (".exe", ".com")
        candidates = [str(Path(each, name + end)) for each in directories for end in endings]
    denied = False
    for candidate in candidates:
        try:
            if not Path(candidate).is_file():
                continue
        except (OSError, ValueError) as error:
            denied = denied or isinstance(error, PermissionError)
            continue
        if os.access(candidate, os.X_OK):
            return candidate, ""
        denied = True
    return "", "denied" if denied else "missing"


def run(argv: tuple[str, ...], timeout: float) -> ToolOutput:
    """Run a tool to its end, or for ``timeout`` seconds."""
    windows = sys.platform == "win32"
    environment = {**os.environ, **_QUIET}
    directories = search_path(environment, windows=windows)
    if not argv:
        return ToolOutput(argv, "missing")
    executable, wrong = find(argv[0], directories, windows=windows)
    if wrong:
        return ToolOutput(argv, wrong)
    environment["PATH"] = os.pathsep.join(directories)
    try:
        process = _start(argv, executable, environment)
    except FileNotFoundError:
        return ToolOutput(argv, "missing")
    except PermissionError:
        return ToolOutput(argv, "denied")
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return ToolOutput(argv, "failed", stderr=str(error).encode("utf-8", "replace"))
    output = _Collector(), _Collector()
    deadline = time.monotonic() + timeout
    try:
        collect = _collect_by_threads if windows else _collect
        ended = collect(process, output, deadline)
    finally:
        _finish(process)
    return ToolOutput(
        argv,
        "ran" if ended else "timed-out",
        process.returncode if ended else None,
        output[0].data(),
        output[1].data(),
    )


def _start(
    argv: tuple[str, ...], executable: str, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return subprocess.Popen(  # noqa: S603 (a list, no shell)
        argv,
        executable=executable,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        bufsize=0,
        start_new_session=sys.platform != "win32",
        creationflags=flags,
    )


def _collect(
    process: subprocess.Popen[bytes], output: tuple[_Collector, _Collector], deadline: float
) -> bool:
    """Read both pipes until the tool has ended; False: its time was up."""
    with selectors.DefaultSelector() as selector:
        for stream, collector in zip(_pipes(process), output, strict=True):
            selector.register(stream, selectors.EVENT_READ, collector)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            ready = selector.select(min(left, _TICK))
            for key, _ in ready:
                if piece := os.read(key.fd, _PIECE):
                    key.data.add(piece)
                else:
                    selector.unregister(key.fileobj)
            if not ready and process.poll() is not None:
                deadline = min(deadline, time.monotonic() + _LINGER)
                if not selector.select(_LINGER):
                    _kill(process)  # what it left running
                    break
    return _has_ended(process, deadline)


def _has_ended(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _collect_by_threads(
    process: subprocess.Popen[bytes], output: tuple[_Collector, _Collector], deadline: float
) -> bool:
    """Do the same where pipes cannot be waited for (Windows)."""

    def drain(stream: IO[bytes], collector: _Collector) -> None:
        while piece := os.read(stream.fileno(), _PIECE):
            collector.add(piece)

    readers = [
        threading.Thread(target=drain, args=each, name="doctor-tool", daemon=True)
        for each in zip(_pipes(process), output, strict=True)
    ]
    for reader in readers:
        reader.start()
    ended = _has_ended(process, deadline)
    if not ended:
        _kill(process)
    for reader in readers:
        reader.join(_LINGER)
    return ended


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout, process.stderr


def _finish(process: subprocess.Popen[bytes]) -> None:
    """Leave no process and no pipe behind."""
    if process.poll() is None:
        _kill(process)
        process.wait()
    for stream in _pipes(process):
        stream.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform != "win32":
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:  # it runs as another user, or is gone
            process.kill()
        return
    root = os.environ.get("SYSTEMROOT") or r"C:\Windows"
    subprocess.run(  # noqa: S603 (a list, no shell)
        [rf"{root}\System32\taskkill.exe", "/T", "/F", "/PID", str(process.pid)],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=2.0,
    )
    process.kill()
