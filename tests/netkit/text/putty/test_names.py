"""Session names as file names and registry keys: what PuTTY writes, and what leads nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.text.putty.names import (
    MAX_NAME,
    escape_registry,
    file_name,
    from_file_name,
    from_registry_key,
    registry_key,
)

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..")
)


@pytest.mark.parametrize(
    ("name", "as_file", "as_key"),
    [
        ("My Office (100%)", "My%20Office%20%28100%25%29", "My%20Office%20(100%25)"),
        ("plain-Name_1.2+@", "plain-Name_1.2+@", "plain-Name_1.2+@"),
        (".hidden", ".hidden", "%2Ehidden"),
        ("a/b\\c", "a%2Fb%5Cc", "a/b%5Cc"),
        ("Büro", "B%C3%BCro", "B%FCro"),
        ("what*?", "what%2A%3F", "what%2A%3F"),
        ("~", "%7E", "~"),
    ],
)
def test_as_putty_writes_them(name: str, as_file: str, as_key: str):
    assert file_name(name) == as_file
    assert from_file_name(as_file) == name
    assert registry_key(name) == as_key
    assert from_registry_key(as_key) == name


@given(NAMES)
def test_file_names_round_trip_and_stay_in_their_folder(name: str):
    try:
        made = file_name(name)
    except UsageError as error:
        assert error.code == "bad-session-name"
        assert len(name.encode()) * 3 > 255
        return
    assert from_file_name(made) == name
    assert made not in (".", "..")
    assert not set(made) & set('/\\\0:*?"<>| ')


@given(NAMES)
def test_registry_keys_round_trip(name: str):
    made = registry_key(name, "utf-8")
    assert from_registry_key(made, "utf-8") == name
    assert made.isascii()
    assert not set(made) & set("\\*? ")


@pytest.mark.parametrize("name", [".", "..", "", "a\0b", "a\nb", "x" * (MAX_NAME + 1), "é" * 100])
def test_names_that_are_none(name: str):
    with pytest.raises(UsageError) as caught:
        file_name(name)
    assert caught.value.code == "bad-session-name"


@pytest.mark.parametrize("text", ["a%00b", "a%zz", "a%2f", "a%0A", "%", "%2", ""])
def test_file_names_that_putty_never_writes(text: str):
    if text in ("%", "%2"):  # PuTTY takes them as they stand
        assert from_file_name(text) == text
        return
    with pytest.raises(UsageError) as caught:
        from_file_name(text)
    assert caught.value.code == "bad-session-name"


def test_a_code_page_that_lacks_a_character():
    with pytest.raises(UsageError) as caught:
        escape_registry("日本")
    assert "cp1252" in caught.value.cause
    assert from_registry_key(escape_registry("日本", "cp932"), "cp932") == "日本"


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_an_error(text: str):
    for parse in (from_file_name, from_registry_key):
        try:
            name = parse(text)
        except UsageError as error:
            assert error.code == "bad-session-name"
        else:
            assert "\0" not in name
            assert name
