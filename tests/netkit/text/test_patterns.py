"""Wildcards and pattern lists of ssh_config(5)."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.text.patterns import host_matches_list, matches, matches_list


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("host", "host", True),
        ("host", "hos", False),
        ("host", "h?st", True),
        ("hst", "h?st", False),
        ("a.b.example.com", "*.example.com", True),
        ("example.com", "*.example.com", False),
        ("", "*", True),
        ("", "", True),
        ("", "?", False),
        ("[gw]:2222", "[gw]:*", True),
        ("Host", "host", False),
    ],
)
def test_matches(text: str, pattern: str, expected: bool):
    assert matches(text, pattern) is expected


@given(st.text("ab.", max_size=12), st.text("ab.*?", max_size=8))
def test_agrees_with_fnmatch(text: str, pattern: str):
    assert matches(text, pattern) == fnmatch.fnmatchcase(text, pattern)


def test_hostile_pattern_takes_no_exponential_time():
    started = time.process_time()
    assert not matches("a" * 2000, "*a" * 200 + "b")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("text", "patterns", "expected"),
    [
        ("web1", ["web*"], True),
        ("web1", ["web*", "!web1"], False),
        ("web1", ["!web1", "web*"], False),
        ("web2", ["!web1", "*"], True),
        ("web2", ["!web1"], False),
        ("web2", [], False),
    ],
)
def test_lists(text: str, patterns: list[str], expected: bool):
    assert matches_list(text, patterns) is expected


def test_host_lists_ignore_case():
    assert host_matches_list("GW.Example", "other,gw.EXAMPLE")
    assert not host_matches_list("gw.example", "*.example,!GW.*")
