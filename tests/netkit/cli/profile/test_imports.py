"""Keeping what other programs' settings became, and telling of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netkit import profiles
from netkit.cli.output import Output
from netkit.cli.profile import imports
from netkit.errors import UsageError
from netkit.model import Gateway, Imported, Profile, TunnelSpec

DB = Imported(Profile(name="db", tunnel=TunnelSpec(gateway=Gateway("gw"))), ("a -4", "b"))
WEB = Imported(Profile(name="web", tunnel=TunnelSpec(gateway=Gateway("gw"))))


@pytest.fixture(autouse=True)
def _file(monkeypatch, tmp_path):
    monkeypatch.setenv(profiles.VARIABLE, str(tmp_path / "profiles.toml"))


def store(*imported, replace=False, dry_run=False, prefix=""):
    return imports.store(imported, output=Output(), replace=replace, dry_run=dry_run, prefix=prefix)


def test_each_has_a_line_and_so_has_what_is_left_out(capsys):
    assert store(DB, WEB) == 0
    assert capsys.readouterr().out.splitlines() == [
        "db: added",
        "db: left out: a -4",
        "db: left out: b",
        "web: added",
    ]
    assert profiles.load().names == ("db", "web")


def test_again_is_no_change(capsys):
    store(WEB)
    before = profiles.content()
    store(WEB)
    assert capsys.readouterr().out.splitlines() == ["web: added", "web: unchanged"]
    assert profiles.content() == before


def test_what_says_something_else_stays_and_the_rest_is_saved(capsys):
    store(DB)
    other = replace(DB, profile=replace(DB.profile, note="new"), left_out=())
    with pytest.raises(UsageError) as raised:
        store(other, WEB)
    assert raised.value.code == "profile-exists"
    assert raised.value.summary == "1 of 2 profiles are left as they were: db"
    assert raised.value.fixes[0].argv[-2:] == ("...", "--replace")
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "db: exists, says something else",
        "web: added",
    ]
    assert profiles.get("db").note == ""
    assert store(other, replace=True) == 0
    assert profiles.get("db").note == "new"
    assert capsys.readouterr().out == "db: changed\n"


def test_nothing_is_saved_for_the_asking(capsys):
    assert store(DB, dry_run=True) == 0
    assert capsys.readouterr().out.splitlines()[0] == "db: would be added"
    assert profiles.load().names == ()
    store(DB)
    other = replace(DB, profile=replace(DB.profile, note="new"), left_out=())
    capsys.readouterr()
    assert store(DB, replace=True, dry_run=True) == 0
    assert store(other, replace=True, dry_run=True) == 0
    with pytest.raises(UsageError, match="1 of 1 profiles"):
        store(other, dry_run=True)
    assert [line for line in capsys.readouterr().out.splitlines() if "left out" not in line] == [
        "db: unchanged",
        "db: would be changed",
        "db: exists, says something else",
    ]


def test_a_prefix(capsys):
    store(WEB, prefix="old-")
    assert capsys.readouterr().out == "old-web: added\n"
    with pytest.raises(UsageError) as raised:
        store(WEB, prefix="a/")
    assert raised.value.code == "bad-profile-name"
