"""Passphrases of key files: asked on the terminal, or read from standard input a line each."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from netkit.errors import KeyFileError, UsageError
from netkit.model import Fix

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from netkit.prompt import Prompter

    T = TypeVar("T")

TRIES = 3
_LONGEST = 4096
"""Bytes of one line, as a terminal in line mode gives (termios(3))."""


class StdinLines:
    """Lines of standard input, read from the descriptor so that nothing waits for more."""

    def __init__(self) -> None:
        self._rest = b""

    def next(self, what: str) -> str:
        """Return the next line, which ``what`` names in errors.

        Raises:
            UsageError: it is a terminal, closed, at its end, too long, empty, or no UTF-8.
        """
        if sys.stdin is None or sys.stdin.closed:
            raise _nothing(what, "standard input is closed")
        if sys.stdin.isatty():
            raise _nothing(what, "standard input is a terminal, which would show it")
        while b"\n" not in self._rest and len(self._rest) <= _LONGEST and (more := _read()):
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        line = line.removesuffix(b"\r")
        if len(line) > _LONGEST:
            raise _nothing(what, f"the line is longer than {_LONGEST} bytes")
        if not line:
            raise _nothing(what, "there is no line for it on standard input, or it is empty")
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            raise _nothing(what, "it is not UTF-8 text") from None


def _read() -> bytes:
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):  # replaced by an object, as in a notebook
        return sys.stdin.buffer.readline(_LONGEST + 2)
    try:
        return os.read(descriptor, _LONGEST)
    except OSError:
        return b""


def _nothing(what: str, reason: str) -> UsageError:
    return UsageError(
        f"standard input gives no {what}", code="no-passphrase-on-stdin", cause=reason
    )


def ask_new(prompter: Prompter, what: str, command: str) -> str | None:
    """Ask twice for a passphrase for ``what``; None for an empty one.

    ``command`` is the word behind ``netkit key``, for advice.

    Raises:
        UsageError: ``no-passphrase``: nobody answered, or the two never were the same.
    """
    for _ in range(TRIES):
        first = prompter.secret(f"Passphrase for {what} (empty for none):")
        second = first and prompter.secret("The same once more:")
        if first is None or second is None:
            break
        if first == second:
            return first or None
        prompter.show("They differ; once more.")
    raise UsageError(
        f"no passphrase was given for {what}",
        code="no-passphrase",
        cause="the two answers differ, or nobody answered",
        fixes=_without_asking(command),
    )


def nobody_to_ask(what: str, command: str) -> UsageError:
    """Return the error for a new passphrase and no terminal; ``command`` as in `ask_new`."""
    return UsageError(
        f"there is no terminal to ask for a passphrase for {what}",
        code="no-passphrase",
        cause="say how it is given, or that there is none",
        fixes=_without_asking(command),
    )


def _without_asking(command: str) -> tuple[Fix, ...]:
    stdin = "--passphrase-stdin" if command == "new" else "--new-passphrase-stdin"
    again = ("netkit", "key", command, "...")
    return (Fix((*again, stdin)), Fix((*again, "--no-passphrase"), note="if none is wanted"))


def unlock(
    open_with: Callable[[str], T], ask: Callable[[], str | None], nobody: KeyFileError
) -> tuple[T, str]:
    """Return what ``open_with`` makes of the right passphrase, and the passphrase.

    ``ask`` is called a few times until one is right.

    Raises:
        KeyFileError: ``nobody`` where no answer came; else why it does not open.
    """
    wrong: KeyFileError | None = None
    for _ in range(TRIES):
        answer = ask()
        if not answer:
            break
        try:
            return open_with(answer), answer
        except KeyFileError as error:
            if error.code != "key-wrong-passphrase":
                raise
            wrong = error
    raise wrong or nobody
