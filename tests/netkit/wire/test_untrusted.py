"""A peer's words on our terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.wire.untrusted import printable, printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("über 日本", "über 日本"),
        ("\x1b[2Jboo\x07", "?[2Jboo?"),
        ("two\nlines\r\n", "two lines"),
        ("right\u202eto left", "right?to left"),
        (b"bytes \xff", "bytes \ufffd"),
    ],
)
def test_one_line(text, shown):
    assert printable(text) == shown


def test_length_is_bounded_and_says_so():
    assert printable("x" * 500, 10) == "x" * 9 + "…"
    assert printable("x" * 10, 10) == "x" * 10


def test_lines_are_kept():
    assert printable_lines("a\r\n\n  b\x1bc  \n") == "a\n\n  b?c"


@given(st.one_of(st.text(), st.binary()), st.integers(1, 50))
def test_any_text_becomes_short_and_printable(text, limit):
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert all(char.isprintable() or char == "\t" for char in shown)


@given(st.one_of(st.text(), st.binary()))
def test_any_text_becomes_printable_lines(text):
    shown = printable_lines(text, max_lines=3, limit=20)
    assert len(shown.split("\n")) <= 3
    assert all(char.isprintable() or char in "\t\n" for char in shown)
