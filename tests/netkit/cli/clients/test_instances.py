from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from netkit.cli.clients.instances import Presence, claim, set_title, show_again
from netkit.cli.output import Output
from netkit.desktop import instance
from netkit.desktop.instance import Holder
from netkit.model import Endpoint, ForwardKind, Gateway, Profile, TunnelSpec
from netkit.text.forwards import parse_forward
from support.cli import FakeTunnel, plan_of
from support.speaker import CONFIRM, Speaker

SPEC = TunnelSpec(
    gateway=Gateway("gw"),
    forwards=(
        parse_forward(ForwardKind.REMOTE, "80:localhost:80"),
        parse_forward(ForwardKind.LOCAL, "127.0.0.1:5432:db:5432"),
        parse_forward(ForwardKind.LOCAL, "127.0.0.2:3390:desk:3389"),
    ),
)
OFFICE = Profile(name="office", tunnel=SPEC)
DESK = Profile(name="office", tunnel=SPEC, launch="rdp")
DB, AT = Endpoint("127.0.0.1", 5432), Endpoint("127.0.0.2", 3390)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def up(presence: Presence, spec: TunnelSpec = SPEC) -> None:
    plan = plan_of(spec)
    tunnel = FakeTunnel()(plan, prompter=None, password=None, observer=None)
    presence.up(tunnel, plan, lambda: None)


@pytest.mark.parametrize(("profile", "addresses"), [(OFFICE, (DB, AT)), (DESK, (AT,))])
def test_the_second_one_finds_the_first(capsys, profile: Profile, addresses: tuple[Endpoint, ...]):
    first = claim(profile, Output())
    assert isinstance(first, Presence)
    assert claim(profile, Output()) == Holder(os.getpid(), name=profile.name)
    up(first)
    assert claim(profile, Output()) == Holder(os.getpid(), addresses, profile.name)
    assert capsys.readouterr().err.splitlines() == [
        f"netkit: office is starting already (process {os.getpid()})",
        f"netkit: office is running already (process {os.getpid()}), at {addresses[0]}",
    ]
    first.down()
    again = claim(profile, Output())
    assert isinstance(again, Presence)
    again.down()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the client")
def test_a_second_click_starts_the_client_again(tmp_path: Path, monkeypatch, capsys):
    client = tmp_path / "xfreerdp"
    client.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/argv\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DISPLAY", ":0")
    with Speaker(CONFIRM) as server:
        assert show_again([(DESK, Holder(7, (server.at,)))], Output()) == 0
    assert (tmp_path / "argv").read_text() == f"/v:{server.at} /cert:name:desk\n"
    assert "desk:3389 answers" in capsys.readouterr().err


def test_there_is_nothing_to_start():
    others = [(OFFICE, Holder(7, (AT,))), (DESK, Holder(7)), (DESK, Holder())]
    assert show_again(others, Output()) == 0


def test_the_lock_goes_with_the_tunnel():
    presence = claim(OFFICE, Output())
    assert isinstance(presence, Presence)
    up(presence)
    assert instance.lock_path("office").exists()
    presence.down()
    presence.down()
    assert not instance.lock_path("office").exists()


def test_a_window_is_called_what_it_shows(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    set_title("office\x07: up")
    assert sys.stderr.getvalue().startswith("\x1b]0;netkit office")
    assert sys.stderr.getvalue().count("\x07") == 1
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    set_title("office: up")
    assert sys.stderr.getvalue() == ""
