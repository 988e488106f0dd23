from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from netkit.desktop import shortcuts
from netkit.desktop.shortcut_text import Shortcut, Start, profile_of
from netkit.desktop.shortcuts import Place, default_where, place_for, remove, this_start, write
from netkit.errors import UsageError

OFFICE = Shortcut(profile="office", name="Office")
START = Start(("/usr/bin/netkit",), ("/usr/bin/python", "-m", "netkit.cli.clients.hidden"))

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and folders of Unix")


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_DESKTOP_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # no gio
    return tmp_path


def test_where_they_are(home: Path):
    assert default_where() == "menu"
    menu = home / ".local/share/applications"
    assert place_for("menu", "Office", "office", "linux") == Place(
        menu / "netkit-office.desktop", "linux"
    )
    (home / "Desktop").mkdir()
    assert default_where() == "desktop"
    assert place_for("desktop", "My Office", "office", "linux") == Place(
        home / "Desktop/My Office.desktop", "linux", True
    )
    assert place_for(str(home), "Office", "office", "darwin") == Place(
        home / "Office.command", "darwin"
    )
    file = str(home / "x.LNK")
    assert place_for(file, "Office", "office", "windows") == Place(Path(file), "windows")


def test_the_menus_of_other_systems(home: Path, monkeypatch):
    assert place_for("menu", "A", "a", "darwin").path == home / "Applications/A.command"
    monkeypatch.setenv("APPDATA", str(home / "Roaming"))
    start_menu = home / "Roaming/Microsoft/Windows/Start Menu/Programs"
    assert place_for("menu", "A", "a", "windows").path == start_menu / "A.lnk"
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    assert place_for("menu", "A", "a", "linux").path == home / "data/applications/netkit-a.desktop"


@pytest.mark.parametrize("where", ["desktop", "nowhere/x.desktop", "x.txt", "nowhere"])
def test_no_such_place(home: Path, where: str):
    with pytest.raises(UsageError) as caught:
        place_for(where if where == "desktop" else str(home / where), "A", "a", "linux")
    assert caught.value.code == "bad-shortcut-place"


def test_one_on_the_desktop_may_be_started(home: Path):
    (home / "Desktop").mkdir()
    place = place_for("desktop", "Office", "office", "linux")
    assert "Allow Launching" in write(OFFICE, place, START)
    assert place.path.stat().st_mode & 0o777 == 0o755
    assert profile_of(place.path.read_bytes(), "linux") == "office"


def test_gnome_and_xfce_are_told_that_it_is_trusted(home: Path):
    (home / "Desktop").mkdir()
    gio = home / "gio"
    gio.write_text(f'#!/bin/sh\necho "$@" >> {home}/said\n')
    gio.chmod(0o755)
    place = place_for("desktop", "Office", "office", "linux")
    assert write(OFFICE, place, START) == ""
    said = (home / "said").read_text().splitlines()
    assert said[0] == f"set {place.path} metadata::trusted true"
    assert said[1].startswith(f"set -t string {place.path} metadata::xfce-exe-checksum ")


def test_one_in_the_menu_needs_nothing(home: Path):
    place = place_for("menu", "Office", "office", "linux")
    assert write(OFFICE, place, START) == ""
    assert place.path.stat().st_mode & 0o777 == 0o644


def test_a_script_can_be_run(home: Path):
    place = place_for(str(home), "Office", "office", "darwin")
    assert write(OFFICE, place, START) == ""
    assert place.path.stat().st_mode & 0o777 == 0o755


def test_it_is_replaced_and_removed(home: Path):
    place = place_for("menu", "Office", "office", "linux")
    write(OFFICE, place, START)
    write(Shortcut(profile="office", name="Office 2"), place, START)
    assert "Name=Office 2\n" in place.path.read_text()
    remove(place, "office")
    assert not place.path.exists()
    with pytest.raises(UsageError) as caught:
        remove(place, "office")
    assert caught.value.code == "no-shortcut"


@pytest.mark.parametrize("text", ["", "[Desktop Entry]\nType=Application\nName=x\nExec=x\n"])
def test_another_file_is_not_touched(home: Path, text: str):
    place = place_for("menu", "Office", "office", "linux")
    place.path.write_text(text)
    for change in (lambda: write(OFFICE, place, START), lambda: remove(place, "office")):
        with pytest.raises(UsageError) as caught:
            change()
        assert caught.value.code == "file-exists"
    assert place.path.read_text() == text


def test_a_link_to_another_file_is_not_followed(home: Path):
    place = place_for("menu", "Office", "office", "linux")
    other = home / "precious.desktop"
    write(OFFICE, Place(other, "linux"), START)
    before = other.read_bytes()
    place.path.symlink_to(other)
    with pytest.raises(UsageError) as caught:
        write(Shortcut(profile="office", name="x"), place, START)
    assert caught.value.code == "file-exists"
    assert other.read_bytes() == before


def test_the_shortcut_of_another_profile_is_not_removed(home: Path):
    place = place_for("menu", "Office", "office", "linux")
    write(Shortcut(profile="home", name="Home"), place, START)
    with pytest.raises(UsageError) as caught:
        remove(place, "office")
    assert "is the shortcut of home" in caught.value.summary
    assert place.path.exists()


def test_nothing_is_left_where_it_cannot_be_written(home: Path):
    folder = home / "gone"
    with pytest.raises(UsageError) as caught:
        write(OFFICE, Place(folder / "x.desktop", "linux"), START)
    assert caught.value.code == "cannot-write"


def test_how_this_netkit_is_started_again(tmp_path: Path, monkeypatch):
    start = this_start({"NETKIT_PROFILES": "/p", "HOME": "/h"})
    assert Path(start.program[0]).is_file()
    assert start.hidden[1:] == ("-m", "netkit.cli.clients.hidden")
    assert start.environment == (("NETKIT_PROFILES", "/p"),)
    # one that is only a module
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert this_start({}).program == (str(tmp_path / "python"), "-m", "netkit")


def test_how_windows_starts_it(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(shortcuts.sys, "platform", "win32")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python.exe"))
    (tmp_path / "netkit.exe").touch()
    start = this_start({"SystemRoot": "D:\\Windows"})
    assert start.program == (str(tmp_path / "netkit.exe"),)
    assert start.hidden[0] == str(tmp_path / "pythonw.exe")
    assert start.shell == "D:\\Windows\\System32\\cmd.exe"
