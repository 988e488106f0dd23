"""Single keys of a terminal, as words: ``a``, ``up``, ``enter``."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

_SEQUENCES: Final = {
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1b[C": "right",
    b"\x1b[D": "left",
    b"\x1bOA": "up",
    b"\x1bOB": "down",
    b"\x1bOC": "right",
    b"\x1bOD": "left",
}
_SINGLE: Final = {
    b"\r": "enter",
    b"\n": "enter",
    b"\t": "tab",
    b"\x7f": "backspace",
    b"\x08": "backspace",
    b"\x1b": "escape",
}
_WINDOWS: Final = {"H": "up", "P": "down", "M": "right", "K": "left"}

_ESCAPE_TIME: Final = 0.05
"""Seconds after which an escape that nothing follows was the key."""


def decode(data: bytes) -> list[str]:
    """Return the keys that a terminal sent; what is no key of ours is left out."""
    keys = []
    while data:
        found = next((each for each in _SEQUENCES if data.startswith(each)), None)
        if found is not None:
            keys.append(_SEQUENCES[found])
            data = data[len(found) :]
        elif data.startswith((b"\x1b[", b"\x1bO")):
            data = _behind(data)
        elif data[:1] in _SINGLE:
            keys.append(_SINGLE[data[:1]])
            data = data[1:]
        else:
            length = _length(data[0])
            with contextlib.suppress(UnicodeDecodeError):
                text = data[:length].decode()
                keys += [text] if text.isprintable() else []
            data = data[length:]
    return keys


def _behind(data: bytes) -> bytes:
    """Return what follows a control sequence (ECMA-48 section 5.4)."""
    for at in range(2, len(data)):
        if 0x40 <= data[at] <= 0x7E:
            return data[at + 1 :]
    return b""


def _length(first: int) -> int:
    """Return how many bytes a character has by its first one (RFC 3629)."""
    return 4 if first >= 0xF0 else 3 if first >= 0xE0 else 2 if first >= 0xC0 else 1


class Keyboard:
    """The keys of the terminal on standard input, one at a time, without echo."""

    def __init__(self) -> None:
        self._saved: list[Any] | None = None

    if sys.platform == "win32":
        import msvcrt

        def enter(self) -> None:
            """Nothing is to be set."""

        def leave(self) -> None:
            """Nothing was."""

        def read(self, seconds: float, wake: int | None = None) -> list[str]:  # noqa: ARG002
            """Return the keys that were pressed within ``seconds``, as soon as there is one."""
            until = time.monotonic() + seconds
            while not self.msvcrt.kbhit():
                left = until - time.monotonic()
                if left <= 0:
                    return []
                threading.Event().wait(min(left, 0.05))  # select() there knows sockets alone
            first = self.msvcrt.getwch()
            if first in ("\0", "\xe0"):
                return [key] if (key := _WINDOWS.get(self.msvcrt.getwch())) else []
            if first == "\x03":
                raise KeyboardInterrupt
            return decode(first.encode())

    else:
        import termios
        import tty

        def enter(self) -> None:
            """Have the terminal give single keys; Ctrl-C and Ctrl-Z stay what they are."""
            if self._saved is None:
                self._saved = self.termios.tcgetattr(0)
                self.tty.setcbreak(0)

        def leave(self) -> None:
            """Give the terminal back as it was.  Idempotent."""
            saved, self._saved = self._saved, None
            if saved is not None:
                with contextlib.suppress(self.termios.error):
                    self.termios.tcsetattr(0, self.termios.TCSADRAIN, saved)

        def read(self, seconds: float, wake: int | None = None) -> list[str]:
            """Return the keys that were pressed within ``seconds``, as soon as there is one.

            ``wake`` is a descriptor that ends the wait.

            Raises:
                EOFError: the terminal is gone.
            """
            watched = [0] if wake is None else [0, wake]
            ready, _, _ = select.select(watched, [], [], seconds)
            if 0 not in ready:
                return []
            data = os.read(0, 1024)
            if not data:
                raise EOFError
            if data == b"\x1b" and select.select([0], [], [], _ESCAPE_TIME)[0]:
                data += os.read(0, 1024)
            return decode(data)


@contextlib.contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Have a keyboard, and give it back whatever happens."""
    made = Keyboard()
    made.enter()
    try:
        yield made
    finally:
        made.leave()
