"""Questions to the person at the controlling terminal, and the password on standard input.

Prompts go to /dev/tty, so that redirected streams neither hide nor answer them; without a
terminal nothing is asked.  The answers are read by hand and not by ``getpass`` because another
thread must be able to end the wait: Ctrl-C ends a prompt at once, with echo restored.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from typing import TYPE_CHECKING

from netkit.cli.render import clean, clean_text
from netkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netkit.prompt import HostKeyQuestion

_LONGEST_ANSWER = 4096
"""Bytes of one answer; a terminal in line mode gives no more (termios(3))."""


class TerminalPrompter:
    """Asks on the controlling terminal; every method returns a refusal when there is none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._wakers: set[int] = set()

    def cancel(self) -> None:
        """End the question that waits, and refuse later ones; callable from any thread."""
        with self._lock:
            self._cancelled = True
            for waker in self._wakers:
                os.write(waker, b"x")

    @staticmethod
    def has_terminal() -> bool:
        """Tell whether there is anybody to ask."""
        if sys.platform == "win32":
            return sys.stdin is not None and sys.stdin.isatty()
        try:
            os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        except OSError:
            return False
        return True

    def secret(self, prompt: str) -> str | None:
        """Ask without echo; ``None`` without a terminal or when cancelled."""
        return self._ask(clean(prompt) + " ", echo=False)

    def answer(self, prompt: str) -> str | None:
        """Ask with echo; ``None`` without a terminal or when cancelled."""
        return self._ask(clean(prompt) + " ", echo=True)

    def show(self, text: str) -> None:
        """Show what the gateway says, without the control characters it may hold."""
        shown = clean_text(text).strip("\n")
        if shown:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.stderr.write(shown + "\n")
                sys.stderr.flush()

    def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask as ssh does: ``yes``, ``no``, or the fingerprint as known from elsewhere."""
        prompt = host_key_text(question)
        while True:
            answer = self._ask(prompt, echo=True)
            if answer is None:
                return False
            given = answer.strip()
            if given.lower() == "yes" or given == question.fingerprint:
                return True
            if given.lower() == "no":
                return False
            prompt = "Please type 'yes', 'no' or the fingerprint: "

    def _ask(self, prompt: str, *, echo: bool) -> str | None:
        if self._cancelled:
            return None
        if sys.platform == "win32":
            return _ask_windows(prompt, echo=echo)
        return self._ask_tty(prompt, echo=echo)

    if sys.platform != "win32":

        def _ask_tty(self, prompt: str, *, echo: bool) -> str | None:
            try:
                tty = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
            except OSError:
                return None
            try:
                with self._waker() as wake, _echo(tty, on=echo):
                    _write_all(tty, prompt)
                    return self._read_line(tty, wake)
            except OSError:  # the terminal hung up
                return None
            finally:
                os.close(tty)

        @contextlib.contextmanager
        def _waker(self) -> Iterator[int]:
            """Yield a descriptor that becomes readable when ``cancel`` is called."""
            read, write = os.pipe()
            try:
                with self._lock:
                    self._wakers.add(write)
                    if self._cancelled:
                        os.write(write, b"x")
                yield read
            finally:
                with self._lock:
                    self._wakers.discard(write)
                os.close(read)
                os.close(write)

        def _read_line(self, tty: int, wake: int) -> str | None:
            data = b""
            while not data.endswith(b"\n") and len(data) < _LONGEST_ANSWER:
                ready, _, _ = select.select([tty, wake], [], [])
                if wake in ready:
                    return None
                more = os.read(tty, _LONGEST_ANSWER - len(data))
                if not more:  # Ctrl-D
                    break
                data += more
            if not data:
                return None
            return data.rstrip(b"\r\n").decode("utf-8", "surrogateescape")


if sys.platform != "win32":
    import termios

    @contextlib.contextmanager
    def _echo(tty: int, *, on: bool) -> Iterator[None]:
        """Keep the terminal's echo off meanwhile, unless ``on``."""
        if on:
            yield
            return
        before = termios.tcgetattr(tty)
        quiet = list(before)
        quiet[3] &= ~termios.ECHO
        termios.tcsetattr(tty, termios.TCSAFLUSH, quiet)
        try:
            yield
        finally:
            termios.tcsetattr(tty, termios.TCSAFLUSH, before)
            _write_all(tty, "\n")

    def _write_all(tty: int, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(tty, data) :]


def _ask_windows(prompt: str, *, echo: bool) -> str | None:
    """Ask on the console; Ctrl-C arrives as a character there and becomes KeyboardInterrupt."""
    import getpass

    if sys.stdin is None or not sys.stdin.isatty():
        return None
    try:
        if not echo:
            return getpass.getpass(prompt)
        sys.stderr.write(prompt)
        sys.stderr.flush()
        return sys.stdin.readline(_LONGEST_ANSWER).rstrip("\r\n")
    except EOFError:
        return None


def host_key_text(question: HostKeyQuestion) -> str:
    """Return the question about an unknown host key: fingerprint, random art, what to answer."""
    name = clean(question.host)
    address = clean(question.address)
    who = f"{name} ({address})" if address and address != name else name
    return "\n".join(
        [
            f"The authenticity of host '{who}' can't be established.",
            f"{clean(question.key_type)} key fingerprint is {clean(question.fingerprint)}",
            *(clean(line) for line in question.randomart.splitlines()),
            "Compare it with `ssh-keygen -lv -f /etc/ssh/ssh_host_…_key.pub` on the gateway.",
            "Trust it and remember it (yes/no/[fingerprint])? ",
        ]
    )


def read_password() -> str:
    """Read the one line that ``--password-stdin`` promises.

    Raises:
        UsageError: standard input is a terminal, closed, empty, longer than 4 KiB, or no UTF-8.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise _no_password("standard input is closed")
    if sys.stdin.isatty():
        raise _no_password("standard input is a terminal, which would show it")
    line = _first_line()
    if len(line) > _LONGEST_ANSWER:
        raise _no_password(f"the line is longer than {_LONGEST_ANSWER} bytes")
    text = line.rstrip(b"\r\n")
    if not text:
        raise _no_password("standard input is empty")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise _no_password("it is not UTF-8 text") from None


def _first_line() -> bytes:
    """Return standard input up to the first line end.

    Read from the descriptor: a thread that waits inside the buffered reader would hold its lock,
    and the interpreter could not exit.
    """
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):  # replaced by an object, as in a notebook
        return sys.stdin.buffer.readline(_LONGEST_ANSWER + 2)
    data = b""
    while b"\n" not in data and len(data) <= _LONGEST_ANSWER:
        try:
            more = os.read(descriptor, _LONGEST_ANSWER + 1 - len(data))
        except OSError as error:
            raise _no_password(f"standard input cannot be read: {error.strerror}") from None
        if not more:
            break
        data += more
    return data.partition(b"\n")[0]


def _no_password(reason: str) -> UsageError:
    return UsageError(
        "--password-stdin got no password",
        code="no-password-on-stdin",
        cause=reason,
    )
