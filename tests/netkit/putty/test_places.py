"""Where PuTTY's folder is: environment, XDG, ~/.putty, portable folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from netkit.putty.places import Place, own_place, place_in


def test_own_folder(tmp_path: Path):
    home = tmp_path / "home"
    old, xdg = home / ".putty", home / ".config" / "putty"
    assert own_place({}, home) == Place(old / "sessions", old / "sshhostkeys")
    xdg.mkdir(parents=True)
    assert own_place({}, home) == Place(xdg / "sessions", xdg / "sshhostkeys")
    other = tmp_path / "xdg"
    assert own_place({"XDG_CONFIG_HOME": str(other)}, home).sessions == old / "sessions"
    (other / "putty").mkdir(parents=True)
    assert own_place({"XDG_CONFIG_HOME": str(other)}, home).sessions == other / "putty" / "sessions"


def test_variables_go_first(tmp_path: Path):
    variables = {"PUTTYDIR": "/dir", "HOME": str(tmp_path)}
    assert own_place(variables) == Place(Path("/dir/sessions"), Path("/dir/sshhostkeys"))
    variables |= {"PUTTYSESSIONS": "/s", "PUTTYSSHHOSTKEYS": "/k"}
    assert own_place(variables) == Place(Path("/s"), Path("/k"))
    assert own_place({"HOME": str(tmp_path)}).sessions == tmp_path / ".putty" / "sessions"


@pytest.mark.parametrize("names", [("sessions", "sshhostkeys"), ("Sessions", "SshHostKeys")])
def test_folders_of_putty_and_portable_ones(tmp_path: Path, names: tuple[str, str]):
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / "putty.exe").touch()
    place = Place(tmp_path / names[0], tmp_path / names[1])
    assert place_in(tmp_path) == place
    assert place_in(tmp_path / names[0]) == place
    assert str(place) == str(tmp_path / names[0])


def test_a_folder_of_sessions_alone(tmp_path: Path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "gw").touch()
    assert place_in(folder) == Place(folder, tmp_path / "sshhostkeys")


def test_an_empty_or_missing_folder_gets_putty_s_names(tmp_path: Path):
    for folder in (tmp_path / "new", tmp_path):
        assert place_in(folder) == Place(folder / "sessions", folder / "sshhostkeys")
