"""Measuring how long an idle connection to the gateway is remembered on the way.

Every (time, mode) has a connection of its own, since channels of one connection share its fate.
They wait side by side, so that the whole takes little longer than the longest of them; it is the
first to log in, and logins come one after another, because a server counts those under way (sshd's
MaxStartups).  No login is tried again, and none at all once credentials have been refused.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from diagnostics.ssh import IdleProbe, IdleRun
from netkit.doctor.idle_triggers import (
    SETTLE,
    CommandTrigger,
    Knocker,
    KnockTrigger,
    QuestionTrigger,
    Trigger,
)
from netkit.doctor.session import open_session
from netkit.errors import AuthenticationError, HostKeyError, NetkitError

if TYPE_CHECKING:
    from diagnostics.ssh import Progress
    from netkit.doctor.session import Access, Session

PUSH: Final = "push"
ECHO: Final = "echo"

STRETCH: Final = 1.1
"""The whole takes at most this many times the longest idle time, logins of that one apart."""

MIN_PATIENCE: Final = 1.0
MAX_PATIENCE: Final = 10.0
"""Seconds for the word to arrive, after which the connection counts as forgotten."""

MAX_FAILURES: Final = 3
"""Logins in a row that may fail before no more are tried."""

MOST: Final = 64
"""Connections that are made at most."""

_TICK: Final = 0.05
_SHELL_TIME: Final = 10.0
_LEAVE_TIME: Final = 1.5
_TOLD_EVERY: Final = (5.0, 60.0)
_SILENT: Final = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH}


def idle(
    access: Access,
    times: tuple[float, ...],
    modes: tuple[str, ...],
    progress: Progress,
    cancelled: threading.Event,
) -> IdleRun:
    """Leave one fresh connection per (time, mode) idle; ``cancelled`` keeps what is known."""
    wanted = sorted({(time, mode) for time in times if time > 0 for mode in modes}, key=_order)
    if not wanted:
        return IdleRun(text="there is nothing to measure")
    return _Measurement(access, wanted[:MOST], progress, cancelled).run()


def _order(wanted: tuple[float, str]) -> tuple[float, bool]:
    idle_time, mode = wanted
    return (-idle_time, mode != PUSH)


@dataclass(slots=True)
class IdleLink:
    """One connection and what is known of it; ``outcome`` is empty while it waits."""

    session: Session
    trigger: Trigger
    mode: str
    idle: float
    outcome: str = ""
    text: str = ""
    refresh: float = 0.0
    ended: float = 0.0

    def poll(self, now: float, end: float) -> None:
        """Look at it; ``end`` is when the whole should be over."""
        trigger = self.trigger
        trigger.poll(now)
        if not trigger.began:
            if self.session.has_ended:
                self._end("not-started", self._why())
        elif trigger.heard >= trigger.began + self.idle * 0.8:
            self._end("alive")
        elif spoke := self._spoke(trigger):
            self.refresh = spoke - trigger.began
            self._end("refreshed", "the gateway spoke by itself meanwhile")
        elif self.session.has_ended:
            self.ended = min(now - trigger.began, self.idle)
            self._end(failure_mode(self.session.error), self._why())
        elif now >= self.deadline(end):
            self._end("silence")
        if trigger.failure and not self.outcome:
            self._end("not-started", trigger.failure)

    def deadline(self, end: float) -> float:
        """When silence is certain."""
        due = self.trigger.began + self.idle
        return due + min(MAX_PATIENCE, max(MIN_PATIENCE, end - due))

    def _spoke(self, trigger: Trigger) -> float:
        """Return when the gateway broke the silence before its time; 0: it did not."""
        spoke = trigger.heard or self.session.last_received
        silence = min(SETTLE, self.idle / 4)
        within = trigger.began + silence < spoke < trigger.began + self.idle - silence
        return spoke if within else 0.0

    def _end(self, outcome: str, text: str = "") -> None:
        self.outcome, self.text = outcome, text
        self.session.abandon()

    def _why(self) -> str:
        error = self.session.error
        if error is None:
            return "the connection was closed"
        return f"{error.summary}: {error.cause}" if error.cause else error.summary

    def result(self) -> IdleProbe:
        """Return what is known of it."""
        local = self.session.local
        return IdleProbe(
            mode=self.mode,
            idle=self.idle,
            outcome=self.outcome or "unfinished",
            text=self.text,
            refresh=self.refresh,
            ended=self.ended,
            source=self.trigger.source,
            local=str(local) if local else "",
        )


def failure_mode(error: NetkitError | None) -> str:
    """Return how a connection ended: ``fin``, ``rst``, or ``silence`` that the system noticed."""
    cause = error.__cause__ if error is not None else None
    if isinstance(cause, OSError):
        return "silence" if cause.errno in _SILENT else "rst"
    return "rst" if error is not None and error.code == "link-cut" else "fin"


@dataclass(slots=True)
class _Way:
    """How the gateway is made to speak first; ``failure`` says why it cannot."""

    method: str = ""
    cmd: bool = False
    knocker: Knocker | None = None
    failure: str = ""


@dataclass(slots=True)
class _Measurement:
    access: Access
    wanted: list[tuple[float, str]]
    progress: Progress
    cancelled: threading.Event
    _sessions: list[Session] = field(default_factory=list)
    _links: list[IdleLink] = field(default_factory=list)
    _missed: list[IdleProbe] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)
    _logged_in: threading.Event = field(default_factory=threading.Event)
    _way: _Way | None = None
    _text: str = ""
    _end: float = 0.0
    _told: float = 0.0

    def run(self) -> IdleRun:
        """Measure, and take everything down again."""
        began = time.monotonic()
        self._told = began
        self._end = began + STRETCH * self._longest
        self.progress(
            f"leaving {len(self.wanted)} connections to the gateway silent,"
            f" for up to {self._longest:g} s"
        )
        logins = threading.Thread(target=self._log_in_all, name="doctor-idle", daemon=True)
        logins.start()
        try:
            self._watch(began)
        finally:
            self._over.set()
            with self._lock:
                sessions = list(self._sessions)
            for session in sessions:
                session.abandon()
            for session in sessions:
                session.close()
            logins.join(_LEAVE_TIME)
        with self._lock:
            links, way = list(self._links), self._way
            probes = [*(link.result() for link in links), *self._missed]
        probes += [_missed(*each, "unfinished", "") for each in self._left_over(probes)]
        return IdleRun(
            probes=tuple(sorted(probes, key=lambda probe: (probe.idle, probe.mode))),
            method=way.method if way else "",
            text=self._text or (way.failure if way else ""),
            seconds=time.monotonic() - began,
        )

    @property
    def _longest(self) -> float:
        return self.wanted[0][0]

    def _left_over(self, probes: list[IdleProbe]) -> list[tuple[float, str]]:
        known = {(probe.idle, probe.mode) for probe in probes}
        return [each for each in self.wanted if each not in known]

    # --- the caller's thread ---

    def _watch(self, began: float) -> None:
        while not self.cancelled.wait(_TICK):
            now = time.monotonic()
            with self._lock:
                links, way, end = list(self._links), self._way, self._end
            if way is not None and way.knocker is not None:
                way.knocker.poll(now)
            for link in links:
                if not link.outcome:
                    link.poll(now, end)
            waiting = [link for link in links if not link.outcome]
            if not waiting and self._logged_in.is_set():
                with self._lock:
                    if len(links) == len(self._links):
                        return
            self._tell(links, waiting, now, began)

    def _tell(
        self, links: list[IdleLink], waiting: list[IdleLink], now: float, began: float
    ) -> None:
        low, high = _TOLD_EVERY
        left = max((link.trigger.began + link.idle for link in waiting), default=0.0) - now
        if left <= 0 or now < self._told + min(max(self._longest / 10, low), high):
            return
        self._told = now
        alive = max((x.idle for x in links if x.outcome == "alive" and x.mode == PUSH), default=0.0)
        known = f"; alive after {alive:g} s" if alive else ""
        self.progress(
            f"{len(waiting)} connections are still silent,"
            f" {now - began:.0f} s passed, {left:.0f} s to go{known}"
        )

    # --- the thread that logs in ---

    def _log_in_all(self) -> None:
        try:
            # Only what is ended here ends, not the examination.
            access = replace(self.access, cancelled=self._over)
            failures = 0
            for idle_time, mode in self.wanted:
                if self._over.is_set():
                    return
                began = time.monotonic()
                if self._text or began + idle_time + MIN_PATIENCE > self._limit(idle_time):
                    text = self._text or "the logins before it took too long"
                    self._miss(idle_time, mode, text)
                    continue
                error = self._log_in(access, idle_time, mode)
                failures = failures + 1 if error else 0
                if isinstance(error, AuthenticationError | HostKeyError) or failures > MAX_FAILURES:
                    assert error is not None
                    self._text = f"no more logins are tried: {error.summary}"
        finally:
            self._logged_in.set()

    def _limit(self, idle_time: float) -> float:
        """Return when it must be over; the connections of the longest time have no limit."""
        return float("inf") if idle_time == self._longest else self._end

    def _log_in(self, access: Access, idle_time: float, mode: str) -> NetkitError | None:
        try:
            session = self._open(access)
        except NetkitError as error:
            self._miss(idle_time, mode, error.summary)
            return error
        try:
            trigger = self._trigger(access, session, idle_time, mode)
        except NetkitError as error:
            self._miss(idle_time, mode, error.summary)
            session.abandon()
            return None
        with self._lock:
            self._links.append(IdleLink(session, trigger, mode, idle_time))
            if idle_time == self._longest:
                self._end = max(self._end, time.monotonic() + idle_time + MIN_PATIENCE)
        return None

    def _open(self, access: Access) -> Session:
        """Log in once; the connection ends when the measurement does."""
        session = open_session(access)
        for hop in session.hops:
            # The system must send nothing by itself either, whatever its TCP keepalive time is.
            with contextlib.suppress(OSError):
                hop.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
        with self._lock:
            if not self._over.is_set():
                self._sessions.append(session)
                return session
        session.close()
        raise NetkitError("the measurement is over", code="cancelled")

    def _miss(self, idle_time: float, mode: str, text: str) -> None:
        outcome = "unfinished" if self._over.is_set() else "not-started"
        with self._lock:
            self._missed.append(_missed(idle_time, mode, outcome, text))

    def _trigger(self, access: Access, session: Session, idle_time: float, mode: str) -> Trigger:
        if mode != PUSH:
            return QuestionTrigger(session, idle_time)
        if self._way is None:
            way = self._find_way(access, session)
            with self._lock:
                self._way = way
        way = self._way
        assert way is not None
        if way.method == "exec":
            return CommandTrigger(session, idle_time, cmd=way.cmd)
        if way.knocker is not None:
            return KnockTrigger(session, idle_time, way.knocker)
        raise NetkitError(way.failure)

    def _find_way(self, access: Access, session: Session) -> _Way:
        """Find out whether commands run there, and otherwise whether ports can be had."""
        said = session.run('echo "%OS%"', _SHELL_TIME)
        if session.has_ended:
            raise session.error or NetkitError("the connection was closed")
        if b"Windows_NT" in said.stdout:
            session.settle(time.monotonic() + _SHELL_TIME)
            return _Way("exec", cmd=True)
        if b"%OS%" in said.stdout and said.status == 0:
            session.settle(time.monotonic() + _SHELL_TIME)
            return _Way("exec")
        no_command = "the gateway runs no commands for this account"
        knocker: Knocker | None = None
        try:
            knocker = Knocker(self._open(access))
            failure = KnockTrigger(session, 0.0, knocker).try_out()
        except NetkitError as error:
            failure = error.summary
        if failure:
            if knocker is not None:
                knocker.session.abandon()
            return _Way(failure=f"{no_command}, and {failure}")
        return _Way("forward", knocker=knocker)


def _missed(idle_time: float, mode: str, outcome: str, text: str) -> IdleProbe:
    return IdleProbe(mode=mode, idle=idle_time, outcome=outcome, text=text)
