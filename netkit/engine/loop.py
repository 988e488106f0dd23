"""The readiness loop of a link: sockets, timers, and calls from other threads.

Every readiness is reported once.  Whoever got a report reads or writes until the socket would
block and then waits for the next report; nobody takes interest away to pause, one just does not
read.  On Linux that is epoll's edge-triggered mode and costs no system call.  Elsewhere a
selector plays it: a reported interest is dropped, and taken again by `rearm_read` or
`rearm_write` after a call that would have blocked.

All methods but `post` and `wake` belong to the loop's thread.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import select
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

READ = 1
URGENT = 2
WRITE = 4
ERROR = 8
HANGUP = 16
READ_HANGUP = 0x2000
"""Bits of a readiness report; the values are those of EPOLLIN and its kin (epoll_ctl(2)).

With READ_HANGUP and URGENT reading goes on until it would block, even after a read that got less
than it asked for: the peer sends no more, or the read stopped short at urgent data (tcp(7)).
"""

Handler = Callable[[int], None]
T = TypeVar("T")

POLL = 0.2
"""Seconds after which a waiting thread looks whether the loop is still there."""

CALL_GRACE = 1.0
"""Seconds that a call which has begun may take beyond its time."""

MAX_REPORTS = 256
WINDOWS_SELECT_LIMIT = 512
"""Sockets that select() takes on Windows."""


class Timer:
    """A call that is due later; `cancel` makes it nothing."""

    __slots__ = ("call", "due")

    def __init__(self, due: float, call: Callable[[], None]) -> None:
        self.due = due
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Do not call; safe at any time."""
        self.call = None


class _EpollPoller:
    """Edge-triggered epoll (epoll(7))."""

    reports_ends = True

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._always = select.EPOLLET | select.EPOLLRDHUP | select.EPOLLPRI

    def add(self, fd: int, interest: int) -> None:
        # Ends are reported whatever the interest; edge-triggered even then, or they never stop.
        self._epoll.register(fd, interest | self._always if interest else select.EPOLLET)

    def change(self, fd: int, interest: int) -> None:
        self._epoll.modify(fd, interest | self._always)

    def remove(self, fd: int) -> None:
        # A descriptor that was closed already has left the set by itself.
        with contextlib.suppress(OSError):
            self._epoll.unregister(fd)

    def rearm(self, fd: int, interest: int) -> None:
        """Nothing to do: the next edge is reported by itself."""

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        return self._epoll.poll(timeout, MAX_REPORTS)

    def close(self) -> None:
        self._epoll.close()


class _SelectorPoller:
    """The same behaviour from `selectors`, for systems without epoll."""

    reports_ends = False

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wanted: dict[int, int] = {}
        self._armed: dict[int, int] = {}

    def add(self, fd: int, interest: int) -> None:
        self._wanted[fd] = interest
        self._set(fd, interest & (READ | WRITE))

    def change(self, fd: int, interest: int) -> None:
        self._wanted[fd] = interest
        self._set(fd, interest & (READ | WRITE))

    def remove(self, fd: int) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            self._set(fd, 0)
        self._wanted.pop(fd, None)
        self._armed.pop(fd, None)

    def rearm(self, fd: int, interest: int) -> None:
        if fd in self._wanted:
            self._set(fd, self._armed.get(fd, 0) | (interest & self._wanted[fd]))

    def _set(self, fd: int, interest: int) -> None:
        events = (selectors.EVENT_READ if interest & READ else 0) | (
            selectors.EVENT_WRITE if interest & WRITE else 0
        )
        armed = self._armed.get(fd, 0)
        if events and armed:
            self._selector.modify(fd, events)
        elif events:
            self._selector.register(fd, events)
        elif armed:
            self._selector.unregister(fd)
        self._armed[fd] = interest if events else 0

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        reports = []
        for key, events in self._selector.select(None if timeout < 0 else timeout):
            bits = (READ if events & selectors.EVENT_READ else 0) | (
                WRITE if events & selectors.EVENT_WRITE else 0
            )
            reports.append((key.fd, bits))
            self._set(key.fd, self._armed[key.fd] & ~bits)
        return reports

    def close(self) -> None:
        self._selector.close()


def make_poller() -> _EpollPoller | _SelectorPoller:
    """Return the best poller that this system has."""
    return _EpollPoller() if hasattr(select, "epoll") else _SelectorPoller()


class Loop:
    """Readiness, timers and posted calls of one thread.

    Attributes:
        now: `time.monotonic` at the last wake-up; seconds.
        reports_ends: whether the end of what a peer sends has a report of its own, READ_HANGUP.
    """

    def __init__(self) -> None:
        self._poller = make_poller()
        self.reports_ends = self._poller.reports_ends
        self._handlers: dict[int, Handler] = {}
        self._interest: dict[int, int] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._posted: deque[Callable[[], None]] = deque()
        self._receive_wake, self._send_wake = socket.socketpair()
        self._receive_wake.setblocking(False)
        self._send_wake.setblocking(False)
        self._closed = False
        self._close_lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.now = time.monotonic()
        self.limit = (
            None
            if hasattr(select, "epoll") or hasattr(select, "kqueue")
            else (WINDOWS_SELECT_LIMIT)
        )
        self.add(self._receive_wake.fileno(), READ, self._woken)

    def add(self, fd: int, interest: int, handler: Handler) -> None:
        """Report ``interest`` in ``fd`` to ``handler``; errors are always reported."""
        self._handlers[fd] = handler
        self._interest[fd] = interest
        self._poller.add(fd, interest)

    def want(self, fd: int, interest: int) -> None:
        """Take more interest in ``fd``; what is ready already is reported."""
        now = self._interest[fd] | interest
        if now != self._interest[fd]:
            self._interest[fd] = now
            self._poller.change(fd, now)
        else:
            self._poller.rearm(fd, interest)

    def rearm_read(self, fd: int) -> None:
        """Say that reading would have blocked, so that the next readiness is reported."""
        self._poller.rearm(fd, READ)

    def remove(self, fd: int) -> None:
        """Forget ``fd``; to be called before it is closed."""
        if self._handlers.pop(fd, None) is not None:
            del self._interest[fd]
            if not self._closed:
                self._poller.remove(fd)

    @property
    def is_full(self) -> bool:
        """Whether no further socket can be watched (select() on Windows)."""
        return self.limit is not None and len(self._handlers) >= self.limit

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        """Call after ``delay`` seconds."""
        timer = Timer(time.monotonic() + delay, call)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def post(self, call: Callable[[], None]) -> None:
        """Call from the loop's thread, soon; from any thread."""
        self._posted.append(call)
        self.wake()

    def call(self, work: Callable[[], T], timeout: float, over: threading.Event) -> T:
        """Run ``work`` in the loop's thread and return what it returns; from any other thread.

        Raises:
            TimeoutError: not within ``timeout`` seconds, or ``over`` was set meanwhile; ``work``
                is not begun any more then.
        """
        begun = threading.Lock()
        done = threading.Event()
        box: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            if not begun.acquire(blocking=False):
                return
            try:
                box.append(work())
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
                failed.append(error)
            done.set()

        self.post(run)
        while not done.wait(min(timeout, POLL)):
            timeout -= POLL
            if over.is_set() or timeout <= 0:
                if begun.acquire(blocking=False) or not done.wait(CALL_GRACE):
                    raise TimeoutError
                break
        if failed:
            raise failed[0]
        return box[0]

    def wake(self) -> None:
        """End a running wait; from any thread."""
        try:
            self._send_wake.send(b"\0")
        except (BlockingIOError, OSError):
            # Full means that a wake-up is due already; closed that nobody waits any more.
            return

    def _woken(self, _events: int) -> None:
        try:
            while len(self._receive_wake.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            pass
        self._poller.rearm(self._receive_wake.fileno(), READ)

    def run_once(self, *, wait: bool, at_most: float = -1.0) -> None:
        """Handle what is ready, due and posted; with ``wait``, wait until there is something.

        ``at_most`` bounds the wait in seconds; -1 is no bound.
        """
        timeout = 0.0 if not wait or self._posted else self._timeout()
        if at_most >= 0 and not 0 <= timeout <= at_most:
            timeout = at_most
        reports = self._poller.poll(timeout)
        self.now = time.monotonic()
        handlers = self._handlers
        for fd, events in reports:
            handler = handlers.get(fd)
            if handler is not None:
                handler(events)
        if self._timers and self._timers[0][0] <= self.now:
            self._run_timers()
        # What these calls post in turn waits for the next round, or nobody else had a turn.
        for _ in range(len(self._posted)):
            self._posted.popleft()()

    def _timeout(self) -> float:
        while self._timers and self._timers[0][2].call is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return -1.0
        return max(self._timers[0][0] - time.monotonic(), 0.0)

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= self.now:
            timer = heapq.heappop(self._timers)[2]
            if timer.call is not None:
                call, timer.call = timer.call, None
                call()

    def close(self) -> None:
        """Let go of the descriptors; idempotent."""
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
        self._poller.close()
        self._receive_wake.close()
        self._send_wake.close()
