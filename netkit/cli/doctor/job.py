"""One run of the doctor: which checks, on which machine, and how the report is shown."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from diagnostics import plugins, registry
from diagnostics.knowledge import book
from diagnostics.model import (
    Check,
    Finding,
    Hidden,
    NatOptions,
    Remembered,
    Report,
    Result,
    Severity,
    Status,
    Target,
)
from diagnostics.report import document, markdown, terminal
from diagnostics.runner import CRASHED, Run, Watcher, select
from netkit._version import __version__
from netkit.cli.again import Typed, expand
from netkit.cli.keepalive import remembered
from netkit.cli.main import PROGRAM
from netkit.cli.output import may_colour, write_stdout
from netkit.cli.profile.resolve import login_password
from netkit.cli.terminal import TerminalPrompter
from netkit.errors import NetkitError, UsageError
from netkit.model import Fix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagnostics.system import System
    from netkit.cli.doctor.command import Request
    from netkit.cli.output import Output
    from netkit.cli.services import Services

DRAIN = 3.0
"""Seconds that an interrupted run gets to show what it knows."""

NAT_CHECK = "nat-timeout"
"""The check that ``--nat`` asks for."""

_COLOURS = {"x": "\x1b[1;31m", "!": "\x1b[33m", "?": "\x1b[35m", "+": "\x1b[32m", "i": "\x1b[36m"}
_RESET = "\x1b[0m"


def all_checks() -> tuple[Check, ...]:
    """Return netkit's checks and those of other packages."""
    return (*registry.CHECKS, *plugins.load(registry.CHECKS))


def explain(code: str, output: Output) -> int:
    """Print the section of ``code``.

    Raises:
        UsageError: there is no such code.
    """
    sections = book.sections()
    for check in all_checks():
        sections |= {kind.code: kind.docs for kind in check.finds if kind.docs}
    if code not in sections:
        raise _unknown_code(code, sections)
    if output.as_json:
        output.document({"code": code, "text": sections[code]})
    else:
        output.data(sections[code].rstrip())
    return 0


def list_checks(output: Output) -> int:
    """Print every check with what it does and finds."""
    checks = all_checks()
    if output.as_json:
        output.document({"checks": [_listed(check) for check in checks]})
        return 0
    rows = [
        (
            check.code,
            check.title,
            [effect.value for effect in check.effects],
            [f"{kind.code}: {kind.summary}" for kind in check.finds],
        )
        for check in checks
    ]
    for line in terminal.check_list(rows):
        output.data(line)
    return 0


def _listed(check: Check) -> dict[str, Any]:
    return {
        "code": check.code,
        "title": check.title,
        "effects": [effect.value for effect in check.effects],
        "depends_on": check.depends_on,
        "finds": {kind.code: kind.summary for kind in check.finds},
    }


def _unknown_code(code: str, known: Sequence[str] | dict[str, Any]) -> UsageError:
    close = get_close_matches(code, list(known), 3)
    return UsageError(
        f"there is no check or finding {code!r}",
        code="unknown-code",
        cause=f"did you mean {' or '.join(close)}?" if close else "it may be misspelt",
        fixes=(Fix((PROGRAM, "doctor", "--list-checks"), note="lists them"),),
    )


class DoctorJob:
    """Examines, shows, and with ``--fix`` mends; a `netkit.cli.lifecycle.Job`."""

    def __init__(self, request: Request, services: Services, output: Output) -> None:
        self._request = request
        self._services = services
        self._output = output
        self._prompter = TerminalPrompter()
        self._lock = threading.Lock()
        self._stopped = False
        self._run: Run | None = None

    def work(self) -> int:
        """Run the doctor to its end and return the exit code."""
        request = self._request
        checks, skipped = self._chosen()
        target = self._target()
        if request.dry_run and not request.fix:
            return self._show_plan(checks, skipped, target)
        report = self._examine(checks, skipped, target)
        if request.verify:
            return self._verified(self._typed_out(report))
        if request.fix and not report.interrupted:
            from netkit.cli.doctor.fix import Mender

            Mender(self._output, self._prompter, self._again, dry_run=request.dry_run).mend(report)
        return document.exit_code(report, Severity(request.fail_on))

    def stop(self, drain: float) -> None:
        """Come back with what is known; from any thread."""
        del drain
        self._prompter.cancel()
        with self._lock:
            self._stopped = True
            run = self._run
        if run is not None:
            run.interrupt()

    # --- what to do ---

    def _chosen(self) -> tuple[tuple[Check, ...], frozenset[str]]:
        request = self._request
        checks = all_checks()
        only = (request.verify,) if request.verify else request.only
        try:
            return select(checks, only, request.skip)
        except KeyError as error:
            code = str(error.args[0])
            known = [check.code for check in checks]
            known += [kind.code for check in checks for kind in check.finds]
            raise _unknown_code(code, known) from None

    def _target(self) -> Target:
        request = self._request
        if request.nat_budget is not None and NAT_CHECK not in {c.code for c in registry.CHECKS}:
            raise UsageError("this version of netkit cannot measure NAT timeouts", code="no-nat")
        forwards = request.forwards
        known: Remembered | None = None
        if request.spec is not None:
            # What ssh_config adds counts too; why it cannot be planned is for a check to say.
            with suppress(NetkitError):
                plan = self._services.plan(request.spec)
                forwards = plan.forwards
                known = remembered(self._services.recall(plan))
        budget = request.nat_budget
        return Target(
            gateway=str(request.spec.gateway) if request.spec else "",
            forwards=forwards,
            wanted=request.wanted,
            protocol=request.protocol,
            nat=None if budget is None else NatOptions(budget=budget),
            remembered=known,
            config_file=str((request.spec and request.spec.config_file) or ""),
        )

    def _show_plan(self, checks: Sequence[Check], skipped: frozenset[str], target: Target) -> int:
        for check in checks:
            reason = "left out on request" if check.code in skipped else check.applies(target)
            effects = "; ".join(effect.value for effect in check.effects) or "only reads"
            self._output.data(f"{check.code:22} {f'not run: {reason}' if reason else effects}")
        return 0

    # --- doing it ---

    def _examine(
        self, checks: tuple[Check, ...], skipped: frozenset[str], target: Target
    ) -> Report:
        from netkit.cli.doctor.machine import Machine

        with Machine(self._request, self._services, self._secrets, self._output.talk) as machine:
            if machine.target is not None:
                target = machine.target
            report = self._run_on(machine.system, checks, skipped, target)
            machine.finish(report)
            shown = self._typed_out(report)
            if self._request.redact:
                shown = machine.redacted(shown)
        self._show(shown)
        return report

    def _secrets(self) -> tuple[str | None, TerminalPrompter | None]:
        request = self._request
        password = login_password(stdin=request.password_stdin, profile=request.password_of)
        return password, self._prompter if self._prompter.has_terminal() else None

    def _run_on(
        self, system: System, checks: tuple[Check, ...], skipped: frozenset[str], target: Target
    ) -> Report:
        live = self._request.form == "text" and not self._request.redact
        watcher = Watcher(
            result=self._live if live and not self._request.verify else _ignore,
            slow=lambda title: self._output.talk(f"still examining {title} …"),
        )
        run = Run(checks, target, system, skipped, watcher)
        with self._lock:
            self._run = run
            stopped = self._stopped
        if stopped:
            run.interrupt()
        return run.run()

    def _again(self, code: str) -> bool | None:
        """Return whether ``code`` is still found; None: not known.  Used after a fix."""
        checks, _ = select(all_checks(), [code])
        from netkit.cli.doctor.machine import Machine

        with Machine(self._request, self._services, self._secrets) as machine:
            run = Run(checks, self._target(), machine.system)
            with self._lock:
                self._run = run
            return _is_found(run.run(), code)

    # --- showing it ---

    def _live(self, result: Result, hidden: Sequence[Hidden]) -> None:
        self._lines(self._result_lines(self._typed_out_result(result), hidden))

    def _result_lines(self, result: Result, hidden: Sequence[Hidden]) -> list[str]:
        verbose = self._request.verbose
        notes = verbose or self._request.asks
        return terminal.result_lines(result, hidden, verbose=verbose, notes=notes)

    def _show(self, report: Report) -> None:
        request = self._request
        if request.verify:
            return
        if request.form == "json":
            form = document.document(report, version=__version__, fail_on=Severity(request.fail_on))
            write_stdout(document.encode(form).decode())
            return
        if request.form == "markdown":
            write_stdout(markdown.markdown(report, version=__version__))
            return
        if request.redact:
            for result in report.results:
                self._lines(self._result_lines(result, ()))
        notes = request.verbose or request.asks
        self._lines(terminal.closing_lines(report, notes=notes))

    def _lines(self, lines: Sequence[str]) -> None:
        colour = may_colour(sys.stdout)
        for line in lines:
            mark = line[:1]
            if colour and mark in _COLOURS and line[1:3] == "  ":
                self._output.data(f"{_COLOURS[mark]}{mark}{_RESET}{line[1:]}")
            else:
                self._output.data(line)

    def _typed_out(self, report: Report) -> Report:
        return replace(report, results=tuple(map(self._typed_out_result, report.results)))

    def _typed_out_result(self, result: Result) -> Result:
        """Put the words of the forward that was asked for in the place of ``...`` in fixes."""
        typed = forward_typed(self._request.words, self._request.forwards)
        return replace(
            result, findings=tuple(_typed_finding(each, typed) for each in result.findings)
        )

    def _verified(self, report: Report) -> int:
        code = self._request.verify
        found = _is_found(report, code)
        as_json = self._request.form == "json"
        if as_json:
            self._output.document({"code": code, "found": found})
        if report.interrupted:
            return document.INTERRUPTED
        if found is None:
            reason = next((r.reason for r in report.results if r.reason), "no check could look")
            if not as_json:
                self._output.data(f"?  whether {code} is mended is not known: {reason}")
            return document.NOTHING_KNOWN
        if found:
            if not as_json:
                self._lines(
                    [
                        line
                        for result in report.results
                        for finding in result.findings
                        if code in (finding.code, result.check.code)
                        for line in terminal.finding_lines(finding, verbose=True)
                    ]
                    or [f"x  {code} is still there, because of {_cause(report, code)}"]
                )
            return document.FOUND
        if not as_json:
            self._output.data(f"+  {code} is not found any more")
        return document.CLEAN


def _ignore(_result: Result, _hidden: Sequence[Hidden]) -> None:
    """Show nothing while it runs."""


def _cause(report: Report, code: str) -> str:
    return next((each.cause for each in report.hidden if each.what == code), "another finding")


def _is_found(report: Report, code: str) -> bool | None:
    """Return whether ``code`` (of a finding or a check) is found; None where that is not known."""
    if any(each.what == code for each in report.hidden):
        return True
    about = [
        result
        for result in report.results
        if result.check.code == code or any(kind.code == code for kind in result.check.finds)
    ]
    for result in about:
        for finding in result.findings:
            if finding.code == code or (
                result.check.code == code and finding.severity.rank >= Severity.WARNING.rank
            ):
                return True
    return None if any(result.status is not Status.RAN for result in about) else False


def _typed_finding(finding: Finding, typed: Typed) -> Finding:
    if finding.code == CRASHED:
        return finding
    return replace(finding, fixes=tuple(expand(fix, typed) for fix in finding.fixes))


_ALONE = {"--nat", "--fix", "--dry-run", "--json", "--markdown", "--redact", "-v", "--verbose"}
_WITH_VALUE = {
    *("--for", "--budget", "--only", "--skip", "--verify", "--fail-on", "--record", "--replay"),
}


def forward_typed(words: Sequence[str], forwards: Sequence[Any]) -> Typed:
    """Return the ``netkit forward`` that a ``netkit doctor`` with these words is about."""
    kept: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name = word.partition("=")[0]
        if name in _WITH_VALUE:
            if word == name and rest:
                rest.pop(0)
        elif word not in _ALONE:
            kept.append(word)
    return Typed((PROGRAM, "forward"), tuple(kept), tuple(forwards))
