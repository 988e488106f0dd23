"""Finding, starting, watching and ending the program that shows a desktop or a page."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netkit import programs
from netkit.desktop.clients import Client, Desktop, Leaves, View, clients_for, name_of
from netkit.desktop.rdp_file import encode_rdp, format_rdp, rdp_settings
from netkit.files import write_private

GRACE = 1.5
"""Seconds that a client gets to close its window before it is killed."""

GONE_ON = 10.0
"""A client that ends within these seconds, and well, has handed its work to another process."""


def this_desktop() -> Desktop:
    """Return what is in front of the person who runs this process."""
    names = {"win32": "windows", "darwin": "darwin"}
    terminal = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    return Desktop(
        os="linux" if sys.platform.startswith("linux") else names.get(sys.platform, sys.platform),
        x11=bool(os.environ.get("DISPLAY")),
        wayland=bool(os.environ.get("WAYLAND_DISPLAY")),
        terminal=terminal,
        browser=os.environ.get("BROWSER", "")[:1000],
    )


@dataclass(frozen=True, slots=True)
class Found:
    """A client that is installed, and the path of its program."""

    client: Client
    program: str

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return self.client.name if self.client.needs else name_of(self.program)


def find_client(view: View, desktop: Desktop) -> Found | None:
    """Return the best client that is installed here, None if none is."""
    for client in clients_for(view.kind, desktop):
        if client.needs and not any(Path(each).exists() for each in client.needs):
            continue
        program = programs.find(*client.programs)
        if program is not None:
            return Found(client, program)
    return None


class Running:
    """A started client.

    Attributes:
        argv: what was started.
        pid: of the process.
    """

    def __init__(self, found: Found, view: View, *, terminal: bool) -> None:
        """Start it.  With a ``terminal`` it may ask there, where the client does so.

        Raises:
            OSError: the system does not start it.
            UsageError: the ``.rdp`` file cannot be written.
        """
        self.client = found.client
        self._folder: Path | None = None
        file = ""
        if found.client.wants_file(view):
            self._folder = Path(tempfile.mkdtemp(prefix="netkit-"))
            file = str(self._folder / "netkit.rdp")
        try:
            if file:
                text = format_rdp(rdp_settings(view))
                write_private(Path(file), encode_rdp(text, windows=sys.platform == "win32"))
            self.argv = (found.program, *found.client.words(view, file))
            # A process group in the background could not read from the terminal.
            self._grouped = not (terminal and found.client.asks)
            self._process = _start(self.argv, grouped=self._grouped)
        except BaseException:
            self._remove_file()
            raise
        self.pid = self._process.pid

    def wait(self) -> int:
        """Wait until it ends and return its exit status; negative for a signal."""
        return self._process.wait()

    def end(self) -> None:
        """Ask it to end, then make it; remove what was written for it.  Idempotent."""
        if self._process.poll() is None:
            self._ask()
            try:
                self._process.wait(GRACE)
            except subprocess.TimeoutExpired:
                self._kill()
                self._process.wait()
        self._remove_file()

    def _ask(self) -> None:
        if sys.platform == "win32":
            # closes its windows, as a click on the cross does
            programs.run(("taskkill", "/PID", str(self.pid)), timeout=GRACE)
        else:
            self._signal(signal.SIGTERM)

    def _kill(self) -> None:
        if sys.platform == "win32":
            self._process.kill()
        else:
            self._signal(signal.SIGKILL)

    if sys.platform != "win32":

        def _signal(self, number: int) -> None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if self._grouped:
                    os.killpg(self.pid, number)
                else:
                    self._process.send_signal(number)

    def _remove_file(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def has_gone_on(client: Client, status: int, seconds: float) -> bool:
    """Tell whether a client that ended after ``seconds`` still shows its window."""
    if client.leaves is Leaves.PERHAPS:
        return status == 0 and seconds < GONE_ON
    return client.leaves is Leaves.ALWAYS


def _start(argv: Sequence[str], *, grouped: bool) -> subprocess.Popen[bytes]:
    """Start ``argv``; standard output is ours to write to, so it gets standard error for both."""
    said = _standard_error()
    return subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL if grouped else None,
        stdout=said,
        stderr=said,
        start_new_session=grouped and sys.platform != "win32",
    )


def _standard_error() -> int:
    """Return the descriptor of standard error, or of nothing where that is closed."""
    try:
        os.fstat(2)
    except OSError:
        return subprocess.DEVNULL
    return 2
