"""A report as lines for a person at a terminal: a finding is three lines, the last one a command.

x  127.0.0.2:3389 is taken by xrdp (process 812)  [port-taken]
   Nothing else can listen there before it ends.
   fix:  netkit forward gw --bind 127.0.0.2:3390 --to ts:3389
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from diagnostics.model import Finding, Hidden, Report, Result, Severity, Status, Unknown
from diagnostics.parsers.text import clean
from diagnostics.report.document import summary
from netkit.model import Fix

MARKS = {Severity.ERROR: "x", Severity.WARNING: "!", Severity.INFO: "i", Severity.OK: "+"}
UNKNOWN_MARK = "?"
_WIDTH = 1000
"""Characters of one line at most: what a machine says may be longer than anyone wants to read."""


def finding_lines(finding: Finding, *, verbose: bool = False) -> list[str]:
    """Return what, why and the command; ``verbose`` adds evidence and further commands."""
    lines = [f"{MARKS[finding.severity]}  {clean(finding.title, _WIDTH)}  [{finding.code}]"]
    if finding.explain:
        lines.append(f"   {clean(finding.explain, _WIDTH)}")
    lines += _fix_lines(finding.fixes, verbose=verbose)
    if verbose:
        lines += [
            f"   seen: {clean(each.what, _WIDTH)}: {clean(each.value, _WIDTH)}"
            for each in finding.evidence
        ]
        if finding.confidence.value != "certain":
            lines.append(f"   sure: {finding.confidence.value}")
    return lines


def unknown_lines(unknown: Unknown, result: Result, *, verbose: bool = False) -> list[str]:
    """Return what could not be found out, and what would tell."""
    reason = clean(unknown.reason, _WIDTH)
    lines = [f"{UNKNOWN_MARK}  not known: {reason}  [{result.check.code}]"]
    return lines + _fix_lines(unknown.fixes, verbose=verbose)


def _fix_lines(fixes: Sequence[Fix], *, verbose: bool) -> list[str]:
    lines = []
    for number, fix in enumerate(fixes if verbose else fixes[:1]):
        label = "fix: " if number == 0 else "or:  "
        lines.append(f"   {label} {clean(str(fix), _WIDTH)}")
        if verbose and fix.undo:
            lines.append(f"   undo: {clean(shlex.join(fix.undo), _WIDTH)}")
    return lines


def result_lines(
    result: Result, hidden: Sequence[Hidden], *, verbose: bool, notes: bool
) -> list[str]:
    """Return the lines of one result; none where there is nothing to say.

    ``notes`` shows information and what is in order too; ``verbose`` every check.
    """
    lines: list[str] = []
    for finding in result.findings:
        if finding.severity.rank >= Severity.WARNING.rank or notes:
            lines += finding_lines(finding, verbose=verbose)
    for unknown in result.unknowns:
        lines += unknown_lines(unknown, result, verbose=verbose)
    if verbose:
        lines += [f"   hidden: {each.what}, because of {each.cause}" for each in hidden]
        if not lines:
            lines.append(_quiet_line(result))
    return lines


def _quiet_line(result: Result) -> str:
    if result.status is Status.RAN:
        return f"+  {result.check.title}: nothing wrong"
    reason = f": {clean(result.reason, _WIDTH)}" if result.reason else ""
    return f"-  {result.check.title}: {result.status.value}{reason}"


def closing_lines(report: Report, *, notes: bool) -> list[str]:
    """Return what was hidden and the sum, for the end of a report."""
    lines = [
        f"   {_count(number, 'consequence')} of {code} not shown"
        for code, number in Counter(each.cause for each in report.hidden).items()
        if code
    ]
    counts = summary(report)
    ran = sum(result.status is not Status.SKIPPED for result in report.results)
    said = [
        _count(number, word)
        for number, word in (
            (counts.error, "error"),
            (counts.warning, "warning"),
            (counts.unknown, "unknown"),
        )
        if number
    ]
    sum_up = ", ".join(said) or "nothing wrong"
    line = f"{_count(ran, 'check')} in {report.seconds:.1f} s: {sum_up}"
    if not notes and (quiet := counts.info + counts.ok):
        line += f" ({_count(quiet, 'note')} with -v)"
    if report.interrupted:
        line = f"interrupted; {line}"
    return [*lines, line]


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def check_list(results: Iterable[tuple[str, str, Sequence[str], Sequence[str]]]) -> list[str]:
    """Return lines for ``--list-checks``: (code, title, effects, codes found) each."""
    lines = []
    for code, title, effects, found in results:
        lines.append(f"{code:22} {title}" + (f"  ({'; '.join(effects)})" if effects else ""))
        lines += [f"    {each}" for each in found]
    return lines
