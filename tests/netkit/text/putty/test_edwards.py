"""Points of edwards25519 against the library that OpenSSL is behind, and RFC 8032."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from netkit.text.putty.edwards import P, decode_point, encode_point

# RFC 8032 section 5.1: the base point
BASE = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)


def test_base_point():
    encoded = bytes.fromhex("58" + "66" * 31)
    assert decode_point(encoded) == BASE
    assert encode_point(*BASE) == encoded


@given(st.binary(min_size=32, max_size=32))
def test_real_keys_round_trip(seed: bytes):
    encoded = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    x, y = decode_point(encoded)
    assert encode_point(x, y) == encoded
    assert encode_point(P - x, y) != encoded


@given(st.binary(max_size=40))
def test_any_bytes_are_a_point_or_an_error(data: bytes):
    try:
        point = decode_point(data)
    except ValueError:
        return
    assert encode_point(*point) == data


@pytest.mark.parametrize("point", [(1, 1), (0, P), (P, 1), (-1, 1), (BASE[1], BASE[0])])
def test_what_is_not_on_the_curve(point: tuple[int, int]):
    with pytest.raises(ValueError, match="no point"):
        encode_point(*point)


def test_a_zero_x_has_no_sign():
    assert decode_point((1).to_bytes(32, "little")) == (0, 1)
    with pytest.raises(ValueError, match="no point"):
        decode_point((1 | 1 << 255).to_bytes(32, "little"))
