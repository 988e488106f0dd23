"""The engine's values as those of the diagnostics: a stranger's words printable and bounded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from diagnostics.ssh import Algorithms
from netkit.doctor import facts
from netkit.engine.exec_channel import Executed
from netkit.engine.transport.algorithms import Agreed, Offer
from netkit.engine.transport.auth_errors import Tried
from netkit.engine.witness import Witness
from netkit.errors import AuthenticationError, ConfigError, KeyFileError
from netkit.model import Endpoint, Hop, Keepalive, Plan

TARGET = Endpoint("db", 1)
KEY = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)


def test_route():
    hop = Hop(
        alias="gw",
        host="gw.example",
        port=2222,
        user="me",
        name="gw.example",
        known_hosts=(Path("/h/known_hosts"),),
        identities=(Path("/h/id"),),
        identity_agent="/run/agent",
        proxy_command="nc gw 22",
        connect_timeout=7,
    )
    plan = Plan(hops=(hop,), keepalive=Keepalive(15, 4), warnings=("careful",))
    route = facts.route_of(plan)
    assert (route.keepalive_interval, route.keepalive_count) == (15, 4)
    assert route.warnings == ("careful",)
    (found,) = route.hops
    assert (found.alias, found.host, found.port, found.user) == ("gw", "gw.example", 2222, "me")
    assert (found.known_hosts, found.identities) == (("/h/known_hosts",), ("/h/id",))
    assert (found.proxy_command, found.connect_timeout) == ("nc gw 22", 7)
    assert facts.route_of(Plan(hops=(Hop(alias="a", host="b"),))).hops[0].proxy_command == ""


def test_no_plan():
    error = ConfigError("bad line 3", cause="a typo")
    route, login = facts.failed_route(error), facts.failed_plan(error)
    assert (route.error_code, route.error, route.cause) == ("bad-config", "bad line 3", "a typo")
    assert (login.stage, login.error_code, login.error) == ("none", "bad-config", "bad line 3")


def login(witness: Witness, error: Any = None, **more: Any) -> Any:
    values: dict[str, Any] = {"auth": "", "notices": (), "seconds": 1.0, **more}
    return facts.login_of(witness, error, **values)


def test_login_that_succeeded():
    witness = Witness(
        "gw",
        stage="done",
        seconds_tcp=0.5,
        local=("192.0.2.1", 5),
        peer=("192.0.2.2", 22),
        server="SSH-2.0-x",
        ours=Offer(),
        theirs=Offer(kex=("a",), host_keys=("b",), ciphers=("c",), macs=("d",)),
        agreed=Agreed("a", "b", "c", "d", "none"),
        strict_kex=False,
        host_key=KEY,
        methods=("publickey",),
    )
    found = login(witness, auth="publickey X", notices=[("code", "text")])
    assert found.done
    assert (found.hop, found.error_code, found.auth) == ("gw", "", "publickey X")
    assert found.theirs == Algorithms(
        kex=("a",), host_keys=("b",), ciphers=("c",), macs=("d",), compression=("none",)
    )
    assert (found.kex, found.host_key_algorithm, found.cipher, found.mac) == ("a", "b", "c", "d")
    assert found.host_key_type == "ssh-ed25519"
    assert found.host_key.startswith("SHA256:")
    assert (found.local, found.peer) == (Endpoint("192.0.2.1", 5), Endpoint("192.0.2.2", 22))
    assert (found.seconds, found.seconds_tcp) == (1.0, 0.5)
    assert found.notices == (("code", "text"),)


def test_login_that_failed():
    witness = Witness(
        "gw",
        stage="auth",
        tried=(Tried("publickey", "id", "refused"),),
        faults=(KeyFileError("id2 is a key of ssh.com", code="key-is-ssh2"),),
    )
    found = login(witness, AuthenticationError("no", code="wrong", cause="why"))
    assert (found.stage, found.error_code, found.error, found.cause) == (
        "auth",
        "wrong",
        "no",
        "why",
    )
    assert [(a.method, a.what, a.why) for a in found.attempts] == [
        ("publickey", "id", "refused"),
        ("publickey", "id2 is a key of ssh.com", "key-is-ssh2"),
    ]
    assert (found.kex, found.host_key, found.host_key_type, found.local) == ("", "", "", None)
    assert found.ours == Algorithms()


def test_a_list_that_leaves_nothing_is_a_matter_of_algorithms():
    found = login(Witness("gw", stage="banner"), ConfigError("x", code="no-usable-algorithm"))
    assert found.stage == "kex"


def test_what_a_server_offers_is_bounded_and_printable():
    names = ("evil\x1b[2J", "", "x" * 1000, *(f"name-{n}" for n in range(1000)))
    found = login(Witness("gw", theirs=Offer(kex=names), server="SSH-2.0-\x07bell"))
    assert found.theirs.kex[0] == "evil?[2J"
    assert len(found.theirs.kex) == facts.MAX_NAMES - 1
    assert max(map(len, found.theirs.kex)) <= 64
    assert found.server == "SSH-2.0-?bell"


@pytest.mark.parametrize(
    ("done", "outcome", "text"),
    [
        (Executed(outcome="ran", status=0), "ran", ""),
        (Executed(outcome="ran", signal="KILL"), "ran", "ended by signal KILL"),
        (Executed(outcome="ran", stdout=b"x", cut=True), "ran", "more output than 1 bytes"),
        (Executed(outcome="no-session", text="no shell"), "refused", "no shell"),
        (Executed(outcome="no-session"), "refused", "the gateway opens no session"),
        (Executed(outcome="refused"), "refused", "the gateway runs no commands"),
        (Executed(outcome="timed-out"), "timed-out", ""),
        (Executed(outcome="link-lost", text="cut"), "link-lost", "cut"),
    ],
)
def test_output(done, outcome, text):
    found = facts.output_of("cmd", done)
    assert (found.command, found.outcome, found.text_error) == ("cmd", outcome, text)
    assert (found.status, found.stdout) == (done.status, done.stdout)


def channel(state: str, reason: int = 0, text: str = "", data: bytes = b"") -> Any:
    return SimpleNamespace(state=state, reason=reason, text=text, data=bytearray(data), eof=False)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("open", "ok"), ("closed", "ok"), ("lost", "link-lost"), ("opening", "timed-out")],
)
def test_opened(state, outcome):
    found = facts.opened_of(TARGET, channel(state, data=b"abcdef"), 0.5, 4)
    assert (found.target, found.outcome, found.kind) == (TARGET, outcome, "")
    assert (found.data, found.seconds) == (b"abcd", 0.5)


@pytest.mark.parametrize(
    ("reason", "text", "kind"),
    [
        (1, "open failed", "prohibited"),
        (2, "Connection refused", "refused"),
        (2, "No route to host", "unreachable"),
        (2, "Network is unreachable", "unreachable"),
        (2, "Connection timed out", "timed-out"),
        (2, "Name or service not known", "name"),
        (3, "", "unsupported"),
        (4, "", "shortage"),
        (2, "whatever", "other"),
        (77, "", "other"),
    ],
)
def test_refusals(reason, text, kind):
    found = facts.opened_of(TARGET, channel("refused", reason, text), 0.1, 0)
    assert (found.outcome, found.reason, found.text) == ("refused-by-gateway", reason, text)
    assert found.kind == kind
