"""Terminal Services clients: what mstsc refuses, who has the port, and the line to type."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.rdp import CHECK, Facts, judge, probe
from diagnostics.model import Severity, Target
from diagnostics.system import BindResult, FileStat, ProcessInfo, SocketTable
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import FakeSystem, listening

CODES = {kind.code for kind in CHECK.finds}
TO = Endpoint("ts", 3389)
WSL = {"/proc/version": b"Linux 5.15-Microsoft-standard"}


def target(bind: str, port: int = 3389, to=TO) -> Target:
    return Target(forwards=(ForwardSpec(ForwardKind.LOCAL, Endpoint(bind, port), to),))


def examine(host: str, port: int = 3389, *, os: str = "linux", to=TO, client="xfreerdp", **machine):
    path = f"/usr/bin/{client}"
    stats = {path: FileStat(path, "file", 0o755)} if client else {}
    return judge(probe(target(host, port, to), FakeSystem(os, stats=stats, **machine)))


def test_what_it_applies_to():
    assert CHECK.applies(Target()) != ""
    assert CHECK.applies(target("127.0.0.1", 8080, Endpoint("web", 80))) != ""
    assert CHECK.applies(target("127.0.0.1", 8080, UnixPath("/x"))) != ""
    assert CHECK.applies(target("127.0.0.2", 3390)) == ""
    assert CHECK.applies(target("127.0.0.2", 3389, Endpoint("vnc", 5900))) == ""
    remote = ForwardSpec(ForwardKind.REMOTE, Endpoint("", 3389), TO)
    unix = ForwardSpec(ForwardKind.LOCAL, UnixPath("/x"), TO)
    assert CHECK.applies(Target(forwards=(remote, unix))) != ""


@pytest.mark.parametrize(
    ("os", "bind", "port", "line"),
    [
        ("linux", "127.0.0.2", 3389, "xfreerdp /v:127.0.0.2:3389"),
        ("linux", "", 3389, "xfreerdp /v:127.0.0.1:3389"),
        ("linux", "*", 3390, "xfreerdp /v:127.0.0.1:3390"),
        ("linux", "::", 3390, "xfreerdp /v:[::1]:3390"),
        ("linux", "192.0.2.10", 3389, "xfreerdp /v:192.0.2.10:3389"),
        ("darwin", "localhost", 3389, "open 'rdp://full%20address=s:127.0.0.1:3389'"),
        ("windows", "127.0.0.2", 3389, "mstsc /v:127.0.0.2:3389"),
        ("windows", "127.0.0.1", 13389, "mstsc /v:127.0.0.1:13389"),
        ("windows", "0.0.0.0", 3389, "mstsc /v:127.0.0.2:3389"),
        ("windows", "*", 3389, "mstsc /v:127.0.0.2:3389"),
        ("windows", "127.0.0.2", 0, "mstsc /v:127.0.0.2:PORT"),
    ],
)
def test_the_line(os, bind, port, line):
    (finding,) = examine(bind, port, os=os)
    assert (finding.code, finding.severity) == ("rdp-client-line", Severity.OK)
    assert finding.title.endswith(": " + line)


@pytest.mark.parametrize(
    ("client", "line"),
    [
        ("xfreerdp3", "xfreerdp3 /v:127.0.0.2:3389"),
        ("rdesktop", "rdesktop 127.0.0.2:3389"),
        ("remmina", "remmina -c rdp://127.0.0.2:3389"),
    ],
)
def test_other_clients(client, line):
    (finding,) = examine("127.0.0.2", client=client)
    assert finding.title.endswith(": " + line)


@pytest.mark.parametrize(("os", "package"), [("linux", "freerdp2-x11"), ("freebsd", "freerdp")])
def test_no_client(os, package):
    line, finding = examine("127.0.0.2", os=os, client="")
    assert "xfreerdp /v:" in line.title
    assert (finding.code, finding.severity) == ("rdp-no-client", Severity.INFO)
    assert finding.fixes[0].argv[-1] == package


@pytest.mark.parametrize("bind", ["", "localhost", "127.0.0.1", "::1", "192.0.2.10"])
def test_mstsc_refuses_its_own_address(bind):
    (finding,) = examine(bind, os="windows")
    assert (finding.code, finding.severity) == ("rdp-own-address", Severity.ERROR)
    assert finding.fixes[0].argv[-1] == "127.0.0.2:3390:ts:3389"
    assert finding.fixes[1].argv == ("mstsc", "/v:127.0.0.2:3390")


def test_another_free_port():
    def bind(address):
        return BindResult(address, "" if address.port == 13389 else "EADDRINUSE")

    (finding,) = examine("127.0.0.1", os="windows", bind=bind)
    assert finding.fixes[0].argv[-1] == "127.0.0.2:13389:ts:3389"
    (finding,) = examine("127.0.0.1", os="windows", bind=lambda a: BindResult(a, "EADDRINUSE"))
    assert finding.fixes == ()


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.0.0.2"])
def test_wsl_is_reached_from_windows_at_127_0_0_1(bind):
    (finding,) = examine(bind, files=WSL)
    assert (finding.code, finding.severity) == ("rdp-own-address", Severity.WARNING)
    assert finding.fixes[0].argv[-1] == "127.0.0.1:3390:ts:3389"
    (finding,) = examine("127.0.0.1", 3390, files=WSL)
    assert finding.title.endswith("mstsc /v:127.0.0.1:3390")


@pytest.mark.parametrize(
    "process",
    [ProcessInfo(812, "svchost.exe", services=("TermService",)), ProcessInfo(812, "TermService")],
)
def test_the_service_of_this_machine(process):
    table = SocketTable((listening("0.0.0.0", 3389, 812), listening("::", 22, 4)))
    machine = {"os": "windows", "sockets": table, "processes": {812: process}}
    (finding,) = examine("127.0.0.2", **machine)  # type: ignore[arg-type]
    assert (finding.code, finding.subject) == ("rdp-local-service", "0.0.0.0:3389")
    assert "TermService" in finding.evidence[0].value
    (finding,) = examine("127.0.0.2", 3390, **machine)  # type: ignore[arg-type]
    assert finding.code == "rdp-client-line"


def test_the_service_may_be_known_by_its_process_alone():
    table = SocketTable((listening("0.0.0.0", 3389, 4),))
    (finding,) = examine("127.0.0.2", os="windows", sockets=table)
    assert finding.evidence[0].value == "the system"
    table = SocketTable((listening("0.0.0.0", 3389),))
    (finding,) = examine("127.0.0.2", os="windows", sockets=table)
    assert finding.code == "rdp-client-line"


def test_only_the_port_is_that_of_rdp():
    assert examine("127.0.0.2", to=Endpoint("vnc", 5900)) == ()
    assert examine("name.example", os="windows")[0].code == "rdp-client-line"


@given(st.sampled_from(["linux", "darwin", "windows"]), any_of(Facts))
def test_is_total(os, facts):
    assert {each.code for each in judge(replace(facts, os=os))} <= CODES
