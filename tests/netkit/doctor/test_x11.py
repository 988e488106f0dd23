"""X11 forwarding as ssh -X asks for it, of real gateways; and what each refusal is called."""

from __future__ import annotations

import re
import signal
import time

import pytest

from netkit.doctor.gateway import GatewayExaminer
from netkit.doctor.session import Access, open_session
from netkit.doctor.x11 import ask_x11
from netkit.model import Plan
from netkit.wire import messages as wire
from netkit.wire.messages import string, u32
from support import tunnels
from support.examiner import examiner, session
from support.hostile import HostileServer
from support.peers import require

LISTENERS = "cat /proc/net/tcp"


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


def start(tmp_path, **options):
    return tunnels.start("sshd", tmp_path, LogLevel="DEBUG1", **options)


def displays(output: bytes) -> set[int]:
    """Return the display numbers that something listens for in a ``/proc/net/tcp``."""
    ports = re.findall(r": \w{8}:(\w{4}) \w+:0000 0A ", output.decode())
    return {int(port, 16) - 6000 for port in ports} & set(range(1010))


def test_granted(tmp_path):
    """sshd listens for the display as long as the session is there, and writes no file."""
    require("xauth")
    options = {"X11Forwarding": "yes", "X11DisplayOffset": "871", "AddressFamily": "inet"}
    with start(tmp_path, **options) as gateway, examiner(gateway, tmp_path) as subject:
        before = displays(subject.run(LISTENERS).stdout)
        granted = subject.x11(LISTENERS)
        after = displays(subject.run(LISTENERS).stdout)
        log = gateway.server.log()
    assert granted.outcome == "granted"
    assert granted.meanwhile is not None
    assert granted.meanwhile.ok
    assert 871 in displays(granted.meanwhile.stdout) - before
    assert 871 not in after
    assert "Running /usr/bin/xauth" not in log


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"X11Forwarding": "no"}, ""),
        ({"X11Forwarding": "yes", "XAuthLocation": "/nowhere/xauth"}, "No xauth program"),
        ({"X11Forwarding": "yes", "DisableForwarding": "yes"}, ""),
        ({"X11Forwarding": "yes", "X11DisplayOffset": "1000"}, ""),
    ],
)
def test_refused(tmp_path, options, said):
    with start(tmp_path, **options) as gateway, examiner(gateway, tmp_path) as subject:
        answer = subject.x11("echo ran")
        assert subject.run("true").ok
    assert answer.outcome == "refused"
    assert answer.meanwhile is None
    assert any(said in text for text in answer.messages) or not said


def test_refused_to_this_key(tmp_path):
    with start(tmp_path, X11Forwarding="yes") as gateway:
        keys = gateway.server.authorized_keys
        keys.write_text("no-X11-forwarding " + keys.read_text())
        with examiner(gateway, tmp_path) as subject:
            answer = subject.x11()
    assert answer.outcome == "refused"
    assert any("key options" in text for text in answer.messages)


@pytest.mark.parametrize("name", ["dropbear", "asyncssh", "netkit"])
def test_other_gateways(tmp_path, name):
    """They answer one way or the other, and go on working."""
    with tunnels.start(name, tmp_path) as gateway, examiner(gateway, tmp_path) as subject:
        answer = subject.x11("echo ran")
        assert answer.outcome in ("granted", "refused", "no-session")
        assert subject.keepalive().outcome == "ok"


def test_no_sessions(tmp_path):
    with start(tmp_path, MaxSessions="0") as gateway, examiner(gateway, tmp_path) as subject:
        assert subject.x11().outcome == "no-session"


def test_no_gateway(tmp_path):
    assert GatewayExaminer(None).x11().outcome == "no-login"


def test_no_turn(tmp_path):
    with start(tmp_path) as gateway, examiner(gateway, tmp_path) as subject:
        assert subject.login().done
        with subject._slots.shared(soon()):
            assert subject.x11(timeout=0.1).outcome == "timed-out"


def test_frozen(tmp_path):
    with start(tmp_path) as gateway, session(gateway) as subject:
        gateway.signal(signal.SIGSTOP)
        try:
            assert ask_x11(subject, "", soon(0.5)).outcome == "timed-out"
        finally:
            gateway.signal(signal.SIGCONT)


def test_the_link_is_lost(tmp_path):
    with start(tmp_path) as gateway, session(gateway) as subject:
        gateway.kill()
        subject.link.wait(10)
        assert ask_x11(subject, "true", soon()).outcome == "link-lost"


@pytest.mark.parametrize(
    ("answer", "outcome"), [(wire.CHANNEL_FAILURE, "refused"), (wire.CHANNEL_CLOSE, "no-session")]
)
def test_what_the_gateway_sends(answer, outcome):
    """Also one that closes the session without an answer."""
    heard = []

    def script(server, kind, fields) -> None:
        match kind:
            case wire.GLOBAL_REQUEST:
                server.send(bytes([wire.REQUEST_FAILURE]))
            case wire.CHANNEL_OPEN:
                fields.string()
                body = u32(fields.u32()) + u32(7) + u32(1 << 20) + u32(1 << 15)
                server.send(bytes([wire.CHANNEL_OPEN_CONFIRMATION]) + body)
            case wire.CHANNEL_REQUEST:
                fields.u32()
                heard.append((fields.text(), bytes(fields.rest())))
                server.send(bytes([answer]) + u32(server.opened[-1]))

    with HostileServer(script) as server:
        subject = open_session(Access(plan=Plan(hops=(server.hop(),))))
        try:
            assert ask_x11(subject, "", soon()).outcome == outcome
        finally:
            subject.close()
    (request,) = heard
    assert request[0] == "x11-req"
    assert request[1].startswith(b"\1\0" + string("MIT-MAGIC-COOKIE-1") + u32(32))
    assert request[1].endswith(u32(0))
