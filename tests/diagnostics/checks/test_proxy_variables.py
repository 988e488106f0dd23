"""Proxy variables: set, with and without the exceptions that forwards need."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.proxy_variables import CHECK, Facts, judge, probe
from diagnostics.model import Severity, Target
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import FakeSystem

CODES = {kind.code for kind in CHECK.finds}
TO = Endpoint("web", 80)


def examine(*binds: str, os: str = "linux", **variables: str):
    forwards = [ForwardSpec(ForwardKind.LOCAL, Endpoint(host, 80), TO) for host in binds]
    forwards.append(ForwardSpec(ForwardKind.REMOTE, Endpoint("127.0.0.7", 80), TO))
    forwards.append(ForwardSpec(ForwardKind.LOCAL, UnixPath("/x"), TO))
    target = Target(forwards=tuple(forwards))
    return judge(probe(target, FakeSystem(os, variables=variables)))


def test_no_proxy_at_all():
    assert examine(NO_PROXY="x") == ()


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_without_exceptions(name):
    (finding,) = examine(**{name: "http://me:secret@proxy.corp:3128"})
    assert finding.code == "proxy-swallows-loopback"
    assert finding.severity is Severity.WARNING
    assert name in finding.title
    assert "proxy.corp for localhost, 127.0.0.1, ::1" in finding.title
    assert "NO_PROXY=localhost,127.0.0.1,::1" in finding.fixes[0].argv[-1]


def test_what_is_set_already_is_kept():
    value = "intra,10.0.0.0/8,127.0.0.1,$(reboot),gr\u00fcn"
    (finding,) = examine("127.0.0.2", https_proxy="proxy:1", no_proxy=value)
    assert (
        "NO_PROXY=intra,10.0.0.0/8,127.0.0.1,localhost,::1,127.0.0.2 " in finding.fixes[0].argv[2]
    )


@pytest.mark.parametrize("value", ["*", "localhost,127.0.0.0/8", "localhost,127.0.0.1"])
def test_enough_exceptions(value):
    assert examine(http_proxy="http://proxy", no_proxy=value) == ()


def test_the_lower_case_exceptions_win():
    assert examine(http_proxy="http://proxy", no_proxy="*", NO_PROXY="x") == ()


def test_the_address_of_a_forward_is_missing():
    (finding,) = examine(
        "127.0.0.2", "192.0.2.1", http_proxy="p", no_proxy="localhost,127.0.0.1,::1"
    )
    assert "for 127.0.0.2" in finding.title


def test_a_proxy_on_this_machine():
    (finding,) = examine(http_proxy="http://127.0.0.1:3128")
    assert finding.severity is Severity.INFO
    (finding,) = examine(all_proxy="socks5h://127.0.0.1:1080")
    assert finding.severity is Severity.WARNING


def test_other_systems():
    (finding,) = examine(os="windows", http_proxy="http://proxy", HTTP_PROXY="http://proxy")
    assert finding.subject == "http_proxy"
    assert finding.fixes[0].argv == ("setx", "NO_PROXY", "localhost,127.0.0.1,::1")
    (finding,) = examine(os="darwin", HTTP_PROXY="http://proxy")
    assert finding.fixes[0].argv[-1].endswith(">> ~/.zprofile")


@given(st.sampled_from(["linux", "darwin", "windows"]), any_of(Facts))
def test_is_total(os, facts):
    assert {each.code for each in judge(replace(facts, os=os))} <= CODES
