"""The JSON form: stable, valid against its published schema, with the right exit code."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given

from diagnostics.model import Finding, Hidden, Severity, Status, Unknown
from diagnostics.report.document import document, encode, exit_code, schema, summary
from support import reports
from support.reports import FINDING, report, result

SCHEMA = Path(__file__).resolve().parents[3] / "docs/doctor.schema.json"
WARNING = Finding(code="odd", title="odd", severity=Severity.WARNING)
UNSURE = result(status=Status.INCONCLUSIVE, unknowns=(Unknown(reason="no permission"),))


def test_the_published_schema_is_the_one_in_force():
    in_force = json.loads(json.dumps(schema()))
    assert json.loads(SCHEMA.read_text()) == in_force, "run `make docs`"


@given(reports.REPORTS)
def test_every_report_is_valid(given_report):
    text = encode(document(given_report, version="1.0"))
    jsonschema.Draft202012Validator(schema()).validate(json.loads(text))
    assert text.endswith(b"\n")


def test_a_finding_with_its_command():
    made = json.loads(encode(document(report(result(FINDING)), version="1.2.3")))
    assert (made["schema_version"], made["netkit"], made["os"]) == (1, "1.2.3", "linux")
    assert made["exit_code"] == 1
    (finding,) = made["findings"]
    assert (finding["code"], finding["check"]) == ("address-not-available", "loopback-address")
    assert finding["evidence"] == [{"what": "bind 127.0.0.2:0", "value": "EADDRNOTAVAIL"}]
    assert finding["fixes"][0]["command"] == "sudo ifconfig lo0 alias 127.0.0.2 up"
    assert finding["fixes"][0]["undo"] == ["sudo", "ifconfig", "lo0", "-alias", "127.0.0.2"]
    assert made["checks"][0]["status"] == "ran"


@pytest.mark.parametrize(
    ("given_report", "fail_on", "code"),
    [
        (report(result()), "error", 0),
        (report(result(FINDING)), "error", 1),
        (report(result(WARNING)), "error", 0),
        (report(result(WARNING)), "warning", 1),
        (report(UNSURE), "error", 3),
        (report(UNSURE, result()), "error", 0),
        (report(result(status=Status.SKIPPED)), "error", 0),
        (report(result(FINDING), interrupted=True), "error", 130),
        (report(), "error", 0),
    ],
)
def test_exit_codes(given_report, fail_on, code):
    assert exit_code(given_report, Severity(fail_on)) == code


def test_counts():
    hidden = Hidden(what="port-taken", check="port", cause="loopback-down")
    counted = summary(report(result(FINDING, WARNING), UNSURE, hidden=(hidden,)))
    assert (counted.error, counted.warning, counted.info, counted.ok) == (1, 1, 0, 0)
    assert (counted.unknown, counted.hidden) == (1, 1)
