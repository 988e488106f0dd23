"""What may answer in place of an SSH server."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from diagnostics.approach import Approach
from diagnostics.checks.gateway_banner import CHECK, judge
from diagnostics.model import Confidence, Finding, Target, Unknown
from diagnostics.ssh import Login, Route
from support.any_values import any_of
from support.machine import HOP, FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def look(code: str, cause: str = "", *, os: str = "linux", **hop: object) -> Approach:
    login = Login(stage="banner", hop="gw", error_code=code, error="it failed", cause=cause)
    route = Route(hops=(replace(HOP, **hop),))  # type: ignore[arg-type]
    return CHECK.probe(Target(gateway="gw"), FakeSystem(os, ssh=FakeSsh(route=route, login=login)))  # type: ignore[no-any-return]


def only(approach: Approach) -> Finding:
    (found,) = judge(approach)
    assert isinstance(found, Finding)
    return found


def test_an_ssh_server_is_fine():
    assert judge(CHECK.probe(Target(gateway="gw"), FakeSystem())) == ()


@pytest.mark.parametrize(
    ("error", "cause", "code"),
    [
        ("not-ssh", "it answered 'Exceeded MaxStartups'", "gateway-max-startups"),
        ("not-ssh", "it answered 'Not allowed at this time'", "gateway-penalty"),
        ("not-ssh", "it answered 'Access denied'", "gateway-closes-at-once"),
        ("not-ssh", "a web server answered 'HTTP/1.1 400 Bad Request'", "gateway-captive-portal"),
        ("not-ssh", "it answered '220 ready'", "gateway-not-ssh"),
        ("not-ssh", "a TLS server answered '?'", "gateway-not-ssh"),
        ("banner-flood", "more than 64 lines, beginning 'x'", "gateway-not-ssh"),
        ("silent-port", "", "gateway-silent-port"),
        ("key-exchange-timeout", "", "gateway-silent-port"),
        ("closed-early", "", "gateway-closes-at-once"),
        ("link-cut", "", "gateway-closes-at-once"),
        ("ssh-protocol-1", "the server is 'OpenSSH_2.5'", "gateway-protocol-1"),
        ("bad-version-line", "it sent 'SSH-2.0'", "gateway-bad-version-line"),
        ("protocol-error", "odd", "gateway-banner-failed"),
    ],
)
def test_each_way(error: str, cause: str, code: str):
    found = only(look(error, cause))
    assert found.code == code
    assert found.fixes
    plain = {"gateway-bad-version-line", "gateway-banner-failed"}
    assert "gw.example:22" in found.title or code in plain


@pytest.mark.parametrize(
    ("os", "tool"), [("linux", "xdg-open"), ("darwin", "open"), ("windows", "explorer")]
)
def test_portals_are_opened_in_a_browser(os: str, tool: str):
    found = only(look("not-ssh", "a web server answered 'HTTP/1.1 302 Found'", os=os, port=2222))
    assert (found.code, found.confidence) == ("gateway-captive-portal", Confidence.LIKELY)
    assert found.fixes[0].argv[0] == tool


def test_a_web_server_at_another_port_is_one():
    found = only(look("not-ssh", "a web server answered 'HTTP/1.1 400 Bad'", port=443))
    assert (found.code, found.title) == (
        "gateway-not-ssh",
        "At gw.example:443 a web server answers",
    )


def test_a_proxy_command_that_ends():
    approach = look("closed-early", proxy_command="nc gw 22")
    assert only(approach).title.endswith("ended without a word")
    notices = (("gateway-says", "x"), ("proxy-command", "nc: no route\x1b"))
    login = replace(approach.login, notices=notices)
    found = only(replace(approach, login=login))
    assert found.code == "proxy-command-ended"
    assert found.title.endswith("ended: nc: no route?")
    assert any(each.value == "nc: no route?" for each in found.evidence)


def test_what_cannot_be_known():
    assert isinstance(judge(Approach())[0], Unknown)
    assert isinstance(judge(look("cancelled"))[0], Unknown)


@given(any_of(Approach))
def test_is_total(approach: Approach):
    for stage in ("banner", approach.login.stage):
        for found in judge(replace(approach, login=replace(approach.login, stage=stage))):
            if isinstance(found, Finding):
                assert found.code in CODES
                assert found.title.isprintable()
