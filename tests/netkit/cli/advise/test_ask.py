from __future__ import annotations

import click
import pytest

from netkit.advise.questions import QUESTIONS
from netkit.cli.advise.ask import Interview, choices, prompt


class Person:
    def __init__(self, *answers: str | None) -> None:
        self.answers = list(answers)
        self.heard: list[str] = []

    def show(self, text: str) -> None:
        self.heard.append(text)

    def answer(self, text: str) -> str | None:
        self.heard.append(text)
        return self.answers.pop(0) if self.answers else None


def test_an_answer():
    assert Interview(Person("3")).ask(QUESTIONS["need"]) == ("network",)


def test_it_is_asked_again_with_the_reason():
    person = Person("", "everything", "10.1.0.1/16", "tcp")
    assert Interview(person).ask(QUESTIONS["need"]) == ("tcp",)
    assert "an answer is needed" in person.heard[2]
    assert "it is one of tcp, web" in person.heard[4]


def test_a_malformed_network_is_told_why():
    person = Person("10.1.0.1/16", "10.1.0.0/16")
    assert Interview(person).ask(QUESTIONS["remote-net"]) == ("10.1.0.0/16",)
    assert "the network is 10.1.0.0/16" in person.heard[1]


@pytest.mark.parametrize("answers", [(), (None,), ("x",), ("x",) * 50])
def test_without_an_answer_it_ends(answers):
    with pytest.raises(click.Abort):
        Interview(Person(*answers)).ask(QUESTIONS["need"])


def test_prompts():
    assert prompt(QUESTIONS["udp"]) == "1-2 [yes]:"
    assert choices(QUESTIONS["udp"]).splitlines()[1] == "  1) yes, or unknown"
    assert prompt(QUESTIONS["gateway"]) == "The gateway's SSH login, as in me@gateway.example?"
