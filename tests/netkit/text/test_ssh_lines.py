"""Lines of ssh_config(5): keywords, arguments, quotes, comments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.text.ssh_lines import Where, next_word, parse_line, split_arguments

HERE = Where("config", 7)


@pytest.mark.parametrize(
    ("text", "keyword", "arguments"),
    [
        ("Host a b", "host", ("a", "b")),
        ("  HostName\tgw  ", "hostname", ("gw",)),
        ("HostName=gw", "hostname", ("gw",)),
        ("HostName = gw", "hostname", ("gw",)),
        ("HostName =gw", "hostname", ("gw",)),
        ("HostName gw # comment", "hostname", ("gw",)),
        ("HostName gw#no comment", "hostname", ("gw#no", "comment")),
        ('IdentityFile "a b"', "identityfile", ("a b",)),
        ("IdentityFile 'a b'", "identityfile", ("a b",)),
        ('IdentityFile "a # b" # c', "identityfile", ("a # b",)),
        (r"IdentityFile a\ b", "identityfile", ("a b",)),
        (r'IdentityFile "a\"b"', "identityfile", ('a"b',)),
        (r"IdentityFile C:\keys\id", "identityfile", (r"C:\keys\id",)),
        ('IdentityFile a""b', "identityfile", ("ab",)),
        ('IdentityFile ""', "identityfile", ("",)),
        ("Port 22\r\n", "port", ("22",)),
        ("Port 22\f", "port", ("22",)),
    ],
)
def test_lines(text: str, keyword: str, arguments: tuple[str, ...]):
    line = parse_line(text, HERE)
    assert line is not None
    assert (line.keyword, line.arguments) == (keyword, arguments)


@pytest.mark.parametrize("text", ["", "   ", "# comment", "\t#x", "\r\n"])
def test_blank(text: str):
    assert parse_line(text, HERE) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Port", "Port has no argument"),
        ("Port =", "Port has no argument"),
        ("= 22", "does not begin with a keyword"),
        ('User "x', "open quote"),
        ("User 'x", "open quote"),
        ('Us"er', "open quote"),
        ("User \0", "NUL"),
    ],
)
def test_bad_lines_name_file_and_line(text: str, message: str):
    with pytest.raises(ConfigError, match=message) as caught:
        parse_line(text, HERE)
    assert caught.value.summary.startswith("config:7: ")


@given(st.text() | st.text("Ho st=\"'\\#\t"))
def test_anything_parses_or_is_a_config_error(text: str):
    try:
        line = parse_line(text, HERE)
    except ConfigError:
        return
    assert line is None or line.keyword


@given(st.lists(st.text(min_size=1).filter(lambda word: "'" not in word and "\\" not in word)))
def test_quoted_arguments_come_back(words: list[str]):
    assert split_arguments(" ".join(f"'{word}'" for word in words)) == tuple(words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", ("a", "b")),
        ("a=b", ("a", "b")),
        ("a = b", ("a", "b")),
        ("a == b", ("a", "= b")),
        ('"a b" c', ("a b", "c")),
        ("a", ("a", "")),
        ("", ("", "")),
        ('"a', (None, "")),
    ],
)
def test_next_word(text: str, expected: tuple[str | None, str]):
    assert next_word(text) == expected
