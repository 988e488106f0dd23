from diagnostics.model import Report, Severity, Target, always, with_gateway
from support.reports import FINDING, result


def test_severities_have_an_order():
    assert [each.rank for each in Severity] == [0, 1, 2, 3]


def test_whom_a_check_concerns():
    assert always(Target()) == ""
    assert with_gateway(Target()) == "no gateway is named"
    assert with_gateway(Target(gateway="gw")) == ""


def test_findings_of_a_report():
    assert Report(results=(result(FINDING), result())).findings == (FINDING,)
