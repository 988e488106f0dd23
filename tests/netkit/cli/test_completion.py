from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from netkit.cli import completion
from netkit.cli.main import COMPLETE_VARIABLE, cli
from support.cli import ROOT, run_cli


@pytest.mark.parametrize(
    ("shell", "text"),
    [
        ("bash", "complete -o nosort -F _netkit_completion netkit"),
        ("zsh", "#compdef netkit"),
        ("fish", "complete --no-files --command netkit"),
        ("powershell", "Register-ArgumentCompleter -Native -CommandName netkit"),
    ],
)
def test_script(shell, text):
    done = run_cli("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert text in done.out
    assert f"{COMPLETE_VARIABLE}" in done.out
    assert "%(" not in done.out


def test_unknown_shell():
    done = run_cli("completion", "tcsh")
    assert done.code == 2
    assert "'tcsh' is not one of" in done.err
    with pytest.raises(KeyError):
        completion.script("tcsh", cli)


def test_scripts_are_made_without_running_a_shell(monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    assert run_cli("completion", "bash").code == 0


def complete(monkeypatch, shell: str, **words: str) -> tuple[int, list[str]]:
    monkeypatch.setenv(COMPLETE_VARIABLE, f"{shell}_complete")
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    done = run_cli()
    assert done.err == ""
    return done.code, done.out.splitlines()


def test_commands(monkeypatch):
    code, lines = complete(monkeypatch, "bash", COMP_WORDS="netkit ", COMP_CWORD="1")
    assert code == 0
    names = [
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
    assert lines == [f"plain,{name}" for name in names]


def test_options(monkeypatch):
    words = {"COMP_WORDS": "netkit forward gw --keep", "COMP_CWORD": "3"}
    assert complete(monkeypatch, "bash", **words)[1] == [
        "plain,--keepalive",
        "plain,--keepalive-count",
    ]


def test_choices(monkeypatch):
    words = {"COMP_WORDS": "netkit forward --host-key a", "COMP_CWORD": "3"}
    assert complete(monkeypatch, "bash", **words)[1] == ["plain,ask", "plain,accept-new"]


def test_gateways(monkeypatch, tmp_path):
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Host gw1 gw2\n")
    words = {"COMP_WORDS": "netkit forward me@g", "COMP_CWORD": "2", "HOME": str(tmp_path)}
    assert complete(monkeypatch, "bash", **words)[1] == ["plain,me@gw1", "plain,me@gw2"]


@pytest.mark.parametrize(
    ("line", "word", "expected"),
    [
        (
            "netkit ",
            "",
            [
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
            ],
        ),
        ("netkit fo", "fo", ["forward"]),
        ("netkit forward --host-key ", "", ["ask", "accept-new", "strict"]),
        ("netkit forward --host-key st", "st", ["strict"]),
        ("netkit completion 'po", "'po", ["powershell"]),
    ],
)
def test_powershell(monkeypatch, line, word, expected):
    code, lines = complete(monkeypatch, "powershell", COMP_WORDS=line, COMP_WORD=word)
    assert code == 0
    fields = [each.split("\t") for each in lines]
    assert [field[:2] for field in fields] == [["plain", value] for value in expected]
    assert all(len(field) == 3 for field in fields)


@pytest.mark.parametrize("instruction", ["nosuch_complete", "bash_nosuch", "x", "bash_complete"])
def test_a_broken_request_prints_no_traceback(monkeypatch, instruction):
    monkeypatch.setenv(COMPLETE_VARIABLE, instruction)
    monkeypatch.setenv("COMP_WORDS", "netkit 'x")
    monkeypatch.setenv("COMP_CWORD", "not a number")
    done = run_cli()
    assert (done.code, done.err) == (1, "")


def test_bash_takes_the_script(tmp_path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    script = f"""
    netkit() {{ echo wrong; }}
    {run_cli("completion", "bash").out}
    COMP_WORDS=(netkit comp); COMP_CWORD=1
    _netkit_completion {tmp_path}/netkit
    echo "${{COMPREPLY[@]}}"
    """
    (tmp_path / "netkit").write_text(f'#!/bin/sh\nexec "{_python()}" -m netkit "$@"\n')
    (tmp_path / "netkit").chmod(0o755)
    done = subprocess.run(
        [bash, "--norc", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.stdout.strip(), done.stderr) == ("completion", "")


def _python() -> str:
    import sys

    return sys.executable
