"""ProxyJump and -J."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.model import Gateway
from netkit.text.ssh_jumps import MAX_HOPS, parse_jumps


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", (Gateway("a"),)),
        ("u@a:2,[::1]:3", (Gateway("a", "u", 2), Gateway("::1", None, 3))),
        ("a, ssh://b:4", (Gateway("a"), Gateway("b", None, 4))),
        ("none", ()),
        ("NONE", ()),
    ],
)
def test_jumps(text: str, expected: tuple[Gateway, ...]):
    assert parse_jumps(text) == expected


@pytest.mark.parametrize("text", ["", "a,", ",a", "-x", "a,none:0", "a b"])
def test_bad_jumps(text: str):
    with pytest.raises(UsageError):
        parse_jumps(text)


def test_chain_is_bounded():
    assert len(parse_jumps(",".join("h" * (MAX_HOPS - 1)))) == MAX_HOPS - 1
    with pytest.raises(UsageError) as caught:
        parse_jumps(",".join("h" * MAX_HOPS))
    assert caught.value.code == "too-many-hops"


@given(st.text() | st.text("a,@:[]"))
def test_anything_parses_or_is_a_usage_error(text: str):
    try:
        parse_jumps(text)
    except UsageError:
        return
