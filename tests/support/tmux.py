"""A real terminal: tmux without its user's configuration, driven and read by tests."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.peers import require
from support.waiting import wait_until


class Terminal:
    """A shell in a terminal."""

    def __init__(self, server: Path, variables: dict[str, str]) -> None:
        self._tmux: list[str] = [str(require("tmux")), "-S", str(server), "-f", "/dev/null"]
        self._variables = variables

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [*self._tmux, *words],
            env=self._variables,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return str(done.stdout)

    def start(self, width: int, height: int) -> None:
        """Start the shell, whose prompt is ``$ ``."""
        size = ("-x", str(width), "-y", str(height))
        self._run("new-session", "-d", *size, "env PS1='$ ' sh")
        self.sees("$ ")

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names of them."""
        self._run("send-keys", *names)

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._run("send-keys", "-l", text)

    def enter(self, text: str) -> None:
        """Type a line."""
        self.type(text)
        self.keys("Enter")

    def resize(self, width: int, height: int) -> None:
        """Make it another size."""
        self._run("resize-window", "-x", str(width), "-y", str(height))

    @property
    def screen(self) -> str:
        """What is on it."""
        return self._run("capture-pane", "-p", "-J")

    @property
    def is_alternate(self) -> bool:
        """Whether a program has taken the whole of it."""
        return self._run("display-message", "-p", "#{alternate_on}").strip() == "1"

    def sees(self, text: str, timeout: float = 20.0) -> None:
        """Wait until ``text`` is on it."""
        wait_until(lambda: text in self.screen, timeout=timeout, what=f"{text!r}:\n{self.screen}")

    def sees_not(self, text: str, timeout: float = 20.0) -> None:
        """Wait until ``text`` is no more on it."""
        wait_until(lambda: text not in self.screen, timeout=timeout, what=f"no {text!r}")

    def leaves(self) -> None:
        """Wait until the program that has taken the whole of it has given it back."""
        wait_until(lambda: not self.is_alternate, timeout=20, what="the shell's screen")

    def stop(self) -> None:
        """End it with everything in it."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("kill-server")


@contextlib.contextmanager
def terminal(
    folder: Path, variables: dict[str, str], width: int = 150, height: int = 40
) -> Iterator[Terminal]:
    """Have a terminal whose server's socket is in ``folder``, a short path."""
    made = Terminal(folder / "tmux", {**variables, "TERM": "xterm-256color"})
    made.start(width, height)
    try:
        yield made
    finally:
        made.stop()
