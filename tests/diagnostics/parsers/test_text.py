from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.text import clean, lines


def test_clean_keeps_printable_text():
    assert clean("größe 5 MB") == "größe 5 MB"
    assert clean("ünï".encode()) == "ünï"


def test_clean_replaces_what_a_terminal_would_obey():
    assert clean("a\x1b[31m\nb\x00\x85") == "a?[31m?b??"


def test_clean_cuts():
    assert clean("x" * 300, 10) == "x" * 9 + "…"
    assert clean("x" * 10, 10) == "x" * 10


@given(st.text() | st.binary(), st.integers(1, 50))
def test_clean_is_total_and_bounded(text, limit):
    shown = clean(text, limit)
    assert len(shown) <= limit
    assert shown == "" or shown.isprintable()


@given(st.binary() | st.text())
def test_lines_is_total(data):
    assert all(len(line) <= 8 for line in lines(data, 5, 8))
    assert len(lines(data, 5, 8)) <= 5
