"""Targets of remote forwards, which this machine has to reach."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.forwarding_target_here import (
    CHECK,
    Facts,
    Reached,
    judge,
    probe,
    seconds_for,
)
from diagnostics.model import Target, Unknown
from diagnostics.system import Connected, FileStat
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def judged(facts: Facts) -> tuple[Any, ...]:
    """Return what is judged, as values whose attributes are looked at."""
    return judge(facts)


def target(*targets: Address | None) -> Target:
    bind = Endpoint("", 8080)
    forwards = tuple(ForwardSpec(ForwardKind.REMOTE, bind, to) for to in targets)
    return Target(gateway="gw", forwards=forwards)


def look(to: Address, os: str = "linux", **machine: Any) -> Facts:
    return probe(target(to), FakeSystem(os, **machine))


def connect(outcome: str, error: str = ""):
    return lambda address: Connected(address, outcome, error=error)


def test_what_it_concerns():
    assert CHECK.applies(target(None))
    assert CHECK.applies(target(Endpoint("a", 6000), UnixPath("/tmp/.X11-unix/X0")))
    assert CHECK.applies(target(Endpoint("a", 80))) == ""
    assert seconds_for(target(Endpoint("a", 80))) == 25.0


def test_reached():
    assert judge(look(Endpoint("127.0.0.1", 80))) == ()


@pytest.mark.parametrize("os", ["linux", "darwin", "windows"])
def test_refused(os):
    (found,) = judged(look(Endpoint("127.0.0.1", 80), os, connect=connect("refused")))
    assert found.code == "remote-target-refused"
    assert found.evidence[0].value == "127.0.0.1: refused"
    assert found.fixes[0].argv[0] == ("ss" if os == "linux" else "netstat")


@pytest.mark.parametrize("outcome", ["timed-out", "unreachable", "reset"])
def test_unreachable(outcome):
    (found,) = judged(look(Endpoint("192.0.2.7", 80), connect=connect(outcome)))
    assert found.code == "remote-target-unreachable"
    assert found.fixes[0].argv == ("ping", "192.0.2.7")


def test_one_of_several_addresses_is_enough():
    def answer(address):
        return Connected(address, "ok" if address.host == "192.0.2.2" else "refused")

    names = {"web": ("192.0.2.1", "192.0.2.2", "192.0.2.3")}
    facts = look(Endpoint("web", 80), names=names, connect=answer)
    assert facts.reached[0].tried == ("192.0.2.1: refused", "192.0.2.2: ok")
    assert judge(facts) == ()


@pytest.mark.parametrize(("os", "tool"), [("linux", "getent"), ("darwin", "nslookup")])
def test_an_unknown_name(os, tool):
    (found,) = judged(look(Endpoint("absent", 80), os))
    assert found.code == "remote-target-name-unknown"
    assert found.fixes[0].argv[0] == tool


def test_something_else():
    (found,) = judged(look(Endpoint("127.0.0.1", 80), connect=connect("failed", "EPERM")))
    assert isinstance(found, Unknown)
    assert found.reason.endswith("EPERM")


@pytest.mark.parametrize(
    ("kind", "told"), [("socket", None), ("", "does not exist"), ("file", "is no socket")]
)
def test_sockets(kind, told):
    facts = look(UnixPath("/run/s"), stats={"/run/s": FileStat("/run/s", kind)})
    found = judged(facts)
    assert [each.code for each in found] == ([] if told is None else ["remote-target-no-socket"])
    assert all(told in each.title for each in found)


def test_a_socket_in_place_of_a_host_that_has_none():
    (found,) = judged(Facts(reached=(Reached(to=UnixPath("/s"), outcome="refused"),)))
    assert found.code == "remote-target-no-socket"


@given(any_of(Facts))
def test_judge_is_total(facts):
    for found in judge(facts):
        assert isinstance(found, Unknown) or found.code in CODES
