"""DISPLAY: not set, malformed, and read differently."""

from __future__ import annotations

import pytest
from hypothesis import given

from diagnostics.checks.x_display import CHECK, Facts, judge, probe
from diagnostics.model import Finding, Severity, Target
from diagnostics.system import FileStat
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import FakeSystem

CODES = {kind.code for kind in CHECK.finds}
X11 = Target(protocol="x11")
MAPPED = Target(
    gateway="gw",
    forwards=(ForwardSpec(ForwardKind.REMOTE, Endpoint("", 6001), UnixPath("/tmp/.X11-unix/X0")),),
)
SOCKETS = {"/tmp/.X11-unix": ("X0", "X", "Y1")}


def examine(text: str = "", target: Target = Target(), os: str = "linux", **more):
    variables = {"DISPLAY": text, **more.pop("variables", {})}
    return judge(probe(target, FakeSystem(os, variables=variables, **more)))


def only(*given, **more) -> Finding:
    (found,) = examine(*given, **more)
    assert isinstance(found, Finding)
    return found


@pytest.mark.parametrize("text", ["", ":0", "gateway:1.0", "localhost:10.0"])
def test_nothing_to_say(text: str):
    assert examine(text) == ()
    assert judge(probe(Target(), FakeSystem())) == ()


def test_missing():
    found = only("", X11, directories=SOCKETS)
    assert (found.code, found.severity) == ("x-display-missing", Severity.ERROR)
    assert found.fixes[0].argv == ("export", "DISPLAY=:0")
    assert found.evidence[0].value == "X0 X Y1"


def test_missing_where_there_is_no_server():
    found = only("", X11, variables={"WAYLAND_DISPLAY": "wayland-0"})
    assert found.fixes == ()
    assert "Xwayland" in found.explain
    assert found.evidence[0].value == "no sockets"


def test_missing_and_only_a_forward_wants_it():
    found = only("", MAPPED)
    assert found.severity is Severity.INFO
    assert "all the same" in found.explain


def test_missing_elsewhere():
    assert only("", X11, os="windows").fixes[0].argv[0] == "setx"
    assert only("", X11, os="darwin").fixes[0].argv[0] == "brew"
    path = "/Applications/Utilities/XQuartz.app"
    found = only("", X11, os="darwin", stats={path: FileStat(path, "directory")})
    assert found.fixes[0].argv == ("open", "-a", "XQuartz")
    assert "log out and in" in found.explain


def test_malformed():
    found = only("nonsense\x1b[2J")
    assert (found.code, found.severity) == ("x-display-malformed", Severity.WARNING)
    assert "\x1b" not in found.title
    assert found.fixes[0].argv == ("unset", "DISPLAY")
    assert only("host:", X11).severity is Severity.ERROR
    assert only("host:", os="windows").fixes == ()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("unix:0", "DISPLAY=:0"),
        ("unix:1.2", "DISPLAY=:1.2"),
        ("tcp/gw:3", "DISPLAY=gw:3"),
        ("[::1]:4", "DISPLAY=localhost:4"),
    ],
)
def test_ambiguous(text: str, plain: str):
    found = examine(text, Target(gateway="gw"))
    assert {each.code for each in found} == {"x-display-ambiguous"}
    assert {each.severity for each in found} == {Severity.WARNING}
    assert found[0].fixes[0].argv == ("export", plain)


def test_ambiguous_for_ssh_alone():
    """Without a gateway it is worth a remark."""
    assert only("[::1]:4").severity is Severity.INFO


def test_no_plainer_way():
    assert only("[2001:db8::1]:0", X11).fixes[0].note
    facts = probe(X11, FakeSystem(variables={"DISPLAY": "[gw]:0"}))
    found = judge(facts)
    assert all(each.fixes == () for each in found)
    assert found


@pytest.mark.parametrize(("gateway", "severity"), [("gw", Severity.WARNING), ("", Severity.INFO)])
def test_localhost_on_windows(gateway: str, severity: Severity):
    found = only("localhost:0.0", Target(gateway=gateway), os="windows")
    assert (found.code, found.severity) == ("x-display-localhost", severity)
    assert found.fixes[0].argv == ("setx", "DISPLAY", "127.0.0.1:0.0")
    assert examine("127.0.0.1:0.0", os="windows") == ()


@given(any_of(Facts))
def test_any_facts(facts: Facts):
    assert {each.code for each in judge(facts)} <= CODES
