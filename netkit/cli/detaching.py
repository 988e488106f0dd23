"""``--detach``: the tunnel goes on without the terminal, as with ``ssh -f``.

The command starts itself once more and waits.  The second process asks its questions on the same
terminal; when everything listens it takes a session of its own, writes to a log from then on, and
says so through a pipe, upon which the first one ends.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from netkit.cli.main import PROGRAM
from netkit.desktop.instance import lock_path, running, state_folder
from netkit.errors import NetkitError, UsageError
from netkit.model import Fix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import FrameType

    from netkit.cli.output import Output
    from netkit.cli.services import TunnelLike
    from netkit.model import Plan

F = TypeVar("F", bound="Callable[..., Any]")

_VARIABLE: Final = "NETKIT_DETACH_TO"
"""Holds the descriptor of the pipe, for the second process alone."""

MAX_LOG: Final = 1 << 20
"""Bytes of a log; then it becomes ``NAME.log.1``."""

detach_option = click.option(
    "--detach", is_flag=True, help="Go on in the background once everything listens (ssh -f)."
)


class Detacher:
    """In the second process: lets go of the terminal when all tunnels are up or have failed.

    A companion of each tunnel; ``failed`` is told of those that did not come about.
    """

    def __init__(self, pipe: int, names: Sequence[str]) -> None:
        """``pipe`` is told; ``names`` are what the tunnels would like to be called."""
        self._pipe = pipe
        self._names = names
        self._left = len(names)
        self._code = 0
        self._lock = threading.Lock()

    def up(self, _tunnel: TunnelLike, _plan: Plan, _end: Callable[[], None]) -> None:
        """One more listens."""
        self._settled()

    def down(self) -> None:
        """It is over."""

    def failed(self, code: int) -> None:
        """One did not come about."""
        self._code = self._code or code
        self._settled()

    def _settled(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._let_go()

    def _let_go(self) -> None:
        if sys.platform == "win32":
            return
        with contextlib.suppress(OSError):  # it is a session of its own already
            os.setsid()
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stdout.flush()
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.close(nothing)
        sys.stdout = sys.stderr = LogStream(log_path(*_names(os.getpid(), self._names)))
        with contextlib.suppress(OSError):  # nobody waits any more
            os.write(self._pipe, f"{self._code}\n".encode())
        os.close(self._pipe)


class LogStream(io.TextIOBase):
    """Standard output and error of a tunnel without a terminal: lines with their time, in a file.

    The file is the user's alone (0600), and at `MAX_LOG` bytes takes the place of the one before
    it.  What cannot be written is lost: the tunnel goes on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._at_start = True
        self._size = 0
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = os.open(self._path, flags, 0o600)
        except OSError:
            made = os.open(os.devnull, os.O_WRONLY)
        self._size = os.fstat(made).st_size
        os.dup2(made, 1)  # also for programs of ours, as a ProxyCommand
        os.dup2(made, 2)
        os.close(made)

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """Return the descriptor, that of standard error."""
        return 2

    def write(self, text: str) -> int:
        """Write text, each line of it with the time."""
        with self._lock:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z ")
            out = []
            for line in text.splitlines(keepends=True):
                out.append(stamp + line if self._at_start else line)
                self._at_start = line.endswith("\n")
            data = "".join(out).encode("utf-8", "backslashreplace")
            if self._size + len(data) > MAX_LOG:
                with contextlib.suppress(OSError):
                    self._path.replace(self._path.with_name(f"{self._path.name}.1"))
                self._open()
            with contextlib.suppress(OSError):
                os.write(2, data)
                self._size += len(data)
        return len(text)


def log_path(name: str, *_others: str) -> Path:
    """Return the log of the tunnel ``name`` without a terminal, and of others in its process."""
    return state_folder() / "logs" / lock_path(name).with_suffix(".log").name


def second(names: Sequence[str]) -> Detacher | None:
    """Return what lets go of the terminal, in the second process; None in the first."""
    text = os.environ.pop(_VARIABLE, "")
    if not (text.isascii() and text.isdigit()):
        return None
    try:
        os.set_inheritable(int(text), False)
    except (OSError, OverflowError):  # the variable is not ours
        return None
    return Detacher(int(text), names)


def detach(names: Sequence[str], output: Output) -> int:
    """Start the command once more, and wait until its tunnels are up; return the exit code.

    Raises:
        UsageError: this system has no such thing.
    """
    if sys.platform == "win32":
        raise UsageError(
            "--detach is not for Windows",
            code="not-here",
            cause="a program there cannot leave its console; a scheduled task has none",
            fixes=(Fix((PROGRAM, "service", "install", names[0])),),
        )
    read, write = map(_high, os.pipe())
    try:
        child = subprocess.Popen(  # noqa: S603 - these very words were typed
            [sys.executable, "-P", "-m", "netkit", *sys.argv[1:]],
            env={**os.environ, _VARIABLE: str(write)},
            pass_fds=(write,),
        )
    except OSError as error:
        os.close(read)
        os.close(write)
        raise NetkitError(f"cannot start {sys.executable}: {error.strerror}") from None
    os.close(write)
    with os.fdopen(read, "rb") as pipe, _signals_to(child):
        said = pipe.readline(16).strip()
        if not said:
            return child.wait()
    names = _names(child.pid, names)
    for name in names:
        output.talk(f"{name} runs in the background (process {child.pid})")
        output.talk(f"see it: {PROGRAM} status {name}   end it: {PROGRAM} down {name}")
    output.talk(f"its log is {log_path(*names)}")
    return int(said)


def _names(pid: int, names: Sequence[str]) -> Sequence[str]:
    """Return what a process' tunnels are called: a further one through a gateway has a number."""
    return [each.name for each in running() if each.pid == pid] or names


def _high(descriptor: int) -> int:
    """Return a descriptor beside the standard streams, some of which may be closed."""
    low = []
    while descriptor <= 2:
        low.append(descriptor)
        descriptor = os.dup(descriptor)
    for each in low:
        os.close(each)
    return descriptor


@contextlib.contextmanager
def _signals_to(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave it to the second process what Ctrl-C and the like do: it ends, and so do we."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):
            child.send_signal(number)

    before = {
        number: signal.signal(number, pass_on)
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
