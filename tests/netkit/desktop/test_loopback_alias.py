from __future__ import annotations

import sys
from pathlib import Path

import pytest

from netkit.desktop import loopback_alias

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for sudo")


@pytest.fixture
def sudo(tmp_path: Path, monkeypatch):
    """A sudo that notes its words, and refuses if there is a file ``refuse``."""
    path = tmp_path / "sudo"
    path.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/said\n[ ! -e {tmp_path}/refuse ]\n'
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_it_is_added_and_taken_back(sudo: Path):
    assert loopback_alias.add("127.0.0.2", terminal=True)
    assert loopback_alias.remove("127.0.0.2", terminal=False)
    assert (sudo / "said").read_text().splitlines() == [
        "ifconfig lo0 alias 127.0.0.2 up",
        "-n ifconfig lo0 -alias 127.0.0.2",  # nobody could answer
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_refusal_is_told(sudo: Path, terminal: bool):
    (sudo / "refuse").touch()
    assert not loopback_alias.add("127.0.0.2", terminal=terminal)


@pytest.mark.parametrize("terminal", [True, False])
def test_there_is_no_sudo(tmp_path: Path, monkeypatch, terminal: bool):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not loopback_alias.add("127.0.0.2", terminal=terminal)


def test_the_command_as_a_fix():
    fix = loopback_alias.alias_fix("127.0.0.2")
    assert fix.command == "sudo ifconfig lo0 alias 127.0.0.2 up"
    assert fix.undo == ("sudo", "ifconfig", "lo0", "-alias", "127.0.0.2")
