"""What is said of a target, as the gateway reaches it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.forwarding.shell import Asked
from diagnostics.forwarding.targets import KINDS, Reached, judge_target
from diagnostics.model import Confidence, Finding, Severity, Unknown
from diagnostics.parsers.key_options import KeyLine
from diagnostics.parsers.port_holder import Holder, Listener
from diagnostics.ssh import Opened
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of

WEB, SOCKET = Endpoint("web", 80), UnixPath("/run/s")


def judged(to: Address, opened: dict[str, Any], asked: Asked | None = None, **more: Any):
    forward = ForwardSpec(ForwardKind.LOCAL, Endpoint("", 8080), to)
    reached = Reached(forward=forward, opened=Opened(target=to, **opened), **more)
    return judge_target("gw", reached, asked or Asked(), None)


def one(*arguments: Any, **more: Any) -> Finding:
    (found,) = judged(*arguments, **more)
    assert isinstance(found, Finding)
    return found


def refused(kind: str, text: str = "", **more: Any) -> dict[str, Any]:
    return {"outcome": "refused-by-gateway", "kind": kind, "text": text, **more}


OK = {"outcome": "ok"}
LATE = {"outcome": "timed-out", "seconds": 10.0}


def heard(**more: Any) -> Opened:
    return Opened(target=WEB, outcome=more.pop("outcome", "ok"), **more)


@pytest.mark.parametrize(
    ("to", "more"),
    [
        (WEB, {}),
        (WEB, {"heard": heard()}),
        (WEB, {"heard": heard(ended=True, data=b"x")}),
        (WEB, {"heard": heard(outcome="timed-out")}),
        (SOCKET, {"heard": heard(ended=True)}),
    ],
)
def test_fine(to, more):
    assert judged(to, OK, **more) == []


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("prohibited", "", "target-prohibited"),
        ("unsupported", "", "target-prohibited"),
        ("refused", "", "target-refused"),
        ("unreachable", "No route to host", "target-unreachable"),
        ("timed-out", "", "target-timed-out"),
        ("name", "Name or service not known", "target-name-unknown"),
        ("name", "Temporary failure in name resolution", "target-lookup-failed"),
        ("other", "", "target-open-failed"),
        ("shortage", "x", "target-open-failed"),
    ],
)
def test_codes(kind, text, code):
    found = one(WEB, refused(kind, text))
    assert (found.code, found.subject, found.severity) == (code, "web:80", Severity.ERROR)
    assert found.fixes


def test_a_rule_or_a_refusal():
    sure = one(WEB, refused("refused", reason=2))
    assert sure.confidence is Confidence.CERTAIN
    perhaps = one(WEB, refused("refused", reason=1))
    assert perhaps.confidence is Confidence.LIKELY
    assert "rule of the gateway" in perhaps.explain


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "::1"])
def test_the_gateway_itself_refuses(host):
    found = one(Endpoint(host, 80), refused("refused"))
    assert found.title.startswith("gw itself refuses")


@pytest.mark.parametrize(
    ("asked", "holder", "told"),
    [
        (Asked(), None, "not this machine."),
        (Asked(outcome="no-shell"), None, "What listens there is not known"),
        (Asked(), Holder(port=80, readable=True), "Nothing listens on its port 80."),
        (Asked(), Holder(port=80), "not this machine."),
        (
            Asked(),
            Holder(port=80, listeners=(Listener(host="?"), Listener(host="192.0.2.1"))),
            "listens on 192.0.2.1 alone.",
        ),
    ],
)
def test_who_listens_on_the_gateway(asked, holder, told):
    found = one(Endpoint("localhost", 80), refused("refused"), asked, holder=holder)
    assert found.explain.endswith(told) or told in found.explain
    elsewhere = ("netkit", "forward", "gw", "-L", "8080:192.0.2.1:80")
    assert (found.fixes[0].argv == elsewhere) is ("alone" in told)


def test_what_to_start():
    found = one(Endpoint("ts", 3389), refused("refused"))
    assert "turn on Remote Desktop on ts" in found.fixes[0].note


def test_no_way_to_an_address():
    found = one(Endpoint("192.0.2.9", 80), refused("unreachable"))
    assert found.fixes[0].argv == ("ip", "route", "get", "192.0.2.9")


def test_no_answer():
    assert one(WEB, LATE).code == "target-timed-out"
    frozen = one(WEB, LATE, frozen=True)
    assert (frozen.code, frozen.confidence) == ("target-lookup-failed", Confidence.LIKELY)
    (unknown,) = judged(Endpoint("192.0.2.9", 80), LATE, frozen=True)
    assert isinstance(unknown, Unknown)
    assert one(SOCKET, LATE).fixes[0].argv == ("ls", "-l", "/run/s")
    assert one(SOCKET, LATE, frozen=True, here=("192.0.2.1",)).code == "target-lookup-failed"


def test_the_link_was_lost():
    (unknown,) = judged(WEB, {"outcome": "link-lost"})
    assert isinstance(unknown, Unknown)


def test_a_name_that_this_machine_knows():
    found = one(WEB, refused("name", "unknown"), here=("192.0.2.1",))
    assert found.fixes[0].argv[-1] == "8080:192.0.2.1:80"
    assert "This machine knows it as 192.0.2.1" in found.explain
    assert len(one(WEB, refused("name", "unknown"), here=("x",)).fixes) == 1


@pytest.mark.parametrize(
    ("to", "lookup", "code", "confidence"),
    [
        (WEB, None, "target-lookup-slow", Confidence.LIKELY),
        (WEB, 2.5, "target-lookup-slow", Confidence.CERTAIN),
        (WEB, 0.1, "target-slow", Confidence.CERTAIN),
        (Endpoint("192.0.2.9", 80), None, "target-slow", Confidence.CERTAIN),
        (SOCKET, None, "target-slow", Confidence.CERTAIN),
    ],
)
def test_slow(to, lookup, code, confidence):
    found = one(to, {"outcome": "ok", "seconds": 3.0}, lookup=lookup)
    assert (found.code, found.severity) == (code, Severity.WARNING)
    assert found.confidence is confidence


def test_slow_and_refused():
    found = judged(WEB, refused("refused", seconds=3.0))
    assert [each.code for each in found] == ["target-refused", "target-lookup-slow"]


def test_what_is_odd():
    closed = one(WEB, OK, heard=heard(ended=True))
    assert (closed.code, closed.severity) == ("target-closes-at-once", Severity.WARNING)
    silent = one(Endpoint("web", 22), OK, heard=heard())
    assert (silent.code, silent.confidence) == ("target-silent", Confidence.LIKELY)


@pytest.mark.parametrize("seen", ["", "missing", "other", "closed", "socket", "odd"])
def test_sockets(seen):
    found = one(SOCKET, refused("other"), socket=seen)
    assert found.code == "target-socket-unusable"
    assert found.confidence is (Confidence.CERTAIN if seen else Confidence.POSSIBLE)
    assert "/run/s" in found.title


def test_a_socket_without_a_shell_to_look():
    found = one(SOCKET, refused("other"), Asked(outcome="no-shell"))
    assert found.explain.endswith("this account has no shell on the gateway.")


@given(st.text(max_size=9), any_of(Reached), any_of(Asked), any_of(KeyLine | None))
def test_total(gateway, reached, asked, key):
    for found in judge_target(gateway, reached, asked, key):
        assert isinstance(found, Unknown) or found.code in {kind.code for kind in KINDS}


KIND_NAMES = ("prohibited", "unsupported", "refused", "unreachable", "timed-out", "name", "other")


@given(any_of(Address), st.sampled_from(KIND_NAMES), st.text(max_size=9), any_of(Asked))
def test_refusals_are_total(to, kind, text, asked):
    assert judged(to, refused(kind, text), asked)
