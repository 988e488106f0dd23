"""PuTTY's private key files, versions 2 and 3: unlocked and written.  Pure.

Source: PuTTY manual, appendix C "PPK file format".  The public half and the comment are in the
clear; a MAC covers everything.  Whoever writes a file hands in the random salt.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field, replace
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.argon2 import Argon2d, Argon2i, Argon2id

from netkit.errors import KeyFileError
from netkit.text import ppk_blobs
from netkit.text.ppk_blobs import PpkKey

KINDS: Final[dict[str, type[Argon2id | Argon2i | Argon2d]]] = {
    "Argon2id": Argon2id,
    "Argon2i": Argon2i,
    "Argon2d": Argon2d,
}
CIPHER: Final = "aes256-cbc"
BLOCK: Final = 16
LINE: Final = 64

_OLD_WINDOWS: Final = "cp1252"


@dataclass(frozen=True, slots=True)
class Argon2:
    """How version 3 turns a passphrase into keys: RFC 9106, memory in KiB."""

    kind: str = "Argon2id"
    memory: int = 8192
    passes: int = 13
    parallelism: int = 1


@dataclass(frozen=True, slots=True)
class PpkFile:
    """A file as it was read; nothing about it is verified before `unlock`.

    Attributes:
        name: of the file, for messages.
        version: 2 or 3.
        algorithm: as in SSH: ``ssh-rsa``, ``ecdsa-sha2-nistp256``, ``ssh-ed25519`` …
        encrypted: whether a passphrase is needed.
        comment: as bytes; the MAC covers them.
        public: the public half in SSH's wire form.
        private, mac: as in the file, decoded.
        derivation, salt: of an encrypted file of version 3.
    """

    name: str
    version: int
    algorithm: str
    encrypted: bool
    comment: bytes
    public: bytes
    private: bytes = field(repr=False)
    mac: bytes
    derivation: Argon2 | None = None
    salt: bytes = b""

    @property
    def comment_text(self) -> str:
        """The comment as text: UTF-8, else as Windows in the West wrote it before PuTTY 0.81."""
        try:
            return self.comment.decode("utf-8")
        except UnicodeDecodeError:
            return self.comment.decode(_OLD_WINDOWS, "backslashreplace")

    def unlock(self, passphrase: str | None = None) -> PpkKey:
        """Return the key.

        Raises:
            KeyFileError: ``key-wrong-passphrase``; ``key-not-recognised`` where the MAC of an
                unencrypted file does not match, or the halves are not of one key;
                ``key-unsupported``.
        """
        if self.encrypted and passphrase is None:
            raise self._fault("is encrypted", "key-encrypted", "it opens with a passphrase only")
        try:
            plain = self._verified(_as_bytes(passphrase if self.encrypted else None))
        except UnsupportedAlgorithm as error:
            cause = f"this installation of cryptography lacks it: {error}"
            raise self._fault(
                "needs Argon2, which is missing here", "key-unsupported", cause
            ) from None
        except MemoryError:
            cause = f"{self.derivation.memory if self.derivation else 0} KiB are asked for"
            raise self._fault("needs more memory than there is", "key-unsupported", cause) from None
        try:
            return ppk_blobs.join(self.algorithm, self.public, plain)
        except ValueError as error:
            raise self._fault("is not a usable key", "key-not-recognised", str(error)) from None

    def _verified(self, candidates: tuple[bytes, ...]) -> bytes:
        """Return the private blob, with its padding, once the MAC has been compared."""
        for secret in candidates:
            secrets = _derive(self, secret)
            plain = secrets.decrypt(self.private) if self.encrypted else self.private
            if hmac.compare_digest(secrets.mac(_covered(self, plain)), self.mac):
                return plain
        if self.encrypted:
            raise self._fault(
                "does not open with this passphrase",
                "key-wrong-passphrase",
                "it is another one, or the file was changed since it was written",
            )
        cause = "its MAC does not match: it was changed or damaged since it was written"
        raise self._fault("is not intact", "key-not-recognised", cause)

    def _fault(self, what: str, code: str, cause: str) -> KeyFileError:
        return KeyFileError(f"{self.name} {what}", code=code, cause=cause)


def write_ppk(
    key: PpkKey,
    *,
    comment: str,
    passphrase: str | None,
    version: int = 3,
    derivation: Argon2 | None = None,
    salt: bytes = b"",
) -> bytes:
    """Return the file for ``key``, encrypted where there is a passphrase.

    Args:
        key: an RSA, ECDSA (NIST) or Ed25519 key.
        comment: one line; control characters are left out.
        passphrase: None for none.
        version: 2 or 3.
        derivation: for version 3 with a passphrase.
        salt: 16 random bytes, for the same.

    Raises:
        ValueError: ``key`` is of another kind.
        UnsupportedAlgorithm: there is no Argon2 here.
    """
    algorithm, public, private = ppk_blobs.split(key)
    encrypted = passphrase is not None
    hashing = (derivation or Argon2()) if encrypted and version == 3 else None
    text = "".join(c for c in comment if c.isprintable()).encode("utf-8", "surrogateescape")
    if encrypted:
        # as PuTTY pads: with a hash of the blob, which nobody knows beforehand
        missing = -len(private) % BLOCK
        private += hashlib.sha1(private, usedforsecurity=False).digest()[:missing]
    salt = salt if hashing else b""
    draft = PpkFile("", version, algorithm, encrypted, text, public, private, b"", hashing, salt)
    secrets = _derive(draft, _as_bytes(passphrase)[0])
    mac = secrets.mac(_covered(draft, private))
    sealed = secrets.encrypt(private) if encrypted else private
    return _file(replace(draft, private=sealed, mac=mac))


def _file(key: PpkFile) -> bytes:
    """Return the text of a file."""
    lines = [
        b"PuTTY-User-Key-File-%d: %s" % (key.version, key.algorithm.encode()),
        b"Encryption: " + (CIPHER.encode() if key.encrypted else b"none"),
        b"Comment: " + key.comment,
        *_wrapped(b"Public-Lines", key.public),
    ]
    if key.derivation:
        lines += [
            b"Key-Derivation: " + key.derivation.kind.encode(),
            b"Argon2-Memory: %d" % key.derivation.memory,
            b"Argon2-Passes: %d" % key.derivation.passes,
            b"Argon2-Parallelism: %d" % key.derivation.parallelism,
            b"Argon2-Salt: " + key.salt.hex().encode(),
        ]
    lines += _wrapped(b"Private-Lines", key.private)
    lines.append(b"Private-MAC: " + key.mac.hex().encode())
    return b"\n".join([*lines, b""])


def _wrapped(heading: bytes, data: bytes) -> list[bytes]:
    text = base64.b64encode(data)
    rows = [text[at : at + LINE] for at in range(0, len(text), LINE)]
    return [b"%s: %d" % (heading, len(rows)), *rows]


# --- keys out of a passphrase ---


@dataclass(frozen=True, slots=True)
class _Secrets:
    """What a passphrase becomes; the cipher's are empty for an unencrypted file."""

    digest: str
    mac_key: bytes = field(repr=False)
    cipher_key: bytes = field(default=b"", repr=False)
    iv: bytes = field(default=b"", repr=False)

    def mac(self, data: bytes) -> bytes:
        return hmac.new(self.mac_key, data, self.digest).digest()

    def decrypt(self, data: bytes) -> bytes:
        machine = Cipher(algorithms.AES(self.cipher_key), modes.CBC(self.iv)).decryptor()
        return machine.update(data) + machine.finalize()

    def encrypt(self, data: bytes) -> bytes:
        machine = Cipher(algorithms.AES(self.cipher_key), modes.CBC(self.iv)).encryptor()
        return machine.update(data) + machine.finalize()


def _as_bytes(passphrase: str | None) -> tuple[bytes, ...]:
    """Return what PuTTY may have made of a passphrase, the likelier first.

    It takes what the system gives: UTF-8, on Windows for long the code page.
    """
    if passphrase is None:
        return (b"",)
    text = passphrase.encode("utf-8", "surrogateescape")
    try:
        old = passphrase.encode(_OLD_WINDOWS)
    except UnicodeEncodeError:
        return (text,)
    return (text,) if old == text else (text, old)


def _derive(file: PpkFile, secret: bytes) -> _Secrets:
    """Raises UnsupportedAlgorithm where version 3 needs an Argon2 that is not there."""
    if file.version == 2:
        mac_key = _sha1(b"putty-private-key-file-mac-key" + secret)
        if not file.encrypted:
            return _Secrets("sha1", mac_key)
        key = _sha1(bytes(4) + secret) + _sha1(b"\0\0\0\1" + secret)
        return _Secrets("sha1", mac_key, key[:32], bytes(16))
    if file.derivation is None:
        return _Secrets("sha256", b"")
    wanted = file.derivation
    made = KINDS[wanted.kind](
        salt=file.salt,
        length=80,
        iterations=wanted.passes,
        lanes=wanted.parallelism,
        memory_cost=wanted.memory,
    ).derive(secret)
    return _Secrets("sha256", made[48:], made[:32], made[32:48])


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _covered(file: PpkFile, private: bytes) -> bytes:
    """Return what the MAC covers; ``private`` is that half as it is when decrypted."""
    cipher = CIPHER if file.encrypted else "none"
    parts = (file.algorithm.encode(), cipher.encode(), file.comment, file.public, private)
    return b"".join(ppk_blobs.string(part) for part in parts)
