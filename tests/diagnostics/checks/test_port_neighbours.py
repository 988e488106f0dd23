"""Neighbours at the local ports: known ones, shadowing ones, and rules that divert."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from diagnostics.checks.port_neighbours import CHECK, Facts, judge, probe
from diagnostics.model import Confidence, Finding, Severity, Target, Unknown
from diagnostics.parsers.containers import FORMAT
from diagnostics.system import (
    Account,
    BindResult,
    ConnectBack,
    FileStat,
    ProcessInfo,
    SocketRow,
    SocketTable,
)
from netkit.model import Endpoint, ForwardKind, ForwardSpec
from support.any_values import any_of
from support.machine import FakeSystem, listening

WINDOWS = Path(__file__).parents[2] / "recorded/windows"
CODES = {kind.code for kind in CHECK.finds}
WSL = Account("me", 1000, "/", is_admin=False, hostname="h", system="Linux 5-microsoft-WSL2")
DOCKER = {"/var/run/docker.sock": FileStat("/var/run/docker.sock", "socket")}
MODE = ("wslinfo", "--networking-mode")


def examine(host: str, port: int, error: str = "", back: str = "ok", **more):
    """Judge a forward on one address whose bind, or nonce, comes to that."""
    forward = ForwardSpec(ForwardKind.LOCAL, Endpoint(host, port), Endpoint("web", 80))

    def bind(address: Endpoint) -> BindResult:
        return BindResult(address, error if address.port == port else "", 98)

    system = FakeSystem(
        more.pop("os", "linux"),
        bind=bind,
        back=lambda address, _size: ConnectBack(address, back, more.get("why", "")),
        sockets=SocketTable(more.pop("rows", ()), complete=more.pop("complete", True)),
        **{name: value for name, value in more.items() if name != "why"},
    )
    return judge(probe(Target(forwards=(forward,)), system))


def one(*arguments, **more) -> Finding:
    (finding,) = examine(*arguments, **more)
    assert isinstance(finding, Finding)
    assert finding.code in CODES
    assert finding.fixes[0].argv[:3] == ("netkit", "forward", "...")
    return finding


def row(host: str, port: int, pid: int | None = 9) -> SocketRow:
    return SocketRow(host, port, "LISTEN", pid=pid)


def test_nobody_there():
    assert examine("", 8080) == ()
    assert examine("127.0.0.1", 8080, "EADDRINUSE", rows=(listening("127.0.0.1", 8080, 9),)) == ()
    assert examine("127.0.0.1", 8080, "EADDRNOTAVAIL") == ()


@pytest.mark.parametrize("error", ["", "EADDRINUSE"])
def test_airplay(error):
    finding = one(
        "127.0.0.1",
        7000,
        error,
        os="darwin",
        rows=(row("0.0.0.0", 7000),),
        processes={9: ProcessInfo(9, "ControlCenter")},
    )
    assert finding.code == "port-airplay"
    assert "AirPlay Receiver" in finding.fixes[1].note


PROXY = {9: ProcessInfo(9, "svchost.exe", services=("iphlpsvc",))}
SHOW = ("netsh", "interface", "portproxy", "show", "all")


def test_portproxy_with_its_rule():
    finding = one(
        "127.0.0.1",
        8080,
        "EACCES",
        os="windows",
        rows=(row("0.0.0.0", 8080),),
        processes=PROXY,
        tools={SHOW: (WINDOWS / "portproxy.txt").read_text()},
    )
    assert finding.code == "port-portproxy"
    assert "172.20.1.5, port 8080" in finding.explain
    assert finding.fixes[1].command == (
        "netsh interface portproxy delete v4tov4 listenport=8080 'listenaddress=*'"
    )
    assert finding.fixes[1].undo[3:5] == ("add", "v4tov4")


def test_portproxy_of_an_address_and_without_its_rule():
    more = {"os": "windows", "processes": PROXY}
    tools = {SHOW: (WINDOWS / "portproxy.txt").read_text()}
    rows = (row("127.0.0.1", 3389),)
    finding = one("127.0.0.1", 3389, "EADDRINUSE", rows=rows, tools=tools, **more)
    assert "listenaddress=127.0.0.1" in finding.fixes[1].argv
    finding = one("127.0.0.1", 3389, "EADDRINUSE", rows=rows, **more)
    assert finding.confidence is Confidence.LIKELY
    assert finding.fixes[1].argv == SHOW


def test_wsl_relay_on_windows():
    finding = one(
        "127.0.0.1",
        8080,
        os="windows",
        rows=(row("127.0.0.1", 8080),),
        processes={9: ProcessInfo(9, "wslrelay.exe")},
    )
    assert finding.code == "port-wsl-relay"
    assert "localhostForwarding=false" in finding.fixes[1].note


def inside_wsl(mode: str, error: str = "", port: int = 9999, **more):
    tools = {
        MODE: mode,
        ("netstat.exe", "-ano"): (WINDOWS / "netstat_ano.txt").read_text(),
    }
    return examine("127.0.0.1", port, error, account=WSL, tools=tools, **more)


def test_windows_listens_too():
    (finding,) = inside_wsl("nat")
    assert finding.code == "port-wsl-relay"
    assert finding.severity is Severity.WARNING
    assert finding.fixes[1].command == "tasklist.exe /svc /fi 'pid eq 5120'"
    assert inside_wsl("nat", port=8888) == ()
    assert inside_wsl("mirrored") == ()
    (unreached,) = inside_wsl("nat", port=8888, back="timed-out")
    assert unreached.code == "port-unreachable"


def test_mirrored():
    (finding,) = inside_wsl("mirrored", "EADDRINUSE")
    assert finding.code == "port-wsl-mirrored"
    assert finding.confidence is Confidence.CERTAIN
    assert "ignoredPorts=9999" in finding.fixes[-1].note
    (likely,) = inside_wsl("mirrored", "EADDRINUSE", port=8888)
    assert likely.confidence is Confidence.LIKELY
    known = (listening("127.0.0.1", 9999, 5),)
    assert inside_wsl("mirrored", "EADDRINUSE", rows=known) == ()


def published(ports: str) -> dict[tuple[str, ...], str]:
    return {("docker", "ps", "--format", FORMAT): f"0123456789ab\tweb\t{ports}\n"}


def test_docker_without_proxy():
    tools = published("0.0.0.0:8080->80/tcp")
    finding = one("", 8080, back="someone-else", stats=DOCKER, tools=tools)
    assert finding.code == "port-docker-without-proxy"
    assert finding.severity is Severity.ERROR
    assert finding.fixes[1].command == "docker stop web"
    outside = one("*", 8080, stats=DOCKER, tools=tools)
    assert outside.severity is Severity.WARNING
    assert outside.explain.startswith("Connections from other machines are diverted")


def test_docker_elsewhere():
    tools = published("0.0.0.0:9090->80/tcp, 192.0.2.10:8080->80/tcp")
    assert examine("127.0.0.1", 8080, stats=DOCKER, tools=tools) == ()
    listens = (listening("::", 8080, 9),)
    assert examine("127.0.0.1", 8080, rows=listens, stats=DOCKER, tools=tools) == ()


def test_redirected():
    finding = one("127.0.0.1", 8080, back="someone-else")
    assert finding.code == "port-redirected"
    assert finding.fixes[1].command == "sudo nft list ruleset"
    mac = one("127.0.0.1", 8080, back="someone-else", os="darwin")
    assert mac.fixes[1].command == "sudo pfctl -s nat"
    windows = one("127.0.0.1", 8080, back="someone-else", os="windows")
    assert windows.fixes[1].argv == SHOW
    assert not windows.fixes[1].needs_admin


@pytest.mark.parametrize("outcome", ["connect-failed", "timed-out", "wrong-data", "stalled"])
def test_unreachable(outcome):
    finding = one("127.0.0.1", 8080, back=outcome, why="EPERM")
    assert finding.code == "port-unreachable"
    assert finding.evidence[0].value == f"{outcome} EPERM"


def test_a_bind_that_failed_the_second_time_says_nothing():
    assert examine("127.0.0.1", 8080, back="bind-failed") == ()


def shadow(**more) -> Finding:
    processes = {9: ProcessInfo(9, "node", ("node", "x.js"))}
    return one("127.0.0.1", 8080, processes=processes, **more)


def test_shadowed():
    finding = shadow(os="windows", rows=(row("0.0.0.0", 8080),))
    assert finding.code == "port-shadowed"
    assert finding.severity is Severity.WARNING
    assert finding.confidence is Confidence.CERTAIN
    assert "node (process 9) listens on that port too" in finding.title
    guess = shadow(os="darwin", rows=(row("::", 8080),))
    assert guess.confidence is Confidence.LIKELY


def test_shadowed_and_losing():
    finding = shadow(os="darwin", rows=(row("::", 8080),), back="someone-else")
    assert finding.severity is Severity.ERROR
    assert finding.confidence is Confidence.CERTAIN
    assert finding.explain == "Connections reach that program and not the tunnel."


def test_what_cannot_be_seen_is_unknown():
    (unknown,) = examine("127.0.0.1", 8080, os="darwin", complete=False)
    assert isinstance(unknown, Unknown)
    assert unknown.fixes[0].argv[:2] == ("sudo", "lsof")
    assert examine("127.0.0.1", 8080, complete=False) == ()
    (finding,) = examine("127.0.0.1", 8080, os="darwin", complete=False, back="someone-else")
    assert finding.code == "port-redirected"


def test_one_finding_for_a_forward():
    (finding,) = examine("", 8080, back="someone-else")
    assert finding.subject == "127.0.0.1:8080"


@given(any_of(Facts))
def test_judge_is_total(facts):
    for each in judge(facts):
        assert isinstance(each, Unknown) or each.code in CODES
