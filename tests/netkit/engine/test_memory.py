"""Which answers are kept, and for how long."""

from __future__ import annotations

import pytest

from netkit.engine.memory import Memory, is_lasting
from netkit.prompt import HostKeyQuestion
from support.prompts import Person

PASSWORD = "me@gw's password: "


def test_an_answer_is_good_for_the_next_attempt():
    person = Person(secrets=["s3cret"])
    memory = Memory(person)
    for _ in range(3):
        memory.begin()
        assert memory.secret(PASSWORD) == "s3cret"
    assert person.asked == [PASSWORD]


def test_one_that_was_wrong_is_asked_for_at_once():
    person = Person(secrets=["typo", "s3cret"])
    memory = Memory(person)
    memory.begin()
    assert [memory.secret(PASSWORD), memory.secret(PASSWORD)] == ["typo", "s3cret"]
    memory.begin()
    assert memory.secret(PASSWORD) == "s3cret"


def test_one_that_has_become_wrong_is_asked_for():
    person = Person(secrets=["old", "new"])
    memory = Memory(person)
    memory.begin()
    memory.secret(PASSWORD)
    memory.begin()
    assert [memory.secret(PASSWORD), memory.secret(PASSWORD)] == ["old", "new"]
    assert len(person.asked) == 2


def test_silence_is_not_kept():
    person = Person(secrets=[None, "s3cret"])
    memory = Memory(person)
    memory.begin()
    assert memory.secret(PASSWORD) is None
    memory.begin()
    assert memory.secret(PASSWORD) == "s3cret"


@pytest.mark.parametrize(
    ("prompt", "lasting"),
    [
        (PASSWORD, True),
        ("Password: ", True),
        ("Enter passphrase for key '/home/me/.ssh/new_code': ", True),
        ("One-time password: ", False),
        ("Verification code: ", False),
        ("New password: ", False),
        ("PIN: ", False),
    ],
)
def test_codes_are_for_one_login(prompt: str, lasting: bool):
    assert is_lasting(prompt) is lasting
    person = Person(secrets=["1", "2"])
    memory = Memory(person)
    memory.begin()
    memory.secret(prompt)
    memory.begin()
    assert memory.secret(prompt) == ("1" if lasting else "2")


def test_everything_else_goes_through():
    person = Person(answers=["yes"], trusts=True)
    memory = Memory(person)
    question = HostKeyQuestion("gw", "1.2.3.4", "ssh-ed25519", "SHA256:x", "art")
    assert memory.answer("Really? ") == "yes"
    assert memory.trust_host_key(question)
    memory.show("hello")
    assert person.shown == ["hello"]
