"""The halves of a key in PuTTY's files."""

from __future__ import annotations

import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from netkit.text import ppk_blobs
from netkit.text.ppk_blobs import ALGORITHMS, is_public, join, public_blob, split, string

RSA = rsa.generate_private_key(65537, 1024)
CURVES: dict[int, ec.EllipticCurve] = {
    256: ec.SECP256R1(),
    384: ec.SECP384R1(),
    521: ec.SECP521R1(),
}


@given(seed=st.binary(min_size=32, max_size=32))
def test_ed25519(seed):
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    algorithm, public, private = split(key)
    assert (algorithm, private) == ("ssh-ed25519", string(seed))
    again = join(algorithm, public, private + b"padding")
    assert again.private_bytes_raw() == seed
    # PuTTY reads the number little-endian, so zeros at its end may be left out
    short = join(algorithm, public, string(seed.rstrip(b"\0")))
    assert short.private_bytes_raw() == seed


@pytest.mark.parametrize("bits", CURVES)
@given(data=st.data())
def test_ecdsa(bits, data):
    secret = data.draw(st.integers(1, 2**255))
    key = ec.derive_private_key(secret, CURVES[bits])
    algorithm, public, private = split(key)
    assert algorithm == f"ecdsa-sha2-nistp{bits}"
    assert is_public(algorithm, public)
    assert join(algorithm, public, private).private_numbers() == key.private_numbers()


def test_rsa():
    algorithm, public, private = split(RSA)
    assert is_public(algorithm, public)
    again = join(algorithm, public, private + bytes(7))
    assert again.private_numbers() == RSA.private_numbers()
    assert public_blob(again) == public


def test_a_curve_that_ssh_lacks():
    with pytest.raises(ValueError, match="SSH knows"):
        split(ec.generate_private_key(ec.SECP256K1()))


@pytest.mark.parametrize("bits", [512, 20_000])
def test_rsa_of_an_absurd_size(bits):
    _, _, private = split(RSA)
    n = string((1 << bits - 1).to_bytes(bits // 8 + 1, "big"))
    public = string(b"ssh-rsa") + string(b"\1\0\1") + n
    with pytest.raises(ValueError, match=f"has {bits} bits"):
        join("ssh-rsa", public, private)


def a_key(algorithm: str):
    if algorithm == "ssh-rsa":
        return RSA
    if algorithm == "ssh-ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.derive_private_key(9, CURVES[int(algorithm[-3:])])


@pytest.mark.parametrize(
    "private",
    [b"", string(b"\x80"), string(b""), string(b"\1") * 4, string(b"\0" * 66), string(b"\1" * 70)],
)
@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_private_halves_that_are_none(algorithm, private):
    with pytest.raises(ValueError, match=r"\w"):
        join(algorithm, public_blob(a_key(algorithm)), private)


@given(
    algorithm=st.sampled_from(sorted(ALGORITHMS)),
    public=st.binary(max_size=80),
    private=st.binary(max_size=80),
)
def test_anything_else_is_a_value_error(algorithm, public, private):
    assert is_public(algorithm, public) in (True, False)
    with contextlib.suppress(ValueError):
        join(algorithm, public, private)


def test_the_outer_form():
    blob = public_blob(RSA)
    assert is_public("ssh-rsa", blob)
    assert not is_public("ssh-rsa", blob + b"x")
    assert not is_public("ssh-rsa", blob[:-1])
    assert not is_public("ssh-ed25519", blob)
    assert not is_public("odd", blob)
    assert ppk_blobs.MAX_RSA == 16384
