"""Does the gateway listen for us: what is asked, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.forwarding_remote import (
    ANY,
    CHECK,
    MAX_FORWARDS,
    NOWHERE,
    Facts,
    judge,
    probe,
    seconds_for,
)
from diagnostics.model import Target, Unknown
from diagnostics.parsers import port_holder
from diagnostics.parsers.gateway_survey import ASK
from diagnostics.ssh import Knock, Listened
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def judged(facts: Facts) -> tuple[Any, ...]:
    """Return what is judged, as values whose attributes are looked at."""
    return judge(facts)


PORT = Endpoint("", 8080)
START = "netkit-42\nnetkit-part id\n1000\nme\nLinux\n/home/me\n\n"
HELD = f"""{START}netkit-part readable
netkit-part table
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  33        0 1 1 0
"""


def target(*binds: Address, kind: ForwardKind = ForwardKind.REMOTE) -> Target:
    to = Endpoint("127.0.0.1", 80)
    return Target(gateway="gw", forwards=tuple(ForwardSpec(kind, each, to) for each in binds))


class Gateway:
    """Refuses what ``no`` names, and lets knocks meet what ``knocks`` says."""

    def __init__(
        self,
        *no: Address,
        knocks: dict[str, str] | None = None,
        messages: tuple[str, ...] = (),
        outcome: str = "refused",
        **more: Any,
    ) -> None:
        self.no, self.outcome, self.messages = no, outcome, messages
        self.knocks = knocks or {}
        self.asked: list[Address] = []
        self.system = FakeSystem(ssh=FakeSsh(listen=self.listen, **more))

    def listen(self, bind: Address, knocks: tuple[Knock, ...]) -> Listened:
        self.asked.append(bind)
        if bind in self.no:
            return Listened(bind=bind, outcome=self.outcome, messages=self.messages)
        port = bind.port if isinstance(bind, Endpoint) else 0
        met = self.knocks if port == 8080 else {}
        made = tuple(
            Knock(
                origin=each.origin,
                address=each.address,
                outcome=met.get(each.address.host, "arrived"),
            )
            for each in knocks
        )
        return Listened(bind=bind, outcome="ok", port=port, knocks=made)

    def look(self, *binds: Address) -> Facts:
        return probe(target(*binds), self.system)


def codes(facts: Facts) -> list[str]:
    return [getattr(each, "code", "unknown") for each in judged(facts)]


def test_what_it_concerns():
    assert CHECK.applies(target(PORT, kind=ForwardKind.LOCAL))
    assert CHECK.applies(Target())
    assert CHECK.applies(Target(gateway="gw")) == ""
    assert CHECK.applies(target(PORT)) == ""
    assert seconds_for(target(PORT)) == 70.0


@pytest.mark.parametrize(
    ("bind", "knocked"),
    [
        (PORT, ["127.0.0.1", "::1"]),
        (Endpoint("localhost", 8080), ["127.0.0.1", "::1"]),
        (Endpoint("*", 8080), ["127.0.0.1", "::1"]),
        (Endpoint("0.0.0.0", 8080), ["127.0.0.1"]),
        (Endpoint("::", 8080), ["::1"]),
        (Endpoint("127.0.0.2", 8080), ["127.0.0.2"]),
        (Endpoint("192.0.2.1", 8080), []),
    ],
)
def test_it_listens(bind, knocked):
    gateway = Gateway()
    facts = gateway.look(bind)
    assert codes(facts) == []
    assert gateway.asked == [bind]
    assert [each.address.host for each in facts.tried[0].listened.knocks] == knocked


def test_no_forward_is_named():
    gateway = Gateway()
    assert codes(gateway.look()) == []
    assert gateway.asked == [ANY]
    assert codes(Gateway(ANY).look()) == ["remote-forwarding-prohibited"]


def test_too_many():
    facts = Gateway().look(*(Endpoint("", 9000 + each) for each in range(10)))
    assert (len(facts.tried), facts.left) == (MAX_FORWARDS, 2)


def test_prohibited():
    rules = f"{START}netkit-part effective\nallowtcpforwarding no\n"
    gateway = Gateway(PORT, ANY, run={ASK: rules})
    facts = gateway.look(PORT)
    assert codes(facts) == ["remote-forwarding-prohibited"]
    assert "AllowTcpForwarding no" in judged(facts)[0].explain


def test_taken():
    gateway = Gateway(PORT, run={port_holder.ask(8080): HELD})
    facts = gateway.look(PORT)
    assert codes(facts) == ["remote-port-taken"]
    assert facts.tried[0].taken is not None
    assert facts.tried[0].taken.free == 8081


def test_no_other_port_is_free():
    others = (Endpoint("", port) for port in (8081, 8082, 8083))
    facts = Gateway(PORT, *others).look(PORT)
    assert facts.tried[0].taken is not None
    assert facts.tried[0].taken.free == 0
    last = Endpoint("", 65535)
    facts = Gateway(last).look(last)
    assert facts.tried[0].taken is not None
    assert facts.tried[0].taken.free == 0


def test_half_taken():
    gateway = Gateway(knocks={"127.0.0.1": "elsewhere"})
    facts = gateway.look(PORT)
    assert codes(facts) == ["remote-port-taken"]
    assert facts.tried[0].taken is not None
    assert facts.tried[0].taken.hosts == ("127.0.0.1",)


@pytest.mark.parametrize(
    ("said", "expected"),
    [("", ["unknown"]), (HELD, ["remote-port-taken"]), (f"{START}netkit-part readable\n", [])],
)
def test_no_knock_is_allowed(said, expected):
    no_knocks = {"127.0.0.1": "prohibited", "::1": "prohibited"}
    gateway = Gateway(knocks=no_knocks, run={port_holder.ask(8080): said})
    assert codes(gateway.look(PORT)) == expected


def test_an_address_that_is_not_there():
    there = Endpoint("192.0.2.7", 8080)
    assert codes(Gateway(there).look(there)) == ["remote-address-unavailable"]
    both = (there, Endpoint("localhost", 8080))
    assert codes(Gateway(*both).look(there)) == ["remote-port-taken"]


def test_a_message_tells_without_more_questions():
    gateway = Gateway(PORT, messages=("port forwarding refused",))
    assert codes(gateway.look(PORT)) == ["remote-listen-prohibited"]
    assert gateway.asked == [PORT, ANY]


def test_no_answer():
    assert codes(Gateway(PORT, outcome="timed-out").look(PORT)) == ["unknown"]


@pytest.mark.parametrize(
    ("path", "said", "expected"),
    [
        ("/run/s", f"{START}free\n", []),
        ("/run/s", f"{START}socket\n", ["remote-socket-unusable"]),
        ("/s", f"{START}closed\n", ["remote-socket-unusable"]),
        ("/run/s", f"{START}rubbish\n", ["unknown"]),
        ("/run/s", "no shell\n", ["unknown"]),
        ("/run/'s", f"{START}socket\n", ["unknown"]),
    ],
)
def test_unix_sockets(path, said, expected):
    gateway = Gateway(NOWHERE, run=lambda _command: said)
    assert codes(gateway.look(UnixPath(path))) == expected
    assert gateway.asked == [NOWHERE], "no file is left behind"


def test_a_socket_beside_a_port():
    gateway = Gateway(NOWHERE, PORT, run=lambda _command: f"{START}free\n")
    assert codes(gateway.look(UnixPath("/run/s"), PORT)) == ["remote-port-taken"]


@given(any_of(Facts))
def test_judge_is_total(facts):
    for found in judge(facts):
        assert isinstance(found, Unknown) or found.code in CODES
