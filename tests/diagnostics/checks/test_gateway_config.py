"""The plan of the way to a gateway: each way in which there is none has a code and a place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks import gateway_config
from diagnostics.checks.gateway_config import CHECK, Facts, judge, probe
from diagnostics.model import Finding, Severity, Target, Unknown
from diagnostics.ssh import Route
from netkit.doctor.gateway import GatewayExaminer
from netkit.model import Gateway, TunnelSpec
from support.machine import FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
TARGET = Target(gateway="me@gw")


def route(**words: str) -> Facts:
    return probe(TARGET, FakeSystem(ssh=FakeSsh(route=Route(**words))))  # type: ignore[arg-type]


def only(facts: Facts) -> Finding:
    (found,) = judge(facts)
    assert isinstance(found, Finding)
    return found


def test_a_plan_is_fine():
    assert judge(probe(TARGET, FakeSystem())) == ()


def test_what_is_ignored_is_a_note():
    facts = Facts("linux", "gw", warnings=("gw: LocalCommand is not run",))
    found = only(facts)
    assert (found.code, found.severity) == (gateway_config.IGNORED, Severity.INFO)


def test_no_plan_and_no_reason_is_unknown():
    assert isinstance(judge(route())[0], Unknown)


@pytest.mark.parametrize("ssh", ["", "none"])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Host *\n  Bogus x\n", "ssh-config-error"),
        ("Host *\n  Port 99999\n  Port x\n  Bogus y\n", "ssh-config-error"),
        ("\0\0\0\xff\xfe\n\x1b[31m junk", "ssh-config-error"),
        ("PreferredAuthentications gssapi-with-mic\n", "no-auth-method"),
        ("Host *\nProxyJump jump\n", "proxy-jump-loop"),
    ],
)
def test_real_configurations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: str, ssh: str
):
    monkeypatch.setenv("NETKIT_SSH", ssh)
    config = tmp_path / "config"
    config.write_text(text, encoding="latin-1")
    spec = TunnelSpec(gateway=Gateway("gw"), config_file=config)
    found = only(probe(TARGET, FakeSystem(ssh=GatewayExaminer(spec))))
    assert found.code == code
    assert found.title.isprintable()
    if code == "ssh-config-error":
        assert found.subject.startswith(f"{config}:")
        assert found.fixes[0].argv[0] == "sed"


def test_a_configuration_that_is_not_there(tmp_path: Path):
    spec = TunnelSpec(gateway=Gateway("gw"), config_file=tmp_path / "none here")
    found = only(probe(TARGET, FakeSystem(ssh=GatewayExaminer(spec))))
    assert (found.code, found.subject) == ("ssh-config-unreadable", str(tmp_path / "none here"))


def test_more_than_one_place_is_told():
    error = "/c line 2: Bad port 'x'.; /c: line 9: Bad configuration option: y"
    found = only(route(error_code="bad-config", error=error))
    assert found.title == "/c, line 2: Bad port 'x'."
    assert "1 more" in found.explain
    windows = replace(route(error_code="bad-config", error=error), os="windows")
    assert only(windows).fixes[0].argv[-1].endswith("Select-Object -Index 1")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"error_code": "config-not-private", "error": "/c can be changed by others"},
         "ssh-config-not-private"),
        ({"error_code": "bad-config", "error": "ssh rejects the configuration: Bad owner or "
          "permissions on /c"}, "ssh-config-not-private"),
        ({"error_code": "bad-config", "error": "ssh -G did not answer within 10 s",
          "cause": "a command of 'Match exec' in ssh_config hangs"}, "ssh-config-hangs"),
        ({"error_code": "too-many-hops", "error": "x"}, "proxy-jump-loop"),
        ({"error_code": "bad-config", "error": "/c cannot be read: no"}, "ssh-config-unreadable"),
        ({"error_code": "no-such-ssh", "error": "no ssh at 'x'"}, "gateway-plan-impossible"),
        ({"error_code": "usage"}, "gateway-plan-impossible"),
    ],
)  # fmt: skip
def test_words(words: dict[str, str], code: str):
    assert only(route(**words)).code == code


def test_a_loop_on_windows():
    facts = Facts("windows", "gw", code="too-many-hops", error="x")
    assert only(facts).fixes[0].argv[0] == "powershell"


def test_no_command_for_a_name_that_is_an_option():
    facts = Facts("linux", "-oProxyCommand=x", code="no-auth-method", error="x")
    assert only(facts).fixes == ()
    windows = Facts("windows", "gw", code="bad-config", error="/c cannot be read: no")
    assert only(windows).fixes == ()


@given(st.builds(Facts))
def test_is_total(facts: Facts):
    for found in judge(facts):
        if isinstance(found, Finding):
            assert found.code in CODES
            assert found.title.isprintable()
