"""``python -m netkit.cli.clients.hidden``: netkit without a window, as shortcuts start it.

What it says goes to a log, and a failure to the notifications of the desktop.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

FILE = "hidden.log"
MAX_LOG = 256 * 1024
"""Bytes after which the log begins anew."""


def main(argv: Sequence[str]) -> int:
    """Run the command line ``argv`` and return the exit code."""
    path = _open_log()
    at = path.stat().st_size if path else 0
    from netkit.cli.main import run

    code = run(argv)
    if code not in (0, 130):
        _notify(" ".join(["netkit", *argv[:2]]), _first_line(path, at))
    return code


def _open_log() -> Path | None:
    """Make both streams a file; return it, or None when there is nothing to write to."""
    import platformdirs

    folder = Path(platformdirs.user_state_dir("netkit", appauthor=False))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / FILE
        if path.exists() and path.stat().st_size > MAX_LOG:
            flags |= os.O_TRUNC
        descriptor = os.open(path, flags, 0o600)
    except OSError:
        path, descriptor = None, os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError):  # without a console there may be no such descriptors
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
    sys.stdout = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)
    sys.stderr = sys.stdout
    sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - as long as the process
    return path


def _first_line(path: Path | None, at: int) -> str:
    """Return the first line of the error that ended the run."""
    if path is None:
        return ""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(at)
        lines = file.read(MAX_LOG).decode("utf-8", "replace").splitlines()
        errors = [line for line in lines if line.startswith("netkit: ") and line.endswith("]")]
        return errors[-1].removeprefix("netkit: ") if errors else ""
    return ""


def _notify(title: str, text: str) -> None:
    from netkit import programs

    if sys.platform == "darwin":
        script = (
            "on run argv",
            "display notification (item 2 of argv) with title (item 1 of argv)",
            "end run",
        )
        words = [word for line in script for word in ("-e", line)]
        programs.run(("osascript", *words, title, text), timeout=5)
    elif (notify := programs.find("notify-send")) is not None:
        programs.run((notify, "--app-name=netkit", "--", title, text), timeout=5)


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(ended)  # a thread that is stuck must not keep it
