from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit import errors, events
from netkit.cli import render
from netkit.model import (
    Endpoint,
    Endurance,
    Fix,
    ForwardKind,
    ForwardSpec,
    Hop,
    HostKeyPolicy,
    Keepalive,
    Plan,
    X11Trust,
)
from support.cli import LINK_UP

HOP = Hop(
    alias="gw",
    host="gw.example",
    port=2222,
    user="me",
    known_hosts=(Path("/home/me/.ssh/known_hosts"),),
    identities=(Path("/home/me/.ssh/id_ed25519"),),
    host_key=HostKeyPolicy.STRICT,
    identity_agent="/run/agent",
    ciphers=("aes128-gcm@openssh.com",),
    compression=True,
)
FORWARDS = (
    ForwardSpec(ForwardKind.LOCAL, Endpoint("", 8080), Endpoint("db", 80), "8080:db:80"),
    ForwardSpec(ForwardKind.REMOTE, Endpoint("", 9090), Endpoint("localhost", 90)),
    ForwardSpec(ForwardKind.DYNAMIC, Endpoint("127.0.0.1", 1080)),
)


def failed(**changes) -> events.FlowFailed:
    values = {"flow": 3, "forward": None, "source": "127.0.0.1:5", "target": "db:1", **changes}
    return events.FlowFailed(**{"code": "target-refused", "reason": "refused", **values})


def test_error_is_three_lines():
    error = errors.BindError(
        "cannot listen on 127.0.0.2:3389: address in use",
        code="port-in-use",
        cause="xrdp (pid 812) listens there",
        fixes=(Fix(("ss", "-ltnp", "sport = :3389"), needs_admin=True),),
    )
    assert render.error_lines(error) == [
        "netkit: cannot listen on 127.0.0.2:3389: address in use [port-in-use]",
        "  cause: xrdp (pid 812) listens there",
        "  next:  ss -ltnp 'sport = :3389'   (as administrator)",
    ]


@pytest.mark.parametrize(
    "kind",
    [
        errors.UsageError,
        errors.GatewayUnreachableError,
        errors.AlgorithmError,
        errors.LinkLostError,
        errors.HostKeyError,
        errors.AuthenticationError,
        errors.BindError,
        errors.RemoteForwardError,
        errors.OpenError,
        errors.NetkitError,
    ],
)
def test_an_error_without_details_still_has_three_lines(kind):
    lines = render.error_lines(kind("it failed"), command="netkit forward")
    assert [line.split()[0] for line in lines] == ["netkit:", "cause:", "next:"]
    assert all(len(line.split()) > 2 for line in lines)
    assert lines[0].endswith(f"[{kind.default_code}]")


def test_a_usage_error_leads_to_the_help():
    lines = render.error_lines(errors.UsageError("no"), command="netkit forward")
    assert lines[2] == "  next:  netkit forward --help"


def test_further_fixes_follow():
    fixes = (Fix(("a",)), Fix(("sudo", "b"), where="gateway", note="as root", needs_admin=True))
    lines = render.error_lines(errors.UsageError("no", fixes=fixes))
    assert lines[2:] == ["  next:  a", "  or:    sudo b   (on the gateway; as root)"]


def test_a_fix_without_a_command_is_its_note():
    assert render.fix_text(Fix((), where="gateway", note="ask its owner")) == (
        "on the gateway; ask its owner"
    )


def test_what_a_peer_says_stays_on_its_line():
    error = errors.LinkLostError("gone\nnetkit: fine", cause="\x1b[2Jwiped\r\x9b1m\u202eesrever")
    lines = render.error_lines(error)
    assert len(lines) == 3
    assert all(character.isprintable() for line in lines for character in line)


@given(st.text())
def test_clean_never_lets_a_control_character_through(text):
    assert not any(
        unicodedata.category(c).startswith("C") and c != "\t" for c in render.clean(text)
    )
    lines = render.clean_text(text)
    assert not any(unicodedata.category(c).startswith("C") and c not in "\t\n" for c in lines)


def test_a_long_line_is_cut():
    assert len(render.clean("x" * 1_000_000)) == 2000


def test_bug_lines_say_how_to_get_the_traceback():
    assert render.bug_lines(ValueError("bad\nthing")) == [
        "netkit: internal error: ValueError: bad thing [bug]",
        "  cause: a fault in netkit, not in what you asked for",
        "  next:  repeat the command with --debug and report what it prints",
    ]
    assert render.bug_lines(KeyError())[0] == "netkit: internal error: KeyError [bug]"


def test_bug_lines_with_the_traceback():
    lines = render.bug_lines(ValueError("x"), traceback="Traceback:\n  here\n")
    assert lines[:2] == ["Traceback:", "  here"]
    assert lines[-1] == "  next:  report the traceback above"


FLOW: dict[str, Any] = {"flow": 3, "forward": None}


def retrying(attempt: int) -> events.Retrying:
    return events.Retrying(
        gateway="gw", attempt=attempt, seconds=0.42, code="x", reason="it was cut\x07"
    )


def health(forward: ForwardSpec, value: str) -> events.HealthChanged:
    return events.HealthChanged(forward=forward, health=events.Health(value), reason="no way")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (events.Notice(code="x", text="weak\x07 cipher"), "weak? cipher"),
        (events.Stopping(flows=0, seconds=5), None),
        (events.Stopping(flows=2, seconds=0), None),
        (
            events.Stopping(flows=2, seconds=5.0),
            "stopping: up to 5 s for 2 open flows to finish (Ctrl-C again ends at once)",
        ),
        (
            events.Stopping(flows=1, seconds=5.0),
            "stopping: up to 5 s for 1 open flow to finish (Ctrl-C again ends at once)",
        ),
        (events.Connecting(gateway="gw", hop=1, hops=1), None),
        (LINK_UP, None),
        (failed(), None),
        (retrying(1), "link lost (it was cut?); trying again in 0.4 s"),
        (retrying(2), "not connected (it was cut?); trying again in 0.4 s"),
        (health(FORWARDS[0], "refused"), "forward 8080:db:80 does not work: no way"),
        (health(FORWARDS[1], "refused"), None),
        (health(FORWARDS[0], "down"), None),
    ],
)
def test_events_that_everyone_sees(event, text):
    assert render.event_line(event) == text


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (events.Connecting(gateway="gw", hop=1, hops=1), "connecting to gw …"),
        (events.Connecting(gateway="gw", hop=2, hops=3), "connecting to gw (hop 2 of 3) …"),
        (
            LINK_UP,
            "logged in to gw in 0.25 s (aes128-gcm@openssh.com, curve25519-sha256, publickey)",
        ),
        (events.FlowOpened(source="127.0.0.1:5", target="db:1", **FLOW), None),
    ],
)
def test_progress(event, text):
    assert render.event_line(event, progress=True) == text


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (events.Connecting(gateway="gw", hop=1, hops=1), "connecting to gw …"),
        (
            events.FlowOpened(source="127.0.0.1:5", target="db:1", **FLOW),
            "flow 3: 127.0.0.1:5 -> db:1",
        ),
        (
            events.FlowClosed(
                bytes_to_gateway=999, bytes_from_gateway=10_500_000, seconds=1.25, error="", **FLOW
            ),
            "flow 3: closed after 1.2 s, 999 B up, 10.5 MB down",
        ),
        (
            events.FlowClosed(
                bytes_to_gateway=0, bytes_from_gateway=0, seconds=0, error="link lost", **FLOW
            ),
            "flow 3: closed after 0.0 s, 0 B up, 0 B down: link lost",
        ),
        (failed(), "flow 3: 127.0.0.1:5 -> db:1 failed: refused [target-refused]"),
        (failed(reason=""), "flow 3: 127.0.0.1:5 -> db:1 failed [target-refused]"),
        (
            events.LinkDown(gateway="gw", code="stopped", reason="asked to"),
            "link to gw ended: asked to",
        ),
        (events.ForwardBound(forward=FORWARDS[0], addresses=()), None),
    ],
)
def test_verbose(event, text):
    assert render.event_line(event, verbose=True) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (100_000_000, "100.0 MB"),
        (2 * 10**12, "2.0 TB"),
    ],
)
def test_size(number, text):
    assert render.size(number) == text


def test_plan_for_people():
    plan = Plan(
        hops=(Hop(alias="jump", host="jump", user="me", proxy_command="nc %h %p"), HOP),
        forwards=FORWARDS,
        warnings=("StrictHostKeyChecking no\x1b is not taken over",),
    )
    assert render.plan_lines(plan) == [
        "netkit would",
        "  connect to jump:22 as me (hop 1 of 2) with ProxyCommand nc %h %p",
        "    unknown host key: ask",
        "    log in with: publickey, keyboard-interactive, password",
        "    agent: none",
        "  connect to gw.example:2222 (gw) as me (hop 2 of 2)",
        "    known hosts: /home/me/.ssh/known_hosts",
        "    unknown host key: refuse",
        "    log in with: publickey, keyboard-interactive, password",
        "    keys: /home/me/.ssh/id_ed25519",
        "    agent: /run/agent",
        "    ciphers: aes128-gcm@openssh.com",
        "    compression: yes",
        "  forward localhost:8080 -> db:80 through the gateway",
        "  forward localhost:9090 on the gateway -> localhost:90 through this machine",
        "  forward 127.0.0.1:1080 -> any host through the gateway",
        "  take the link for lost when the gateway is silent for 90 s",
        "  make a lost link again; new connections wait up to 10 s for it",
        "warning: StrictHostKeyChecking no? is not taken over",
    ]


def test_plan_without_keepalive():
    lines = render.plan_lines(Plan(hops=(HOP,), keepalive=Keepalive(0)))
    assert "keepalive is off" in lines[-2]


@pytest.mark.parametrize(
    ("endurance", "line"),
    [
        (Endurance(reconnect=False), "end with the link"),
        (
            Endurance(retries=1, hold=0),
            "make a lost link again, up to 1 time; new connections are reset meanwhile",
        ),
        (
            Endurance(retries=5, hold=2.5),
            "make a lost link again, up to 5 times; new connections wait up to 2.5 s for it",
        ),
    ],
)
def test_plan_for_a_link_that_is_lost(endurance: Endurance, line: str):
    assert render.plan_lines(Plan(hops=(HOP,), endurance=endurance))[-1] == f"  {line}"


def test_plan_that_lends_a_display():
    lines = render.plan_lines(Plan(hops=(HOP,), x11=X11Trust.TRUSTED))
    assert lines[-3] == "  show X programs of the gateway here (trusted)"


def test_plan_for_programs_survives_json():
    document = json.loads(json.dumps(render.plan_dict(Plan(hops=(HOP,), forwards=FORWARDS))))
    assert document["event"] == "plan"
    assert document["hops"][0]["known_hosts"] == ["/home/me/.ssh/known_hosts"]
    assert document["hops"][0]["host_key"] == "strict"
    assert document["forwards"][0] == {
        "kind": "local",
        "bind": {"host": "", "port": 8080},
        "to": {"host": "db", "port": 80},
        "text": "8080:db:80",
    }
    assert document["keepalive"] == {"interval": 30.0, "count": 3}


def test_failure_for_programs():
    error = errors.HostKeyError("changed", cause="c", fixes=(Fix(("ssh-keygen", "-R", "gw")),))
    document = json.loads(json.dumps(render.failure_dict(error)))
    assert document == {
        "event": "failed",
        "code": "host-key-refused",
        "summary": "changed",
        "cause": "c",
        "fixes": [
            {
                "argv": ["ssh-keygen", "-R", "gw"],
                "where": "here",
                "note": "",
                "needs_admin": False,
                "persistent": False,
                "undo": [],
            }
        ],
        "exit_code": 5,
        "retryable": False,
    }
