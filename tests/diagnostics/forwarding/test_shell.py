"""Asking a shell on the gateway, and where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from diagnostics.forwarding.shell import Asked, ask, ask_holder, ask_keys, by_hand, key_files, why
from diagnostics.parsers import gateway_survey, port_holder
from diagnostics.parsers.gateway_survey import ASK, ASK_SHELL, ASK_WINDOWS, GatewayAccount, Survey
from diagnostics.parsers.sshd_config import parse_effective
from diagnostics.ssh import RemoteOutput
from support.machine import LOGIN, FakeSsh

SHELL = (
    "netkit-42\nnetkit-part id\n1000\nme\nLinux\n/home/me\n\n"
    "netkit-part effective\nx 1\nnetkit-part end\n"
)


def ssh(answer: str | RemoteOutput, server: str = LOGIN.server) -> FakeSsh:
    login = replace(LOGIN, server=server)
    return FakeSsh(login=login, run=dict.fromkeys((ASK, ASK_SHELL, ASK_WINDOWS), answer))


@pytest.mark.parametrize("whole", [True, False])
def test_a_shell(whole):
    asked = ask(ssh(SHELL), whole=whole)
    assert asked.outcome == ""
    assert asked.is_openssh
    assert asked.survey.config.word("x") == "1"


def test_another_server_has_no_sshd_config():
    asked = ask(ssh(SHELL, "SSH-2.0-dropbear"))
    assert not asked.is_openssh
    assert asked.survey.has_shell
    assert asked.survey.config.settings == ()


@pytest.mark.parametrize(
    ("done", "outcome", "said"),
    [
        (RemoteOutput(command="", outcome="ran", stdout=b"no\x07pe\n"), "no-shell", "no?pe"),
        (RemoteOutput(command="", outcome="ran", stderr=b"err"), "no-shell", "err"),
        (RemoteOutput(command="", outcome="refused", text_error="x"), "refused", "x"),
        (RemoteOutput(command="", outcome="timed-out"), "timed-out", ""),
        (RemoteOutput(command="", outcome="odd"), "odd", ""),
    ],
)
def test_no_shell(done, outcome, said):
    asked = ask(ssh(done))
    assert (asked.outcome, asked.said) == (outcome, said)
    assert "gateway" in why(asked)


def test_windows():
    server = "SSH-2.0-OpenSSH_for_Windows_9.5"
    asked = ask(ssh("Subsystem sftp x\n", server))
    assert asked.survey.config_file
    assert ask(ssh("no such file\n", server)).outcome == "no-shell"


def survey(config: str = "", home: str = "/home/me") -> Survey:
    return Survey(
        has_shell=True,
        account=GatewayAccount(user="me", home=home),
        config=parse_effective(config.encode()),
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (survey(), ("/home/me/.ssh/authorized_keys", "/home/me/.ssh/authorized_keys2")),
        (survey("authorizedkeysfile /k/%u %h/k k%%"), ("/k/me", "/home/me/k")),
        (survey("authorizedkeysfile $(x) none;"), ()),
        (survey(home=""), ()),
        (Survey(), ()),
    ],
)
def test_key_files(given, expected):
    assert key_files(given) == expected


def test_keys_are_asked_for_only_where_they_may_be():
    assert ask_keys(FakeSsh(), Asked()) == ()
    asked: list[str] = []

    def run(command):
        asked.append(command)
        return "netkit-42\nnetkit-part files\n"

    assert ask_keys(FakeSsh(run=run), Asked(survey=survey())) == ()
    assert "/home/me/.ssh/authorized_keys" in asked[0]


def test_a_holder():
    assert ask_holder(FakeSsh(), 80) is None
    held = ask_holder(FakeSsh(run={port_holder.ask(80): f"{gateway_survey.MARKER}\n"}), 80)
    assert held is not None
    assert held.port == 80


def test_a_command_by_hand():
    assert by_hand("ss").argv == ("ss",)
    fix = by_hand("ss", note="n", needs_admin=True)
    assert (fix.argv, fix.where, fix.needs_admin) == (("sudo", "ss"), "gateway", True)
