"""Listening points that cannot be bound: by whom, and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given

from diagnostics.checks.port_in_use import CHECK, judge, probe
from diagnostics.model import Finding, Target, Unknown
from diagnostics.ports.examine import PortFacts
from diagnostics.ports.points import applies
from diagnostics.system import Account, BindResult, ProcessInfo, SocketRow, SocketTable
from netkit.model import Endpoint, ForwardKind, ForwardSpec
from support.any_values import any_of
from support.machine import FakeSystem, listening

TS = Endpoint("ts", 3389)
CODES = {kind.code for kind in CHECK.finds}
XRDP = {812: ProcessInfo(812, "xrdp", ("xrdp", "-n"), parent=1)}


def local(*binds: tuple[str, int]) -> Target:
    return Target(
        forwards=tuple(ForwardSpec(ForwardKind.LOCAL, Endpoint(*each), TS) for each in binds)
    )


def examine(target: Target, errors: dict[tuple[str, int], str], **more):
    def bind(address: Endpoint) -> BindResult:
        return BindResult(address, errors.get((address.host, address.port), ""), 98)

    system = FakeSystem(more.pop("os", "linux"), bind=bind, **more)
    return judge(probe(target, system))


def taken(*rows: SocketRow, host: str = "127.0.0.2", **more) -> Finding:
    """Return the finding for a port that cannot be bound at ``host`` alone."""
    wanted = more.pop("wanted", (host, 3389))
    errors = {(each, 3389): "EADDRINUSE" for each in more.pop("hosts", (host,))}
    table = more.pop("sockets", SocketTable(rows))
    (finding,) = examine(local(wanted), errors, sockets=table, **more)
    assert isinstance(finding, Finding)
    assert finding.code in CODES
    return finding


def commands(finding: Finding) -> list[str]:
    return [fix.command for fix in finding.fixes]


OTHER = "netkit forward ... -L 127.0.0.2:3390:ts:3389"


def test_applies_and_registration():
    assert CHECK.applies is applies
    assert CHECK.applies(Target())


def test_free():
    assert examine(local(("", 3389), ("127.0.0.2", 3389)), {}) == ()


def test_taken():
    finding = taken(listening("127.0.0.2", 3389, 812), processes=XRDP)
    assert finding.code == "port-taken"
    assert finding.subject == "127.0.0.2:3389"
    assert finding.title == "127.0.0.2:3389 is taken by xrdp (process 812)"
    assert commands(finding) == [OTHER]
    assert finding.fixes[0].note == "port 3390 is free"
    assert finding.evidence[1].value == "process 812: xrdp -n"


def test_taken_on_every_address():
    finding = taken(listening("0.0.0.0", 3389, 812), processes=XRDP)
    assert "every address (0.0.0.0:3389), 127.0.0.2 included" in finding.explain


def test_taken_by_a_service():
    finding = taken(
        listening("127.0.0.2", 3389, 812),
        processes=XRDP,
        files={"/proc/812/cgroup": b"0::/system.slice/xrdp.service\n"},
    )
    assert commands(finding) == [OTHER, "sudo systemctl stop xrdp.service"]


def test_taken_by_somebody_who_is_not_visible():
    finding = taken(listening("127.0.0.2", 3389, None, 1001), users={1001: "bob"})
    assert finding.title == "127.0.0.2:3389 is taken by a program of user bob"
    assert commands(finding) == [OTHER, "sudo ss -ltnp 'sport = :3389'"]


def test_not_visible_to_the_administrator_either():
    root = Account("root", 0, "/root", is_admin=True, hostname="h")
    finding = taken(listening("127.0.0.2", 3389, None, 0), account=root)
    assert commands(finding) == [OTHER, "lsns -t pid"]


def test_not_visible_on_windows_to_the_administrator():
    row = SocketRow("127.0.0.2", 3389, "LISTEN")
    admin = Account("A", None, "C:\\", is_admin=True, hostname="h")
    finding = taken(row, os="windows", account=admin)
    assert commands(finding)[1] == "netstat -anob -p TCP"


def test_without_a_table():
    finding = taken(sockets=SocketTable(complete=False, error="EACCES"))
    assert finding.code == "port-taken"
    assert "not visible to you" in finding.title
    assert finding.evidence[1].value == "EACCES"
    assert commands(finding)[1].startswith("sudo ss")
    finding = taken(sockets=SocketTable(complete=False), os="darwin")
    assert commands(finding)[1].startswith("sudo lsof")


def test_windows_says_denied_where_another_user_listens():
    (finding,) = examine(
        local(("127.0.0.2", 3389)),
        {("127.0.0.2", 3389): "EACCES"},
        os="windows",
        sockets=SocketTable((SocketRow("0.0.0.0", 3389, "LISTEN", pid=9),)),
        processes={
            9: ProcessInfo(9, "svchost.exe", user="NETWORK SERVICE", services=("TermService",))
        },
    )
    assert finding.code == "port-taken"
    assert "service TermService" in finding.title
    assert "Remote Desktop of this machine" in finding.title


def test_half_bound():
    finding = taken(
        listening("127.0.0.1", 3389, 812),
        host="127.0.0.1",
        wanted=("", 3389),
        processes=XRDP,
    )
    assert finding.code == "port-half-bound"
    assert finding.subject == "127.0.0.1:3389"
    assert commands(finding) == [
        "netkit forward ... -L 3390:ts:3389",
        "netkit forward ... -L '[::1]:3389:ts:3389'",
    ]
    assert finding.explain.startswith("[::1]:3389 is free, so ssh would call")


def test_both_families_taken_is_one_finding():
    finding = taken(
        listening("::", 3389, 812),
        hosts=("127.0.0.1", "::1"),
        wanted=("", 3389),
        processes=XRDP,
    )
    assert finding.code == "port-taken"
    assert [each.what for each in finding.evidence[:2]] == [
        "bind 127.0.0.1:3389",
        "bind [::1]:3389",
    ]


def test_a_machine_without_ipv6_is_complete():
    for error in ("EADDRNOTAVAIL", "EAFNOSUPPORT"):
        assert examine(local(("", 3389)), {("::1", 3389): error}) == ()
    errors = {("127.0.0.1", 3389): "EADDRINUSE", ("::1", 3389): "EAFNOSUPPORT"}
    (finding,) = examine(
        local(("", 3389)), errors, sockets=SocketTable((listening("0.0.0.0", 3389),))
    )
    assert finding.code == "port-taken"


def test_an_address_that_is_not_there_is_another_checks_matter():
    assert examine(local(("192.0.2.99", 3389)), {("192.0.2.99", 3389): "EADDRNOTAVAIL"}) == ()


@pytest.mark.parametrize(
    ("command", "explain"),
    [
        (("ssh", "-N", "-L", "3389:ts:3389", "gw"), "It leads to ts:3389 already"),
        (("ssh", "-N", "-L", "3389:other:1", "gw"), "It was started earlier"),
    ],
)
def test_own_tunnel(command, explain):
    finding = taken(listening("127.0.0.2", 3389, 7), processes={7: ProcessInfo(7, "ssh", command)})
    assert finding.code == "port-taken-by-own-tunnel"
    assert commands(finding) == ["kill 7", OTHER]
    assert finding.explain.startswith(explain)


def test_own_tunnel_on_one_family():
    finding = taken(
        listening("127.0.0.1", 3389, 7),
        host="127.0.0.1",
        wanted=("", 3389),
        processes={7: ProcessInfo(7, "ssh", ("ssh",))},
    )
    assert finding.code == "port-taken-by-own-tunnel"
    assert len(finding.fixes) == 3


def test_neighbours_are_left_to_their_check():
    errors = {("127.0.0.1", 5000): "EADDRINUSE"}
    found = examine(
        local(("127.0.0.1", 5000)),
        errors,
        os="darwin",
        sockets=SocketTable((listening("0.0.0.0", 5000, 9),)),
        processes={9: ProcessInfo(9, "ControlCenter")},
    )
    assert found == ()


def connection(port: int, state: str = "ESTABLISHED", peer: int = 443) -> SocketRow:
    return SocketRow("127.0.0.2", port, state, "192.0.2.7", peer, 9, 1000)


def on_port(port: int, *rows: SocketRow, os: str = "linux", **more) -> Finding:
    (finding,) = examine(
        local(("127.0.0.2", port)),
        {("127.0.0.2", port): "EADDRINUSE"},
        os=os,
        sockets=SocketTable(rows),
        processes={9: ProcessInfo(9, "curl")},
        **more,
    )
    assert isinstance(finding, Finding)
    assert finding.code in CODES
    return finding


def test_source_port():
    finding = on_port(40000, connection(40000))
    assert finding.code == "port-ephemeral-source"
    assert finding.title == (
        "127.0.0.2:40000 is the near end of a connection of curl (process 9) to 192.0.2.7:443"
    )
    assert "32768 to 60999" in finding.explain
    assert commands(finding) == [
        "netkit forward ... -L 127.0.0.2:61000:ts:3389",
        "sudo sysctl -w net.ipv4.ip_local_reserved_ports=40000",
    ]
    on_windows = on_port(50000, connection(50000), os="windows")
    assert commands(on_windows)[1].startswith("netsh int ipv4 add excludedportrange")
    assert len(on_port(50000, connection(50000), os="darwin").fixes) == 1


def test_connections_of_a_listener_that_is_gone():
    assert on_port(8080, connection(8080)).code == "port-left-connections"
    two = on_port(40000, connection(40000), connection(40000, "CLOSE_WAIT", 5))
    assert two.code == "port-left-connections"
    assert two.evidence[1].value == "ESTABLISHED"


def test_ending_connections():
    finding = on_port(8080, connection(8080, "TIME_WAIT"))
    assert finding.code == "port-time-wait"
    assert "60 seconds (TIME_WAIT)" in finding.explain
    assert finding.fixes[-1].argv == ()
    others = on_port(8080, connection(8080, "FIN_WAIT_2"), connection(8080, "TIME_WAIT"))
    assert others.code == "port-time-wait"
    assert "60 seconds" not in others.explain
    assert "60 seconds" not in on_port(8080, connection(8080, "TIME_WAIT"), os="windows").explain


def test_in_use_and_not_to_be_seen():
    finding = on_port(8080)
    assert finding.code == "port-taken-unseen"
    assert commands(finding)[1] == "sudo ss -tnpB 'sport = :8080'"
    assert len(on_port(8080, os="darwin").fixes) == 1


def test_mirrored_wsl_is_left_to_the_neighbours():
    account = Account("me", 1000, "/", is_admin=False, hostname="h", system="Linux Microsoft")
    found = examine(
        local(("127.0.0.2", 8080)),
        {("127.0.0.2", 8080): "EADDRINUSE"},
        account=account,
        tools={("wslinfo", "--networking-mode"): "mirrored"},
    )
    assert found == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [(("", 8080), ("127.0.0.1", 8080)), (("*", 8080), ("::1", 8080)), (("", 8080), ("", 8080))],
)
def test_asked_twice(first, second):
    (finding,) = examine(local(first, second), {})
    assert finding.code == "port-asked-twice"
    assert finding.fixes[0].argv[-1].endswith("8082:ts:3389")


def test_not_asked_twice():
    assert examine(local(("", 8080), ("127.0.0.2", 8080), ("", 8081)), {}) == ()
    assert examine(local(("0.0.0.0", 8080), ("::1", 8080)), {}) == ()


def test_of_two_that_are_taken_each_is_told_once():
    table = SocketTable((listening("127.0.0.2", 3389, 812),))
    found = examine(
        local(("127.0.0.2", 3389), ("127.0.0.2", 3389)),
        {("127.0.0.2", 3389): "EADDRINUSE"},
        sockets=table,
        processes=XRDP,
    )
    assert [each.code for each in found] == ["port-taken", "port-taken"]


def test_another_error_is_unknown():
    (unknown,) = examine(local(("127.0.0.2", 3389)), {("127.0.0.2", 3389): "ENOBUFS"})
    assert isinstance(unknown, Unknown)
    assert unknown.reason == "127.0.0.2:3389 cannot be bound: ENOBUFS (98)"
    assert examine(local(("127.0.0.2", 80)), {("127.0.0.2", 80): "EACCES"}) == ()


@given(any_of(PortFacts))
def test_judge_is_total(facts):
    for each in judge(facts):
        assert isinstance(each, Unknown) or each.code in CODES
