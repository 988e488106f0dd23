"""Options before a key in authorized_keys."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import key_options
from diagnostics.parsers.key_options import KeyLine, line_of, parse_answer, parse_keys
from diagnostics.parsers.public_keys import fingerprint

BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)
KEY = f"ssh-ed25519 {base64.b64encode(BLOB).decode()}"
MARK = fingerprint(BLOB)


def options(line: str) -> tuple[str, ...]:
    (found,) = parse_keys("/k", line.encode())
    assert found.fingerprint == MARK
    return found.options


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (KEY, ()),
        (f"  {KEY} a comment", ()),
        (f"restrict {KEY}", ("restrict",)),
        (f'No-Pty,permitopen="a:1",command="say \\"x, y\\"" {KEY}', None),
    ],
)
def test_options(line, expected):
    given_options = ("no-pty", 'permitopen="a:1"', 'command="say \\"x, y\\""')
    assert options(line) == (given_options if expected is None else expected)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ""),
        (("no-pty",), ""),
        (("restrict",), "restrict"),
        (("restrict", "port-forwarding"), ""),
        (("port-forwarding", "no-port-forwarding"), "no-port-forwarding"),
    ],
)
def test_what_forbids(words, expected):
    line = KeyLine(file="/k", line=3, options=words, fingerprint="")
    assert line.forbids_forwarding == expected
    assert line.place == "/k:3"


def test_lines_without_a_key():
    data = f"# {KEY}\n\nnothing\n,{KEY}\nssh-ed25519 AAAAAAAAAAAAAAAAA\n" + f"a b {KEY}\n"
    assert parse_keys("/k", data.encode()) == ()


def test_values_of_an_option_that_is_given_twice():
    (found,) = parse_keys("/k", f'permitopen="a:1",permitopen="b:2" {KEY}'.encode())
    assert found.values("permitopen") == ("a:1", "b:2")
    assert found.values("permitlisten") == ()


def test_limits(monkeypatch):
    assert parse_keys("/k", (",".join(["a"] * 100) + f" {KEY}").encode()) == ()
    monkeypatch.setattr(key_options, "MAX_KEYS", 2)
    assert len(parse_keys("/k", f"{KEY}\n{KEY}\n{KEY}\n".encode())) == 2


def test_an_answer():
    answer = (
        "a banner\nnetkit-42\nnetkit-part id\n0\nnetkit-part files\n"
        f"netkit-file /a\n{KEY}\n\nnetkit-file /b\nrestrict {KEY}\n\nnetkit-part end\n"
    )
    first, second = parse_answer(answer.encode())
    assert (first.file, second.file) == ("/a", "/b")
    assert line_of((first, second), f"publickey ED25519 {MARK}") is first
    assert line_of((first,), "password") is None
    assert parse_answer(b"This account is not available.\n") == ()
    assert parse_answer(b"netkit-42\n") == ()
    assert parse_answer(b"netkit-42\nnetkit-part files\nnetkit-file /a\nnetkit-denied\n") == ()


def test_the_command():
    assert "for f in /a /b;" in key_options.ask(("/a", "/b"))


@given(st.binary())
def test_total(data):
    for each in parse_keys("/k", data):
        assert isinstance(each.forbids_forwarding, str)
    parse_answer(b"netkit-42\nnetkit-part files\nnetkit-file /k\n" + data)
    parse_answer(data)


@given(st.lists(st.sampled_from(['a="', '"', ",", " ", "\\", "restrict", KEY, "="]), max_size=12))
def test_total_for_what_looks_like_options(words):
    parse_keys("/k", "".join(words).encode())
