"""Each question to a person once, over many logins."""

from __future__ import annotations

from netkit.doctor.answers import Answers
from netkit.prompt import HostKeyQuestion
from support.prompts import Person

QUESTION = HostKeyQuestion("gw", "192.0.2.1", "ED25519", "SHA256:x", "art")


def test_a_secret_is_asked_once():
    person = Person(["pw", "passphrase"])
    answers = Answers(person)
    for _ in range(3):
        login = answers.for_login()
        assert login.secret("password: ") == "pw"
        assert login.secret("key: ") == "passphrase"
    assert person.asked == ["password: ", "key: "]


def test_a_wrong_one_is_asked_again():
    person = Person(["wrong", "right"])
    answers = Answers(person)
    login = answers.for_login()
    assert [login.secret("p"), login.secret("p")] == ["wrong", "right"]
    assert answers.for_login().secret("p") == "right"
    assert len(person.asked) == 2


def test_no_answer_is_not_remembered():
    person = Person([None, "later"])
    answers = Answers(person)
    assert answers.for_login().secret("p") is None
    assert answers.for_login().secret("p") == "later"


def test_what_is_typed_openly_is_asked_each_time():
    person = Person(answers=["123456", "654321"])
    answers = Answers(person)
    assert answers.for_login().answer("code: ") == "123456"
    assert answers.for_login().answer("code: ") == "654321"


def test_texts_are_shown_once():
    person = Person()
    answers = Answers(person)
    for text in ("welcome", "welcome", "other"):
        answers.for_login().show(text)
    assert person.shown == ["welcome", "other"]


def test_a_host_key_is_asked_about_once():
    for trusts in (True, False):
        person = Person(trusts=trusts)
        answers = Answers(person)
        verdicts = [answers.for_login().trust_host_key(QUESTION) for _ in range(3)]
        assert verdicts == [trusts] * 3
        assert person.host_keys == [QUESTION]


def test_asked_directly_it_asks_anew():
    person = Person(["one", "two"])
    answers = Answers(person)
    assert [answers.secret("p"), answers.secret("p")] == ["one", "two"]
