"""Protocols: named with --for, or meant by the port of a forward."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.protocol import CHECK, Facts, judge, probe
from diagnostics.knowledge.protocols import NAMES, TABLE
from diagnostics.model import Severity, Target
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def leads_to(port: int) -> tuple[ForwardSpec, ...]:
    return (ForwardSpec(ForwardKind.LOCAL, Endpoint("", 8000), Endpoint("web", port)),)


def examine(protocol: str = "", os: str = "linux", gateway: str = "me@gw", forwards=()):
    target = Target(gateway=gateway, protocol=protocol, forwards=forwards)
    return judge(probe(target, FakeSystem(os)))


def test_what_it_applies_to():
    assert CHECK.applies(Target()) != ""
    unix = ForwardSpec(ForwardKind.LOCAL, UnixPath("/x"), UnixPath("/y"))
    assert CHECK.applies(Target(forwards=(*leads_to(80), unix))) != ""
    assert CHECK.applies(Target(forwards=leads_to(21))) == ""
    assert CHECK.applies(Target(protocol="http")) == ""


@pytest.mark.parametrize(
    ("name", "code", "severity"),
    [
        ("udp", "protocol-udp", Severity.ERROR),
        ("SIP", "protocol-udp", Severity.ERROR),
        ("dns", "protocol-udp", Severity.WARNING),
        ("ping", "protocol-no-tcp", Severity.ERROR),
        ("ftp", "protocol-more-connections", Severity.WARNING),
        ("dcom", "protocol-more-connections", Severity.ERROR),
        ("kafka", "protocol-redirects", Severity.WARNING),
        ("https", "protocol-passes", Severity.OK),
        ("rdp", "protocol-passes", Severity.OK),
        ("smb", "protocol-passes", Severity.OK),
    ],
)
def test_by_name(name, code, severity):
    (finding,) = examine(name)
    assert (finding.code, finding.severity) == (code, severity)
    assert finding.fixes


def test_smb_on_windows():
    (finding,) = examine("smb", "windows")
    assert (finding.code, finding.severity) == ("protocol-fixed-port", Severity.WARNING)
    assert any("/TCPPORT:1445" in str(fix) for fix in finding.fixes)
    (finding,) = examine(os="windows", forwards=leads_to(445))
    assert finding.severity is Severity.INFO
    assert examine(forwards=leads_to(445)) == ()


@pytest.mark.parametrize(("port", "severity"), [(5060, Severity.WARNING), (21, Severity.INFO)])
def test_by_port(port, severity):
    (finding,) = examine(forwards=leads_to(port))
    assert finding.severity is severity
    assert finding.subject == f"web:{port}"
    assert examine("sip" if port == 5060 else "ftp", forwards=leads_to(port))[0].subject != "web"
    assert len(examine("sip" if port == 5060 else "ftp", forwards=leads_to(port))) == 1


def test_commands_can_be_run_as_they_are_or_are_words_only():
    (finding,) = examine("ftp")
    assert finding.fixes[0].argv == ("sftp", "me@gw")
    assert finding.fixes[1].argv == ("netkit", "forward", "-D", "1080", "me@gw")
    assert finding.fixes[2].argv == ()
    assert "ftp://SERVER/" in finding.fixes[2].note
    (finding,) = examine("ftp", gateway="")
    assert all(fix.argv == () for fix in finding.fixes)
    assert finding.fixes[0].note.startswith("sftp GATEWAY (")
    (finding,) = examine("ftp", gateway="me@gw:2222")
    assert finding.fixes[0].argv == ("sftp", "sftp://me@gw:2222")
    assert finding.fixes[1].argv[-1] == "me@gw:2222"
    (finding,) = examine("wireguard")
    assert finding.fixes[-1].note.startswith("a VPN")


@pytest.mark.parametrize("os", ["linux", "darwin", "windows"])
@pytest.mark.parametrize("gateway", ["", "gw"])
def test_every_name_has_an_answer(os, gateway):
    for name in NAMES:
        (finding,) = examine(name, os, gateway)
        assert finding.explain
        assert finding.evidence
        assert "{" not in str(finding.fixes)
        for fix in finding.fixes:
            assert not any(word.isupper() and len(word) > 3 for word in fix.argv)


def test_an_unknown_name_says_nothing():
    assert examine("quidditch") == ()


@given(st.sampled_from([*NAMES, ""]), any_of(Facts))
def test_is_total(name, facts):
    assert {each.code for each in judge(facts)} <= CODES
    found = judge(replace(facts, protocol=name, forwards=leads_to(5060)))
    assert {each.code for each in found} <= CODES


def test_the_table_is_the_one_that_the_command_line_knows():
    assert {name for each in TABLE for name in each.names} == set(NAMES)
