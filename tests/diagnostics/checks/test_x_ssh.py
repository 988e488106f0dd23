"""What ``ssh -X`` needs on this side: xauth, trust, no time limit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from diagnostics.checks.x_ssh import CHECK, Facts, judge, probe
from diagnostics.model import Finding, Severity, Target, Unknown
from diagnostics.ssh import Route
from support.any_values import any_of
from support.machine import HOP, FakeSsh, FakeSystem
from support.xservers import Fake, answers, entry, talk

CODES = {kind.code for kind in CHECK.finds}
TARGET = Target(gateway="me@gw")
X11 = replace(TARGET, protocol="x11")
COOKIE = b"c" * 16
X0 = "/tmp/.X11-unix/X0"
XAUTH = {"/usr/bin/xauth": b"\x7fELF"}


def examine(target: Target = TARGET, os: str = "linux", *, security: bool = True, **options: str):
    """Judge with what ``ssh -G`` says, and an X server that knows of distrust or not."""
    said = {"forwardx11": "yes", "forwardx11trusted": "yes", **options}
    files = said.pop("files", XAUTH)
    display = said.pop("display", ":0")
    text = "".join(f"{key} {value}\n" for key, value in said.items())
    config = ("-F", target.config_file) if target.config_file else ()
    system = FakeSystem(
        os,
        tools={("ssh", "-G", *config, "-l", "me", "--", "gw"): text},
        variables={"DISPLAY": display} if display else {},
        files={"/home/me/.Xauthority": entry(COOKIE, 0), **files},  # type: ignore[dict-item]
        talk=talk({X0: Fake(cookie=COOKIE, answers=answers(security=security))}),
    )
    return judge(probe(target, system))


def only(*given, **more) -> Finding:
    (found,) = examine(*given, **more)
    assert isinstance(found, Finding)
    return found


def test_healthy():
    assert examine() == ()
    assert examine(forwardx11trusted="no", forwardx11timeout="0") == ()


def test_nobody_wants_it():
    assert examine(forwardx11="no", files={}) == ()  # type: ignore[arg-type]
    assert examine(display="", files={}) == ()  # type: ignore[arg-type]


def test_asked_about():
    """Whoever asks about X11 will call ssh -X, whatever its configuration says."""
    assert only(X11, forwardx11="no", files={}).code == "x-ssh-no-xauth"


def test_no_xauth():
    found = only(files={})
    assert (found.code, found.severity) == ("x-ssh-no-xauth", Severity.WARNING)
    assert "makes up a cookie" in found.explain
    assert found.fixes[0].argv == ("sudo", "apt-get", "install", "xauth")
    found = only(files={}, forwardx11trusted="no")
    assert found.severity is Severity.ERROR
    assert "key data not generated" in found.explain


def test_xauth_is_elsewhere():
    target = replace(TARGET, config_file="/c")
    (fix,) = only(target, xauthlocation="/opt/x").fixes
    option = ("-o", "XAuthLocation=/usr/bin/xauth", "-X")
    assert fix.argv == ("ssh", *option, "-F", "/c", "-l", "me", "--", "gw")


def test_no_xauth_on_other_systems():
    assert only(os="darwin", files={}).fixes[0].argv[0] == "brew"
    (fix,) = only(os="darwin", files={"/opt/X11/bin/xauth": b""}).fixes
    assert "XAuthLocation=/opt/X11/bin/xauth" in fix.argv
    assert only(os="windows", files={}).fixes == ()


def test_no_security_extension():
    found = only(security=False, forwardx11trusted="no", forwardx11timeout="1200")
    assert (found.code, found.severity) == ("x-ssh-untrusted", Severity.ERROR)
    assert found.fixes[0].argv == ("ssh", "-Y", "-l", "me", "--", "gw")


@pytest.mark.parametrize("display", [":0", ":7", "nonsense", "nowhere:0"])
def test_time_limit(display: str):
    """Also where no server says what it can do."""
    found = only(display=display, forwardx11trusted="no", forwardx11timeout="1200")
    assert (found.code, found.severity) == ("x-ssh-timeout", Severity.WARNING)
    assert "1200 s" in found.title
    assert [fix.argv[1] for fix in found.fixes] == ["-o", "-Y"]


@pytest.mark.parametrize(("target", "told"), [(TARGET, 0), (X11, 1)])
def test_ssh_does_not_say(target: Target, told: int):
    """No ssh is no fault of X11, unless that is what was asked about."""
    found = judge(probe(target, FakeSystem(variables={"DISPLAY": ":0"})))
    assert len(found) == told
    assert all(isinstance(each, Unknown) for each in found)


def test_no_gateway():
    system = FakeSystem(ssh=FakeSsh(route=Route()), variables={"DISPLAY": ":0"})
    assert judge(probe(TARGET, system)) == ()


def test_port():
    hop = replace(HOP, port=2222)
    system = FakeSystem(
        ssh=FakeSsh(route=Route(hops=(hop,))),
        tools={("ssh", "-G", "-p", "2222", "-l", "me", "--", "gw"): "forwardx11 yes\n"},
        variables={"DISPLAY": ":0"},
        files=XAUTH,
    )
    assert probe(TARGET, system).words == ("-p", "2222", "-l", "me", "--", "gw")


@given(any_of(Facts))
def test_any_facts(facts: Facts):
    assert {each.code for each in judge(facts) if isinstance(each, Finding)} <= CODES
