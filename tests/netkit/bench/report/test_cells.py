"""Columns of a terminal: nothing is wider than asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.bench.report.cells import cut, left, right, table, tied, width, wrap

TEXT = st.text(max_size=60) | st.text("aé長 \u0301", max_size=60)


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("長い", 4), ("e\u0301", 1), ("", 0), ("a\u200bb", 2)]
)
def test_width(text, columns):
    assert width(text) == columns


@given(TEXT, st.integers(1, 40))
def test_cut_fits(text, columns):
    made = cut(text, columns)
    assert width(made) <= columns
    assert made == text if width(text) <= columns else made.endswith("…")


@given(TEXT, st.integers(1, 40))
def test_left_and_right_fill(text, columns):
    assert width(left(text, columns)) == width(right(text, columns)) == columns


def test_sides():
    assert left("長い", 6) == "長い  "
    assert right("ab", 4) == "  ab"
    assert cut("abcdef", 4) == "abc…"


@given(TEXT, st.integers(2, 40))
def test_wrap_loses_nothing(text, columns):
    lines = wrap(text, columns)
    assert all(width(line) <= columns for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "").replace("\u00a0", "")


def test_wrap_keeps_numbers_and_units_together():
    assert wrap("links below 239 Mbit/s", 16) == ["links below", "239 Mbit/s"]
    assert tied("5 MB/s or 1 to 2") == "5\u00a0MB/s or 1\u00a0to 2"


def test_wrap_breaks_long_words():
    assert wrap("a bcdefgh", 3) == ["a", "bcd", "efg", "h"]


@given(
    st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=4),
    st.text("lr", min_size=3, max_size=3),
    st.integers(12, 60),
)
def test_tables_fit(rows, aligned, columns):
    lines = table(rows, aligned=aligned, columns=columns)
    assert len(lines) == len(rows)
    assert all(width(line) <= columns for line in lines)


def test_table_aligns():
    made = table([("a", "1"), ("長い", "22")], aligned="lr", columns=20)
    assert made == ["a      1", "長い  22"]


def test_a_wide_table_cuts_its_widest_words_not_its_numbers():
    made = table([("a long name", "short", "123")], aligned="llr", columns=16)
    assert made == ["a lo…  sho…  123"] or made[0].endswith("123")
    assert "123" in made[0]
