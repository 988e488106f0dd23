"""127.0.0.2 and the addresses that forwards listen on: bound, reached, used, and what not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.loopback_address import BULK, CHECK, Facts, judge, probe
from diagnostics.model import Finding, Severity, Target, Unknown
from diagnostics.system import ConnectBack, Resolution, ToolOutput
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import FakeSystem

CODES = {kind.code for kind in CHECK.finds}
OSES = ("linux", "darwin", "windows", "freebsd")
TO = Endpoint("ts", 3389)


def forward(host: str, port: int = 3389, kind=ForwardKind.LOCAL, to=TO) -> ForwardSpec:
    return ForwardSpec(kind, Endpoint(host, port), to)


def examine(*forwards: ForwardSpec, os: str = "linux", outcomes=None, **machine):
    """Judge a machine where ``outcomes`` says what becomes of an address; the others work."""

    def back(address, size):
        assert size == BULK
        assert address.port == 0
        outcome = (outcomes or {}).get(address.host, ("ok", "", ""))
        bound = Endpoint(outcome[2] or address.host, 40000)
        return ConnectBack(
            address, outcome[0], outcome[1], None if outcome[0] == "bind-failed" else bound
        )

    return judge(probe(Target(forwards=forwards), FakeSystem(os, back=back, **machine)))


ABSENT = ("bind-failed", "EADDRNOTAVAIL", "")


def only(found, code):
    (one,) = (each for each in found if isinstance(each, Finding) and each.code == code)
    return one


@pytest.mark.parametrize("os", OSES)
def test_a_healthy_machine(os):
    (finding,) = examine(os=os)
    assert (finding.code, finding.severity) == ("loopback-alias-usable", Severity.OK)


def test_what_is_asked_for_and_works_needs_no_word():
    assert examine(forward("127.0.0.2")) == ()
    assert CHECK.timeout(Target(forwards=(forward("127.0.0.2"),))) == 8.0  # type: ignore[operator]


def test_no_address_is_tried_for_these():
    forwards = [forward(host) for host in ("", "*", "LocalHost", "0.0.0.0", "::")]
    forwards.append(forward("203.0.113.1", kind=ForwardKind.REMOTE))
    forwards.append(ForwardSpec(ForwardKind.LOCAL, UnixPath("/x"), TO))
    assert [each.subject for each in examine(*forwards)] == ["127.0.0.2"]


@pytest.mark.parametrize("os", OSES)
def test_nobody_asked_for_the_alias(os):
    (finding,) = examine(os=os, outcomes={"127.0.0.2": ABSENT})
    assert (finding.code, finding.severity) == ("loopback-alias-missing", Severity.INFO)


@pytest.mark.parametrize(
    ("os", "command", "undo"),
    [
        ("linux", "ip addr add 127.0.0.2/8 dev lo", "ip addr del 127.0.0.2/8 dev lo"),
        ("darwin", "ifconfig lo0 alias 127.0.0.2 up", "ifconfig lo0 -alias 127.0.0.2"),
        ("freebsd", "ifconfig lo0 alias 127.0.0.2 netmask", "ifconfig lo0 -alias 127.0.0.2"),
    ],
)
def test_alias(os, command, undo):
    found = examine(forward("127.0.0.2"), os=os, outcomes={"127.0.0.2": ABSENT})
    finding = only(found, "address-not-available")
    assert finding.severity is Severity.ERROR
    assert command in finding.fixes[0].command
    assert undo in " ".join(finding.fixes[0].undo)
    assert finding.fixes[-2].argv[-2:] == ("-L", "127.0.0.1:3389:ts:3389")


def test_no_alias_on_windows():
    found = examine(forward("127.0.0.2"), os="windows", outcomes={"127.0.0.2": ABSENT})
    first, second = only(found, "address-not-available").fixes
    assert first.argv[:2] == ("netkit", "forward")
    assert second.argv == ("ipconfig",)


def test_an_address_of_somebody_else():
    socks = forward("192.0.2.1", 1080, ForwardKind.DYNAMIC, None)
    found = examine(socks, outcomes={"192.0.2.1": ABSENT})
    finding = only(found, "address-not-available")
    assert finding.fixes[0].argv[-2:] == ("-D", "127.0.0.1:1080")
    assert "192.0.2.10" in finding.evidence[-1].value


def test_ipv6():
    finding = only(examine(forward("::2"), outcomes={"::2": ABSENT}), "address-not-available")
    assert "ip addr add ::2/128 dev lo" in finding.fixes[0].command
    off = {"/proc/sys/net/ipv6/conf/lo/disable_ipv6": b"1\n"}
    found = examine(forward("::1"), outcomes={"::1": ABSENT}, files=off)
    finding = only(found, "address-not-available")
    assert finding.fixes[0].argv[-1] == "net.ipv6.conf.lo.disable_ipv6=0"
    assert "switched off" in finding.explain


def test_ipv6_of_macos_has_no_alias():
    found = examine(forward("::2"), os="darwin", outcomes={"::2": ABSENT})
    assert only(found, "address-not-available").fixes[0].argv[0] == "netkit"


def test_a_system_without_ipv6():
    found = examine(forward("::1"), outcomes={"::1": ("bind-failed", "EAFNOSUPPORT", "")})
    finding = only(found, "address-not-available")
    assert "does without" in finding.explain
    assert finding.fixes[0].argv[0] == "netkit"


def test_link_local_ipv6_needs_its_interface():
    outcomes = {"fe80::1": ("bind-failed", "EINVAL", "")}
    finding = only(examine(forward("fe80::1"), outcomes=outcomes), "address-without-scope")
    assert "fe80::1%INTERFACE" in finding.title
    from diagnostics.system import InterfaceAddress
    from support.machine import ETHERNET

    ethernet = replace(ETHERNET, addresses=(InterfaceAddress("inet6", "fe80::1"),))
    found = examine(forward("fe80::1"), outcomes=outcomes, interfaces=(ethernet,))
    argv = only(found, "address-without-scope").fixes[0].argv
    assert argv[-1] == "[fe80::1%eth0]:3389:ts:3389"


def test_link_local_ipv6_with_its_interface_is_just_absent():
    found = examine(forward("fe80::1%eth0"), outcomes={"fe80::1%eth0": ABSENT})
    assert only(found, "address-not-available").subject == "fe80::1%eth0"


def test_what_cannot_be_bound_for_another_reason_is_unknown():
    unknown, _ = examine(
        forward("127.0.0.3"), outcomes={"127.0.0.3": ("bind-failed", "EMFILE", "")}
    )
    assert isinstance(unknown, Unknown)
    assert unknown.subject == "127.0.0.3"


def test_virtualised():
    outcomes = {"127.0.0.1": ("connect-failed", "ECONNREFUSED", "127.0.0.5")}
    found = examine(forward("127.0.0.1"), os="windows", outcomes=outcomes)
    finding = only(found, "address-virtualised")
    assert finding.fixes[0].argv[-1] == "127.0.0.5:3389:ts:3389"


def test_the_same_address_written_otherwise_is_not_virtualised():
    assert (
        examine(forward("0:0::1"), forward("127.0.0.2"), outcomes={"0:0::1": ("ok", "", "::1")})
        == ()
    )
    outcomes = {"127.0.0.2": ("ok", "", "no address")}
    assert examine(forward("127.0.0.2"), outcomes=outcomes) == ()


@pytest.mark.parametrize(
    ("outcome", "error", "word"),
    [
        ("timed-out", "", "drops"),
        ("someone-else", "", "another program"),
        ("wrong-data", "", "changed"),
        ("connect-failed", "ECONNREFUSED", "refused (ECONNREFUSED)"),
    ],
)
def test_unreachable(outcome, error, word):
    found = examine(forward("127.0.0.9"), outcomes={"127.0.0.9": (outcome, error, "")})
    assert word in only(found, "address-unreachable").title


def test_stalled():
    found = examine(forward("127.0.0.9"), outcomes={"127.0.0.9": ("stalled", "", "")})
    assert only(found, "address-stalled").severity is Severity.ERROR


def test_names():
    names = {"me": ("127.0.1.1",), "nobody": Resolution("nobody", error="EAI_NONAME")}
    found = examine(forward("me"), forward("nobody"), names=names, outcomes={"127.0.1.1": ABSENT})
    assert only(found, "address-not-available").subject == "127.0.1.1"
    finding = only(found, "bind-name-unknown")
    assert finding.fixes[0].argv[-1] == "127.0.0.1:3389:ts:3389"


WSL = {"/proc/version": b"Linux version 5.15.153.1-microsoft-standard-WSL2"}


@pytest.mark.parametrize(("said", "told"), [("nat\n", True), ("mirrored\n", False), (None, True)])
def test_wsl(said, told):
    tools = {} if said is None else {("wslinfo", "--networking-mode"): said}
    found = examine(forward("127.0.0.2"), files=WSL, tools=tools)
    assert [each.code for each in found] == (["address-hidden-by-wsl"] if told else [])
    if told:
        assert found[0].fixes[0].argv[-1] == "127.0.0.1:3390:ts:3389"


def test_wsl_is_not_asked_about_the_others():
    def never(argv):
        raise AssertionError(argv)

    assert examine(forward("127.0.0.1"), forward("127.0.0.2"), os="windows", tools=never) == ()
    found = examine(forward("127.0.0.1"), files=WSL, tools=never)
    assert [each.code for each in found] == ["loopback-alias-usable"]
    found = examine(
        forward("127.0.0.2", 80), files=WSL, tools=lambda argv: ToolOutput(argv, "failed")
    )
    assert only(found, "address-hidden-by-wsl").fixes[0].argv[-1] == "127.0.0.1:80:ts:3389"


@given(st.sampled_from(OSES), any_of(Facts))
def test_is_total(os, facts):
    judged = judge(replace(facts, os=os))
    assert {each.code for each in judged if isinstance(each, Finding)} <= CODES
