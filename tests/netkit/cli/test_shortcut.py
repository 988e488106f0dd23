from __future__ import annotations

import sys
from pathlib import Path

import pytest

from netkit import profiles
from netkit.desktop.desktop_entry import parse_entry
from netkit.model import ForwardKind, Gateway, Profile, TunnelSpec
from netkit.text.forwards import parse_forward
from support.cli import run_cli

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="others have files of another kind"
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch) -> Path:
    for name in ("NETKIT_PROFILES", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    forward = parse_forward(ForwardKind.LOCAL, "127.0.0.2:3389:desk:3389")
    spec = TunnelSpec(gateway=Gateway("gw"), forwards=(forward,))
    profiles.save(Profile(name="office", tunnel=spec))
    (tmp_path / "Desktop").mkdir()
    return tmp_path


def test_one_on_the_desktop(home: Path):
    done = run_cli("shortcut", "office")
    file = home / "Desktop" / "office.desktop"
    assert (done.code, done.out) == (0, f"{file}\n")
    assert "double-click it to start the tunnel office" in done.err
    assert parse_entry(file.read_text())["Desktop Entry"]["Name"] == "office"
    removed = run_cli("shortcut", "office", "--remove")
    assert (removed.code, removed.out) == (0, "")
    assert not file.exists()


def test_one_in_the_menu_without_a_window(home: Path):
    (home / "pic.png").touch()
    done = run_cli(
        *("shortcut", "office", "--where", "menu", "--hidden", "--name", "My Office"),
        *("--icon", str(home / "pic.png")),
    )
    assert done.code == 0
    file = home / ".local/share/applications/netkit-office.desktop"
    entry = parse_entry(file.read_text())["Desktop Entry"]
    assert (entry["Name"], entry["Terminal"]) == ("My Office", "false")
    assert entry["Icon"] == str(home / "pic.png")


def test_one_of_a_profile_that_is_gone_can_be_removed(home: Path):
    assert run_cli("shortcut", "office").code == 0
    profiles.remove("office")
    assert run_cli("shortcut", "office").code == 2
    assert run_cli("shortcut", "office", "--remove").code == 0


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("nothing",), "unknown-profile"),
        (("../office",), "bad-profile-name"),
        (("50%", "--remove"), "bad-profile-name"),
        (("office", "--name", "a/b"), "bad-shortcut-name"),
        (("office", "--name", "a\nExec=x"), "bad-shortcut-name"),
        (("office", "--icon", "a\nExec=x"), "bad-icon"),
        (("office", "--where", "nowhere"), "bad-shortcut-place"),
        (("office", "--remove"), "no-shortcut"),
    ],
)
def test_what_cannot_be(home: Path, argv: tuple[str, ...], code: str):
    done = run_cli("shortcut", *argv)
    assert (done.code, done.out) == (2, "")
    assert f"[{code}]" in done.err
    assert list((home / "Desktop").iterdir()) == []


def test_another_file_stays(home: Path):
    file = home / "Desktop" / "office.desktop"
    file.write_text("mine")
    done = run_cli("shortcut", "office")
    assert done.code == 2
    assert "netkit shortcut office --name 'ANOTHER NAME'" in done.err
    assert file.read_text() == "mine"
