"""The X server here to which a remote forward leads."""

from __future__ import annotations

import pytest
from hypothesis import given

from diagnostics.checks.x_target import CHECK, Facts, judge, probe
from diagnostics.model import Finding, Target, Unknown
from diagnostics.system import FileStat
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import FakeSystem
from support.xservers import Fake, talk

CODES = {kind.code for kind in CHECK.finds}
X0 = "/tmp/.X11-unix/X0"
LAUNCHD = "/private/tmp/com.apple.launchd.0xYz/org.xquartz:0"
TCP = Endpoint("localhost", 6000)


def target_of(*to: Address, gateway: str = "gw") -> Target:
    forwards = tuple(ForwardSpec(ForwardKind.REMOTE, Endpoint("", 6001), each) for each in to)
    return Target(gateway=gateway, forwards=forwards)


def examine(to: Address, servers: dict[str, Fake] | None = None, os: str = "linux", **more):
    gateway = more.pop("gateway", "gw")
    system = FakeSystem(os, talk=talk(servers or {}), **more)
    return judge(probe(target_of(to, gateway=gateway), system))


def only(*given, **more) -> Finding:
    (found,) = examine(*given, **more)
    assert isinstance(found, Finding)
    return found


def test_applies():
    assert CHECK.applies(target_of(TCP)) == ""
    assert CHECK.applies(target_of(Endpoint("web", 80))) != ""


@pytest.mark.parametrize(
    ("to", "at"), [(TCP, "[::1]:6000"), (UnixPath(X0), X0), (UnixPath(LAUNCHD), LAUNCHD)]
)
def test_healthy(to: Address, at: str):
    """Whether it wants a cookie does not matter."""
    assert examine(to, {at: Fake()}) == ()
    assert examine(to, {at: Fake(cookie=b"c" * 16)}) == ()


def test_dead():
    found = only(UnixPath(X0))
    assert found.code == "x-target-dead"
    assert found.fixes[0].argv == ("ls", "/tmp/.X11-unix")
    assert only(TCP).fixes[0].argv[0] == "ls"
    assert only(TCP, os="windows").fixes[0].note
    assert only(TCP, os="darwin").fixes[0].argv == ("open", "-a", "XQuartz")


def test_takes_no_tcp():
    found = only(TCP, {X0: Fake(cookie=b"c" * 16)})
    assert "no TCP" in found.explain
    assert found.fixes[0].argv == ("netkit", "forward", "gw", "-R", f"6001:{X0}")
    assert only(TCP, {X0: Fake()}, gateway="").fixes[0].argv[2] == "GATEWAY"


def test_takes_no_tcp_on_macos():
    found = only(
        TCP,
        {LAUNCHD: Fake()},
        "darwin",
        variables={"DISPLAY": LAUNCHD},
        stats={LAUNCHD: FileStat(LAUNCHD, "socket")},
    )
    assert "org.xquartz" in found.fixes[0].argv[-1]
    assert found.fixes[1].argv[0] == "defaults"


def test_another_machine():
    """Its unix socket is not here."""
    found = only(Endpoint("far", 6000), {X0: Fake()}, names={"far": ("192.0.2.7",)})
    assert "no TCP" not in found.explain


def test_socket_without_a_server():
    assert "no TCP" not in only(TCP, {X0: Fake(words=b"220 x\r\n")}).explain


def test_no_address():
    (unknown,) = examine(Endpoint("nowhere", 6000))
    assert isinstance(unknown, Unknown)
    assert "nowhere:6000" in unknown.reason


def test_silent():
    assert only(UnixPath(X0), {X0: Fake(words=b"", outcome="timed-out")}).code == "x-target-silent"


@pytest.mark.parametrize(("words", "said"), [(b"SSH-2.0-x", "SSH-2.0-x"), (b"", "hung up")])
def test_no_server(words: bytes, said: str):
    found = only(UnixPath(X0), {X0: Fake(words=words)})
    assert found.code == "x-target-not-x"
    assert said in found.explain


def test_each_forward():
    found = judge(probe(target_of(TCP, UnixPath(X0)), FakeSystem(talk=talk({}))))
    assert [each.subject for each in found] == ["localhost:6000", X0]


@given(any_of(Facts))
def test_any_facts(facts: Facts):
    assert {each.code for each in judge(facts) if isinstance(each, Finding)} <= CODES
