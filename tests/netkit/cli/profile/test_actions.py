"""What is saved of a command line, and the passwords beside it."""

from __future__ import annotations

import importlib.util
import io
import sys

import pytest

from netkit import profiles
from netkit.cli.terminal import TerminalPrompter
from netkit.model import Gateway, Keepalive
from support.cli import run_cli
from support.profiles import OFFICE, MemoryKeyring


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path):
    path = tmp_path / "profiles.toml"
    path.write_text(OFFICE)
    monkeypatch.setenv(profiles.VARIABLE, str(path))
    return path


@pytest.fixture
def keyring(monkeypatch):
    made = MemoryKeyring()
    monkeypatch.setitem(sys.modules, "keyring", made)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    return made


def save(*argv):
    return run_cli("profile", "save", *argv)


class TestWhatIsSaved:
    def test_a_profile_is_changed_by_what_is_said(self):
        done = save("office", "-C", "--keepalive-count", "9", "--note", "x", "--replace")
        assert done.code == 0, done.err
        changed = profiles.get("office")
        assert changed.tunnel.compression
        assert changed.keepalive_auto
        assert changed.tunnel.keepalive == Keepalive(30, 9)
        assert (changed.note, len(changed.tunnel.forwards)) == ("x", 2)
        save("office", "--launch", "rdp", "--replace")
        assert (profiles.get("office").note, profiles.get("office").launch) == ("x", "rdp")
        save("office", "--launch", "none", "--note", "", "--replace")
        assert (profiles.get("office").note, profiles.get("office").launch) == ("", "")

    def test_a_profile_like_another(self):
        assert save("desk", "office", "-D", "9").code == 0
        desk = profiles.get("desk").tunnel
        assert (desk.gateway, [str(each) for each in desk.forwards]) == (
            Gateway("gw.example", "me", 2222),
            ["9"],
        )

    def test_nothing_to_change(self):
        done = save("new", "-D", "1")
        assert (done.code, done.err.splitlines()[0]) == (
            2,
            "netkit: no gateway is named, and there is no profile new to change [no-gateway]",
        )

    def test_without_forwards(self, file):
        done = save("bare", "gw")
        assert (done.code, done.err.splitlines()) == (
            0,
            [
                f"netkit: bare: added in {file}",
                "netkit: it has no forwards: netkit up bare needs some, which ssh_config may name",
            ],
        )

    def test_the_default(self):
        save("new", "gw", "-D", "1", "--default")
        assert profiles.load().default == "new"

    def test_a_proxy_with_a_password(self, file):
        before = file.read_text()
        done = save("new", "gw", "-D", "1", "--proxy", "socks5://me:hush@h:1")
        assert done.code == 2
        assert "must not hold a password" in done.err
        assert "hush" not in done.err.splitlines()[0]
        assert file.read_text() == before


class TestPasswords:
    def test_from_standard_input(self, keyring, monkeypatch, file):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hush\n")))
        done = save("new", "gw", "-D", "1", "--password-stdin")
        assert done.code == 0, done.err
        assert "netkit: new: the password is in the keyring" in done.err
        assert keyring.held == {("netkit", "new"): "hush"}
        assert "hush" not in file.read_text() + done.out + done.err

    def test_asked(self, keyring, monkeypatch):
        asked = []

        def secret(_self, prompt):
            asked.append(prompt)
            return "hush"

        monkeypatch.setattr(TerminalPrompter, "secret", secret)
        assert save("office", "--ask-password").code == 0
        assert asked == ["Password for me@gw.example:2222:"]
        assert keyring.held == {("netkit", "office"): "hush"}

    def test_nobody_to_ask(self, keyring, monkeypatch):
        monkeypatch.setattr(TerminalPrompter, "secret", lambda *_: None)
        monkeypatch.setattr(TerminalPrompter, "has_terminal", staticmethod(lambda: False))
        done = save("new", "gw", "-D", "1", "--ask-password")
        assert done.code == 2
        assert done.err == (
            "netkit: no password was given [no-password]\n"
            "  cause: there is no terminal to ask on\n"
            "  next:  netkit profile save new gw -D 1 --ask-password --password-stdin"
            "   (reads a pipe)\n"
        )
        assert profiles.load().find("new") is None

    def test_no_keyring(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "keyring", None)
        monkeypatch.setattr(TerminalPrompter, "secret", lambda *_: "hush")
        done = save("office", "--ask-password")
        assert (done.code, done.err.splitlines()[1:3]) == (
            3,
            [
                "netkit: there is nothing to keep a password in [no-keyring]",
                "  cause: the package keyring is not installed",
            ],
        )

    def test_it_goes_with_its_profile(self, keyring):
        keyring.held["netkit", "office"] = "hush"
        done = run_cli("profile", "rename", "office", "desk")
        assert done.err == "netkit: office is called desk now with its password\n"
        assert keyring.held == {("netkit", "desk"): "hush"}
        done = run_cli("profile", "remove", "desk")
        assert done.err == "netkit: desk and its password are removed\n"
        assert keyring.held == {}
