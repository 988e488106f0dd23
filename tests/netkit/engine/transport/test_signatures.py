"""Signatures: ours verify, altered ones do not, security keys' special form."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from netkit.engine.transport import signatures
from netkit.engine.transport.signatures import SK_ECDSA, SK_ED25519, public_blob, sign, verify
from netkit.text.fingerprints import key_type
from netkit.wire.messages import string

KEYS: dict[str, signatures.PrivateKey] = {
    "ssh-ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ecdsa-sha2-nistp256": ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-sha2-nistp384": ec.generate_private_key(ec.SECP384R1()),
    "ecdsa-sha2-nistp521": ec.generate_private_key(ec.SECP521R1()),
    "rsa-sha2-256": rsa.generate_private_key(65537, 2048),
}
KEYS["rsa-sha2-512"] = KEYS["rsa-sha2-256"]
SIGNATURES = {name: sign(key, name, b"data") for name, key in KEYS.items()}
ALL = signatures.SIGNATURE_ALGORITHMS


@pytest.mark.parametrize("algorithm", KEYS)
class TestEveryAlgorithm:
    def test_round_trip(self, algorithm):
        key = KEYS[algorithm]
        signature = sign(key, algorithm, b"data")
        assert key_type(signature) == algorithm
        assert verify(public_blob(key), signature, b"data", algorithms=[algorithm])

    def test_other_data(self, algorithm):
        signature = sign(KEYS[algorithm], algorithm, b"data")
        assert not verify(public_blob(KEYS[algorithm]), signature, b"Data", algorithms=ALL)

    def test_algorithm_that_was_not_asked_for(self, algorithm):
        signature = sign(KEYS[algorithm], algorithm, b"data")
        others = [name for name in ALL if name != algorithm]
        assert not verify(public_blob(KEYS[algorithm]), signature, b"data", algorithms=others)

    def test_every_other_key(self, algorithm):
        signature = sign(KEYS[algorithm], algorithm, b"data")
        for name, key in KEYS.items():
            if key is not KEYS[algorithm]:
                assert not verify(public_blob(key), signature, b"data", algorithms=ALL), name

    def test_bytes_behind_the_signature(self, algorithm):
        signature = sign(KEYS[algorithm], algorithm, b"data")
        assert not verify(public_blob(KEYS[algorithm]), signature + b"\0", b"data", algorithms=ALL)

    @given(st.data())
    def test_damage_anywhere(self, algorithm, data):
        signature = bytearray(SIGNATURES[algorithm])
        at = data.draw(st.integers(0, len(signature) - 1))
        signature[at] ^= data.draw(st.integers(1, 255))
        assert not verify(
            public_blob(KEYS[algorithm]), bytes(signature), b"data", algorithms=[algorithm]
        )


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_refused(blob, signature):
    assert not verify(blob, signature, b"data", algorithms=ALL)


@given(st.sampled_from((*ALL, "ssh-rsa", "ssh-dss")), st.binary(max_size=100))
def test_any_key_bytes_are_refused(kind, rest):
    blob = string(kind) + rest
    assert not verify(blob, string(kind) + string(b"x" * 64), b"data", algorithms=ALL)


def test_sha1_is_refused():
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    key = rsa.generate_private_key(65537, 2048)
    raw = key.sign(b"data", padding.PKCS1v15(), hashes.SHA1())
    signature = string("ssh-rsa") + string(raw)
    assert not verify(public_blob(key), signature, b"data", algorithms=[*ALL, "ssh-rsa"])


def test_short_rsa_signature_of_putty_is_padded():
    key = KEYS["rsa-sha2-256"]
    for number in range(5000):
        data = b"%d" % number
        signature = sign(key, "rsa-sha2-256", data)
        raw = signature[-256:]
        if raw[0] == 0:
            short = string("rsa-sha2-256") + string(raw.lstrip(b"\0"))
            assert verify(public_blob(key), short, data, algorithms=["rsa-sha2-256"])
            return
    pytest.fail("no signature began with a zero")


class TestSecurityKeys:
    APPLICATION = b"ssh:"
    TRAILER = b"\x01" + b"\0\0\0\x07"

    def signed(self, data: bytes) -> bytes:
        return (
            hashlib.sha256(self.APPLICATION).digest() + self.TRAILER + hashlib.sha256(data).digest()
        )

    def test_ed25519(self):
        key = ed25519.Ed25519PrivateKey.generate()
        raw_public = public_blob(key)[-32:]
        blob = string(SK_ED25519) + string(raw_public) + string(self.APPLICATION)
        signature = string(SK_ED25519) + string(key.sign(self.signed(b"data"))) + self.TRAILER
        assert verify(blob, signature, b"data", algorithms=ALL)
        assert not verify(blob, signature, b"other", algorithms=ALL)
        assert not verify(blob, signature[:-1], b"data", algorithms=ALL)

    def test_ecdsa(self):
        key = KEYS["ecdsa-sha2-nistp256"]
        point = public_blob(key)[-65:]
        blob = string(SK_ECDSA) + string("nistp256") + string(point) + string(self.APPLICATION)
        plain = sign(key, "ecdsa-sha2-nistp256", self.signed(b"data"))
        body = plain[len(string("ecdsa-sha2-nistp256")) :]
        signature = string(SK_ECDSA) + body + self.TRAILER
        assert verify(blob, signature, b"data", algorithms=ALL)
        assert not verify(blob, signature, b"other", algorithms=ALL)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("ssh-ed25519", "ED25519"),
        ("ssh-rsa-cert-v01@openssh.com", "RSA-CERT"),
        ("sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK"),
        ("sk-ssh-ed25519-cert-v01@openssh.com", "ED25519-SK-CERT"),
        ("ssh-dss", "DSA"),
        ("other", "other"),
    ],
)
def test_short_names(kind, name):
    assert signatures.short_name(kind) == name
