"""The JSON form of a report, its schema, and what a run ends with.

The schema is published as docs/doctor.schema.json.  ``schema_version`` grows when a reader of the
old form would be misled; new fields may come at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from diagnostics.model import (
    SCHEMA_VERSION,
    Confidence,
    Evidence,
    Finding,
    Hidden,
    Report,
    Result,
    Severity,
    Status,
    Unknown,
)
from netkit.model import Fix

CLEAN, FOUND, NOTHING_KNOWN, INTERRUPTED = 0, 1, 3, 130
"""Exit codes (DESIGN section 7)."""

_Code = Annotated[str, msgspec.Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FixForm:
    """A command that mends a fault; ``command`` is ``argv`` quoted for a POSIX shell."""

    argv: tuple[str, ...]
    command: str
    where: str
    note: str = ""
    needs_admin: bool = False
    persistent: bool = False
    undo: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingForm:
    """A finding; ``check`` is the code of the check that found it."""

    code: _Code
    check: _Code
    severity: Severity
    confidence: Confidence
    subject: str
    title: str
    explain: str
    evidence: tuple[Evidence, ...]
    fixes: tuple[FixForm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownForm:
    """What a check could not find out."""

    check: _Code
    subject: str
    reason: str
    evidence: tuple[Evidence, ...]
    fixes: tuple[FixForm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckForm:
    """What became of a check; ``blocked_by`` is the code of the finding that made it pointless."""

    code: _Code
    title: str
    status: Status
    reason: str
    seconds: float
    blocked_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts of visible findings by severity, of unknowns, and of what was hidden."""

    error: int
    warning: int
    info: int
    ok: int
    unknown: int
    hidden: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetForm:
    """What was examined."""

    gateway: str
    forwards: tuple[str, ...]
    protocol: str
    nat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole report."""

    schema_version: Annotated[int, msgspec.Meta(ge=1)]
    netkit: str
    os: str
    target: TargetForm
    exit_code: int
    interrupted: bool
    seconds: float
    summary: Summary
    findings: tuple[FindingForm, ...]
    unknowns: tuple[UnknownForm, ...]
    hidden: tuple[Hidden, ...]
    checks: tuple[CheckForm, ...]


def exit_code(report: Report, fail_on: Severity = Severity.ERROR) -> int:
    """Return what a run ends with.

    0: nothing at or above ``fail_on``; 1: something; 3: nothing could be found out (every check
    that applied was inconclusive, timed out or crashed); 130: interrupted.
    """
    if report.interrupted:
        return INTERRUPTED
    if any(finding.severity.rank >= fail_on.rank for finding in report.findings):
        return FOUND
    tried = [each for each in report.results if each.status is not Status.SKIPPED]
    if tried and all(each.status is not Status.RAN for each in tried):
        return NOTHING_KNOWN
    return CLEAN


def summary(report: Report) -> Summary:
    """Count what was found."""
    counts = dict.fromkeys(Severity, 0)
    for finding in report.findings:
        counts[finding.severity] += 1
    return Summary(
        error=counts[Severity.ERROR],
        warning=counts[Severity.WARNING],
        info=counts[Severity.INFO],
        ok=counts[Severity.OK],
        unknown=sum(len(result.unknowns) for result in report.results),
        hidden=len(report.hidden),
    )


def document(report: Report, *, version: str, fail_on: Severity = Severity.ERROR) -> Document:
    """Return the JSON form of ``report``; ``version`` is netkit's."""
    return Document(
        schema_version=SCHEMA_VERSION,
        netkit=version,
        os=report.os,
        target=TargetForm(
            gateway=report.target.gateway,
            forwards=tuple(str(forward) for forward in report.target.forwards),
            protocol=report.target.protocol,
            nat=report.target.nat is not None,
        ),
        exit_code=exit_code(report, fail_on),
        interrupted=report.interrupted,
        seconds=round(report.seconds, 3),
        summary=summary(report),
        findings=tuple(
            _finding(finding, result) for result in report.results for finding in result.findings
        ),
        unknowns=tuple(
            _unknown(unknown, result) for result in report.results for unknown in result.unknowns
        ),
        hidden=report.hidden,
        checks=tuple(_check(result) for result in report.results),
    )


def encode(form: Document) -> bytes:
    """Return ``form`` as one JSON document, with a line end."""
    return msgspec.json.format(msgspec.json.encode(form), indent=2) + b"\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of `Document`."""
    made = msgspec.json.schema(Document)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "netkit doctor --json",
        **made,
    }


def _finding(finding: Finding, result: Result) -> FindingForm:
    return FindingForm(
        code=finding.code,
        check=result.check.code,
        severity=finding.severity,
        confidence=finding.confidence,
        subject=finding.subject,
        title=finding.title,
        explain=finding.explain,
        evidence=finding.evidence,
        fixes=tuple(map(_fix, finding.fixes)),
    )


def _unknown(unknown: Unknown, result: Result) -> UnknownForm:
    return UnknownForm(
        check=result.check.code,
        subject=unknown.subject,
        reason=unknown.reason,
        evidence=unknown.evidence,
        fixes=tuple(map(_fix, unknown.fixes)),
    )


def _check(result: Result) -> CheckForm:
    return CheckForm(
        code=result.check.code,
        title=result.check.title,
        status=result.status,
        reason=result.reason,
        seconds=round(result.seconds, 3),
        blocked_by=result.blocked_by,
    )


def _fix(fix: Fix) -> FixForm:
    return FixForm(
        argv=fix.argv,
        command=fix.command,
        where=fix.where,
        note=fix.note,
        needs_admin=fix.needs_admin,
        persistent=fix.persistent,
        undo=fix.undo,
    )
