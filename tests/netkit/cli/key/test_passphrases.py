"""Passphrases from standard input and from a person."""

from __future__ import annotations

import io
import os
import sys
from functools import partial

import pytest

from netkit.cli.key.passphrases import StdinLines, ask_new, nobody_to_ask, unlock
from netkit.errors import KeyFileError, UsageError
from support.prompts import Person


@pytest.fixture
def stdin(monkeypatch):
    """Return a function that puts bytes on standard input, which ends then."""
    opened = []

    def put(data: bytes) -> None:
        read, write = os.pipe()
        os.write(write, data)
        os.close(write)
        opened.append(os.fdopen(read, "r"))
        monkeypatch.setattr(sys, "stdin", opened[-1])

    yield put
    for file in opened:
        file.close()


def test_a_line_each(stdin):
    stdin("first\r\nzweit\u00e4\nlast".encode())
    lines = StdinLines()
    assert [lines.next("x") for _ in range(3)] == ["first", "zweitä", "last"]
    with pytest.raises(UsageError) as caught:
        lines.next("new passphrase")
    assert caught.value.summary == "standard input gives no new passphrase"


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\n", b"x" * 5000 + b"\n", b"\r\n"])
def test_lines_that_are_none(stdin, data):
    stdin(data)
    with pytest.raises(UsageError) as caught:
        StdinLines().next("passphrase")
    assert caught.value.code == "no-passphrase-on-stdin"
    assert "xxx" not in caught.value.cause


def test_standard_input_of_other_kinds(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="no passphrase"):
        StdinLines().next("passphrase")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo\n")))
    lines = StdinLines()
    assert (lines.next("x"), lines.next("x")) == ("one", "two")


def test_a_terminal_would_show_it(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(UsageError) as caught:
        StdinLines().next("passphrase")
    assert "show it" in caught.value.cause


def test_a_new_one_is_asked_for_twice():
    person = Person(["secret", "secret"])
    assert ask_new(person, "the new key", "new") == "secret"
    assert len(person.asked) == 2
    assert ask_new(Person([""]), "x", "new") is None


def test_typing_errors_are_told():
    person = Person(["one", "two", "three", "three"])
    assert ask_new(person, "x", "new") == "three"
    assert person.shown == ["They differ; once more."]


@pytest.mark.parametrize("answers", [[], ["one"], ["1", "2"] * 3])
def test_no_answer(answers):
    with pytest.raises(UsageError) as caught:
        ask_new(Person(answers), "x", "convert")
    assert caught.value.code == "no-passphrase"
    assert [fix.argv[-1] for fix in caught.value.fixes] == [
        "--new-passphrase-stdin",
        "--no-passphrase",
    ]


def test_nobody_to_ask():
    error = nobody_to_ask("x", "new")
    assert [fix.argv[-1] for fix in error.fixes] == ["--passphrase-stdin", "--no-passphrase"]


def opener(right: str, code: str = "key-wrong-passphrase"):
    def open_with(answer: str) -> int:
        if answer != right:
            raise KeyFileError("no", code=code)
        return 42

    return open_with


def test_unlocking_asks_again():
    person = Person(["wrong", "right"])
    assert unlock(opener("right"), lambda: person.secret("p"), KeyFileError("n")) == (42, "right")


def test_unlocking_ends():
    nobody = KeyFileError("nobody", code="key-encrypted")
    for answers, code in (
        ([], "key-encrypted"),
        (["1", "2", "3", "right"], "key-wrong-passphrase"),
    ):
        person = Person(answers)
        with pytest.raises(KeyFileError) as caught:
            unlock(opener("right"), partial(person.secret, "p"), nobody)
        assert caught.value.code == code
    with pytest.raises(KeyFileError) as caught:
        unlock(opener("right", "key-unsupported"), lambda: "x", nobody)
    assert caught.value.code == "key-unsupported"
