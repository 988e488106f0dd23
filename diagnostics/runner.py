"""Running checks: side by side, in the order their dependencies allow, each within its time.

A check that raises, hangs or cannot know is a result like any other.  Results are handed on in the
order of the checks, each as soon as nothing that still runs could make it a consequence.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from diagnostics.causes import causes_of, hide, roots
from diagnostics.model import (
    Check,
    Confidence,
    Evidence,
    Finding,
    Hidden,
    InconclusiveError,
    Report,
    Result,
    Severity,
    Status,
    Target,
    Unknown,
)
from diagnostics.parsers.text import clean
from diagnostics.system import System

SLOW = 10.0
"""Seconds after which a check that still runs is mentioned."""

GRACE = 2.0
"""Seconds that running checks get to come back with what they know after an interrupt."""

AT_ONCE = 24
"""Checks that run side by side; they wait far more than they compute."""

CRASHED = "check-crashed"
"""Code of the finding for a check that raised."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told while checks run; called in the thread of `run`.

    Attributes:
        result: a result in the order of the checks, without its consequences, and those.
        slow: the title of a check that has taken longer than `SLOW` seconds.
    """

    result: Callable[[Result, tuple[Hidden, ...]], None] = lambda _result, _hidden: None
    slow: Callable[[str], None] = lambda _title: None


@dataclass(slots=True)
class _Running:
    check: Check
    started: float
    deadline: float
    told: bool = False


@dataclass(slots=True)
class Run:
    """One run of ``checks``, which have to be closed under ``depends_on`` (see `select`)."""

    checks: Sequence[Check]
    target: Target
    system: System
    skipped: frozenset[str] = frozenset()
    watcher: Watcher = field(default_factory=Watcher)
    _done: dict[str, Result] = field(default_factory=dict)
    _running: dict[str, _Running] = field(default_factory=dict)
    _inbox: queue.SimpleQueue[Result | None] = field(default_factory=queue.SimpleQueue)
    _interrupted: bool = False
    _shown: int = 0
    _settled: list[Result] = field(default_factory=list)
    _hidden: list[Hidden] = field(default_factory=list)

    def interrupt(self) -> None:
        """Come back soon with what is known; from any thread."""
        self._interrupted = True
        self.system.ssh.cancel()
        self._inbox.put(None)

    def run(self) -> Report:
        """Run every check once and return what was found."""
        began = time.monotonic()
        give_up: float | None = None
        while len(self._done) < len(self.checks):
            if self._interrupted:
                give_up = give_up or time.monotonic() + GRACE
                self._leave_out("interrupted")
                if time.monotonic() >= give_up:
                    self._abandon()
            else:
                self._start_ready()
            self._show()
            if self._running:
                self._wait(give_up)
        self._show()
        return Report(
            results=tuple(self._settled),
            hidden=tuple(self._hidden),
            target=self.target,
            os=self.system.os,
            seconds=time.monotonic() - began,
            interrupted=self._interrupted,
        )

    # --- starting ---

    def _start_ready(self) -> None:
        progress = True
        while progress:
            progress = False
            for check in self.checks:
                if check.code in self._done or check.code in self._running:
                    continue
                if any(
                    code not in self._done
                    for code in (*check.depends_on, *check.after)
                    if code in self._codes
                ):
                    continue
                if (result := self._without_running(check)) is not None:
                    self._done[check.code] = result
                    progress = True
                elif len(self._running) < AT_ONCE:
                    self._start(check)

    @property
    def _codes(self) -> set[str]:
        return {check.code for check in self.checks}

    def _without_running(self, check: Check) -> Result | None:
        """Return the result of a check that need not, or must not, run."""
        if check.code in self.skipped:
            return Result(check=check, status=Status.SKIPPED, reason="left out on request")
        if reason := check.applies(self.target):
            return Result(check=check, status=Status.SKIPPED, reason=reason)
        for code in check.depends_on:
            before = self._done.get(code)
            if before is None:
                continue
            if before.blocked_by:
                return _blocked(check, before.blocked_by, before.reason)
            error = next((f for f in before.findings if f.severity is Severity.ERROR), None)
            if error is not None:
                return _blocked(check, error.code, f"makes no sense after {error.code}")
            if before.status in (Status.TIMED_OUT, Status.CRASHED):
                return _blocked(check, "", f"{before.check.code} {before.status.value}")
        return None

    def _start(self, check: Check) -> None:
        now = time.monotonic()
        seconds = check.timeout if isinstance(check.timeout, float | int) else None
        if seconds is None:
            assert callable(check.timeout)
            seconds = check.timeout(self.target)
        self._running[check.code] = _Running(check, now, now + seconds)
        threading.Thread(
            target=self._work, args=(check,), name=f"doctor-{check.code}", daemon=True
        ).start()

    def _work(self, check: Check) -> None:
        began = time.monotonic()
        result = examine(check, self.target, self.system)
        self._inbox.put(replace(result, seconds=time.monotonic() - began))

    # --- waiting ---

    def _wait(self, give_up: float | None) -> None:
        now = time.monotonic()
        times = [running.deadline for running in self._running.values()]
        times += [each.started + SLOW for each in self._running.values() if not each.told]
        times += [] if give_up is None else [give_up]
        try:
            result = self._inbox.get(timeout=max(0.0, min(times) - now))
        except queue.Empty:
            self._tick()
            return
        if result is not None and self._running.pop(result.check.code, None) is not None:
            self._done[result.check.code] = result

    def _tick(self) -> None:
        now = time.monotonic()
        for running in list(self._running.values()):
            check = running.check
            if now >= running.deadline:
                del self._running[check.code]
                spent = now - running.started
                reason = f"no answer within {spent:.0f} s"
                self._done[check.code] = Result(
                    check=check,
                    status=Status.TIMED_OUT,
                    reason=reason,
                    unknowns=(Unknown(reason=f"{check.title}: {reason}"),),
                    seconds=spent,
                )
            elif now >= running.started + SLOW and not running.told:
                running.told = True
                self.watcher.slow(check.title)

    def _leave_out(self, reason: str) -> None:
        for check in self.checks:
            if check.code not in self._done and check.code not in self._running:
                self._done[check.code] = Result(check=check, status=Status.SKIPPED, reason=reason)

    def _abandon(self) -> None:
        self._running.clear()
        self._leave_out("interrupted")

    # --- showing ---

    def _show(self) -> None:
        """Hand on, in order, what nothing that still runs can make a consequence."""
        pending = {
            kind.code
            for check in self.checks
            if check.code not in self._done
            for kind in check.finds
        }
        root_of = roots(self._done.values())
        while self._shown < len(self.checks):
            result = self._done.get(self.checks[self._shown].code)
            if result is None or _may_change(result, pending):
                return
            visible, hidden = hide(result, root_of)
            self._settled.append(visible)
            self._hidden.extend(hidden)
            self._shown += 1
            self.watcher.result(visible, hidden)


def _may_change(result: Result, pending: set[str]) -> bool:
    return any(
        cause in pending
        for finding in result.findings
        for cause in causes_of(finding, result.check)
    )


def _blocked(check: Check, by: str, reason: str) -> Result:
    return Result(check=check, status=Status.SKIPPED, reason=reason, blocked_by=by)


def examine(check: Check, target: Target, system: System) -> Result:
    """Probe and judge once, in this thread; whatever goes wrong is part of the result."""
    facts: Any = None
    try:
        facts = check.probe(target, system)
        judged = check.judge(facts)
    except InconclusiveError as error:
        unknown = Unknown(reason=error.reason, fixes=error.fixes)
        return Result(
            check=check, status=Status.INCONCLUSIVE, reason=error.reason, unknowns=(unknown,)
        )
    except Exception as error:  # noqa: BLE001 - a crash is a finding, not the end
        return _crash(check, error, facts)
    unknowns = tuple(each for each in judged if isinstance(each, Unknown))
    return Result(
        check=check,
        status=Status.INCONCLUSIVE if unknowns else Status.RAN,
        reason=unknowns[0].reason if unknowns else "",
        findings=tuple(each for each in judged if isinstance(each, Finding)),
        unknowns=unknowns,
        facts=facts,
    )


def _crash(check: Check, error: Exception, facts: Any) -> Result:
    what = clean(f"{type(error).__name__}: {error}")
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = [f"{frame.name}, line {frame.lineno}" for frame in frames]
    finding = Finding(
        code=CRASHED,
        severity=Severity.WARNING,
        confidence=Confidence.CERTAIN,
        subject=check.code,
        title=f"The check {check.code} failed itself ({what})",
        explain="This is a fault of the check, not of your machine; what it examines is unknown.",
        evidence=(Evidence("where", clean(" < ".join(reversed(places)))),),
    )
    return Result(check=check, status=Status.CRASHED, reason=what, findings=(finding,), facts=facts)


def select(
    checks: Sequence[Check], only: Iterable[str] = (), skip: Iterable[str] = ()
) -> tuple[tuple[Check, ...], frozenset[str]]:
    """Return the checks to run and the codes of those to leave out.

    ``only`` and ``skip`` name checks, or codes that a check finds.  What the chosen ones depend on
    runs too.

    Raises:
        KeyError: no check is, or finds, one of the codes; its argument is that code.
    """
    by_code = {check.code: check for check in checks}
    wanted = {each for code in only for each in _checks_of(checks, code)}
    skipped = {each for code in skip for each in _checks_of(checks, code)}
    if not wanted:
        return tuple(checks), frozenset(skipped)
    open_ends = list(wanted)
    while open_ends:
        for code in by_code[open_ends.pop()].depends_on:
            if code in by_code and code not in wanted:
                wanted.add(code)
                open_ends.append(code)
    return tuple(check for check in checks if check.code in wanted), frozenset(skipped)


def _checks_of(checks: Sequence[Check], code: str) -> list[str]:
    found = [
        check.code
        for check in checks
        if check.code == code or any(kind.code == code for kind in check.finds)
    ]
    if not found:
        raise KeyError(code)
    return found
