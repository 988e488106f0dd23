from __future__ import annotations

import pytest

from netkit.cli.clients.errors import client_error, server_error
from netkit.desktop.await_server import Answer, Result
from netkit.desktop.clients import Kind
from netkit.events import FlowFailed
from netkit.model import Fix

RDP = ("netkit", "rdp")
REFUSED = FlowFailed(
    flow=1,
    forward=None,
    source="127.0.0.1:5",
    target="desk:3389",
    code="target-refused",
    reason="nothing accepts connections at this address and port",
)
PROHIBITED = FlowFailed(
    flow=1, forward=None, source="", target="", code="forwarding-prohibited", reason="no"
)


def error(
    result: Result,
    text: str = "",
    *,
    kind: Kind = Kind.RDP,
    target: str = "desk:3389",
    command: tuple[str, ...] = RDP,
    reason: FlowFailed | None = None,
):
    return server_error(
        command,
        kind,
        target,
        gateway="gw",
        answer=Answer(result, text),
        limit=20.0,
        reason=reason,
    )


def test_a_silent_server():
    made = error(Result.SILENT)
    assert (made.exit_code, made.code, made.retryable) == (3, "server-silent", True)
    assert made.summary == "desk:3389 did not answer as an RDP server within 20 s"
    assert made.fixes[0].argv == ("netkit", "rdp", "...", "--wait", "120")


def test_one_that_refuses_in_the_gateways_words():
    made = error(Result.REFUSED, reason=REFUSED)
    assert made.summary == "gw cannot connect to desk:3389"
    assert (made.code, made.cause) == ("target-refused", REFUSED.reason)
    assert made.fixes
    assert error(Result.REFUSED, reason=PROHIBITED).fixes == ()


def test_one_that_refuses_without_words():
    made = error(Result.REFUSED)
    assert made.code == "server-refused"
    assert "ends the connection without a word" in made.summary


@pytest.mark.parametrize(
    ("kind", "target", "text", "argv"),
    [
        (
            Kind.RDP,
            "web:80",
            "a web server",
            ("netkit", "open", "gw", "--to", "web:80"),
        ),
        (Kind.RDP, "pc:5900", "a VNC server", ("netkit", "vnc", "gw", "--to", "pc:5900")),
        (Kind.VNC, "pc:3389", "an RDP server", ("netkit", "rdp", "gw", "--to", "pc:3389")),
        (Kind.RDP, "[::1]:22", "an SSH server", ("netkit", "rdp", "...", "--to", "[::1]:3389")),
        (Kind.HTTP, "a:1", "a server that speaks TLS", ("netkit", "rdp", "...", "--https")),
        (
            Kind.HTTP,
            "a:443",
            "a server that does not speak TLS",
            ("netkit", "rdp", "...", "--no-https"),
        ),
    ],
)
def test_another_server_and_what_shows_it(
    kind: Kind, target: str, text: str, argv: tuple[str, ...]
):
    made = error(Result.OTHER, text, kind=kind, target=target)
    assert made.code == "wrong-server"
    assert text in made.summary
    assert made.fixes[0].argv == argv


def test_another_server_at_the_usual_port():
    assert error(Result.OTHER, "an SSH server").fixes == ()


def test_a_saved_tunnel_is_started_again():
    up = ("netkit", "up", "office")
    assert error(Result.SILENT, command=up).fixes[0].argv == up
    (fix,) = error(Result.OTHER, "an SSH server", target="a:22", command=up).fixes
    assert fix.argv == ("netkit", "profile", "show", "office")
    made = error(Result.OTHER, "a server that speaks TLS", kind=Kind.HTTP, command=up)
    assert "--https" not in made.fixes[0].argv


def test_a_command_that_cannot_be_typed_again():
    assert error(Result.SILENT, command=()).fixes == ()


def test_a_client_that_failed():
    made = client_error("xfreerdp", "the password is wrong", "xfreerdp /v:127.0.0.2:3389")
    assert (made.exit_code, made.code) == (3, "client-failed")
    assert made.summary == "xfreerdp failed: the password is wrong"
    assert made.fixes == (
        Fix((), note="keep the tunnel with --no-launch, then: xfreerdp /v:127.0.0.2:3389"),
    )
