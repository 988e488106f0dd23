"""TOML texts that are none, and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.text.profiles.source import MAX_SIZE, Source, key_text, to_text


def test_a_byte_order_mark_is_no_text():
    assert to_text(b"\xef\xbb\xbfa = 1", "f") == "a = 1"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a = 1\nb = '\xff'", "f line 2: it is no UTF-8 text"),
        (b"#" * (MAX_SIZE + 1), "f is longer than 1 MiB"),
    ],
)
def test_no_text(data, said):
    with pytest.raises(ConfigError) as raised:
        to_text(data, "f")
    assert raised.value.summary == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\na = 2", "f line 2: 'a' is there twice"),
        ("[a]\n[a]\n", "f line 2: '[a]' is there twice"),
        ("a = 1\nb\n", "f line 2: expected '=' after a key in a key/value pair"),
        ("a = [[[", "f line 1: invalid value"),
        ("\n\na = " + "9" * 5000, "f line 3: a number has too many digits"),
        ("a = " + "[" * 100_000, "f: values are nested too deeply"),
    ],
)
def test_no_toml(text, said):
    with pytest.raises(ConfigError) as raised:
        Source(text, "f").parse()
    assert raised.value.summary == said


@given(st.one_of(st.text(), st.text("ab='\"[]{}#\n.,1 -:")))
def test_any_text(text):
    try:
        assert isinstance(Source(text, "f").parse(), dict)
    except ConfigError as error:
        assert error.summary.startswith("f")


def test_wrong_names_line_and_key():
    error = Source("a = 1\n[t]\nb = 2", "f").wrong(("t", "b"), ("b",), "no", "why")
    assert (error.summary, error.cause) == ("f line 3: at b: no", "why")


def test_key_text():
    assert key_text(("forwards", 0, "bind")) == "forwards[0].bind"
