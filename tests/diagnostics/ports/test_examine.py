"""The shared probe: binds, the table and the next free port."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from diagnostics.model import Target
from diagnostics.ports.examine import Asked, Point, PortFacts, examine, failed, is_held
from diagnostics.ports.points import Wanted
from diagnostics.system import BindResult, ConnectBack, ProcessInfo, SocketRow, SocketTable
from netkit.model import Endpoint, ForwardKind, ForwardSpec
from support.any_values import any_of
from support.machine import ACCOUNT, FakeSystem, listening

WEB = Endpoint("web", 80)


def target(*binds: Endpoint) -> Target:
    return Target(forwards=tuple(ForwardSpec(ForwardKind.LOCAL, bind, WEB) for bind in binds))


def binding(errors: dict[tuple[str, int], str]):
    return lambda address: BindResult(address, errors.get((address.host, address.port), ""), 98)


def one(bind: Endpoint, errors: dict[tuple[str, int], str] | None = None, **more) -> Asked:
    system = FakeSystem(more.pop("os", "linux"), bind=binding(errors or {}), **more)
    (asked,) = examine(target(bind), system).asked
    return asked


def test_both_loopback_addresses():
    asked = one(Endpoint("", 8080), {("::1", 8080): "EADDRINUSE"})
    assert [(p.host, p.error, p.back) for p in asked.points] == [
        ("127.0.0.1", "", ""),
        ("::1", "EADDRINUSE", ""),
    ]
    assert asked.points[1].number == 98
    assert asked.points[1].address == "[::1]:8080"
    assert asked.port == 8080
    assert [p.host for p in one(Endpoint("LOCALHOST", 1)).points] == ["127.0.0.1", "::1"]
    assert [p.host for p in one(Endpoint("*", 1)).points] == ["0.0.0.0", "::"]


def test_names_are_looked_up():
    asked = one(Endpoint("host", 1))
    assert [p.host for p in asked.points] == ["127.0.1.1"]
    unknown = one(Endpoint("nowhere", 1))
    assert (unknown.points, unknown.resolved, unknown.next_port) == ((), False, 0)


def test_a_nonce_is_sent_where_asked_and_where_a_bind_succeeds():
    def back(address, _size):
        return ConnectBack(address, "someone-else", "E")

    system = FakeSystem(bind=binding({("::1", 8080): "EADDRINUSE"}), back=back)
    (asked,) = examine(target(Endpoint("", 8080)), system, back=True).asked
    assert [(p.back, p.back_error) for p in asked.points] == [("someone-else", "E"), ("", "")]


def test_rows_in_the_way_and_their_holders():
    rows = (
        listening("0.0.0.0", 1, 5),
        SocketRow("127.0.0.1", 8080, "TIME_WAIT", "127.0.0.1", 5),
        SocketRow("127.0.0.1", 8080, "ESTABLISHED", "127.0.0.1", 6, pid=5),
        listening("0.0.0.0", 8080, 5),
        listening("127.0.0.2", 8080, 5),
        listening("127.0.0.1", 8080, 6),
    )
    asked = one(
        Endpoint("127.0.0.1", 8080),
        {("127.0.0.1", 8080): "EADDRINUSE"},
        sockets=SocketTable(rows),
        processes={5: ProcessInfo(5, "five"), 6: ProcessInfo(6, "six")},
    )
    (point,) = asked.points
    states = [(row.host, row.state) for row in point.rows]
    assert states == [
        ("127.0.0.1", "LISTEN"),
        ("0.0.0.0", "LISTEN"),
        ("127.0.0.1", "ESTABLISHED"),
        ("127.0.0.1", "TIME_WAIT"),
    ]
    assert [holder.name for holder in point.holders] == ["six", "five"]
    assert point.is_listened_on


def test_who_has_a_connection_is_looked_up_where_nobody_listens():
    row = SocketRow("127.0.0.1", 40000, "ESTABLISHED", "127.0.0.1", 6, pid=5)
    asked = one(
        Endpoint("127.0.0.1", 40000),
        {("127.0.0.1", 40000): "EADDRINUSE"},
        sockets=SocketTable((row,)),
        processes={5: ProcessInfo(5, "curl")},
    )
    assert [holder.name for holder in asked.points[0].holders] == ["curl"]
    assert not asked.points[0].is_listened_on


def test_what_listens_on_both_families_counts_only_where_nothing_else_explains():
    dual = listening("::", 8080, 5)
    errors = {("127.0.0.1", 8080): "EADDRINUSE"}
    table = SocketTable((dual, listening("0.0.0.0", 8080, 6)))
    (point,) = one(Endpoint("127.0.0.1", 8080), errors, sockets=table).points
    assert [row.host for row in point.rows] == ["0.0.0.0"]
    (point,) = one(Endpoint("127.0.0.1", 8080), errors, sockets=SocketTable((dual,))).points
    assert [row.host for row in point.rows] == ["::"]
    (point,) = one(Endpoint("127.0.0.1", 8080), sockets=SocketTable((dual,))).points
    assert point.rows == ()  # Linux let it be bound, so the other has IPv6 alone
    (point,) = one(Endpoint("127.0.0.1", 8080), sockets=SocketTable((dual,)), os="darwin").points
    assert point.rows == (dual,)


def test_the_next_port_is_free_on_every_address_and_nobody_elses():
    table = SocketTable((listening("192.0.2.10", 8081, 5),))
    errors = {("::1", 8082): "EADDRINUSE", ("127.0.0.1", 8083): "EACCES"}
    assert one(Endpoint("", 8080), errors, sockets=table).next_port == 8084


def test_an_address_that_is_not_there_does_not_hinder():
    errors = {("::1", port): "EADDRNOTAVAIL" for port in range(1, 65536)}
    assert one(Endpoint("", 8080), errors).next_port == 8081
    gone = {("127.0.0.9", 8080): "EADDRNOTAVAIL"}
    assert one(Endpoint("127.0.0.9", 8080), gone).next_port == 0


def test_two_forwards_get_different_ports():
    system = FakeSystem()
    wanted = (Endpoint("", 8080), Endpoint("127.0.0.2", 8080), Endpoint("", 8081))
    assert [each.next_port for each in examine(target(*wanted), system).asked] == [
        8082,
        8083,
        8084,
    ]


def test_low_ports_are_for_the_administrator():
    files = {"/proc/sys/net/ipv4/ip_unprivileged_port_start": b"9000"}
    assert one(Endpoint("", 80), files=files).next_port == 9000
    admin = replace(ACCOUNT, is_admin=True)
    assert one(Endpoint("", 80), files=files, account=admin).next_port == 8080


def test_where_everything_is_handed_out_a_free_port_has_to_do():
    files = {"/proc/sys/net/ipv4/ip_local_port_range": b"1024 65535"}
    assert one(Endpoint("", 8080), files=files).next_port == 8081


def test_nothing_free():
    system = FakeSystem(bind=lambda address: BindResult(address, "EADDRINUSE"))
    assert examine(target(Endpoint("", 1)), system).asked[0].next_port == 0


@pytest.mark.parametrize(
    ("system", "os", "said", "expected"),
    [
        ("Linux 5.15.167.4-microsoft-standard-WSL2", "linux", "mirrored\n", "mirrored"),
        ("Linux 5.15.167.4-microsoft-standard-WSL2", "linux", "NAT\n", "nat"),
        ("Linux 5.15.167.4-microsoft-standard-WSL2", "linux", "no such option: x\n", "unknown"),
        ("Linux 6.1", "linux", "nat", ""),
        ("Microsoft", "windows", "nat", ""),
    ],
)
def test_wsl(system, os, said, expected):
    machine = FakeSystem(
        os,
        account=replace(ACCOUNT, system=system),
        tools={("wslinfo", "--networking-mode"): said},
    )
    assert examine(target(Endpoint("", 1)), machine).wsl == expected


def test_table_and_account_are_passed_on():
    table = SocketTable(complete=False, owners=False, error="EACCES")
    facts = examine(target(Endpoint("", 1)), FakeSystem(sockets=table))
    assert (facts.complete, facts.owners, facts.table_error) == (False, False, "EACCES")
    assert not facts.is_admin


@pytest.mark.parametrize(
    ("error", "rows", "fails", "held"),
    [
        ("", (), False, False),
        ("EADDRINUSE", (), True, True),
        ("EADDRNOTAVAIL", (), False, False),
        ("EAFNOSUPPORT", (), False, False),
        ("EACCES", (), True, False),
        ("EACCES", (listening("0.0.0.0", 1),), True, True),
        ("EPERM", (SocketRow("0.0.0.0", 1, "TIME_WAIT"),), True, False),
        ("ENOBUFS", (), True, False),
    ],
)
def test_kinds_of_failure(error, rows, fails, held):
    point = Point("127.0.0.1", 1, error, rows=rows)
    assert failed(point) is fails
    assert is_held(point) is held


@given(any_of(PortFacts), any_of(Wanted))
def test_values(facts, wanted):
    for asked in facts.asked:
        assert asked.port == asked.wanted.port
        for point in asked.points:
            assert isinstance(point.address, str)
            assert not is_held(point) or point.error
    assert Asked(wanted).points == ()


@given(any_of(SocketTable))
def test_probe_is_total(table):
    for os in ("linux", "darwin", "windows"):
        examine(target(Endpoint("*", 8080)), FakeSystem(os, sockets=table), back=True)
