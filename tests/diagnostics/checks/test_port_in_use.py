"""Listening points: taken, half taken, privileged, of no interface."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.port_in_use import CHECK, Bind, Facts, Holder, applies, judge, probe
from diagnostics.model import Finding, Target, Unknown
from diagnostics.system import BindResult, ProcessInfo, SocketTable
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.machine import FakeSystem, listening

TS = Endpoint("ts", 3389)
CODES = {kind.code for kind in CHECK.finds}


def local(host: str, port: int, to=TS) -> Target:
    return Target(forwards=(ForwardSpec(ForwardKind.LOCAL, Endpoint(host, port), to),))


def bind(errors: dict[tuple[str, int], str]):
    def result(address: Endpoint) -> BindResult:
        return BindResult(address, errors.get((address.host, address.port), ""), 1)

    return result


def examine(target: Target, errors, **more):
    return judge(probe(target, FakeSystem(more.pop("os", "linux"), bind=bind(errors), **more)))


def test_applies_to_what_listens_here():
    assert applies(Target())
    remote = ForwardSpec(ForwardKind.REMOTE, Endpoint("", 80), TS)
    unix = ForwardSpec(ForwardKind.LOCAL, UnixPath("/s"), TS)
    assert applies(Target(forwards=(remote, unix)))
    assert applies(local("", 80)) == ""


def test_free():
    assert examine(local("127.0.0.2", 3389), {}) == ()


def test_taken_names_the_program_and_a_free_port():
    (finding,) = examine(
        local("127.0.0.2", 3389),
        {("127.0.0.2", 3389): "EADDRINUSE", ("127.0.0.2", 3390): "EADDRINUSE"},
        sockets=SocketTable((listening("0.0.0.0", 3389, 812), listening("127.0.0.2", 1))),
        processes={812: ProcessInfo(812, "xrdp", ("xrdp", "-n"))},
    )
    assert finding.code == "port-taken"
    assert finding.title == "127.0.0.2:3389 is taken by xrdp (process 812)"
    expected = ("netkit", "forward", "...", "-L", "127.0.0.2:3391:ts:3389")
    assert finding.fixes[0].argv == expected
    assert finding.fixes[1].argv == ("kill", "812")


def test_taken_by_somebody_else():
    (finding,) = examine(
        local("127.0.0.1", 3389),
        {("127.0.0.1", 3389): "EADDRINUSE"},
        sockets=SocketTable((listening("127.0.0.1", 3389, None, 0),)),
    )
    assert "a program of root" in finding.title
    assert finding.fixes[1].argv[:3] == ("sudo", "ss", "-ltnp")


def test_taken_by_nobody_known():
    (finding,) = examine(local("127.0.0.1", 3389), {("127.0.0.1", 3389): "EADDRINUSE"})
    assert "another program" in finding.title


def test_taken_where_not_even_the_user_is_known():
    (finding,) = examine(
        local("127.0.0.1", 3389),
        {("127.0.0.1", 3389): "EADDRINUSE"},
        sockets=SocketTable((listening("127.0.0.1", 3389, 7, None),)),
    )
    assert "a program (process 7)" in finding.title


def test_half_taken():
    (finding,) = examine(local("", 8080), {("::1", 8080): "EADDRINUSE"})
    assert finding.code == "port-half-bound"
    assert finding.fixes[0].argv[-1] == "8081:ts:3389"


def test_a_machine_without_ipv6_is_complete():
    assert examine(local("", 8080), {("::1", 8080): "EADDRNOTAVAIL"}) == ()


def test_an_address_of_no_interface_on_macos():
    (finding,) = examine(
        local("127.0.0.2", 3389), {("127.0.0.2", 3389): "EADDRNOTAVAIL"}, os="darwin"
    )
    assert finding.code == "address-not-available"
    assert finding.fixes[0].argv == ("sudo", "ifconfig", "lo0", "alias", "127.0.0.2", "up")
    assert finding.fixes[0].undo


def test_an_address_of_no_interface():
    (finding,) = examine(local("192.0.2.1", 80), {("192.0.2.1", 80): "EADDRNOTAVAIL"})
    assert finding.fixes[0].argv == ("ip", "-br", "address")


def test_privileged():
    (finding,) = examine(local("127.0.0.1", 80, to=None), {("127.0.0.1", 80): "EACCES"})
    assert finding.code == "port-privileged"
    assert finding.fixes[0].argv[-1] == "127.0.0.1:8080"


@pytest.mark.parametrize(("port", "os"), [(80, "windows"), (8080, "linux")])
def test_a_refusal_without_a_known_cause_is_unknown(port, os):
    (unknown,) = examine(local("127.0.0.1", port), {("127.0.0.1", port): "EACCES"}, os=os)
    assert isinstance(unknown, Unknown)


def test_no_free_port_is_offered_where_there_is_none():
    taken = {("127.0.0.1", port): "EADDRINUSE" for port in range(8080, 9000)}
    (finding,) = examine(local("127.0.0.1", 8080), taken)
    assert finding.fixes == ()


def test_dynamic():
    target = Target(forwards=(ForwardSpec(ForwardKind.DYNAMIC, Endpoint("127.0.0.1", 1080)),))
    (finding,) = examine(target, {("127.0.0.1", 1080): "EADDRINUSE"})
    assert finding.fixes[0].argv[-2:] == ("-D", "127.0.0.1:1081")


TEXT = st.text(max_size=8)
ERRORS = st.sampled_from(["", "EADDRINUSE", "EACCES", "EADDRNOTAVAIL", "EIO"])
ADDRESSES = st.builds(Endpoint, st.sampled_from(["127.0.0.1", "::1", "127.9.9.9"]), st.integers())
BINDS = st.builds(
    Bind,
    TEXT,
    st.tuples(TEXT, TEXT),
    st.lists(st.builds(BindResult, ADDRESSES, ERRORS, st.integers()), max_size=3).map(tuple),
    st.lists(st.builds(Holder, TEXT, st.none() | st.integers(), TEXT), max_size=3).map(tuple),
    st.integers(),
)


@given(st.builds(Facts, TEXT, st.lists(BINDS, max_size=3).map(tuple)))
def test_is_total(facts):
    assert {each.code for each in judge(facts) if isinstance(each, Finding)} <= CODES
