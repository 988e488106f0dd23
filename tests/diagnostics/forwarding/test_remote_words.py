"""What is said of remote forwards."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from diagnostics.forwarding.holders import Taken
from diagnostics.forwarding.remote_words import KINDS, Facts, Tried, judge
from diagnostics.forwarding.shell import Asked
from diagnostics.model import Finding, Severity, Unknown
from diagnostics.parsers.gateway_survey import GatewayAccount, Survey
from diagnostics.parsers.sshd_config import parse_effective
from diagnostics.ssh import Knock, Listened
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of

BIND = Endpoint("", 8080)
SOCKET = UnixPath("/run/s")
OPENSSH = "SSH-2.0-OpenSSH_9.2p1"
DISABLED = "Server has disabled port forwarding."
LISTED = "port forwarding refused"


def said(outcome: str, *messages: str, bind: Address = BIND, knocks: str = "") -> Listened:
    made = tuple(Knock(origin="gateway", address=BIND, outcome=each) for each in knocks.split())
    return Listened(bind=bind, outcome=outcome, messages=messages, knocks=made)


OK, NO = said("ok"), said("refused")


def asked(config: str = "", uid: int = 1000, **more: Any) -> Asked:
    survey = Survey(
        has_shell=True,
        account=GatewayAccount(uid=uid),
        config=parse_effective(config.encode()),
        **more,
    )
    return Asked(server=OPENSSH, survey=survey)


def tried(listened: Listened, bind: Address = BIND, **more: Any) -> Tried:
    forward = ForwardSpec(ForwardKind.REMOTE, bind, Endpoint("127.0.0.1", 80))
    return Tried(forward=forward, listened=listened, **more)


def look(*attempts: Tried, general: Listened | None = OK, **more: Any):
    more.setdefault("asked", asked())
    facts = Facts(gateway="gw", wanted=bool(attempts), general=general, tried=attempts, **more)
    return judge(facts)


def one(*attempts: Tried, **more: Any) -> Finding:
    (found,) = look(*attempts, **more)
    assert isinstance(found, Finding)
    return found


def test_fine():
    assert look() == ()
    assert look(tried(OK)) == ()
    assert look(tried(said("ok", knocks="arrived refused"))) == ()
    assert look(tried(said("ok", knocks="prohibited"))) == ()
    assert look(general=None) == ()


def test_prohibited():
    found = one(general=NO, asked=asked("AllowTcpForwarding local"))
    assert (found.code, found.severity) == ("remote-forwarding-prohibited", Severity.WARNING)
    assert "AllowTcpForwarding local" in found.explain
    assert found.caused_by == ()
    found = one(tried(NO), general=NO, asked=asked("AllowTcpForwarding no"))
    assert found.severity is Severity.ERROR
    assert found.caused_by == ("local-forwarding-prohibited",)


def test_restricted():
    refused = said("refused", LISTED)
    found = one(general=refused, asked=asked("PermitListen 1234"))
    assert (found.code, found.severity) == ("remote-forwarding-restricted", Severity.INFO)
    assert found.title.endswith(": 1234")
    assert one(general=refused).title.endswith("only")
    found = one(general=refused, asked=asked("PermitListen none"))
    assert found.code == "remote-forwarding-prohibited"
    assert look(tried(OK), general=refused) == ()


@pytest.mark.parametrize(
    ("bind", "wanted"),
    [
        (BIND, "localhost:8080"),
        (Endpoint("*", 8080), "8080"),
        (Endpoint("::1", 8080), "[::1]:8080"),
    ],
)
def test_not_on_the_list(bind, wanted):
    refused = said("refused", LISTED)
    found = one(tried(refused, bind), general=refused, asked=asked("PermitListen 1234"))
    assert found.code == "remote-listen-prohibited"
    assert found.title.endswith("; it allows 1234")
    assert f"PermitListen 1234 {wanted}" in found.fixes[0].argv[-1]
    assert "allows" not in one(tried(refused), general=refused).title


@pytest.mark.parametrize("outcome", ["timed-out", "link-lost", "no-login"])
def test_not_known(outcome):
    for found in look(tried(said(outcome)), general=said(outcome)):
        assert isinstance(found, Unknown)
        assert found.reason.startswith("whether gw allows ")


def test_too_many():
    (found,) = look(left=3)
    assert isinstance(found, Unknown)
    assert "3 further" in found.reason


def test_privileged():
    low = Endpoint("", 443)
    found = one(tried(NO, low))
    assert found.code == "remote-port-privileged"
    assert "8443:127.0.0.1:80" in found.fixes[0].argv
    assert one(tried(said("refused", DISABLED), low)).code == "remote-port-privileged"
    assert one(tried(NO, low), asked=asked(uid=0)).code == "remote-forward-refused"


def test_no_such_address():
    there = Endpoint("192.0.2.7", 80_80)
    found = one(tried(NO, there, on_loopback=True), asked=asked(addresses=("192.0.2.1",)))
    assert found.code == "remote-address-unavailable"
    assert found.explain.endswith("It has 192.0.2.1.")
    assert "It has" not in one(tried(NO, there, on_loopback=True)).explain


def test_taken():
    attempt = tried(NO)
    taken = Taken(forward=attempt.forward)
    assert one(tried(NO, taken=taken)).code == "remote-port-taken"
    assert one(tried(OK, taken=taken)).code == "remote-port-taken"
    any_port = Endpoint("", 0)
    found = one(tried(NO, any_port, taken=taken))
    assert found.code == "remote-forward-refused"
    assert "a port of its choice" in found.title


def test_unproved():
    (found,) = look(tried(OK, unproved=True))
    assert isinstance(found, Unknown)
    assert "port 8080 of gw" in found.reason


@pytest.mark.parametrize("knocks", ["refused", "timed-out", "refused refused"])
def test_unreachable(knocks):
    found = one(tried(said("ok", knocks=knocks)))
    assert (found.code, found.severity) == ("remote-listener-unreachable", Severity.WARNING)


@pytest.mark.parametrize(
    "message", ["Server has disabled streamlocal forwarding.", DISABLED, LISTED]
)
def test_no_unix_sockets(message):
    found = one(tried(said("refused", message), SOCKET), asked=asked("AllowTcpForwarding no"))
    assert (found.code, found.severity) == ("streamlocal-listen-prohibited", Severity.ERROR)


@pytest.mark.parametrize("path", ["socket", "other", "no-directory", "closed"])
def test_a_path_that_cannot_be_had(path):
    found = one(tried(NO, SOCKET, path=path))
    assert (found.code, found.subject) == ("remote-socket-unusable", "/run/s")
    tool = {"socket": "rm", "no-directory": "mkdir"}.get(path, "ls")
    assert found.fixes[0].argv[0] == tool


def test_a_path_in_no_directory():
    found = one(tried(NO, UnixPath("s"), path="no-directory"))
    assert found.fixes[0].argv == ("mkdir", "-p", "/")


def test_a_path_that_is_free_or_not_known():
    assert look(tried(NO, SOCKET, path="free")) == ()
    (found,) = look(tried(NO, SOCKET), asked=Asked(outcome="no-shell"))
    assert isinstance(found, Unknown)


@given(any_of(Facts))
def test_total(facts):
    for found in judge(facts):
        assert isinstance(found, Unknown) or found.code in {kind.code for kind in KINDS}


@given(any_of(Tried), any_of(Asked))
def test_refusals_are_total(attempt, asked_of):
    for outcome in ("ok", "refused"):
        listened = said(outcome, *attempt.listened.messages, knocks="refused")
        judge(
            Facts(
                general=listened,
                asked=asked_of,
                tried=(
                    Tried(
                        forward=attempt.forward,
                        listened=listened,
                        path=attempt.path,
                        taken=attempt.taken,
                        on_loopback=attempt.on_loopback,
                    ),
                ),
            )
        )
