"""Markdown for tickets: complete, and with everything from outside escaped."""

from __future__ import annotations

from hypothesis import given

from diagnostics.model import Evidence, Finding, Hidden, Severity, Status, Target, Unknown
from diagnostics.report.markdown import markdown
from support import reports
from support.reports import FINDING, FORWARD, report, result


def test_a_whole_report():
    text = markdown(
        report(
            result(FINDING),
            result(status=Status.INCONCLUSIVE, reason="why", unknowns=(Unknown(reason="why"),)),
            result(status=Status.SKIPPED),
            hidden=(Hidden(what="b", check="c", cause="a"),),
            target=Target(gateway="me@gw", forwards=(FORWARD,)),
        ),
        version="1.0",
    )
    assert text.startswith("# netkit doctor\n\nnetkit 1.0 on linux, gateway me@gw: 1 errors,")
    assert "* forward `--bind 127.0.0.2:3389`" in text
    assert "## error: 127.0.0.2 is no address of this machine" in text
    assert "* bind 127.0.0.2:0: `EADDRNOTAVAIL`" in text
    assert "* `sudo ifconfig lo0 alias 127.0.0.2 up`" in text
    assert "## Not known\n\n* why (loopback-address)" in text
    assert "* b, because of a" in text
    assert text.count("| loopback-address |") == 2


def test_worst_first_and_in_order_needs_no_fix():
    fine = Finding(code="ok", title="fine", severity=Severity.OK, fixes=FINDING.fixes)
    text = markdown(report(result(fine), result(FINDING), interrupted=True), version="1")
    assert text.index("## error") < text.index("## ok")
    assert text.count("Fix:") == 1
    assert "(interrupted)" in text


def test_what_comes_from_outside_cannot_leave_its_place():
    nasty = Finding(
        code="a",
        title="a|b *c* <script> [x](y)",
        evidence=(Evidence("w", "`` ` ``"), Evidence("v", "`")),
    )
    text = markdown(report(result(nasty)), version="1")
    assert r"a\|b \*c\* \<script\> \[x\](y)" in text
    assert "* w: ``` `` ` `` ```" in text
    assert "* v: `` ` ``" in text


@given(reports.REPORTS)
def test_is_total(given_report):
    assert markdown(given_report, version="x").startswith("# netkit doctor\n")
