"""``netkit doctor --fix``: offers each command, runs what is confirmed, looks whether it helped.

The only place where the doctor changes anything, and only what was confirmed, on this machine.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from diagnostics.model import Finding, Report, Severity
from diagnostics.parsers.text import clean
from netkit.cli.again import SAME
from netkit.cli.main import PROGRAM
from netkit.errors import UsageError
from netkit.model import Fix

if TYPE_CHECKING:
    from netkit.cli.output import Output

_YES = {"y", "yes"}
_QUIT = {"q", "quit"}


class Person(Protocol):
    """Whom to ask; `netkit.cli.terminal.TerminalPrompter` is one."""

    def has_terminal(self) -> bool: ...
    def answer(self, prompt: str, /) -> str | None: ...


class Mender:
    """Goes through the findings of a report with the user."""

    def __init__(
        self,
        output: Output,
        prompter: Person,
        still_there: Callable[[str], bool | None],
        *,
        dry_run: bool = False,
        run: Callable[[tuple[str, ...]], int | None] | None = None,
    ) -> None:
        """Ask through ``prompter``; ``still_there`` examines a code again after its fix.

        ``run`` carries out a command and returns its status, None where it cannot be run.
        """
        self._output = output
        self._prompter = prompter
        self._still_there = still_there
        self._dry_run = dry_run
        self._run = run or _run

    def mend(self, report: Report) -> None:
        """Offer the commands for everything that is worth mending.

        Raises:
            UsageError: there is nobody to confirm.
        """
        found = [each for each in report.findings if each.severity.rank >= Severity.WARNING.rank]
        offers = [(finding, usable(finding)) for finding in found]
        offers = [(finding, fixes) for finding, fixes in offers if fixes]
        if not offers:
            self._output.data("nothing here can be mended by a command on this machine")
            return
        if self._dry_run:
            for finding, fixes in offers:
                for fix in fixes:
                    self._output.data(f"{finding.code}: would offer: {_shown(fix)}")
            return
        if not self._prompter.has_terminal():
            raise UsageError(
                "--fix asks before it runs a command, and there is no terminal",
                code="no-terminal",
                cause="commands are run only when somebody confirms them",
                fixes=(Fix((PROGRAM, "doctor", "--fix", "--dry-run"), note="prints them"),),
            )
        for finding, fixes in offers:
            if not self._offer(finding, fixes):
                return

    def _offer(self, finding: Finding, fixes: tuple[Fix, ...]) -> bool:
        """Offer the commands for one finding until one is run; return False to stop asking."""
        self._output.data(f"{finding.code}: {clean(finding.title, 1000)}")
        for fix in fixes:
            argv = as_admin(fix)
            self._output.data(f"  run:  {clean(shlex.join(argv), 1000)}")
            self._output.data(f"  {_consequences(fix)}")
            answer = (self._prompter.answer("  run it? [y/N/q] ") or "").strip().lower()
            if answer in _QUIT:
                return False
            if answer not in _YES:
                continue
            status = self._run(argv)
            if status != 0:
                said = "could not be run" if status is None else f"ended with {status}"
                self._output.data(f"  it {said}")
                continue
            self._tell_result(finding.code)
            return True
        return True

    def _tell_result(self, code: str) -> None:
        words = {
            True: f"it ran, but {code} is still found",
            False: f"mended: {code} is not found any more",
            None: f"it ran; whether {code} is gone could not be found out",
        }
        self._output.data(f"  {words[self._still_there(code)]}")


def usable(finding: Finding) -> tuple[Fix, ...]:
    """Return the fixes that a command on this machine carries out.

    Not those for the gateway or the network, nor those that only say what to type instead.
    """
    return tuple(
        fix
        for fix in finding.fixes
        if fix.where == "here" and fix.argv and SAME not in fix.argv and fix.argv[0] != PROGRAM
    )


def as_admin(fix: Fix) -> tuple[str, ...]:
    """Return the command with or without sudo, as this user needs it."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root and fix.argv[0] == "sudo":
        return fix.argv[1:]
    if fix.needs_admin and not root and fix.argv[0] != "sudo" and os.name == "posix":
        return ("sudo", *fix.argv)
    return fix.argv


def _consequences(fix: Fix) -> str:
    parts = ["stays after a restart" if fix.persistent else "gone after a restart"]
    if fix.undo:
        parts.append(f"undo: {shlex.join(fix.undo)}")
    else:
        parts.append("netkit knows no command that undoes it")
    if fix.note:
        parts.append(fix.note)
    return clean("; ".join(parts), 1000)


def _shown(fix: Fix) -> str:
    return clean(f"{shlex.join(as_admin(fix))}   ({_consequences(fix)})", 2000)


def _run(argv: tuple[str, ...]) -> int | None:
    """Run a confirmed command on the user's own terminal."""
    program = shutil.which(argv[0])
    if program is None:
        return None
    try:
        return subprocess.run([program, *argv[1:]], check=False).returncode  # noqa: S603 - confirmed
    except OSError:
        return None
