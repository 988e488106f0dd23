from __future__ import annotations

import os
import plistlib
from pathlib import Path

import pytest

from netkit.desktop import service
from netkit.desktop.service import Launchd, Scheduler, ServiceError, Systemd
from netkit.desktop.service_text import Service
from netkit.errors import UsageError
from support.managers import FakeManagers

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the managers are shell scripts")

OFFICE = Service(profile="office", program=("/opt/netkit",), log="/tmp/x.log")
CHANGED = Service(profile="office", program=("/opt/netkit",), options=("--expose",), log="/x")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch) -> FakeManagers:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "USERDOMAIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    made = FakeManagers(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(made.folder))
    for name in ("systemctl", "journalctl", "loginctl", "launchctl", "schtasks"):
        made.add(name)
    monkeypatch.setattr(service, "_BOOTED", tmp_path)
    return made


def test_systemd(programs: FakeManagers, tmp_path: Path):
    made_by = Systemd()
    assert service.install(OFFICE, made_by)
    file = tmp_path / "home/.config/systemd/user/netkit-office.service"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "ExecStart=/opt/netkit up office --no-launch\n" in file.read_text()
    assert programs.calls() == [
        "systemctl --user daemon-reload",
        "systemctl --user enable netkit-office.service",
        "systemctl --user restart --no-block netkit-office.service",
    ]
    assert not service.install(OFFICE, made_by)  # a second time: nothing is restarted
    assert programs.calls() == [
        "systemctl --user enable netkit-office.service",
        "systemctl --user start --no-block netkit-office.service",
    ]
    assert service.install(CHANGED, made_by)
    assert programs.calls()[-1].startswith("systemctl --user restart")
    assert service.remove("office", made_by)
    assert programs.calls() == [
        "systemctl --user disable --now netkit-office.service",
        "systemctl --user daemon-reload",
    ]
    assert not file.exists()
    assert not service.remove("office", made_by)
    assert programs.calls() == []


def test_systemd_is_asked(programs: FakeManagers):
    programs.answer(
        "systemctl",
        "*show*",
        "ActiveState=active\nSubState=running\nStatusText=office: up, 2 flows\nMainPID=42\n"
        "NRestarts=3\nExecMainStatus=0\n",
    )
    assert Systemd().status("office") == service.Running(
        True, "active", ("office: up, 2 flows", "process 42", "3 restarts")
    )
    programs.answer("systemctl", "*show*", "ActiveState=failed\nExecMainStatus=6\nMainPID=0\n")
    assert Systemd().status("office") == service.Running(False, "failed", ("it ended with exit 6",))
    programs.answer("systemctl", "*show*", "")
    assert Systemd().status("office") == service.Running(False, "unknown")


def test_the_journal(programs: FakeManagers):
    programs.answer("journalctl", "*", "one\ntwo\n")
    assert Systemd().logs("office", 7) == ["one", "two"]
    (call,) = programs.calls()
    assert "-u netkit-office.service -n 7" in call


@pytest.mark.parametrize(
    ("text", "status", "lingers"),
    [("Linger=yes\n", 0, True), ("Linger=no\n", 0, False), ("", 0, None), ("no user", 1, None)],
)
def test_lingering(programs: FakeManagers, text: str, status: int, lingers: bool | None):
    programs.answer("loginctl", "show-user*", text, status)
    assert Systemd().lingers() is lingers


def test_systemd_that_refuses(programs: FakeManagers):
    programs.answer("systemctl", "*enable*", "first\nFailed to connect to bus\n", 1)
    with pytest.raises(ServiceError) as caught:
        service.install(OFFICE, Systemd())
    assert "Failed to connect to bus" in caught.value.summary
    assert caught.value.exit_code == 3


def test_no_systemd(programs: FakeManagers, tmp_path: Path, monkeypatch):
    made_by = Systemd()
    service.install(OFFICE, made_by)
    programs.calls()
    monkeypatch.setattr(service, "_BOOTED", tmp_path / "missing")
    with pytest.raises(ServiceError) as caught:
        service.install(CHANGED, made_by)
    assert caught.value.code == "no-systemd"
    assert "--expose" not in made_by.file("office").read_text()
    assert service.remove("office", made_by)  # what is left is taken away all the same
    assert programs.calls() == []


@pytest.mark.parametrize("made_by", [Systemd(), Launchd(), Scheduler()])
def test_without_the_program(programs: FakeManagers, monkeypatch, made_by):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServiceError) as caught:
        service.install(OFFICE, made_by)
    assert caught.value.code == "no-service-manager"


@pytest.mark.parametrize("made_by", [Systemd(), Launchd(), Scheduler()])
@pytest.mark.parametrize("kind", ["file", "link", "broken link"])
def test_what_is_not_ours_stays(programs: FakeManagers, tmp_path: Path, made_by, kind: str):
    file = made_by.file("office")
    file.parent.mkdir(parents=True)
    mine = tmp_path / "mine"
    if kind == "link":
        mine.write_text("# netkit service of the profile office\n")
    if kind == "file":
        file.write_text("mine")
    else:
        file.symlink_to(mine)
    for act in (
        lambda: service.install(OFFICE, made_by),
        lambda: service.remove("office", made_by),
        lambda: service.installed("office", made_by),
    ):
        with pytest.raises(UsageError) as caught:
            act()
        assert caught.value.code == "file-exists"
    assert kind != "file" or file.read_text() == "mine"
    assert programs.calls() == []


def test_launchd(programs: FakeManagers, tmp_path: Path):
    made_by = Launchd()
    uid = os.getuid()
    programs.answer("launchctl", "'print gui/'*", "", 113)
    programs.answer("launchctl", "'print user/'*", "", 113)
    assert service.install(OFFICE, made_by)
    file = tmp_path / "home/Library/LaunchAgents/netkit.office.plist"
    assert plistlib.loads(file.read_bytes())["Label"] == "netkit.office"
    assert programs.calls()[-1] == f"launchctl bootstrap gui/{uid} {file}"
    programs.answer("launchctl", "'bootstrap gui/'*", "no such domain", 125)  # over SSH
    service.install(CHANGED, made_by)
    assert programs.calls()[-1] == f"launchctl bootstrap user/{uid} {file}"
    programs.answer(
        "launchctl",
        "'print gui/'*",
        "x = {\n\tstate = running\n\tpid = 42\n\t\tstate = nested\n\tlast exit code = 1\n}\n",
    )
    assert made_by.status("office") == service.Running(
        True, "running", ("process 42", "last exit code 1")
    )
    programs.calls()
    assert not service.install(CHANGED, made_by)
    assert not any("boot" in call for call in programs.calls())
    assert service.remove("office", made_by)
    assert f"launchctl bootout gui/{uid}/netkit.office" in programs.calls()


def test_the_log_of_an_agent(programs: FakeManagers):
    assert Launchd().logs("office", 2) == []
    log = service.log_file("office")
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\nthree\n")
    assert Launchd().logs("office", 2) == ["two", "three"]


def test_the_scheduler(programs: FakeManagers):
    made_by = Scheduler()
    programs.answer("schtasks", "/Query*", "ERROR: no such task", 1)
    assert service.install(OFFICE, made_by)
    file = made_by.file("office")
    assert "/opt/netkit" in file.read_bytes().decode("utf-16")
    assert programs.calls()[-2:] == [
        f"schtasks /Create /TN netkit office /XML {file} /F",
        "schtasks /Run /TN netkit office",
    ]
    programs.answer("schtasks", "/Query*", '"\\netkit office","N/A","Running"\r\n')
    assert made_by.status("office") == service.Running(True, "Running")
    assert service.remove("office", made_by)
    assert programs.calls()[-1] == "schtasks /Delete /TN netkit office /F"
    assert not file.exists()


def test_which_manager():
    kinds = {each: type(service.manager(each)) for each in ("linux", "darwin", "win32")}
    assert kinds == {"linux": Systemd, "darwin": Launchd, "win32": Scheduler}


def test_one_that_is_not_there(programs: FakeManagers):
    with pytest.raises(UsageError) as caught:
        service.installed("office", Systemd())
    assert caught.value.fixes[0].argv == ("netkit", "service", "install", "office")
