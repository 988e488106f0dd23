"""Lines for a person: three to a finding, the last one a command."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from diagnostics.model import Confidence, Finding, Hidden, Severity, Status, Unknown
from diagnostics.report.terminal import (
    check_list,
    closing_lines,
    finding_lines,
    result_lines,
)
from netkit.model import Fix
from support import reports
from support.reports import FINDING, report, result

NOTE = Finding(code="note", title="a note", severity=Severity.INFO)
UNKNOWN = Unknown(reason="only root may know", fixes=(Fix(("sudo", "ss", "-ltnp")),))


def test_a_finding_is_three_lines():
    assert finding_lines(FINDING) == [
        "x  127.0.0.2 is no address of this machine  [address-not-available]",
        "   macOS configures 127.0.0.1 alone.",
        "   fix:  sudo ifconfig lo0 alias 127.0.0.2 up",
    ]


def test_verbose_adds_evidence_undo_and_further_commands():
    lines = finding_lines(
        Finding(
            code="a",
            title="t",
            fixes=FINDING.fixes,
            evidence=FINDING.evidence,
            confidence=Confidence.LIKELY,
        ),
        verbose=True,
    )
    assert "   undo: sudo ifconfig lo0 -alias 127.0.0.2" in lines
    assert "   or:   netkit forward ... -L 127.0.0.1:3390:ts:3389" in lines
    assert "   seen: bind 127.0.0.2:0: EADDRNOTAVAIL" in lines
    assert "   sure: likely" in lines


def test_nothing_is_said_of_what_is_in_order():
    assert result_lines(result(), (), verbose=False, notes=False) == []
    assert result_lines(result(NOTE), (), verbose=False, notes=False) == []
    assert result_lines(result(NOTE), (), verbose=False, notes=True) == ["i  a note  [note]"]


def test_unknown_is_never_silent():
    lines = result_lines(
        result(status=Status.INCONCLUSIVE, unknowns=(UNKNOWN,)), (), verbose=False, notes=False
    )
    assert lines == [
        "?  not known: only root may know  [loopback-address]",
        "   fix:  sudo ss -ltnp",
    ]


def test_verbose_shows_every_check():
    hidden = Hidden(what="b", check="c", cause="a")
    assert result_lines(result(), (), verbose=True, notes=True) == [
        "+  the address asked for: nothing wrong"
    ]
    skipped = result(status=Status.SKIPPED, reason="no gateway is named")
    assert result_lines(skipped, (), verbose=True, notes=True) == [
        "-  the address asked for: skipped: no gateway is named"
    ]
    assert result_lines(result(), (hidden,), verbose=True, notes=True) == [
        "   hidden: b, because of a"
    ]


def test_the_end_of_a_healthy_run_is_one_line():
    assert closing_lines(report(result(), seconds=0.41), notes=False) == [
        "1 check in 0.4 s: nothing wrong"
    ]


def test_the_end_counts():
    hidden = tuple(Hidden(what=w, check="c", cause="a") for w in "xyz")
    lines = closing_lines(
        report(result(FINDING, NOTE, unknowns=(UNKNOWN,)), hidden=hidden, interrupted=True),
        notes=False,
    )
    assert lines == [
        "   3 consequences of a not shown",
        "interrupted; 1 check in 0.0 s: 1 error, 1 unknown (1 note with -v)",
    ]


def test_the_list_of_checks():
    assert check_list([("a", "the a", ["binds"], ["b: what"]), ("c", "the c", [], [])]) == [
        "a                      the a  (binds)",
        "    b: what",
        "c                      the c",
    ]


@given(reports.REPORTS, st.booleans(), st.booleans())
def test_every_line_is_fit_for_a_terminal(given_report, verbose, notes):
    lines = closing_lines(given_report, notes=notes)
    for each in given_report.results:
        lines += result_lines(each, given_report.hidden, verbose=verbose, notes=notes)
    assert all(line.isprintable() for line in lines)
