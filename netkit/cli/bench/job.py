"""One run of the benchmark: which gateway, how long, and how the result is shown and saved."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from netkit._version import __version__
from netkit.bench.model import Setting
from netkit.cli.main import PROGRAM
from netkit.cli.output import is_terminal, write_stderr
from netkit.cli.profile.resolve import login_password
from netkit.cli.terminal import TerminalPrompter
from netkit.errors import NetkitError, UsageError
from netkit.files import read_bounded, write_private
from netkit.model import Fix, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from netkit.bench.analysis import Analysis
    from netkit.bench.compare import Comparison, Old
    from netkit.bench.measuring.record import Progress
    from netkit.bench.model import Measured
    from netkit.bench.trial import Trial
    from netkit.cli.bench.command import Request
    from netkit.cli.output import Output
    from netkit.cli.services import Services
    from netkit.doctor.session import Access

DRAIN = 8.0
"""Seconds that an interrupted benchmark gets to log out and show what it knows."""

INTERRUPTED = 130
NOTHING = 3
MAX_OLD = 32 << 20
"""Bytes of a file for ``--compare``."""

QUIET_EVERY = 5.0
"""Seconds between two lines of progress where there is no terminal."""


class BenchJob:
    """Measures, shows and saves; a `netkit.cli.lifecycle.Job`."""

    def __init__(self, request: Request, services: Services, output: Output) -> None:
        self._request = request
        self._services = services
        self._output = output
        self._prompter = TerminalPrompter()
        self._cancelled = threading.Event()
        self._meter = Meter()

    def work(self) -> int:
        """Run it to its end and return the exit code."""
        from netkit.cli import debugging

        debugging.keep_quiet()
        request = self._request
        began = time.monotonic()
        for path in (request.json, request.html):
            if path is not None:
                check_writable(path)
        old = self._old()
        corpora = self._corpora()
        with ExitStack() as cleanup:
            measured = self._measure(corpora, began, cleanup)
        self._meter.clear()
        return self._finish(measured, old)

    def stop(self, drain: float) -> None:
        """Come back with what is known; from any thread."""
        del drain
        self._prompter.cancel()
        self._cancelled.set()

    # --- what to measure ---

    def _corpora(self) -> dict[str, bytes]:
        from netkit.bench.measuring.corpora import corpora, read_sample

        sample = self._request.sample
        made = {} if sample is None else {"sample": read_sample(sample.expanduser())}
        return {**made, **corpora()}

    def _measure(self, corpora: dict[str, bytes], began: float, cleanup: ExitStack) -> Measured:
        from netkit.bench.measuring.run import Benchmark
        from netkit.engine.transport.algorithms import CIPHERS

        access, setting, cpu = self._way(cleanup)
        chosen = access.plan.hops[-1].ciphers
        return Benchmark(
            access,
            setting,
            ciphers=tuple(c for c in chosen if c in CIPHERS) or CIPHERS,
            corpora=corpora,
            seconds=self._request.seconds - (time.monotonic() - began),
            gateway_cpu=cpu,
            progress=self._meter.show,
        ).run()

    def _way(self, cleanup: ExitStack) -> tuple[Access, Setting, Callable[[], float | None] | None]:
        from netkit.doctor.answers import Answers
        from netkit.doctor.session import Access

        request = self._request
        if request.spec is None:
            plan, setting, trial = self._trial(cleanup)
            access = Access(plan=plan, cancelled=self._cancelled)
            return access, setting, trial.cpu_seconds
        plan = self._services.plan(request.spec)
        for warning in plan.warnings:
            self._output.talk(warning)
        password = login_password(stdin=request.password_stdin, profile=request.password_of)
        prompter = Answers(self._prompter) if self._prompter.has_terminal() else None
        access = Access(
            plan=plan,
            prompter=prompter,
            password=password,
            cancelled=self._cancelled,
            notice=lambda _code, text: self._output.talk(text),
        )
        return access, self._setting(str(request.spec.gateway), hops=len(plan.hops)), None

    def _trial(self, cleanup: ExitStack) -> tuple[Plan, Setting, Trial]:
        """Start a throw-away gateway, behind a link if one is to be imitated."""
        from netkit.bench.shaper import Shaper
        from netkit.bench.trial import start_trial

        request = self._request
        self._meter.say("starting a gateway on this machine")
        prefer = None if request.server == "auto" else request.server
        trial = start_trial(prefer, cancelled=self._cancelled)
        cleanup.callback(trial.stop)
        if trial.why:
            self._output.talk(f"{trial.why}; netkit's own gateway is measured instead")
        address = trial.address
        if request.link is not None:
            shaper = Shaper(address, request.link)
            cleanup.callback(shaper.stop)
            address = shaper.start()
        what = "the system's sshd" if trial.kind == "sshd" else "netkit's own gateway"
        setting = self._setting(f"{what} on this machine, thrown away afterwards", trial.kind)
        return Plan(hops=(trial.hop(address),)), setting, trial

    def _setting(self, gateway: str, trial: str = "", hops: int = 1) -> Setting:
        from netkit.bench.measuring import machine
        from netkit.wire.deflate import library

        return Setting(
            gateway=gateway,
            trial=trial,
            shape=self._request.link,
            hops=hops,
            compressor=library(),
            client=f"{PROGRAM} {__version__}",
            python=f"{platform.python_implementation()} {platform.python_version()}",
            platform=f"{platform.system()} {platform.release()}",
            processor=machine.processor(),
            cores=machine.cores(),
            began=datetime.now().astimezone().isoformat(timespec="seconds"),
            wanted=self._request.seconds,
            command=(PROGRAM, "bench", *self._request.words),
        )

    # --- what came of it ---

    def _old(self) -> Old | None:
        path = self._request.compare
        if path is None:
            return None
        from netkit.bench import compare

        return compare.read(read_bounded(path.expanduser(), MAX_OLD), str(path))

    def _finish(self, measured: Measured, old: Old | None) -> int:
        from netkit.bench.compare import compare
        from netkit.bench.judge import analyse
        from netkit.bench.report import table

        analysis = analyse(measured)
        comparison = None if old is None else compare(old, measured, analysis)
        for line in table.lines(measured, analysis, comparison):
            self._output.data(line)
        self._save(measured, analysis, comparison)
        if measured.interrupted:
            return INTERRUPTED
        if not measured.transfers:
            raise nothing_measured(measured)
        return 0

    def _save(self, measured: Measured, analysis: Analysis, comparison: Comparison | None) -> None:
        from netkit.bench.report import document, page

        request = self._request
        if request.json is not None:
            write_private(request.json.expanduser(), document.encode(measured, analysis))
            self._output.talk(f"saved in {request.json}")
        if request.html is not None:
            text = page.page(measured, analysis, comparison)
            write_private(request.html.expanduser(), text.encode("utf-8"))
            self._output.talk(f"the page is {request.html}")


class Meter:
    """One line of progress on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._live = is_terminal(sys.stderr)
        self._width = 0
        self._last = time.monotonic()

    def say(self, text: str, left: float | None = None) -> None:
        """Show what is being done, and the seconds left where they are known."""
        line = text if left is None else f"{text} · {left:.0f} s left"
        now = time.monotonic()
        if self._live:
            line = f"{PROGRAM}: {line}"[:78]
            sys.stderr.write(f"\r{line:<{self._width}}")
            sys.stderr.flush()
            self._width = len(line)
        elif now - self._last >= QUIET_EVERY:
            self._last = now
            write_stderr([f"{PROGRAM}: {line}"])

    def show(self, progress: Progress) -> None:
        """Show how far a benchmark is."""
        self.say(progress.text, progress.left)

    def clear(self) -> None:
        """Take the line away."""
        if self._live and self._width:
            sys.stderr.write(f"\r{'':<{self._width}}\r")
            sys.stderr.flush()
            self._width = 0


def check_writable(path: Path) -> None:
    """Find out before a long run whether its result can be saved.

    Raises:
        UsageError: it cannot.
    """
    where = path.expanduser()
    folder = where.parent
    cause = ""
    if where.is_dir():
        cause = "it is a directory"
    elif not folder.is_dir():
        cause = f"there is no directory {folder}"
    elif not os.access(folder, os.W_OK):
        cause = f"the directory {folder} is not yours to write to"
    if cause:
        raise UsageError(
            f"{path} cannot be written",
            code="cannot-write",
            cause=cause,
            fixes=(Fix((PROGRAM, "bench", "..."), note="with a FILE in a directory of yours"),),
        )


def nothing_measured(measured: Measured) -> NetkitError:
    """Return the error for a benchmark that moved no bytes."""
    why = "; ".join(f"{each.what}: {each.why}" for each in measured.skipped[:3])
    return NothingMeasuredError(
        "no bytes could be made to pass through the gateway",
        cause=why or "time was up before the first transfer",
        fixes=(Fix((PROGRAM, "doctor", "..."), note="finds out what the gateway allows"),),
    )


class NothingMeasuredError(NetkitError):
    """Neither commands nor forwards were of use."""

    exit_code = NOTHING
    default_code = "nothing-measured"
