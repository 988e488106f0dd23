"""SSH public key blobs and signatures on `cryptography`: parse, verify, sign.

Blobs are RFC 4253 section 6.6 (RFC 8709 for Ed25519, RFC 5656 for ECDSA, RFC 8332 for RSA with
SHA-2), security keys are OpenSSH's PROTOCOL.u2f.  SHA-1 signatures are never made or accepted.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_public_key,
)

from netkit.errors import RemoteProtocolError
from netkit.text.fingerprints import key_type
from netkit.wire.messages import Fields, string

SK_ED25519: Final = "sk-ssh-ed25519@openssh.com"
SK_ECDSA: Final = "sk-ecdsa-sha2-nistp256@openssh.com"
SIGNATURE_ALGORITHMS: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    SK_ED25519,
    SK_ECDSA,
    "rsa-sha2-512",
    "rsa-sha2-256",
)
MIN_RSA_BITS: Final = 1024
"""OpenSSH's RequiredRSASize."""

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "rsa-sha2-256": hashes.SHA256(),
    "rsa-sha2-512": hashes.SHA512(),
    "ecdsa-sha2-nistp256": hashes.SHA256(),
    "ecdsa-sha2-nistp384": hashes.SHA384(),
    "ecdsa-sha2-nistp521": hashes.SHA512(),
    SK_ECDSA: hashes.SHA256(),
}


def short_name(kind: str) -> str:
    """Return OpenSSH's short name of a key type: ``ED25519``, ``RSA-CERT``, ``ECDSA-SK``."""
    cert = "-CERT" if kind.endswith("-cert-v01@openssh.com") else ""
    sk = "-SK" if kind.startswith("sk-") else ""
    for word in ("ed25519", "ecdsa", "rsa", "dss"):
        if word in kind:
            return {"dss": "DSA"}.get(word, word.upper()) + sk + cert
    return kind


def load_public(blob: bytes) -> _PublicKey | None:
    """Return the public key of a plain (no certificate) blob, ``None`` when it is not usable."""
    kind = key_type(blob)
    if kind not in {*SIGNATURE_ALGORITHMS, "ssh-rsa"} or kind.startswith("rsa-"):
        return None
    try:
        key = load_ssh_public_key(kind.encode() + b" " + base64.b64encode(blob))
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, rsa.RSAPublicKey):
        return key if key.key_size >= MIN_RSA_BITS else None
    if isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        return key
    return None


def verify(blob: bytes, signature: bytes, data: bytes, *, algorithms: Collection[str]) -> bool:
    """Return whether ``signature`` over ``data`` was made by the key of ``blob``.

    Args:
        blob: plain public key blob.
        signature: signature blob: algorithm name and signature (RFC 4253 section 6.6).
        data: what was signed.
        algorithms: names the signature may carry.
    """
    try:
        fields = Fields(signature, 0)
        algorithm = fields.text()
        raw = bytes(fields.string())
        trailer = fields.rest()
    except RemoteProtocolError:
        return False
    key = load_public(blob)
    kind = key_type(blob)
    expected = "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm
    allowed = algorithm in algorithms and algorithm in SIGNATURE_ALGORITHMS
    if key is None or not allowed or kind != expected:
        return False
    if kind.startswith("sk-"):
        if len(trailer) != 5:
            return False
        data = _sk_signed_data(blob, data, trailer)
    elif trailer:
        return False
    return _verify_raw(key, algorithm, raw, data)


def _sk_signed_data(blob: bytes, data: bytes, trailer: bytes) -> bytes:
    """What a security key signs: hash of the application, flags, counter, hash of the data."""
    fields = Fields(blob, 0)
    fields.string()
    if key_type(blob) == SK_ECDSA:
        fields.string()
    fields.string()
    application = bytes(fields.string())
    return hashlib.sha256(application).digest() + trailer + hashlib.sha256(data).digest()


def _verify_raw(key: _PublicKey, algorithm: str, raw: bytes, data: bytes) -> bool:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(raw, data)
        elif isinstance(key, rsa.RSAPublicKey):
            # PuTTY's keys leave leading zeros out
            raw = raw.rjust((key.key_size + 7) // 8, b"\0")
            key.verify(raw, data, padding.PKCS1v15(), _HASHES[algorithm])
        else:
            parts = Fields(raw, 0)
            r, s = (int.from_bytes(parts.string(), "big") for _ in range(2))
            if parts.rest():
                return False
            der = utils.encode_dss_signature(r, s)
            key.verify(der, data, ec.ECDSA(_HASHES[algorithm]))
    except (InvalidSignature, RemoteProtocolError, ValueError):
        return False
    return True


def sign(key: PrivateKey, algorithm: str, data: bytes) -> bytes:
    """Return the signature blob over ``data``; ``algorithm`` is the plain name it will carry."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.sign(data)
    elif isinstance(key, rsa.RSAPrivateKey):
        raw = key.sign(data, padding.PKCS1v15(), _HASHES[algorithm])
    else:
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(_HASHES[algorithm])))
        raw = _mpint(r) + _mpint(s)
    return string(algorithm) + string(raw)


def _mpint(value: int) -> bytes:
    # a positive number needs its top bit clear (RFC 4251 section 5)
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big"))


def public_blob(key: PrivateKey | _PublicKey) -> bytes:
    """Return the public key blob of a key."""
    public = key if isinstance(key, _PublicKey) else key.public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return base64.b64decode(line.split()[1])
