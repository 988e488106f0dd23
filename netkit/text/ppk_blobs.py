"""The two halves of a key as PuTTY stores them: SSH's wire forms.  Pure.

Source: PuTTY manual, appendix C.3; RFC 4251 section 5 for ``string`` and ``mpint``.

    ssh-rsa          public: string type, mpint e, mpint n     private: mpint d, p, q, iqmp
    ecdsa-sha2-*     public: string type, string curve, string Q   private: mpint d
    ssh-ed25519      public: string type, string key           private: string seed, little-endian
"""

from __future__ import annotations

import base64
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

PpkKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

MIN_RSA: Final = 1024
MAX_RSA: Final = 16384
"""Bits, as in OpenSSH (sshkey.h)."""

_CURVES: Final[dict[str, type[ec.EllipticCurve]]] = {
    "nistp256": ec.SECP256R1,
    "nistp384": ec.SECP384R1,
    "nistp521": ec.SECP521R1,
}
_NAMES: Final = {
    "secp256r1": "ecdsa-sha2-nistp256",
    "secp384r1": "ecdsa-sha2-nistp384",
    "secp521r1": "ecdsa-sha2-nistp521",
}
_STRINGS: Final = {"ssh-rsa": 3, "ssh-ed25519": 2, **dict.fromkeys(_NAMES.values(), 3)}
ALGORITHMS: Final = frozenset(_STRINGS)


def string(value: bytes) -> bytes:
    """Return ``value`` as a string of RFC 4251 section 5."""
    return len(value).to_bytes(4, "big") + value


def is_public(algorithm: str, blob: bytes) -> bool:
    """Whether ``blob`` has the outer form of a public key of that algorithm."""
    try:
        fields, rest = _strings(blob, _STRINGS.get(algorithm, 1))
    except ValueError:
        return False
    return not rest and fields[0] == algorithm.encode()


def public_blob(key: PpkKey) -> bytes:
    """Return the public half of ``key`` in SSH's wire form."""
    line = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return base64.b64decode(line.split()[1])


def split(key: PpkKey) -> tuple[str, bytes, bytes]:
    """Return the algorithm, the public blob and the private blob of ``key``.

    Raises:
        ValueError: PuTTY has no keys of this kind.
    """
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ssh-ed25519", public_blob(key), string(key.private_bytes_raw())
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        values = (numbers.d, numbers.p, numbers.q, numbers.iqmp)
        return "ssh-rsa", public_blob(key), b"".join(map(_mpint, values))
    if key.curve.name in _NAMES:
        secret = key.private_numbers().private_value
        return _NAMES[key.curve.name], public_blob(key), _mpint(secret)
    raise ValueError("it is no RSA, ECDSA or Ed25519 key that SSH knows")


def join(algorithm: str, public: bytes, private: bytes) -> PpkKey:
    """Return the key of the two halves; ``private`` may have padding behind it.

    Raises:
        ValueError: they are cut off, no key, or not of the same key.
    """
    if algorithm == "ssh-ed25519":
        (seed,), _ = _strings(private, 1)
        if len(seed) > 32:
            raise ValueError("its private half is too long for Ed25519")
        key: PpkKey = ed25519.Ed25519PrivateKey.from_private_bytes(seed.ljust(32, b"\0"))
    elif algorithm == "ssh-rsa":
        key = _rsa(public, private)
    else:
        (secret,), _ = _strings(private, 1)
        curve = _CURVES[algorithm.removeprefix("ecdsa-sha2-")]()
        key = ec.derive_private_key(_positive(secret), curve)
    if public_blob(key) != public:
        raise ValueError("its public and its private half are not of one key")
    return key


def _rsa(public: bytes, private: bytes) -> rsa.RSAPrivateKey:
    (_, exponent, modulus), _ = _strings(public, 3)
    (d, p, q, iqmp), _ = _strings(private, 4)
    n = _positive(modulus)
    if not MIN_RSA <= n.bit_length() <= MAX_RSA:
        raise ValueError(f"its modulus has {n.bit_length()} bits")
    secret, first, second = _positive(d), _positive(p), _positive(q)
    if first < 3 or second < 3:
        raise ValueError("its primes are none")
    return rsa.RSAPrivateNumbers(
        p=first,
        q=second,
        d=secret,
        dmp1=rsa.rsa_crt_dmp1(secret, first),
        dmq1=rsa.rsa_crt_dmq1(secret, second),
        iqmp=_positive(iqmp),
        public_numbers=rsa.RSAPublicNumbers(_positive(exponent), n),
    ).private_key()


def _mpint(value: int) -> bytes:
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _positive(data: bytes) -> int:
    value = int.from_bytes(data, "big")
    if not value or data[0] & 0x80:
        raise ValueError("a number in it is not positive")
    return value


def _strings(blob: bytes, count: int) -> tuple[list[bytes], bytes]:
    """Return the first ``count`` strings and what is behind them.

    Raises:
        ValueError: there are not as many.
    """
    fields: list[bytes] = []
    at = 0
    for _ in range(count):
        size = int.from_bytes(blob[at : at + 4], "big")
        if at + 4 + size > len(blob):
            raise ValueError("a part of it is cut off")
        fields.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    return fields, blob[at:]
