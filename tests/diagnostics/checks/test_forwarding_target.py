"""Targets, as the gateway reaches them: what is asked where one fails or takes long."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.forwarding_target import (
    CHECK,
    MAX_TARGETS,
    Facts,
    judge,
    probe,
    seconds_for,
)
from diagnostics.model import Target, Unknown
from diagnostics.parsers import port_holder
from diagnostics.parsers.gateway_survey import ASK, ASK_SHELL
from diagnostics.ssh import Answered, Opened, RemoteOutput
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def judged(facts: Facts) -> tuple[Any, ...]:
    """Return what is judged, as values whose attributes are looked at."""
    return judge(facts)


WEB, SOCKET = Endpoint("web", 80), UnixPath("/run/s")
SHELL = "netkit-42\nnetkit-part id\n1000\nme\nLinux\n/home/me\n\nnetkit-part end\n"


def target(*targets: Address) -> Target:
    forwards = tuple(ForwardSpec(ForwardKind.LOCAL, Endpoint("", 8080), to) for to in targets)
    return Target(gateway="gw", forwards=forwards)


def look(to: Address, outcome: str = "refused-by-gateway", **more: Any) -> Facts:
    opened = Opened(
        target=to,
        outcome=outcome,
        kind=more.pop("kind", ""),
        text=more.pop("text", ""),
        seconds=more.pop("seconds", 0.0),
    )
    names = more.pop("names", None)
    ssh = FakeSsh(opened=lambda _to: opened, **more)
    return probe(target(to), FakeSystem(ssh=ssh, names=names))


def codes(facts: Facts) -> list[str]:
    return [getattr(each, "code", "unknown") for each in judged(facts)]


def test_what_it_concerns():
    assert CHECK.applies(Target())
    assert CHECK.applies(Target(gateway="gw"))
    assert CHECK.applies(target(WEB)) == ""
    assert seconds_for(target(WEB)) == 42.0


def test_reached():
    facts = probe(target(WEB, SOCKET), FakeSystem())
    assert codes(facts) == []
    assert [each.heard is None for each in facts.targets] == [False, True]


def test_a_greeting_is_waited_for():
    ssh = FakeSsh(opened=lambda to: Opened(target=to, outcome="ok"))
    facts = probe(target(Endpoint("web", 22)), FakeSystem(ssh=ssh))
    assert codes(facts) == ["target-silent"]


def test_too_many():
    facts = probe(target(*(Endpoint("web", port) for port in range(1, 11))), FakeSystem())
    assert (len(facts.targets), facts.left) == (MAX_TARGETS, 2)
    assert codes(facts) == ["unknown"]


@pytest.mark.parametrize(
    ("answer", "code"), [("ok", "target-timed-out"), ("timed-out", "target-lookup-failed")]
)
def test_no_answer(answer, code):
    facts = look(WEB, "timed-out", keepalive=Answered(outcome=answer))
    assert codes(facts) == [code]


def test_prohibited():
    text = SHELL.replace("netkit-part end", "netkit-part effective\npermitopen a:1")
    facts = look(WEB, kind="prohibited", run={ASK: text})
    assert codes(facts) == ["target-prohibited"]
    assert "a:1" in judged(facts)[0].title


def test_a_name_is_looked_up_here():
    facts = look(WEB, kind="name", names={"web": ("192.0.2.1",)}, run={ASK_SHELL: SHELL})
    assert facts.targets[0].here == ("192.0.2.1",)
    assert facts.asked.outcome == ""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_gateway_itself(host):
    facts = look(Endpoint(host, 80), kind="refused", run={port_holder.ask(80): SHELL})
    assert facts.targets[0].holder is not None
    assert codes(facts) == ["target-refused"]


@pytest.mark.parametrize(
    ("to", "done", "expected"),
    [
        (WEB, RemoteOutput(command="", outcome="timed-out"), 7.0),
        (WEB, "no shell", None),
        (WEB, "netkit-42\nnetkit-part id\ndone 1\n", None),
        (WEB, "netkit-42\n", None),
        (
            WEB,
            RemoteOutput(
                command="",
                outcome="ran",
                stdout=b"netkit-42\nnetkit-part id\ndone 0\n",
                seconds=2.5,
            ),
            2.5,
        ),
        (Endpoint("192.0.2.1", 80), "", None),
        (Endpoint("we;b", 80), "", None),
    ],
)
def test_a_slow_lookup(to, done, expected):
    facts = look(to, kind="unreachable", seconds=3.0, run=lambda _command: done)
    assert facts.targets[0].lookup == expected


@pytest.mark.parametrize(
    ("path", "said", "expected"),
    [
        ("/run/s", "netkit-42\nnetkit-part id\nmissing\n", "missing"),
        ("/run/s", "netkit-42\nnetkit-part id\nrubbish\n", ""),
        ("/run/s", "no shell", ""),
        ("/run/'s", "netkit-42\nnetkit-part id\nmissing\n", ""),
    ],
)
def test_a_path(path, said, expected):
    facts = look(UnixPath(path), kind="refused", run=lambda _command: said)
    assert facts.targets[0].socket == expected
    assert codes(facts) == ["target-socket-unusable"]


def test_a_path_that_can_be_used():
    assert look(SOCKET, "ok").targets[0].socket == ""


@given(any_of(Facts))
def test_judge_is_total(facts):
    for found in judge(facts):
        assert isinstance(found, Unknown) or found.code in CODES
