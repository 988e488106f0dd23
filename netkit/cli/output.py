"""Where text goes: data to standard output, talk to standard error, events through a thread.

Events come from the link's thread, which must never wait for a slow terminal or a full pipe; a
thread of its own prints them.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
from typing import TYPE_CHECKING, Any, TextIO

from netkit import events
from netkit.cli import render
from netkit.errors import NetkitError

if TYPE_CHECKING:
    from collections.abc import Callable

_BACKLOG = 10_000
"""Events that may wait to be printed; beyond it those about single flows are dropped."""

_RED, _YELLOW, _RESET = "\x1b[1;31m", "\x1b[33m", "\x1b[0m"


class OutputError(NetkitError):
    """Standard output cannot be written: the disk is full, or the device failed."""

    exit_code = 3
    default_code = "output-failed"


class ReaderGoneError(OutputError):
    """Whoever read standard output has closed it; quiet, and no failure of ours."""

    exit_code = 0
    default_code = "reader-gone"


def may_colour(stream: TextIO) -> bool:
    """Return whether ``stream`` is a terminal that wants colour (no NO_COLOR, no TERM=dumb)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether ``stream`` is a terminal; a missing or closed stream is none."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


class Output:
    """Prints for one command.

    Attributes:
        as_json: events and errors go to standard output as NDJSON, and no other data.
        verbose: flows are shown.
        progress: connecting and login are shown, which a terminal always gets.
        tag: which of several things the lines are about; each begins with it.
        log_json: standard error gets lines of JSON instead of text.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        verbose: bool = False,
        tag: str = "",
        log_json: bool = False,
    ) -> None:
        self.as_json = as_json
        self.log_json = log_json
        self.tag = tag
        self.verbose = verbose
        self.progress = is_terminal(sys.stderr)
        self._colour = is_terminal(sys.stderr) and may_colour(sys.stderr)
        self._failures_shown: set[tuple[str, str]] = set()
        self._trouble = ""

    @property
    def flows(self) -> bool:
        """Whether the coming and going of flows is shown."""
        return self.as_json or self.verbose

    def data(self, line: str) -> None:
        """Print a line to standard output.

        Raises:
            ReaderGoneError: the reader has closed the pipe.
            OutputError: it cannot be written for another reason.
        """
        tag = f"{self.tag}: " if self.tag else ""
        write_stdout(f"{tag}{render.clean_text(line)}\n")

    def document(self, value: dict[str, Any]) -> None:
        """Print one JSON document as a line; raises as ``data`` does."""
        if self.tag:
            value = {"profile": self.tag, **value}
        write_stdout(json.dumps(value, separators=(", ", ": ")) + "\n")

    def talk(self, line: str) -> None:
        """Print a line of talk to standard error, with the program's name in front."""
        if self.log_json:
            self._log("info", line)
        else:
            write_stderr([self._tagged(f"{render.PROGRAM}: {line}")])

    def error(self, error: NetkitError, *, command: str) -> None:
        """Print an error: three lines of talk, and with ``--json`` a document as well."""
        if isinstance(error, ReaderGoneError):
            return
        if self.as_json and not isinstance(error, OutputError):
            with contextlib.suppress(OutputError):
                self.document(render.failure_dict(error))
        if self.log_json:
            details = render.failure_dict(error)
            self._log("error", str(details.pop("summary", error.summary)), **details)
            return
        lines = list(map(self._tagged, render.error_lines(error, command=command)))
        write_stderr([self._paint(lines[0], _RED), *lines[1:]])

    def event(self, event: events.Event) -> None:
        """Print an event; raises as ``data`` does."""
        if self.as_json:
            self.document(events.to_dict(event))
            return
        if self._is_repeated(event):
            return
        line = render.event_line(event, verbose=self.verbose, progress=self.progress)
        if line is None and isinstance(event, events.FlowFailed):
            line = self._first_failure(event)
        if line is not None and self.log_json:
            is_trouble = isinstance(event, events.Notice | events.FlowFailed | events.LinkDown)
            self._log("warning" if is_trouble else "info", line, **events.to_dict(event))
        elif line is not None:
            text = self._tagged(f"{render.PROGRAM}: {line}")
            is_notice = isinstance(event, events.Notice)
            write_stderr([self._paint(text, _YELLOW) if is_notice else text])

    def _is_repeated(self, event: events.Event) -> bool:
        """Whether a person knows it: attempts in a row, of which the log would be full."""
        trouble = self._trouble
        if isinstance(event, events.Retrying):
            self._trouble = event.code
            return not self.verbose and event.attempt > 1 and event.code == trouble
        if isinstance(event, events.LinkUp) and event.hop == event.hops:
            self._trouble = ""
        return (
            isinstance(event, events.Connecting | events.LinkUp)
            and bool(trouble)
            and not self.verbose
        )

    def _log(self, level: str, message: str, **more: Any) -> None:
        from netkit.cli.debugging import json_line

        if self.tag:
            more = {"profile": self.tag, **more}
        write_stderr([json_line(level, message, **more)])

    def _first_failure(self, event: events.FlowFailed) -> str | None:
        """Return the line for a failure not seen before: a client that retries fills no screen."""
        kind = (event.target, event.code)
        if kind in self._failures_shown or len(self._failures_shown) >= 100:
            return None
        self._failures_shown.add(kind)
        return f"{render.flow_failure(event)} (further ones like it with -v)"

    def _tagged(self, line: str) -> str:
        if not self.tag:
            return line
        return f"{render.PROGRAM}: {self.tag}: {line.removeprefix(f'{render.PROGRAM}: ')}"

    def _paint(self, line: str, colour: str) -> str:
        return f"{colour}{line}{_RESET}" if self._colour else line


def write_stdout(text: str) -> None:
    """Write and flush; raises ``ReaderGoneError`` or ``OutputError``."""
    try:
        if sys.stdout is None:
            raise OSError("standard output is closed")
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        raise unwritable(error) from error


def unwritable(error: OSError | ValueError) -> OutputError:
    """Return what a failed write to standard output means; further writes go nowhere."""
    silence_stdout()
    if isinstance(error, BrokenPipeError):
        return ReaderGoneError("the reader of standard output has left")
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(
        f"cannot write to standard output: {reason}",
        cause="the disk is full, or the device or file went away",
    )


def write_stderr(lines: list[str]) -> None:
    """Write lines of talk; when nobody can hear them, carry on."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        sys.stderr.flush()


def silence_stdout() -> None:
    """Point standard output at nothing, so that the flush at exit does not fail once more."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(descriptor, sys.stdout.fileno())
        finally:
            os.close(descriptor)


class EventPrinter:
    """Prints events in order on a thread of its own.

    When standard output cannot be written, the error ends that thread (``threading.excepthook``
    sees it) and what comes later is discarded.
    """

    def __init__(self, show: Callable[[events.Event], None], *, flows: bool = True) -> None:
        """Print with ``show``; without ``flows``, their coming and going is not worth a wake-up."""
        self._show = show
        self._flows = flows
        self._queue: queue.SimpleQueue[events.Event | None] = queue.SimpleQueue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="netkit-printer", daemon=True)
        self._thread.start()

    def post(self, event: events.Event) -> None:
        """Take an event to print; never blocks, callable from any thread."""
        passing = type(event) in (events.FlowOpened, events.FlowClosed)
        if passing and not self._flows:
            return
        single = passing or isinstance(event, events.FlowFailed)
        # Notices have room behind flows; without end they do not wait either.
        most = _BACKLOG if single else 2 * _BACKLOG
        many = single or isinstance(event, events.Notice)
        if many and self._queue.qsize() >= most:
            self._dropped += 1
        elif self._thread.is_alive():
            self._queue.put(event)

    def close(self, timeout: float) -> None:
        """Wait up to ``timeout`` seconds until everything is printed."""
        if self._dropped:
            text = f"{self._dropped} events were dropped: nothing read them in time"
            self._queue.put(events.Notice(code="events-dropped", text=text))
            self._dropped = 0
        self._queue.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            self._show(event)
