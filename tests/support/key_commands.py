"""``netkit key`` in this process: a text on standard input, a person at the terminal or nobody."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from support.cli import Outcome, run_cli
from support.prompts import Person


class Terminal(Person):
    """A terminal with a person at it, or none where there are no answers."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        answers = list(secrets)
        super().__init__(answers)
        self.is_there = bool(answers)

    def has_terminal(self) -> bool:
        return self.is_there

    def cancel(self) -> None:
        """Nothing waits."""


class Keys:
    """Runs ``netkit key`` in a directory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self.monkeypatch = monkeypatch
        self.directory = directory
        self.terminal = Terminal()
        monkeypatch.setenv("HOME", str(directory))
        monkeypatch.chdir(directory)

    def run(self, *argv: str | Path, stdin: str = "", typed: Iterable[str] = ()) -> Outcome:
        """Run ``netkit key ARGV``; ``typed`` are the answers of the person at the terminal."""
        self.terminal = Terminal(typed)
        for module in ("files", "install"):
            self.monkeypatch.setattr(
                f"netkit.cli.key.{module}.TerminalPrompter", lambda: self.terminal
            )
        read, write = os.pipe()
        os.write(write, stdin.encode())
        os.close(write)
        with os.fdopen(read, "r") as file, self.monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", file)
            return run_cli("key", *map(str, argv))
