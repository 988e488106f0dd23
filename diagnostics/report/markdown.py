"""A report as Markdown, to paste into a ticket."""

from __future__ import annotations

import re

from diagnostics.model import Finding, Report, Severity, Status
from diagnostics.parsers.text import clean
from diagnostics.report.document import summary

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")
_WIDTH = 500


def markdown(report: Report, *, version: str) -> str:
    """Return the whole report; everything from outside is escaped."""
    counts = summary(report)
    lines = [
        "# netkit doctor",
        "",
        f"netkit {_safe(version)} on {_safe(report.os)}"
        + (f", gateway {_safe(report.target.gateway)}" if report.target.gateway else "")
        + f": {counts.error} errors, {counts.warning} warnings, {counts.unknown} unknown, "
        f"{counts.hidden} hidden" + (" (interrupted)" if report.interrupted else ""),
        "",
    ]
    for forward in report.target.forwards:
        lines += [f"* forward {_code(str(forward))}"]
    found = sorted(report.findings, key=lambda each: -each.severity.rank)
    for finding in found:
        lines += ["", *_finding(finding)]
    unknown = [(u, r.check.code) for r in report.results for u in r.unknowns]
    if unknown:
        lines += ["", "## Not known", ""]
        lines += [f"* {_safe(each.reason)} ({code})" for each, code in unknown]
    if report.hidden:
        lines += ["", "## Hidden as consequences", ""]
        lines += [f"* {each.what}, because of {each.cause}" for each in report.hidden]
    lines += ["", "## Checks", "", "| check | status | seconds | |", "|---|---|---|---|"]
    for result in report.results:
        if result.status is not Status.SKIPPED:
            reason = _safe(result.reason)
            row = f"| {result.check.code} | {result.status.value} | {result.seconds:.2f}"
            lines.append(f"{row} | {reason} |")
    return "\n".join(lines) + "\n"


def _finding(finding: Finding) -> list[str]:
    lines = [f"## {finding.severity.value}: {_safe(finding.title)}", ""]
    lines.append(f"{finding.code}, {finding.confidence.value}. {_safe(finding.explain)}".rstrip())
    if finding.evidence:
        lines.append("")
        lines += [f"* {_safe(each.what)}: {_code(each.value)}" for each in finding.evidence]
    if finding.fixes and finding.severity is not Severity.OK:
        lines += ["", "Fix:", ""]
        lines += [f"* {_code(str(fix))}" for fix in finding.fixes]
    return lines


def _safe(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", clean(text, _WIDTH))


def _code(text: str) -> str:
    """Return ``text`` as inline code that no backtick in it can end."""
    shown = clean(text, _WIDTH)
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"
