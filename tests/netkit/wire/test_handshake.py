from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.wire.handshake import decode_name


@pytest.mark.parametrize(
    "raw",
    [
        b"db",
        b"db.example",
        b"db.example.",
        b"_srv._tcp.x",
        b"127.1",
        b"::1",
        "bücher.example".encode(),
    ],
)
def test_names_pass_unchanged(raw: bytes) -> None:
    name = decode_name(raw)
    assert name is not None
    assert name.encode() == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"a" * 256,
        b"a b",
        b"a\0b",
        b"a\nb",
        b"a\x1b[2Jb",
        b"a\x7f",
        b"\xff\xfe",
        b"\xc3",
        "a\u0085b".encode(),
        "a\u202eb".encode(),  # right-to-left override
        "a\u200bb".encode(),  # zero-width space
        "a\u00a0b".encode(),
        "a\u2028b".encode(),
    ],
)
def test_what_cannot_be_a_name_is_none(raw: bytes) -> None:
    assert decode_name(raw) is None


def test_the_longest_name_fits() -> None:
    assert decode_name(b"a" * 255) == "a" * 255


@given(st.binary(max_size=300))
def test_a_name_is_printable_and_round_trips(raw: bytes) -> None:
    name = decode_name(raw)
    assert name is None or (name.isprintable() and name.encode() == raw)
