"""Service managers made of scripts: they note how they are called and answer what a test says."""

from __future__ import annotations

import shlex
from pathlib import Path

_SCRIPT = """#!/bin/sh
echo "{name} $*" >> {calls}
case "$*" in
{cases}
*) ;;
esac
"""


class FakeManagers:
    """Programs in a folder that is to be the only one on PATH."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._calls = folder / "calls"
        self._calls.touch()
        self._cases: dict[str, list[str]] = {}

    def add(self, name: str) -> None:
        """Have a program that agrees to all."""
        self._cases[name] = []
        self._write(name)

    def answer(self, name: str, pattern: str, text: str = "", status: int = 0) -> None:
        """Answer calls that a pattern of the shell fits; what is said last goes first."""
        stream = ">&2" if status else ""
        case = f"{pattern}) printf '%s' {shlex.quote(text)} {stream}; exit {status};;"
        self._cases[name].insert(0, case)
        self._write(name)

    def _write(self, name: str) -> None:
        file = self.folder / name
        cases = "\n".join(self._cases[name])
        calls = shlex.quote(str(self._calls))
        file.write_text(_SCRIPT.format(name=name, calls=calls, cases=cases))
        file.chmod(0o755)

    def calls(self) -> list[str]:
        """Return what was called since the last time."""
        lines = self._calls.read_text().splitlines()
        self._calls.write_text("")
        return lines
