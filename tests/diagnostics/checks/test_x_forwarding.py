"""Whether the gateway forwards X11, and which rule is in the way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from diagnostics.checks.x_forwarding import CHECK, Facts, judge, probe
from diagnostics.forwarding.shell import NO_SHELL, Asked
from diagnostics.model import Confidence, Finding, Severity, Target, Unknown
from diagnostics.parsers import gateway_survey, x_gateway
from diagnostics.parsers.gateway_survey import MARKER, Survey
from diagnostics.parsers.sshd_config import ConfigFile, parse
from diagnostics.parsers.x_gateway import GatewayX
from diagnostics.ssh import RemoteOutput, X11Answer
from support.any_values import any_of
from support.machine import FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
X11 = Target(gateway="me@gw", protocol="x11")
OPENSSH = "SSH-2.0-OpenSSH_9.2p1"


def refused(*messages: str) -> X11Answer:
    return X11Answer(outcome="refused", messages=messages)


def asked(config: str = "", server: str = OPENSSH) -> Asked:
    file = ConfigFile(path="/etc/ssh/sshd_config", data=config.encode())
    return Asked(server=server, survey=Survey(has_shell=True, config=parse((file,))))


def facts_of(*messages: str, config: str = "", there: GatewayX = GatewayX(), **more) -> Facts:
    return Facts(
        gateway="me@gw",
        answer=refused(*messages),
        **{"asked": asked(config), "there": there, **more},
    )


def only(facts: Facts) -> Finding:
    (found,) = judge(facts)
    assert isinstance(found, Finding)
    return found


def listeners(*rows: str) -> str:
    """Return what a shell says of listeners, rows as in /proc/net/tcp."""
    table = "".join(f"   0: {row} 00000000:0000 0A 0:0 0:0 0 0 0 1\n" for row in rows)
    return f"{MARKER}\nnetkit-part listeners\n{table}netkit-part end\n"


SSHD, LOOPBACK, WIDE = "00000000:0016", "0100007F:177A", "00000000:177A"


def examine(meanwhile: str | None, before: str = listeners(SSHD)):
    said = (
        None
        if meanwhile is None
        else RemoteOutput(command="", outcome="ran", status=0, stdout=meanwhile.encode())
    )
    ssh = FakeSsh(
        run={x_gateway.ASK_LISTENERS: before}, x11=X11Answer(outcome="granted", meanwhile=said)
    )
    return judge(probe(X11, FakeSystem(ssh=ssh)))


def test_granted():
    assert examine(listeners(SSHD, LOOPBACK)) == ()


@pytest.mark.parametrize("meanwhile", [None, "", "no shell here"])
def test_granted_and_no_shell(meanwhile: str | None):
    assert examine(meanwhile) == ()
    assert examine(listeners(SSHD, WIDE), before="") == ()


def test_exposed():
    (found,) = examine(listeners(SSHD, WIDE))
    assert isinstance(found, Finding)
    assert (found.code, found.severity) == ("x-forwarding-exposed", Severity.INFO)
    assert found.evidence[0].value == "0.0.0.0 port 6010"


def test_what_listened_before_is_not_ours():
    assert examine(listeners(SSHD, WIDE), before=listeners(SSHD, WIDE)) == ()
    assert examine(listeners(SSHD, "00000000:1F90")) == ()


def test_not_wanted():
    """Without DISPLAY ssh asks for nothing, whatever its configuration."""
    target = Target(gateway="gw")
    tools = {("ssh", "-G", "-l", "me", "--", "gw"): "forwardx11 yes\n"}
    ssh = FakeSsh(x11=refused())
    assert judge(probe(target, FakeSystem(ssh=ssh, tools=tools))) == ()  # type: ignore[arg-type]
    system = FakeSystem(ssh=ssh, tools=tools, variables={"DISPLAY": ":0"})  # type: ignore[arg-type]
    assert judge(probe(target, system)) != ()
    none = {("ssh", "-G", "-l", "me", "--", "gw"): "forwardx11 no\n"}
    system = FakeSystem(ssh=ssh, tools=none, variables={"DISPLAY": ":0"})  # type: ignore[arg-type]
    assert judge(probe(target, system)) == ()


def test_refused_as_probed():
    there = f"{MARKER}\nnetkit-part host\ngw\nnetkit-part end\n"
    run = {
        x_gateway.ASK: there,
        gateway_survey.ASK: f"{MARKER}\nnetkit-part files\nnetkit-file /etc/ssh/sshd_config\n"
        "X11Forwarding no\n",
    }
    system = FakeSystem(ssh=FakeSsh(run=run, x11=refused()))
    facts = probe(X11, system)
    assert facts.there.host == "gw"
    found = only(facts)
    assert (found.code, found.confidence) == ("x-forwarding-refused", Confidence.CERTAIN)
    assert found.evidence[0].value == "X11Forwarding no"


@pytest.mark.parametrize(
    ("config", "explain", "confidence", "fix"),
    [
        ("X11Forwarding no", "X11Forwarding no", Confidence.CERTAIN, "X11Forwarding yes"),
        ("", "does untold", Confidence.LIKELY, "X11Forwarding yes"),
        (
            "X11Forwarding yes\nDisableForwarding yes",
            "DisableForwarding yes",
            Confidence.CERTAIN,
            "DisableForwarding no",
        ),
        ("X11Forwarding yes", "may be taken", Confidence.POSSIBLE, "-ltn"),
    ],
)
def test_refused(config: str, explain: str, confidence: Confidence, fix: str):
    found = only(facts_of(config=config))
    assert found.code == "x-forwarding-refused"
    assert explain in found.explain
    assert found.confidence is confidence
    assert fix in found.fixes[0].argv[-1]
    assert found.fixes[0].where == "gateway"


def test_refused_without_a_shell():
    found = only(facts_of(asked=Asked(outcome=NO_SHELL, server=OPENSSH)))
    assert found.evidence[-1].what == "configuration"
    assert found.fixes != ()


@pytest.mark.parametrize("server", ["SSH-2.0-dropbear_2022.83", ""])
def test_refused_by_another_server(server: str):
    found = only(facts_of(asked=asked(server=server)))
    assert (server or "unknown") in found.explain
    assert found.fixes == ()


NO_XAUTH = "No xauth program; cannot forward X11."


def test_no_xauth():
    found = only(facts_of(NO_XAUTH))
    assert found.code == "x-forwarding-no-xauth"
    assert found.evidence[0].value == NO_XAUTH
    assert "apt-get install -y xauth" in found.fixes[0].argv[-1]


def test_xauth_where_sshd_does_not_look():
    found = only(facts_of(NO_XAUTH, there=GatewayX(True, xauth="/opt/X11/bin/xauth")))
    assert "/opt/X11/bin/xauth" in found.explain
    assert "XAuthLocation /opt/X11/bin/xauth" in found.fixes[0].argv[-1]


def test_forbidden_to_the_key():
    found = only(facts_of("X11 forwarding disabled by key options."))
    assert found.code == "x-forwarding-forbidden-to-key"
    assert "authorized_keys" in found.fixes[0].argv[-1]


@pytest.mark.parametrize(
    ("config", "confidence"),
    [("X11Forwarding yes", Confidence.LIKELY), ("", Confidence.POSSIBLE)],
)
def test_no_loopback6(config: str, confidence: Confidence):
    found = only(facts_of(config=config, there=GatewayX(True, loopback6=False)))
    assert (found.code, found.confidence) == ("x-forwarding-no-ipv6", confidence)
    assert "AddressFamily inet" in found.fixes[0].argv[-1]


def test_no_loopback6_is_not_the_reason():
    there = GatewayX(True, loopback6=False)
    assert only(facts_of(config="X11Forwarding no", there=there)).code == "x-forwarding-refused"


@pytest.mark.parametrize("outcome", ["no-session", "timed-out", "link-lost"])
def test_no_answer(outcome: str):
    (unknown,) = judge(Facts(gateway="gw", answer=X11Answer(outcome=outcome)))
    assert isinstance(unknown, Unknown)
    assert outcome in unknown.reason


def test_no_login():
    assert judge(Facts(answer=X11Answer(outcome="no-login"))) == ()


def test_hostile_messages():
    found = only(facts_of(*["\x1b[2J" + "x" * 10_000] * 100))
    assert len(found.evidence) <= 10
    assert all(len(each.value) <= 200 for each in found.evidence)
    assert "\x1b" not in repr(replace(found, fixes=()).evidence[0].value)


@given(any_of(Facts))
def test_any_facts(facts: Facts):
    assert {each.code for each in judge(facts) if isinstance(each, Finding)} <= CODES
