"""Expansion of ~, % tokens and ${VARIABLES}; times."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.text.ssh_tokens import (
    LocalFacts,
    connection_tokens,
    expand_home,
    expand_tokens,
    parse_seconds,
    variables_in,
)

LOCAL = LocalFacts(home="/home/me", user="me", uid=1000, hostname="box.lan")
TOKENS = connection_tokens(
    LOCAL, host="gw.example", alias="gw", port=2222, user="you", key_alias="", jump="j"
)


def test_tokens():
    expanded = expand_tokens("%h|%p|%r|%n|%d|%u|%%|%L|%l|%i|%k|%j", TOKENS)
    assert expanded == "gw.example|2222|you|gw|/home/me|me|%|box|box.lan|1000|gw|j"
    digest = hashlib.sha1(b"box.langw.example2222youj").hexdigest()
    assert expand_tokens("%C", TOKENS) == digest


def test_key_alias_token():
    tokens = connection_tokens(LOCAL, host="h", alias="n", port=22, user="u", key_alias="k")
    assert expand_tokens("%k", tokens) == "k"


@pytest.mark.parametrize("text", ["%", "a%", "%x", "%é"])
def test_unknown_token(text: str):
    with pytest.raises(ConfigError, match="unknown token"):
        expand_tokens(text, TOKENS)


def test_variables():
    variables = {"KEYS": "/k/%h"}
    # What is put in is not expanded again.
    assert expand_tokens("${KEYS}/%n", TOKENS, variables) == "/k/%h/gw"
    assert expand_tokens("${KEYS}", TOKENS) == "${KEYS}"
    assert expand_tokens("$KEYS", TOKENS, variables) == "$KEYS"


@pytest.mark.parametrize("text", ["${UNSET}", "${", "${KEYS", "${}"])
def test_bad_variables(text: str):
    with pytest.raises(ConfigError, match="not set"):
        expand_tokens(text, TOKENS, {"KEYS": "x"})


def test_result_is_bounded():
    with pytest.raises(ConfigError, match="expands to"):
        expand_tokens("${A}" * 1000, TOKENS, {"A": "x" * 1000})


@given(st.text() | st.text("%hpn${}A"))
def test_anything_expands_or_is_a_config_error(text: str):
    try:
        expand_tokens(text, TOKENS, {"A": "b"})
        expand_home(text, "/home/me")
    except ConfigError:
        return


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("~", "/home/me/"),
        ("~/.ssh/id", "/home/me/.ssh/id"),
        ("~//x", "/home/me/x"),
        ("/x/~", "/x/~"),
        ("", ""),
    ],
)
def test_home(path: str, expected: str):
    assert expand_home(path, "/home/me/") == expected


def test_other_homes_are_refused():
    with pytest.raises(ConfigError, match="home"):
        expand_home("~root/x", "/home/me")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}/${B_1}", {"A", "B_1"}),
        ("$AGENT", {"AGENT"}),
        ("/x/$A", set()),
        ("%%${A", set()),
        ("", set()),
    ],
)
def test_variables_in(text: str, expected: set[str]):
    assert variables_in(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30", 30),
        ("1m30", 90),
        ("1h", 3600),
        ("1W2d", 777600),
        ("0", 0),
        ("", None),
        ("none", None),
        ("-1", None),
        ("1.5", None),
        ("m", None),
        ("9" * 39, None),
        ("99999999w", None),
    ],
)
def test_seconds(text: str, expected: int | None):
    assert parse_seconds(text) == expected


def test_what_is_no_time_is_refused_at_once():
    assert parse_seconds("1" * 39 + "!") is None


def test_environment_is_not_shown():
    assert "hunter2" not in repr(LocalFacts(home="/", user="u", variables={"TOKEN": "hunter2"}))
