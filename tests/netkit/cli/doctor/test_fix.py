"""--fix: asks, runs what is confirmed, looks whether it helped."""

from __future__ import annotations

import os

import pytest

from netkit.cli.doctor import fix as doctor_fix
from netkit.cli.doctor.fix import Mender, as_admin, usable
from netkit.cli.output import Output
from netkit.errors import UsageError
from netkit.model import Fix
from support.reports import ALIAS, FINDING, report, result


class Person:
    """Answers in turn; ``terminal`` says whether there is one."""

    def __init__(self, *answers: str, terminal: bool = True) -> None:
        self.answers = list(answers)
        self.terminal = terminal

    def has_terminal(self) -> bool:
        return self.terminal

    def answer(self, _prompt: str) -> str | None:
        return self.answers.pop(0) if self.answers else None


def mend(person: Person, found=FINDING, status: int | None = 0, still=False, **more):
    ran: list[tuple[str, ...]] = []

    def run(argv: tuple[str, ...]) -> int | None:
        ran.append(argv)
        return status

    Mender(Output(), person, lambda _code: still, run=run, **more).mend(report(result(found)))
    return ran


def test_only_what_is_confirmed_is_run(capsys):
    (argv,) = mend(Person("y"))
    assert argv[-2:] == ("127.0.0.2", "up")
    out = capsys.readouterr().out
    assert "undo: sudo ifconfig lo0 -alias 127.0.0.2" in out
    assert "mended" in out


@pytest.mark.parametrize("answer", ["", "n", "q", "what"])
def test_anything_else_runs_nothing(answer):
    assert mend(Person(answer)) == []


def test_nobody_to_answer_any_more():
    assert mend(Person()) == []


def test_without_a_terminal_it_refuses():
    with pytest.raises(UsageError, match="no terminal"):
        mend(Person(terminal=False))


def test_dry_run_prints_the_commands(capsys):
    assert mend(Person(terminal=False), dry_run=True) == []
    assert "would offer: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "still", "words"),
    [(3, False, "it ended with 3"), (None, False, "could not be run"), (0, True, "still found")],
)
def test_what_did_not_help_is_said(capsys, status, still, words):
    mend(Person("y"), status=status, still=still)
    assert words in capsys.readouterr().out


def test_nothing_to_mend(capsys):
    Mender(Output(), Person(), lambda _code: None).mend(report(result()))
    assert "nothing here can be mended" in capsys.readouterr().out


def test_what_only_says_what_to_type_is_not_offered():
    assert usable(FINDING) == (ALIAS,)


def test_sudo_where_it_is_needed(monkeypatch):
    plain = Fix(("ip", "link"), needs_admin=True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert as_admin(plain) == ("sudo", "ip", "link")
    assert as_admin(ALIAS) == ALIAS.argv
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert as_admin(ALIAS) == ALIAS.argv[1:]
    assert as_admin(plain) == plain.argv


def test_running_for_real():
    assert doctor_fix._run(("true",)) == 0
    assert doctor_fix._run(("no-such-program-anywhere",)) is None
