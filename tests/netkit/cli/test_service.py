from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from netkit import profiles
from netkit.cli import service as command
from netkit.desktop import service
from netkit.model import ForwardKind, Gateway, Profile, TunnelSpec
from netkit.text.forwards import parse_forward
from support.cli import run_cli
from support.managers import FakeManagers

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the managers of others have tests of their own"
)

SHOWN = "ActiveState=active\nStatusText=office: up, 0 flows\nMainPID=42\n"


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch) -> FakeManagers:
    for name in ("NETKIT_PROFILES", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    made = FakeManagers(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(made.folder))
    for name in ("systemctl", "journalctl", "loginctl"):
        made.add(name)
    made.answer("systemctl", "*show*", SHOWN)
    made.answer("loginctl", "show-user*", "Linger=no\n")
    monkeypatch.setattr(service, "_BOOTED", tmp_path)
    monkeypatch.setattr(command.TerminalPrompter, "has_terminal", staticmethod(lambda: False))
    forward = parse_forward(ForwardKind.LOCAL, "127.0.0.2:3389:desk:3389")
    spec = TunnelSpec(gateway=Gateway("gw"), forwards=(forward,))
    profiles.save(Profile(name="office", tunnel=spec))
    return made


def unit() -> Path:
    return service.Systemd().file("office")


def test_a_service_from_beginning_to_end():
    done = run_cli("service", "install", "office")
    assert (done.code, done.out) == (0, f"{unit()}\n")
    assert "installed and started" in done.err
    assert "loginctl enable-linger changes that" in done.err
    again = run_cli("service", "install", "office")
    assert again.code == 0
    assert "it is installed already" in again.err
    shown = run_cli("service", "status", "office")
    assert (shown.code, shown.out) == (0, "office: active; office: up, 0 flows; process 42\n")
    removed = run_cli("service", "remove", "office")
    assert (removed.code, removed.err) == (0, f"netkit: removed {unit()}\n")
    once_more = run_cli("service", "remove", "office")
    assert once_more.code == 0
    assert "nothing to do" in once_more.err


def test_options_go_along(tmp_path: Path):
    log = ("--access-log", "flows.log")
    assert run_cli("service", "install", "office", "--metrics", "127.0.0.1:9273", *log).code == 0
    expected = f"--metrics 127.0.0.1:9273 --access-log {Path.cwd() / 'flows.log'}\n"
    assert expected in unit().read_text()


def test_exposed_metrics_need_the_word_before_anything_is_written():
    done = run_cli("service", "install", "office", "--metrics", "0.0.0.0:9273")
    assert done.code == 2
    assert "[metrics-needs-expose]" in done.err
    assert not unit().exists()


def test_lingering_when_asked_for(programs: FakeManagers):
    done = run_cli("service", "install", "office", "--linger")
    assert "loginctl enable-linger" in programs.calls()
    assert "goes on after logout" in done.err
    run_cli("service", "install", "office", "--no-linger")
    assert "loginctl enable-linger" not in programs.calls()


@pytest.mark.parametrize(("answer", "lingers"), [("y", True), ("", False), (None, False)])
def test_lingering_is_a_question(programs: FakeManagers, monkeypatch, answer, lingers):
    monkeypatch.setattr(command.TerminalPrompter, "has_terminal", staticmethod(lambda: True))
    monkeypatch.setattr(command.TerminalPrompter, "answer", lambda _self, _prompt: answer)
    run_cli("service", "install", "office")
    assert ("loginctl enable-linger" in programs.calls()) is lingers


def test_without_systemd_the_unit_is_printed(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(service, "_BOOTED", tmp_path / "missing")
    done = run_cli("service", "install", "office")
    assert done.code == 3
    assert "[no-systemd]" in done.err
    assert "next:  netkit up office   (runs it in the foreground)" in done.err
    assert "Type=notify" in done.out.splitlines()
    assert not unit().exists()


def test_print_changes_nothing(programs: FakeManagers):
    done = run_cli("service", "install", "office", "--print")
    assert done.code == 0
    assert "WantedBy=default.target" in done.out.splitlines()
    assert not unit().exists()
    assert programs.calls() == []


def test_one_that_failed(programs: FakeManagers):
    run_cli("service", "install", "office")
    programs.answer("systemctl", "*show*", "ActiveState=failed\nExecMainStatus=5\n")
    done = run_cli("service", "status", "office", "--json")
    assert done.code == 3
    document = json.loads(done.out)
    assert (document["active"], document["state"]) == (False, "failed")
    assert document["details"] == ["it ended with exit 5"]


def test_what_it_said(programs: FakeManagers):
    run_cli("service", "install", "office")
    programs.answer("journalctl", "*", "up\n\x1b[2Jdown\n")
    assert run_cli("service", "logs", "office").out == "up\n?[2Jdown\n"


@pytest.mark.parametrize("verb", ["install", "status", "logs"])
def test_a_profile_without_one(verb: str):
    done = run_cli("service", verb, "nobody")
    assert done.code == 2
    assert "next:" in done.err


@pytest.mark.parametrize("verb", ["install", "remove", "status", "logs"])
@pytest.mark.parametrize("name", ["../x", "a\nb", "-", "a b", "x" * 99, "a@b"])
def test_what_is_no_name(verb: str, name: str):
    done = run_cli("service", verb, "--", name)
    assert done.code == 2
    assert not list(Path(os.environ["HOME"]).rglob("*.service"))


def test_without_a_verb_the_help_is_shown():
    assert run_cli("service").code == 2
