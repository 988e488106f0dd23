"""Names of profiles: what can be one, and what is made one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.text.profiles.names import MAX_NAME, check_name, could_be_name, name_from, why_not


@pytest.mark.parametrize(
    "name", ["office", "a", "9", "_x", "db.example-1", "A" * MAX_NAME, "com10"]
)
def test_names(name):
    assert check_name(name) == name
    assert could_be_name(name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        ("a" * (MAX_NAME + 1), "longer than 64"),
        ("-x", "begins with none"),
        (".hidden", "begins with none"),
        ("x.", "end with"),
        ("me@gw", "letters, digits"),
        ("gw:22", "letters, digits"),
        ("a/b", "letters, digits"),
        ("a b", "letters, digits"),
        ("büro", "letters, digits"),
        ("a\n", "letters, digits"),
        ("con", "device"),
        ("NUL.txt", "device"),
        ("lpt9", "device"),
    ],
)
def test_no_names(name, why):
    assert why in why_not(name)
    with pytest.raises(UsageError) as raised:
        check_name(name)
    assert raised.value.code == "bad-profile-name"
    assert why in raised.value.cause


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My Session", "My-Session"),
        ("büro/2", "b-ro-2"),
        ("...", "profile"),
        ("", "profile"),
        ("con", "con_"),
        ("con.x", "con_x"),
        ("-x-", "x"),
    ],
)
def test_made_of_any_text(text, name):
    assert name_from(text) == name


@given(st.text())
def test_what_is_made_is_a_name(text):
    assert could_be_name(name_from(text))


@given(st.sampled_from(["con", "nul", "com1"]), st.text("ab.-_", max_size=70))
def test_devices_are_avoided(device, more):
    assert could_be_name(name_from(device + more))
