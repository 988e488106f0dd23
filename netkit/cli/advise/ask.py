"""The questions of ``netkit advise`` on the terminal, one after another."""

from __future__ import annotations

from typing import Protocol

import click

from netkit.advise.questions import Question, check_answer
from netkit.errors import UsageError

_TRIES = 20
"""Answers to one question that are looked at before it is given up."""


class Asks(Protocol):
    """Somebody who can be shown lines and asked with one."""

    def show(self, text: str) -> None:
        """Show lines of text."""

    def answer(self, prompt: str) -> str | None:
        """Return the answer; None: there is none, as at the end of input."""


class Interview:
    """Asks until an answer will do."""

    def __init__(self, person: Asks) -> None:
        self._person = person

    def ask(self, question: Question) -> tuple[str, ...]:
        """Return the answer's values.

        Raises:
            click.Abort: no answer comes, or none that will do.
        """
        if question.choices:
            self._person.show(choices(question))
        for _ in range(_TRIES):
            answer = self._person.answer(prompt(question))
            if answer is None:
                break
            try:
                return check_answer(question, answer)
            except UsageError as error:
                reason = f": {error.cause}" if error.cause else ""
                self._person.show(f"{error.summary}{reason}.")
        raise click.Abort


def choices(question: Question) -> str:
    """Return the question with its numbered choices, one a line."""
    words = [f"  {number}) {text}" for number, (_, text) in enumerate(question.choices, 1)]
    return "\n".join([question.text, *words])


def prompt(question: Question) -> str:
    """Return the line that the answer is typed behind."""
    default = f" [{question.default}]" if question.default else ""
    if question.choices:
        return f"1-{len(question.choices)}{default}:"
    return f"{question.text}{default}"
