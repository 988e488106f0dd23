"""The group ``netkit key`` and what its commands take."""

from __future__ import annotations

import subprocess
import sys

import pytest

from netkit.cli.key.command import command
from support.cli import run_cli


def test_the_group_lists_its_commands():
    done = run_cli("key", "--help")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.partition("Commands:\n")[2].splitlines()] == [
        "convert",
        "install",
        "new",
        "show",
    ]


@pytest.mark.parametrize("name", sorted(command.commands))
def test_help_has_examples_and_loads_nothing_heavy(name):
    code = (
        "import sys; from netkit.cli.main import run; "
        f"c = run(['key', '{name}', '--help']); "
        "heavy = {'cryptography', 'paramiko', 'rich', 'bcrypt'} & set(sys.modules); "
        "sys.exit(c or bool(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: netkit key" in done.stdout


@pytest.mark.parametrize(
    "argv",
    [
        ("key",),
        ("key", "odd"),
        ("key", "new", "--type", "dsa"),
        ("key", "new", "a", "b"),
        ("key", "convert"),
        ("key", "convert", "x"),
        ("key", "convert", "x", "--to", "pgp"),
        ("key", "show"),
        ("key", "install"),
        ("key", "install", "gw", "-i", "a", "-i", "b"),
        ("key", "install", "gw", "--permit-open", "a:1"),
        ("key", "install", "gw:99999"),
    ],
)
def test_wrong_command_lines(argv):
    done = run_cli(*argv)
    assert done.code == 2
    assert done.err
    assert "Traceback" not in done.err
