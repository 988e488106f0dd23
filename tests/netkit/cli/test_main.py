from __future__ import annotations

import errno
import importlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from netkit import __version__
from netkit.cli import main
from netkit.errors import HostKeyError
from support.cli import environment, run_cli

FULL = Path("/dev/full")


def test_version():
    done = run_cli("--version")
    assert (done.code, done.out, done.err) == (0, f"netkit {__version__}\n", "")


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(option):
    done = run_cli(option)
    assert (done.code, done.err) == (0, "")
    assert "Try it without any gateway: netkit demo" in done.out


def test_nothing_said_shows_the_help_as_an_error():
    done = run_cli()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: netkit [OPTIONS] COMMAND [ARGS]...")


def test_commands_listed_are_those_there_are():
    listed = run_cli("--help").out.partition("Commands:\n")[2].partition("\n\n")[0]
    names = [line.split()[0] for line in listed.splitlines() if line[:3].strip()]
    assert (
        names
        == sorted(main.COMMANDS)
        == [
            "add",
            "advise",
            "bench",
            "completion",
            "demo",
            "doctor",
            "down",
            "forward",
            "gateway",
            "key",
            "open",
            "profile",
            "protocols",
            "rdp",
            "remove",
            "service",
            "shortcut",
            "status",
            "top",
            "up",
            "vnc",
            "x11",
        ]
    )


@pytest.mark.parametrize("name", sorted(main.COMMANDS))
def test_short_help_is_the_commands_own(name):
    command = main.load(name)
    assert command.name == name
    assert command.get_short_help_str(200) == main.COMMANDS[name]


@pytest.mark.parametrize("name", sorted(main.COMMANDS))
def test_help_of_a_command(name):
    done = run_cli(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: netkit {name} ")
    assert max(map(len, done.out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("argv", "first", "following"),
    [
        (["nosuch"], "netkit: no such command 'nosuch' [usage]", "netkit --help"),
        (["--nosuch"], "netkit: no such option '--nosuch' [usage]", "netkit --help"),
        (
            ["forward", "--bnd", "x"],
            "netkit: no such option '--bnd'. Did you mean '--bind'? [usage]",
            "netkit forward --help",
        ),
        (
            ["completion"],
            (
                "netkit: missing argument '{bash|zsh|fish|powershell}'."
                " Choose from: bash, zsh, fish, powershell [usage]"
            ),
            "netkit completion --help",
        ),
    ],
)
def test_usage_errors(argv, first, following):
    done = run_cli(*argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        first,
        "  cause: the command line is not understood",
        f"  next:  {following}",
    ]


@pytest.fixture
def failing(monkeypatch):
    """Return a function that makes ``netkit demo`` raise."""

    def use(error: BaseException) -> None:
        @click.command("demo")
        def command() -> None:
            raise error

        monkeypatch.setattr(importlib.import_module("netkit.cli.demo.command"), "command", command)

    return use


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (HostKeyError("changed"), 5, "netkit: changed [host-key-refused]\n"),
        (RuntimeError("oops"), 70, "netkit: internal error: RuntimeError: oops [bug]\n"),
        (OSError(errno.EIO, "Input/output error"), 70, "netkit: internal error: OSError"),
        (click.Abort(), 130, ""),
        (click.exceptions.Exit(7), 7, ""),
    ],
)
def test_every_error_has_its_code(failing, error, code, text):
    failing(error)
    done = run_cli("demo")
    assert done.code == code
    assert done.err.startswith(text)
    assert bool(done.err) == bool(text)


def test_help_of_the_failing_command_is_named(failing):
    from netkit.errors import UsageError

    failing(UsageError("no"))
    assert run_cli("demo").err.splitlines()[2] == "  next:  netkit demo --help"


def netkit(*argv: str, tmp_path, **options):
    settings = {"capture_output": True, "text": True, "env": environment(tmp_path), **options}
    return subprocess.run([sys.executable, "-m", "netkit", *argv], check=False, **settings)


@pytest.mark.parametrize("argv", [["--help"], ["forward", "--help"], ["completion", "bash"]])
def test_full_disk(argv, tmp_path):
    if not FULL.exists():
        pytest.skip("no /dev/full here")
    with FULL.open("w") as full:
        done = netkit(*argv, tmp_path=tmp_path, capture_output=False, stdout=full, stderr=-1)
    assert done.returncode == 3
    assert done.stderr.startswith(
        "netkit: cannot write to standard output: No space left on device [output-failed]\n"
    )
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.parametrize("argv", [["--help"], ["forward", "--help"], ["completion", "bash"]])
def test_a_reader_that_left_is_quiet(argv, tmp_path):
    read, write = os.pipe()
    os.close(read)
    done = netkit(*argv, tmp_path=tmp_path, capture_output=False, stdout=write, stderr=-1)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_text_that_the_encoding_lacks_is_escaped(tmp_path):
    env = environment(tmp_path, PYTHONIOENCODING="ascii")
    done = netkit("forward", "g\u00fc\u2026", "--keepalive", "\u20ac", tmp_path=tmp_path, env=env)
    assert done.returncode == 2
    assert "\\u20ac" in done.stderr
    done = netkit("forward", "--help", tmp_path=tmp_path, env=env)
    assert done.returncode == 0


def test_help_is_quick(tmp_path):
    """The least of a few runs: the machine may be busy."""
    import resource

    def cpu_seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        netkit("--help", tmp_path=tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cpu_seconds() for _ in range(5)) < 0.15
