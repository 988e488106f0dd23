"""Who reaches the ports of remote forwards: GatewayPorts, by where our nonce arrives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.gateway_ports import CHECK, Facts, Opened, judge, probe, seconds_for
from diagnostics.forwarding.shell import Asked
from diagnostics.model import Confidence, Severity, Target, Unknown
from diagnostics.parsers.gateway_survey import ASK, GatewayAccount, Survey
from diagnostics.parsers.sshd_config import ConfigFile, parse
from diagnostics.ssh import Knock, Listened, Login
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import LOGIN, FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def judged(facts: Facts) -> tuple[Any, ...]:
    """Return what is judged, as values whose attributes are looked at."""
    return judge(facts)


OWN = "198.51.100.1"
OPENSSH = "SSH-2.0-OpenSSH_9.2p1"
SHELL = f"""netkit-42
netkit-part id
1000
me
Linux
/home/me
192.0.2.10 50000 {OWN} 22
netkit-part addresses
    inet 127.0.0.1/8
    inet {OWN}/24
    inet6 fe80::1/64
    inet6 2001:db8::1/64
"""


def target(*binds: Address, kind: ForwardKind = ForwardKind.REMOTE) -> Target:
    to = Endpoint("127.0.0.1", 80)
    return Target(gateway="gw", forwards=tuple(ForwardSpec(kind, each, to) for each in binds))


def asked_for(bind: str, *, shell: str = SHELL, login: Login = LOGIN) -> list[tuple[str, str]]:
    ssh = FakeSsh(run={ASK: shell}, login=login)
    facts = probe(target(Endpoint(bind, 8080)), FakeSystem(ssh=ssh))
    return [(each.origin, each.address.host) for each in facts.opened[0].listened.knocks]


def test_what_it_concerns():
    assert CHECK.applies(Target())
    assert CHECK.applies(target(Endpoint("", 1), kind=ForwardKind.LOCAL))
    assert CHECK.applies(target(UnixPath("/s")))
    assert CHECK.applies(target(Endpoint("", 1))) == ""
    assert seconds_for(target(Endpoint("", 1))) == 40.0


@pytest.mark.parametrize(
    ("bind", "there", "here"),
    [
        ("", ["127.0.0.1", OWN, "2001:db8::1"], []),
        ("127.0.0.1", ["127.0.0.1", OWN, "2001:db8::1"], []),
        ("*", ["127.0.0.1", OWN, "2001:db8::1"], [OWN]),
        ("0.0.0.0", ["127.0.0.1", OWN], [OWN]),
        ("::", ["::1", "2001:db8::1"], [OWN]),
        ("192.0.2.5", ["127.0.0.1", "192.0.2.5"], [OWN]),
        ("name", ["127.0.0.1"], [OWN]),
    ],
)
def test_where_is_knocked(bind, there, here):
    found = asked_for(bind)
    assert [host for origin, host in found if origin == "gateway"] == there
    assert [host for origin, host in found if origin == "here"] == here


def test_where_is_knocked_without_a_shell():
    assert asked_for("*", shell="no") == [
        ("gateway", "127.0.0.1"),
        ("gateway", OWN),
        ("here", OWN),
    ]
    assert asked_for("*", shell="no", login=Login(stage="done")) == [("gateway", "127.0.0.1")]
    near = Login(stage="done", peer=Endpoint("127.0.0.1", 22))
    assert asked_for("*", shell="no", login=near) == [("gateway", "127.0.0.1")]


def test_a_refused_port_is_asked_for_as_any():
    def listen(bind, knocks):
        return Listened(bind=bind, outcome="refused" if bind.port else "ok", knocks=knocks)

    ssh = FakeSsh(run={ASK: SHELL}, listen=listen)
    facts = probe(target(Endpoint("*", 8080)), FakeSystem(ssh=ssh))
    assert facts.opened[0].listened.outcome == "ok"


def look(
    bind: str, *knocks: tuple[str, str, str], messages: tuple[str, ...] = (), **more: Any
) -> Facts:
    """Return facts of knocks (``gateway`` or ``here``, host, outcome)."""
    address = Endpoint(bind, 8080)
    made = tuple(
        Knock(origin=origin, address=Endpoint(host, 8080), outcome=outcome, text="hello")
        for origin, host, outcome in knocks
    )
    listened = Listened(
        bind=address,
        outcome=more.pop("outcome", "ok"),
        port=8080,
        knocks=made,
        messages=messages,
    )
    opened = Opened(forward=target(address).forwards[0], listened=listened)
    asked = more.pop("asked", Asked(server=OPENSSH))
    return Facts(gateway="gw", opened=(opened,), asked=asked)


def codes(facts: Facts) -> list[str]:
    return [getattr(each, "code", "unknown") for each in judged(facts)]


def rules(text: str) -> Asked:
    survey = Survey(
        has_shell=True,
        account=GatewayAccount(),
        config=parse((ConfigFile(path="/c", data=text.encode()),)),
        config_file="/c",
    )
    return Asked(server=OPENSSH, survey=survey)


def there(outcome: str, host: str = OWN) -> tuple[str, str, str]:
    return "gateway", host, outcome


def here(outcome: str) -> tuple[str, str, str]:
    return "here", OWN, outcome


BACK = there("arrived", "127.0.0.1")


@pytest.mark.parametrize(
    ("bind", "knocks", "expected"),
    [
        ("", (BACK, there("refused")), []),
        ("localhost", (BACK, there("arrived")), ["gateway-ports-wider"]),
        ("*", (BACK, there("arrived"), here("arrived")), []),
        ("*", (BACK, there("arrived"), here("timed-out")), ["remote-port-filtered"]),
        ("*", (BACK, there("arrived"), here("refused")), ["remote-port-filtered"]),
        ("*", (BACK, there("arrived"), here("elsewhere")), ["remote-port-filtered"]),
        ("*", (BACK, there("arrived")), []),
        ("*", (BACK, there("refused"), here("arrived")), []),
        ("*", (BACK, there("refused")), ["gateway-ports-loopback-only"]),
        ("*", (BACK, here("refused")), ["gateway-ports-loopback-only"]),
        ("*", (BACK, there("timed-out")), ["remote-port-filtered"]),
        ("*", (BACK, there("elsewhere")), ["remote-port-shadowed"]),
        ("*", (BACK,), ["unknown"]),
        ("*", (there("prohibited"),), ["unknown"]),
        ("*", (here("refused"),), ["unknown"]),
        (OWN, (BACK, there("arrived")), ["gateway-ports-wider"]),
        (OWN, (there("refused", "127.0.0.1"), there("arrived")), []),
    ],
)
def test_codes(bind, knocks, expected):
    assert codes(look(bind, *knocks)) == expected


def test_the_gateway_says_so():
    message = "Forwarding listen address overridden by server GatewayPorts"
    (found,) = judged(look("", BACK, messages=(message,)))
    assert (found.code, found.severity) == ("gateway-ports-wider", Severity.WARNING)
    assert found.evidence[-1].value == message
    assert "loopback was asked for" in found.title


def test_the_rule_is_shown():
    facts = look("*", BACK, there("refused"), asked=rules("GatewayPorts no\n"))
    (found,) = judged(facts)
    assert "It reads GatewayPorts no from /c:1." in found.explain
    assert found.confidence is Confidence.CERTAIN
    (found,) = judged(look("*", BACK, here("refused")))
    assert found.confidence is Confidence.LIKELY


def test_no_knock_there_and_the_rule_says_no():
    assert codes(look("*", here("refused"), asked=rules("X 1\n"))) == [
        "gateway-ports-loopback-only"
    ]
    facts = look("*", here("refused"), asked=rules("GatewayPorts yes\n"))
    assert codes(facts) == ["unknown"]


def test_another_server():
    asked = Asked(server="SSH-2.0-AsyncSSH")
    (found,) = judged(look("*", BACK, there("refused"), asked=asked))
    assert "GatewayPorts" not in found.explain
    (found,) = judged(look("", BACK, there("arrived"), asked=asked))
    assert "GatewayPorts" not in found.explain


def test_the_other_program_is_quoted():
    (found,) = judged(look("*", BACK, there("elsewhere")))
    assert found.explain.endswith("hello")
    assert "*:0:127.0.0.1:80" in found.fixes[0].argv


def test_not_known():
    (found,) = judged(look("*", outcome="refused"))
    assert isinstance(found, Unknown)
    assert found.reason.endswith("it does not listen there for us")
    (found,) = judged(look("*", BACK, asked=Asked(outcome="no-shell")))
    assert isinstance(found, Unknown)
    assert "no address of the gateway could be tried, and this account" in found.reason
    (found,) = judged(look("*", there("prohibited")))
    assert isinstance(found, Unknown)
    assert "opens no connection to itself" in found.reason


def test_a_forward_of_a_socket():
    forward = ForwardSpec(ForwardKind.REMOTE, UnixPath("/s"), None)
    opened = Opened(forward=forward, listened=Listened(bind=UnixPath("/s"), outcome="ok"))
    assert codes(Facts(opened=(opened,))) == []
    assert (opened.host, opened.is_private) == ("", True)


@given(any_of(Facts))
def test_judge_is_total(facts):
    for found in judge(facts):
        assert isinstance(found, Unknown) or found.code in CODES
