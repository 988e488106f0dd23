from __future__ import annotations

import pytest

from diagnostics.model import Target
from diagnostics.ssh import HopFacts, Route
from diagnostics.system import ToolOutput
from diagnostics.x11.ssh_client import SshClient, ask, words
from support.machine import HOP, FakeSsh, FakeSystem

TARGET = Target(gateway="me@gw")
ASKED = ("ssh", "-G", "-l", "me", "--", "gw")


def said(text: str | ToolOutput, argv: tuple[str, ...] = ASKED) -> SshClient:
    return ask(TARGET, FakeSystem(tools={argv: text}))


def test_options():
    text = "forwardx11 yes\nforwardx11trusted no\nforwardx11timeout 1200\nxauthlocation /x\n"
    assert said(text) == SshClient("ok", True, False, 1200, "/x")
    assert said("port 22\n") == SshClient("ok", False, False, 0, "/usr/bin/xauth")


@pytest.mark.parametrize(
    ("text", "seconds"), [("soon", 0), ("9" * 13, 0), ("9" * 12, 2**31 - 1), ("٣", 0), ("0", 0)]
)
def test_timeout(text: str, seconds: int):
    assert said(f"forwardx11timeout {text}\n").timeout == seconds


def test_configuration_file():
    argv = ("ssh", "-G", "-F", "/c", *ASKED[2:])
    system = FakeSystem(tools={argv: "forwardx11 yes\n"})
    assert ask(Target(gateway="gw", config_file="/c"), system).forward


def test_no_answer():
    assert ask(TARGET, FakeSystem()).outcome == "missing"
    assert said(ToolOutput((), "timed-out")).outcome == "timed-out"
    assert said(ToolOutput((), "ran", 255)).outcome == "failed"
    assert ask(TARGET, FakeSystem(ssh=FakeSsh(route=Route()))).outcome == "no-gateway"


def test_words():
    assert words(HOP) == ("-l", "me", "--", "gw")
    assert words(HopFacts(alias="gw", host="gw", port=2222)) == ("-p", "2222", "--", "gw")
