"""Which findings are mere consequences of others: they are hidden and counted.

Pure.  A finding is a consequence when a code that causes it was found in the same run.  Causes are
followed to their root; where findings cause each other, the first in order stays visible.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

from diagnostics.model import Check, Finding, Hidden, Result


def causes_of(finding: Finding, check: Check) -> tuple[str, ...]:
    """Return the codes that make ``finding`` of ``check`` a consequence."""
    declared = next((kind.caused_by for kind in check.finds if kind.code == finding.code), ())
    return (*finding.caused_by, *declared)


def roots(results: Iterable[Result]) -> dict[str, str]:
    """Return for every code that was found the code of its root, itself where it has none."""
    pairs = [(finding, result.check) for result in results for finding in result.findings]
    found = {finding.code for finding, _ in pairs}
    causes: dict[str, list[str]] = {}
    tops: set[str] = set()
    for finding, check in pairs:
        present = _present(finding, check, found)
        causes.setdefault(finding.code, []).extend(present)
        if not present:
            tops.add(finding.code)
    root_of: dict[str, str] = {}
    for code in causes:
        root_of[code] = _first_top(code, causes, tops)
        tops.add(root_of[code])
    return root_of


def _present(finding: Finding, check: Check, found: Container[str]) -> list[str]:
    return [
        cause for cause in causes_of(finding, check) if cause in found and cause != finding.code
    ]


def _first_top(code: str, causes: Mapping[str, Sequence[str]], tops: Container[str]) -> str:
    """Follow the causes breadth first; in a circle without a top, ``code`` becomes one."""
    line = [code]
    for each in line:
        if each in tops:
            return each
        line.extend(cause for cause in causes[each] if cause not in line)
    return code


def hide(result: Result, root_of: Mapping[str, str]) -> tuple[Result, tuple[Hidden, ...]]:
    """Return ``result`` without its consequences, and those."""
    check = result.check
    if result.blocked_by:
        cause = root_of.get(result.blocked_by, result.blocked_by)
        return result, (Hidden(what=check.code, check=check.code, cause=cause),)
    shown: list[Finding] = []
    hidden: list[Hidden] = []
    for finding in result.findings:
        causes = (root_of[cause] for cause in _present(finding, check, root_of))
        root = next((cause for cause in causes if cause != finding.code), "")
        if root:
            hidden.append(
                Hidden(what=finding.code, check=check.code, cause=root, subject=finding.subject)
            )
        else:
            shown.append(finding)
    return replace(result, findings=tuple(shown)), tuple(hidden)
