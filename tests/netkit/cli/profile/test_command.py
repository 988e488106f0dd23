"""The command line of ``netkit profile``."""

from __future__ import annotations

import importlib
import json
import tomllib

import pytest

from netkit import profiles
from netkit.cli.profile import command as profile
from support.cli import run_cli
from support.profiles import OFFICE


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path):
    path = tmp_path / "netkit/profiles.toml"
    monkeypatch.setenv(profiles.VARIABLE, str(path))
    return path


@pytest.fixture
def office(file):
    file.parent.mkdir()
    file.write_text(OFFICE)
    return file


@pytest.mark.parametrize("group", [profile.IMPORTS, profile.EXPORTS])
def test_commands_of_other_modules(group):
    for name, (module, attribute, short) in group.items():
        command = getattr(importlib.import_module(module), attribute)
        assert (command.name, command.get_short_help_str(200)) == (name, short)


@pytest.mark.parametrize("words", [(), ("import",), ("export",)])
def test_help_names_them_all(words):
    done = run_cli("profile", *words, "--help")
    assert (done.code, done.err) == (0, "")
    listed = done.out.partition("Commands:\n")[2].partition("\n\n")[0]
    expected = {
        (): set(profile.command.commands),
        ("import",): set(profile.IMPORTS),
        ("export",): set(profile.EXPORTS),
    }
    assert {line.split()[0] for line in listed.splitlines()} == expected[words]


def test_an_unknown_format():
    done = run_cli("profile", "import", "nosuch")
    assert done.code == 2
    assert "no such command 'nosuch'" in done.err


def test_save_list_show(file):
    done = run_cli(
        *("profile", "save", "office", "me@gw", "--bind", "127.0.0.2:3389", "--to", "ts:3389"),
        *("-X", "--note", "the desk", "--launch", "rdp", "--default"),
    )
    assert (done.code, done.err.splitlines()) == (
        0,
        [f"netkit: office: added in {file}", "netkit: netkit up office starts it"],
    )
    assert tomllib.loads(done.out) == {
        "profiles": {
            "office": {
                "gateway": "me@gw",
                "note": "the desk",
                "launch": "rdp",
                "x11": "untrusted",
                "forwards": [{"kind": "local", "bind": "127.0.0.2:3389", "to": "ts:3389"}],
            }
        }
    }
    assert run_cli("profile", "list").out == (
        "* office  me@gw  -L 127.0.0.2:3389:ts:3389   (the desk)\n"
    )
    shown = run_cli("profile", "show", "office").out
    assert shown.splitlines()[-1] == "# netkit forward me@gw -X -L 127.0.0.2:3389:ts:3389"
    assert tomllib.loads(shown) == tomllib.loads(done.out)


def test_json(office):
    listed = json.loads(run_cli("profile", "list", "--json").out)
    assert (listed["schema_version"], listed["default"]) == (1, "office")
    assert listed["file"] == str(office)
    assert [each["name"] for each in listed["profiles"]] == ["office", "home"]
    shown = json.loads(run_cli("profile", "show", "office", "--json").out)
    assert shown["keepalive"] == "auto"
    assert shown["command"][:3] == ["netkit", "forward", "me@gw.example:2222"]
    wrong = json.loads(run_cli("profile", "show", "x", "--json").out)
    assert wrong["code"] == "unknown-profile"


def test_default(office):
    assert run_cli("profile", "default").out == "office\n"
    assert run_cli("profile", "default", "home").err == "netkit: home is the default\n"
    assert run_cli("profile", "default").out == "home\n"
    assert run_cli("profile", "default", "--none").err == "netkit: no profile is the default\n"
    done = run_cli("profile", "default")
    assert (done.code, done.out) == (0, "")
    assert "netkit profile default NAME makes one so" in done.err
    assert run_cli("profile", "default", "home", "--none").code == 2
    assert run_cli("profile", "default", "x").code == 2


def test_rename_and_remove(office):
    assert run_cli("profile", "rename", "office", "desk").err == (
        "netkit: office is called desk now\n"
    )
    assert run_cli("profile", "remove", "desk", "nosuch").code == 2
    assert profiles.load().names == ("desk", "home")
    assert run_cli("profile", "remove", "desk", "home", "home").err == (
        "netkit: desk is removed\nnetkit: home is removed\n"
    )
    assert run_cli("profile", "list").err.startswith("netkit: no profile is saved")


def test_wrong_input(office):
    done = run_cli("profile", "save", "a/b", "gw")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "netkit: 'a/b' cannot be the name of a profile [bad-profile-name]",
    )
    done = run_cli("profile", "save", "office", "gw", "-D", "1080")
    assert done.err.splitlines()[-1] == ("  or:    netkit profile save office gw -D 1080 --replace")
    office.write_text(OFFICE.replace("gateway", "gatway", 1))
    done = run_cli("profile", "list")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        f"netkit: {office} line 5: at gatway: there is no such key [bad-config]",
    )
    assert office.read_text() == OFFICE.replace("gateway", "gatway", 1)
