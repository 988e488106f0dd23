"""OpenSSH's own private key format: written with a comment, and the comment read.  Pure.

Source: OpenSSH, PROTOCOL.key.  ``cryptography`` reads and writes the format too, but drops the
comment, which is all that tells one key from another in an agent or in authorized_keys.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

import bcrypt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from netkit.text.ppk_blobs import PpkKey, public_blob, string

ROUNDS: Final = 24
"""bcrypt rounds, as in ssh-keygen since OpenSSH 9.4."""

MAX_ROUNDS: Final = 4096

_MAGIC: Final = b"openssh-key-v1\0"
_BEGIN: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_END: Final = b"-----END OPENSSH PRIVATE KEY-----"
_ARMOR: Final = re.compile(rb"%b\s*(.*?)%b" % (_BEGIN, _END), re.DOTALL)
_WIDTH: Final = 70
_BLOCK: Final = {"none": 8, "aes256-ctr": 16}
_FIELDS: Final = {
    b"ssh-ed25519": 2,
    b"ssh-rsa": 6,
    **dict.fromkeys((b"ecdsa-sha2-nistp256", b"ecdsa-sha2-nistp384", b"ecdsa-sha2-nistp521"), 3),
}
_MODES: Final = {"aes256-ctr": modes.CTR, "aes256-cbc": modes.CBC}
_TAG: Final = 16


def encode(
    key: PpkKey,
    *,
    comment: str,
    passphrase: str | None,
    seed: bytes,
    rounds: int = ROUNDS,
) -> bytes:
    """Return the file for ``key``, encrypted with AES-256-CTR where there is a passphrase.

    Args:
        key: an RSA, ECDSA (NIST) or Ed25519 key.
        comment: one line; control characters are left out.
        passphrase: None for none; not empty.
        seed: 20 random bytes: the salt, and the number that shows whether decryption worked.
        rounds: of bcrypt.

    Raises:
        ValueError: the key or the passphrase is of another kind.
    """
    text = "".join(c for c in comment if c.isprintable()).encode("utf-8", "surrogateescape")
    public = public_blob(key)
    section = 2 * seed[16:20] + _private(key, public) + string(text)
    cipher = "none" if passphrase is None else "aes256-ctr"
    section += bytes(range(1, 1 + -len(section) % _BLOCK[cipher]))
    kdf, options = b"none", b""
    if passphrase is not None:
        kdf, options = b"bcrypt", string(seed[:16]) + rounds.to_bytes(4, "big")
        secret = passphrase.encode("utf-8", "surrogateescape")
        machine = _cipher(cipher, secret, seed[:16], rounds).encryptor()
        section = machine.update(section) + machine.finalize()
    count = (1).to_bytes(4, "big")
    raw = _MAGIC + string(cipher.encode()) + string(kdf) + string(options) + count
    raw += string(public) + string(section)
    lines = base64.b64encode(raw)
    rows = [lines[at : at + _WIDTH] for at in range(0, len(lines), _WIDTH)]
    return b"\n".join([_BEGIN, *rows, _END, b""])


def comment_in(content: bytes, passphrase: str | None) -> str:
    """Return the comment inside a key file; empty where it cannot be read.

    Never raises.  Costs one run of bcrypt for an encrypted key.
    """
    try:
        armored = _ARMOR.search(content)
        raw = base64.b64decode(armored[1]) if armored else b""
        if not raw.startswith(_MAGIC):
            return ""
        frame = _Cursor(raw, len(_MAGIC))
        cipher, kdf = frame.string().decode("ascii"), frame.string()
        options = _Cursor(frame.string())
        if frame.u32() != 1:
            return ""
        frame.string()
        section = frame.string()
        if kdf == b"bcrypt":
            salt, rounds = options.string(), options.u32()
            if passphrase is None or rounds > MAX_ROUNDS:
                return ""
            secret = passphrase.encode("utf-8", "surrogateescape")
            section = _decrypt(cipher, secret, salt, rounds, section, frame.rest())
        return _comment(section)
    except (ValueError, KeyError, InvalidTag, binascii.Error):
        return ""


def _comment(section: bytes) -> str:
    inner = _Cursor(section)
    if inner.u32() != inner.u32():
        return ""
    for _ in range(_FIELDS[inner.string()]):
        inner.string()
    return inner.string().decode("utf-8", "backslashreplace")


def _decrypt(
    cipher: str, secret: bytes, salt: bytes, rounds: int, section: bytes, tag: bytes
) -> bytes:
    machine = _cipher(cipher, secret, salt, rounds, tag).decryptor()
    return machine.update(section) + machine.finalize()


def _cipher(name: str, secret: bytes, salt: bytes, rounds: int, tag: bytes = b"") -> Cipher[Any]:
    """Raises KeyError for a cipher that is not read here; ValueError for an odd salt."""
    gcm = name == "aes256-gcm@openssh.com"
    size = 12 if gcm else 16
    if not gcm:
        _MODES[name]
    made = bcrypt.kdf(secret, salt, 32 + size, rounds, ignore_few_rounds=True)
    key, iv = made[:32], made[32:]
    if gcm:
        return Cipher(algorithms.AES(key), modes.GCM(iv, tag[:_TAG]))
    return Cipher(algorithms.AES(key), _MODES[name](iv))


def _private(key: PpkKey, public: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        point = key.public_key().public_bytes_raw()
        both = key.private_bytes_raw() + point
        return string(b"ssh-ed25519") + string(point) + string(both)
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        open_ = numbers.public_numbers
        values = (open_.n, open_.e, numbers.d, numbers.iqmp, numbers.p, numbers.q)
        return string(b"ssh-rsa") + b"".join(map(_mpint, values))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        # the public blob is the type, the curve and the point
        return public + _mpint(key.private_numbers().private_value)
    raise ValueError("it is no RSA, ECDSA or Ed25519 key")


def _mpint(value: int) -> bytes:
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big"))


class _Cursor:
    """Reads RFC 4251's types one after another; raises ValueError at the end."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    def u32(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def string(self) -> bytes:
        return self._take(self.u32())

    def rest(self) -> bytes:
        return self._data[self._at :]

    def _take(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise ValueError("it is cut off")
        self._at += size
        return self._data[self._at - size : self._at]
