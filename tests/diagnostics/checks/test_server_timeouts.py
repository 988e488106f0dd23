"""What the gateway's sshd ends by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.server_timeouts import CHECK, Facts, judge, probe
from diagnostics.forwarding.shell import Asked
from diagnostics.model import Severity, Target, Unknown
from diagnostics.parsers.gateway_survey import ASK, GatewayProcess, Survey
from diagnostics.parsers.sshd_config import ConfigFile, parse, parse_effective
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def judged(facts: Facts) -> tuple[Any, ...]:
    """Return what is judged, as values whose attributes are looked at."""
    return judge(facts)


OPENSSH = "SSH-2.0-OpenSSH_9.2p1"
PORT, SOCKET = Endpoint("", 8080), UnixPath("/s")
LOCAL, REMOTE = ForwardKind.LOCAL, ForwardKind.REMOTE


def look(config: str, *, written: bool = False, server: str = OPENSSH, **more: Any) -> Facts:
    """Return facts of what is in force, or of a file that is only ``written``."""
    file = ConfigFile(path="/c", data=config.encode())
    read = parse((file,)) if written else parse_effective(f"x 1\n{config}".encode())
    survey = Survey(has_shell=True, config=read, config_file="/c")
    return Facts(gateway="gw", asked=Asked(server=server, survey=survey), **more)


def codes(facts: Facts) -> list[str]:
    return [getattr(each, "code", "unknown") for each in judged(facts)]


def test_probing():
    answer = "netkit-42\nnetkit-part effective\nclientaliveinterval 0\nport 22\n"
    ssh = FakeSsh(run={ASK: answer}, server_keepalives=2)
    forwards = (
        ForwardSpec(REMOTE, SOCKET, PORT),
        ForwardSpec(LOCAL, PORT, SOCKET),
        ForwardSpec(ForwardKind.DYNAMIC, PORT),
    )
    facts = probe(Target(gateway="gw", forwards=forwards), FakeSystem(ssh=ssh))
    assert facts.channels == (
        "forwarded-streamlocal@openssh.com",
        "direct-streamlocal@openssh.com",
        "direct-tcpip",
    )
    assert (facts.has_remote, facts.interval, facts.heard) == (True, 30.0, 2)
    (found,) = judged(facts)
    assert (found.code, found.severity) == ("client-alive-off", Severity.INFO)
    plain = probe(Target(gateway="gw"), FakeSystem(ssh=ssh))
    assert plain.channels == ("direct-tcpip", "forwarded-tcpip")
    assert judge(plain) == ()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("", []),
        ("ChannelTimeout none", []),
        ("ChannelTimeout session:*=5m", []),
        ("ChannelTimeout direct-tcpip=0", []),
        ("ChannelTimeout direct-tcpip=5m", ["channel-timeout"]),
        ("ChannelTimeout *=1d", ["channel-timeout"]),
        ("ChannelTimeout global=90", ["channel-timeout"]),
        ("UnusedConnectionTimeout none", []),
        ("UnusedConnectionTimeout", []),
        ("UnusedConnectionTimeout rubbish", []),
        ("UnusedConnectionTimeout 1h", ["unused-connection-timeout"]),
        ("ClientAliveInterval 15", []),
        ("ClientAliveInterval 5", ["client-alive-impatient"]),
        ("ClientAliveInterval 60\nClientAliveCountMax 0", []),
        ("LoginGraceTime 0", []),
        ("LoginGraceTime 120", []),
        ("LoginGraceTime 10", ["login-grace-short"]),
        ("MaxStartups 10:30:100", []),
        ("MaxStartups x", []),
        ("MaxStartups 1", ["max-startups-low"]),
    ],
)
def test_settings(config, expected):
    assert codes(look(config)) == expected


@pytest.mark.parametrize(
    ("limit", "told"), [("2d", "2 days"), ("1h", "1 hour"), ("5m", "5 minutes"), ("90", "90 s")]
)
def test_spans(limit, told):
    (found,) = judged(look(f"ChannelTimeout direct-tcpip={limit}"))
    assert found.title.endswith(f"silent for {told}")


def test_other_patterns_are_kept():
    (found,) = judged(look("ChannelTimeout session:*=5m direct-*=1h forwarded-tcpip=2h"))
    line = "ChannelTimeout direct-tcpip=0 session:*=5m forwarded-tcpip=2h"
    assert line in found.fixes[0].argv[-1]


@pytest.mark.parametrize(("count", "interval"), [(1, 45), (2, 23), (3, 15), (4, 15)])
def test_the_proposed_interval_survives_an_outage(count, interval):
    config = f"ClientAliveInterval 5\nClientAliveCountMax {count}"
    (found,) = judged(look(config))
    line = f"ClientAliveInterval {interval}"
    assert line in found.fixes[0].argv[-1]
    assert judge(look(config.replace("ClientAliveInterval 5", line))) == ()


def test_a_match_block():
    text = "Match User me\nChannelTimeout *=5m\nClientAliveInterval 1\n"
    found, *_ = judged(look(text, written=True))
    assert "It holds only for 'Match User me'." in found.explain
    facts = look("X 1\n" + text, written=True, has_remote=True)
    assert codes(facts) == ["channel-timeout"]
    effective = look("ChannelTimeout *=5m")
    in_force = replace(effective.asked.survey.config.settings[-1], match="User me")
    config = replace(effective.asked.survey.config, settings=(in_force,))
    asked = replace(effective.asked, survey=replace(effective.asked.survey, config=config))
    (found,) = judged(replace(effective, asked=asked))
    assert "It holds only" not in found.explain


@pytest.mark.parametrize(
    ("server", "interval", "expected"),
    [
        ("SSH-2.0-OpenSSH_7.9", 0.0, ["client-alive-idle-limit"]),
        ("SSH-2.0-OpenSSH_8.1", 60.0, ["client-alive-idle-limit"]),
        ("SSH-2.0-OpenSSH_8.1", 59.0, []),
        ("SSH-2.0-OpenSSH_8.2", 0.0, []),
        ("SSH-2.0-OpenSSH", 0.0, []),
    ],
)
def test_a_count_of_nothing(server, interval, expected):
    config = "ClientAliveInterval 60\nClientAliveCountMax 0"
    assert codes(look(config, server=server, interval=interval)) == expected


def test_clients_that_vanish():
    (found,) = judged(look("", has_remote=True))
    assert found.evidence[0].value == "ClientAliveInterval is not set"
    (found,) = judged(look("X 1\nClientAliveInterval 0\n", written=True, has_remote=True))
    assert found.evidence[0].what == "/c:2"
    (found,) = judged(look("ClientAliveInterval 0", has_remote=True))
    assert found.evidence[0].what == "sshd_config"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("/usr/sbin/dropbear -F -I 60", ["unused-connection-timeout"]),
        ("dropbear -I0", []),
        ("dropbear", []),
    ],
)
def test_dropbear(title, expected):
    listener = GatewayProcess(pid=1, parent=0, uid=0, age="1", title=title)
    survey = Survey(has_shell=True, processes=(listener,), servers=(1,))
    facts = Facts(gateway="gw", asked=Asked(server="SSH-2.0-dropbear", survey=survey))
    assert codes(facts) == expected


@pytest.mark.parametrize("server", ["", "SSH-2.0-AsyncSSH", "SSH-2.0-dropbear"])
def test_another_server(server):
    (found,) = judged(Facts(gateway="gw", asked=Asked(server=server)))
    assert isinstance(found, Unknown)
    assert (server or "its server") in found.reason


def test_what_cannot_be_read():
    (found,) = judged(Facts(gateway="gw", asked=Asked(outcome="no-shell", server=OPENSSH), heard=3))
    assert isinstance(found, Unknown)
    assert found.reason.endswith("no shell on the gateway")
    assert found.evidence[-1].value == "3"
    (found,) = judged(Facts(asked=Asked(server=OPENSSH)))
    assert "may not read sshd_config" in found.reason
    (found,) = judged(look("Include /secret\nX 1\n", written=True))
    assert "may not read /secret" in found.reason


@given(any_of(Facts))
def test_judge_is_total(facts):
    for found in judge(facts):
        assert isinstance(found, Unknown) or found.code in CODES
