"""Where keys of a TOML text are."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.text.profiles.lines import header_keys, line_of, statements
from support.profiles import OFFICE

TEXT = '''\
# comment = 1

top = """
[not.a.header]
"""
list = [
  1,  # [no.header]
  2,
]
[a."b.c"]  # header
key = 'x # y'
inline = { one = 1, two = { three = 3 } }
[[a.list]]
key = 1
[[a.list]]
other = "]"
[a.list.sub]
deep = 1
dotted.key = 2
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 3),
        (("list", 1), 6),
        (("a", "b.c"), 10),
        (("a", "b.c", "key"), 11),
        (("a", "b.c", "inline", "two", "three"), 12),
        (("a", "list", 0, "key"), 14),
        (("a", "list", 1), 15),
        (("a", "list", 1, "other"), 16),
        (("a", "list", 1, "sub", "deep"), 18),
        (("a", "list", 1, "sub", "dotted", "key"), 19),
        (("nowhere",), 1),
        (("a", "b.c", "missing"), 10),
        ((), 1),
    ],
)
def test_line_of(path, line):
    tomllib.loads(TEXT)
    assert line_of(TEXT, path) == line


def test_statements():
    found = list(statements(OFFICE))
    assert [each.line for each in found[:3]] == [2, 4, 5]
    assert all(OFFICE[each.start : each.end] == each.text for each in found)
    headers = [keys for each in found if (keys := header_keys(each)) is not None]
    assert headers == [
        ("profiles", "office"),
        ("profiles", "office", "forwards"),
        ("profiles", "office", "forwards"),
        ("profiles", "home"),
    ]


@given(st.text("ab='\"[]{}#\n.,1 "))
def test_any_text(text):
    assert 1 <= line_of(text, ("a", "b", 0)) <= text.count("\n") + 1
    for each in statements(text):
        assert text[each.start : each.end] == each.text
