"""Public keys: a line of a ``.pub`` file, and the wire form in it (RFC 4253 section 6.6)."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

MAX_BLOB = 64 * 1024
"""Longest wire form looked at; an RSA key of 16384 bits has 2 KiB."""

_TYPE = re.compile(rb"[A-Za-z0-9@._-]{3,64}\Z")
_FIXED_BITS = {
    "ssh-ed25519": 256,
    "sk-ssh-ed25519@openssh.com": 256,
    "ecdsa-sha2-nistp256": 256,
    "sk-ecdsa-sha2-nistp256@openssh.com": 256,
    "ecdsa-sha2-nistp384": 384,
    "ecdsa-sha2-nistp521": 521,
}
_SHORT = {
    "ssh-rsa": "RSA",
    "ssh-dss": "DSA",
    "ssh-ed25519": "ED25519",
    "sk-ssh-ed25519@openssh.com": "ED25519-SK",
    "sk-ecdsa-sha2-nistp256@openssh.com": "ECDSA-SK",
}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """``bits`` is 0 for types whose size is not known here."""

    key_type: str
    bits: int
    fingerprint: str


def parse_line(data: bytes) -> PublicKey | None:
    """Return the key in the first line of a ``.pub`` file, None where there is none."""
    words = data[: 2 * MAX_BLOB].lstrip(b"\xef\xbb\xbf").split(b"\n", 1)[0].split()
    if len(words) < 2:
        return None
    try:
        blob = base64.b64decode(words[1], validate=True)
    except ValueError:
        return None
    key = describe(blob)
    return key if key is not None and key.key_type.encode() == words[0] else None


def describe(blob: bytes) -> PublicKey | None:
    """Return what a key in wire form is; None where it does not begin with a type."""
    if len(blob) > MAX_BLOB:
        return None
    kind, rest = _string(blob)
    if kind is None or not _TYPE.match(kind):
        return None
    name = kind.decode("ascii")
    return PublicKey(name, _bits(name, rest), fingerprint(blob))


def fingerprint(blob: bytes) -> str:
    """Return the SHA-256 fingerprint as ssh-keygen(1) prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def short_type(key_type: str) -> str:
    """Return the name people use, such as ``ED25519``; the type itself where there is none."""
    plain = key_type.removesuffix("-cert-v01@openssh.com")
    if plain.startswith("ecdsa-sha2-"):
        return "ECDSA"
    return _SHORT.get(plain, plain)


def _bits(name: str, rest: bytes) -> int:
    if name not in ("ssh-rsa", "ssh-dss"):
        return _FIXED_BITS.get(name, 0)
    number, rest = _string(rest)
    if name == "ssh-rsa":  # e comes before n
        number, _ = _string(rest)
    return int.from_bytes(number, "big").bit_length() if number is not None else 0


def _string(data: bytes) -> tuple[bytes | None, bytes]:
    """Return the first string (RFC 4251 section 5) and what follows; None where it is cut off."""
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 or len(data) - 4 < length:
        return None, b""
    return data[4 : 4 + length], data[4 + length :]
