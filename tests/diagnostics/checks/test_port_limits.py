"""What systems and browsers forbid, and which ports will not last."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from diagnostics.checks.port_limits import CHECK, Facts, judge, probe
from diagnostics.model import Confidence, Finding, Severity, Target, Unknown
from diagnostics.system import BindResult, SocketTable, ToolOutput
from netkit.model import Endpoint, ForwardKind, ForwardSpec
from support.any_values import any_of
from support.machine import FakeSystem, listening

WINDOWS = Path(__file__).parents[2] / "recorded/windows"
CODES = {kind.code for kind in CHECK.finds}
DB = Endpoint("db", 5432)


def examine(port: int, error: str = "", to: Endpoint | None = DB, **more):
    kind = ForwardKind.DYNAMIC if to is None else ForwardKind.LOCAL
    forward = ForwardSpec(kind, Endpoint("127.0.0.1", port), to)

    def bind(address: Endpoint) -> BindResult:
        return BindResult(address, error if address.port == port else "", 13)

    target = Target(forwards=(forward,), protocol=more.pop("protocol", ""))
    return judge(probe(target, FakeSystem(more.pop("os", "linux"), bind=bind, **more)))


def one(*arguments, **more) -> Finding:
    (finding,) = examine(*arguments, **more)
    assert isinstance(finding, Finding)
    assert finding.code in CODES
    assert finding.fixes[0].argv[:3] == ("netkit", "forward", "...")
    return finding


def windows(
    port: int,
    error: str = "",
    excluded: str = "excludedportrange_english",
    dynamic: str = "dynamicport_english",
    **more,
):
    def text(name: str) -> str:
        return (WINDOWS / f"{name}.txt").read_text("utf-8") if name else "\n"

    tools = {
        ("netsh", "int", family, "show", "excludedportrange", "protocol=tcp"): text(excluded)
        for family in ("ipv4", "ipv6")
    }
    tools["netsh", "int", "ipv4", "show", "dynamicport", "tcp"] = text(dynamic)
    tools |= more.pop("tools", {})
    return examine(port, error, os="windows", tools=tools, **more)


def test_nothing_forbidden():
    assert examine(8080) == ()
    assert examine(8080, "EADDRINUSE") == ()
    assert examine(8080, "EADDRNOTAVAIL") == ()
    assert examine(1080, to=None) == ()


@pytest.mark.parametrize("error", ["EACCES", "EPERM"])
def test_privileged(error):
    finding = one(443, error)
    assert finding.code == "port-privileged"
    assert finding.fixes[0].argv[-1] == "127.0.0.1:8443:db:5432"
    assert finding.fixes[1].command == "sudo sysctl -w net.ipv4.ip_unprivileged_port_start=443"
    assert finding.fixes[1].undo[-1].endswith("=1024")
    assert finding.evidence[0].value == f"{error} (13)"
    assert len(one(443, "EACCES", os="darwin").fixes) == 1


def test_privileged_and_taken_is_taken():
    assert examine(22, "EACCES", sockets=SocketTable((listening("0.0.0.0", 22),))) == ()


def test_selinux():
    finding = one(8080, "EACCES", files={"/sys/fs/selinux/enforce": b"1"})
    assert finding.code == "port-denied-by-selinux"
    assert finding.fixes[2].argv[:3] == ("sudo", "semanage", "port")
    assert one(8080, "EACCES", files={"/sys/fs/selinux/enforce": b"0"}).code == "port-denied"


def test_denied():
    finding = one(8080, "EACCES")
    assert finding.confidence is Confidence.LIKELY
    assert len(finding.fixes) == 1
    (on_windows,) = windows(8081, "EACCES")
    assert on_windows.code == "port-denied"
    assert "excludedportrange" in on_windows.fixes[1].argv


def test_excluded_range():
    (finding,) = windows(56700, "EACCES")
    assert finding.code == "port-excluded-range"
    assert "(excluded range 56638-56737)" in finding.title
    assert finding.fixes[0].argv[-1] == "127.0.0.1:10000:db:5432"
    assert finding.fixes[1].argv[:2] == ("cmd", "/c")
    assert "startport=56700" in finding.fixes[1].argv[2]


def test_excluded_range_because_the_dynamic_range_is_low():
    (finding,) = windows(1700, "EACCES", "excludedportrange_chinese", "dynamicport_low")
    assert finding.code == "port-excluded-range"
    assert "start=49152" in finding.fixes[1].argv


def test_near_an_excluded_range():
    (finding,) = windows(56600)
    assert finding.code == "port-near-excluded-range"
    assert finding.severity is Severity.WARNING
    assert finding.title == ("Port 56600 is 38 away from a block that Windows keeps (56638-56737)")
    assert finding.fixes[1].argv[4] == "excludedportrange"
    (above,) = windows(57000)
    assert "163 away from a block that Windows keeps (56738-56837)" in above.title


def test_what_somebody_reserved_is_safe():
    assert windows(55679) == ()


def test_below_the_dynamic_range_is_safe():
    assert windows(8080) == ()


def test_dynamic_range_that_was_moved():
    (finding,) = windows(8080, dynamic="dynamicport_low")
    assert finding.code == "port-dynamic-range-low"
    assert finding.title == "Windows hands out ports from 1024 on, port 8080 among them"
    assert "set" in finding.fixes[1].argv


def test_ephemeral_range():
    finding = one(40000)
    assert finding.code == "port-in-ephemeral-range"
    assert finding.severity is Severity.INFO
    assert finding.fixes[1].argv[-1] == "net.ipv4.ip_local_reserved_ports=40000"
    assert finding.evidence[0].value == "32768-60999 (default)"
    known = one(40000, files={"/proc/sys/net/ipv4/ip_local_port_range": b"30000 50000"})
    assert known.evidence[0].value == "30000-50000"
    reserved = {"/proc/sys/net/ipv4/ip_local_reserved_ports": b"40000"}
    assert examine(40000, files=reserved) == ()
    (on_windows,) = windows(50000, excluded="")
    assert on_windows.code == "port-in-ephemeral-range"


def test_unknown_ranges_of_windows():
    command = ("netsh", "int", "ipv6", "show", "excludedportrange", "protocol=tcp")
    (unknown,) = windows(8080, tools={command: ToolOutput((), "timed-out")})
    assert isinstance(unknown, Unknown)
    assert "timed-out" in unknown.reason


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("OpenSSH_for_Windows_7.7p1, LibreSSL 2.6.5", ["port-old-windows-ssh"]),
        ("OpenSSH_for_Windows_7.8p1", []),
        ("OpenSSH_for_Windows_9.5p1", []),
        ("OpenSSH_7.4p1", []),
        ("", []),
    ],
)
def test_old_ssh(version, found):
    tools = {("ssh", "-V"): ToolOutput((), "ran", 0, stderr=version.encode())}
    assert [each.code for each in windows(443, tools=tools)] == found
    assert windows(8443, tools=tools) == ()


@pytest.mark.parametrize(
    ("port", "to", "protocol", "blocked"),
    [
        (6000, 80, "", True),
        (6667, 8443, "", True),
        (10080, 5432, "http", True),
        (6000, 5432, "", False),
        (8080, 80, "", False),
    ],
)
def test_browsers(port, to, protocol, blocked):
    found = examine(port, to=Endpoint("web", to), protocol=protocol)
    assert [each.code for each in found] == (["port-browser-blocked"] if blocked else [])


def test_a_port_may_be_forbidden_twice():
    codes = [each.code for each in examine(22, "EACCES", Endpoint("web", 80))]
    assert codes == ["port-privileged", "port-browser-blocked"]


def test_a_host_that_is_not_said():
    forward = ForwardSpec(ForwardKind.LOCAL, Endpoint("", 6000), Endpoint("web", 80))
    (finding,) = judge(probe(Target(forwards=(forward,)), FakeSystem()))
    assert finding.subject == "localhost:6000"


@given(any_of(Facts))
def test_judge_is_total(facts):
    for each in judge(facts):
        assert isinstance(each, Unknown) or each.code in CODES
