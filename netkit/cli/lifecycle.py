"""Running one job under signals: prompt at every moment, in order where there is time.

The job works on a thread; the main thread only waits for it and for signals, so that a job that
is stuck (a name server, a prompt, a full pipe) cannot delay the answer to Ctrl-C.

    first SIGINT, SIGTERM, SIGHUP   stop accepting, let open flows finish (``drain`` seconds)
    second one                      end at once
    SIGHUP of a job that can reread   reread, unless its terminal went away

Exit codes: 130 after SIGINT; SIGTERM and SIGHUP are how a service manager or a closing terminal
stops a tunnel, so they end with 0.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Protocol

from netkit.cli.output import ReaderGoneError
from netkit.cli.terminal import TerminalPrompter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

GRACE = 2.0
"""Seconds beyond the drain that a stop may take before the process is ended regardless."""

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


class Job(Protocol):
    """Something that works until it is done, fails, or is stopped."""

    def work(self) -> int:
        """Do it, on a thread; return the exit code.  Errors are raised."""

    def stop(self, drain: float) -> None:
        """End ``work`` within about ``drain`` seconds; from any thread, more than once."""


@dataclass(frozen=True, slots=True)
class _Signalled:
    number: int


@dataclass(frozen=True, slots=True)
class _Fault:
    """An exception that nobody caught in a thread of ours: a bug, or unwritable output."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class _Done:
    code: int
    error: BaseException | None = None


Message = _Signalled | _Fault | _Done


class Inbox:
    """What the main thread waits for: messages of threads, and of signal handlers.

    Waiting is a ``select`` on a socket that ``signal.set_wakeup_fd`` writes to as well.  In a
    ``queue.get`` a signal that comes just before it blocks would wait for the next message: its
    handler runs between byte codes only, and nothing interrupts the lock.
    """

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ring.setblocking(False)

    def close(self) -> None:
        """Give the sockets back; later messages are lost."""
        self._bell.close()
        self._ring.close()

    @property
    def descriptor(self) -> int:
        """For ``signal.set_wakeup_fd``."""
        return self._ring.fileno()

    def put(self, message: Message) -> None:
        """Add a message; from any thread, or a signal handler."""
        self._messages.append(message)
        with suppress(OSError):  # full: it rings already; closed: nobody waits
            self._ring.send(b"\0")

    def get(self, deadline: float | None) -> Message | None:
        """Return the next message, or ``None`` at ``deadline`` (``time.monotonic``)."""
        while not self._messages:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            select.select([self._bell], [], [], left)
            with suppress(BlockingIOError):
                self._bell.recv(4096)
        return self._messages.popleft()


def run_job(
    job: Job,
    *,
    drain: float = 0.0,
    hard_exit: Callable[[int], NoReturn] | None = None,
    reread: Callable[[], None] | None = None,
) -> int:
    """Run ``job`` and return the exit code; call it from the main thread.

    ``hard_exit`` ends the process when the job does not stop in time; the default flushes and
    leaves without waiting for threads.  ``reread``, where there is one, is what SIGHUP asks for
    (on a thread), unless it comes because the terminal went away.

    Raises:
        BaseException: whatever ``job.work`` raised, unless it had been told to stop.
    """
    inbox = Inbox()
    session = _session() if TerminalPrompter.has_terminal() else None
    worker = threading.Thread(target=_work, args=(job, inbox), name="netkit-worker", daemon=True)
    with closing(inbox), _signals_to(inbox), _thread_faults_to(inbox):
        worker.start()
        while _is_hangup(message := inbox.get(None)) and reread is not None:
            # a job that let go of its terminal has a session of its own, and did not lose it
            if session == _session() and not TerminalPrompter.has_terminal():
                break
            threading.Thread(target=reread, name="netkit-reread", daemon=True).start()
        if isinstance(message, _Done):
            worker.join()
            if message.error is not None:
                raise message.error
            return message.code
        code, error = _code_and_error(message)
        gentle = error is None or isinstance(error, ReaderGoneError)
        stop = _Stop(job, inbox, code, hard_exit or leave_at_once)
        code = stop.run(worker, drain if gentle else 0.0)
    if error is not None:
        raise error
    return code


def _is_hangup(message: Message | None) -> bool:
    return isinstance(message, _Signalled) and message.number == getattr(signal, "SIGHUP", None)


def _session() -> int:
    if sys.platform == "win32":
        return 0
    return os.getsid(0)


def _code_and_error(message: Message | None) -> tuple[int, BaseException | None]:
    match message:
        case _Fault(error=error):
            return 70, error
        case _Signalled(number=signal.SIGINT):
            return 130, None
    return 0, None


def _work(job: Job, inbox: Inbox) -> None:
    try:
        inbox.put(_Done(job.work()))
    except KeyboardInterrupt:  # the Windows console hands Ctrl-C to the thread that reads it
        inbox.put(_Signalled(signal.SIGINT))
        inbox.put(_Done(130))
    except BaseException as error:  # noqa: BLE001 - raised again on the main thread
        inbox.put(_Done(70, error))


class _Stop:
    """Ends a job: gently first, at once when a second signal or the deadline comes."""

    def __init__(
        self, job: Job, inbox: Inbox, code: int, hard_exit: Callable[[int], NoReturn]
    ) -> None:
        self._job = job
        self._inbox = inbox
        self._code = code
        self._hard_exit = hard_exit
        self._threads: list[threading.Thread] = []

    def run(self, worker: threading.Thread, drain: float) -> int:
        """Return the exit code once ``worker`` has ended."""
        self._threads = [worker]
        self._ask(drain)
        deadline = time.monotonic() + drain + GRACE
        asked = 1
        while not isinstance(message := self._inbox.get(deadline), _Done):
            if message is None or (isinstance(message, _Signalled) and asked == 2):
                self._hard_exit(self._code)
            if isinstance(message, _Signalled):
                asked = 2
                self._code = 130 if message.number == signal.SIGINT else self._code
                self._ask(0.0)
                deadline = min(deadline, time.monotonic() + GRACE / 2)
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            self._hard_exit(self._code)
        return self._code

    def _ask(self, drain: float) -> None:
        thread = threading.Thread(
            target=self._job.stop, args=(drain,), name="netkit-stopper", daemon=True
        )
        self._threads.append(thread)
        thread.start()


def leave_at_once(code: int) -> NoReturn:
    """End the process without waiting for any thread.

    Nothing is flushed: every line was when it was printed, and a pipe that nobody reads is a
    reason to be here.
    """
    os._exit(code)


@contextmanager
def _signals_to(inbox: Inbox) -> Iterator[None]:
    """Turn signals into messages meanwhile; one that is ignored (nohup, ``&``) stays ignored."""

    def handle(number: int, _frame: FrameType | None) -> None:
        inbox.put(_Signalled(number))

    before = {}
    before_wakeup = signal.set_wakeup_fd(inbox.descriptor, warn_on_full_buffer=False)
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before_wakeup)


@contextmanager
def _thread_faults_to(inbox: Inbox) -> Iterator[None]:
    """Make an exception that nobody caught in a thread end the job instead of printing itself."""

    def hook(fault: threading.ExceptHookArgs, /) -> None:
        if fault.exc_value is not None and not isinstance(fault.exc_value, SystemExit):
            inbox.put(_Fault(fault.exc_value))

    before = threading.excepthook
    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before
