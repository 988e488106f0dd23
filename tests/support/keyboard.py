"""A person at a terminal: types, and reads what appears."""

from __future__ import annotations

import os
import select
import time


class Keyboard:
    """The master side of a terminal; ``screen`` is what appeared and was not waited for."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self.screen = b""

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._terminal, text.encode() + b"\r")

    def wait_for(self, text: str, timeout: float = 20.0) -> None:
        """Wait until ``text`` appears after what was waited for before, or fail."""
        wanted = text.encode()
        deadline = time.monotonic() + timeout
        while wanted not in self.screen:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._terminal], [], [], max(0.0, left))
            assert ready, f"{text!r} did not appear:\n{self.screen!r}"
            self.screen += os.read(self._terminal, 4096)
        self.screen = self.screen.partition(wanted)[2]
