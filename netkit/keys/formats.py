"""Private keys of any format: recognised, unlocked with their comment, written in another format.

    openssh   OpenSSH's own (PROTOCOL.key): bcrypt, AES-256-CTR
    pem       what ``ssh-keygen -m PEM`` writes: PKCS#1 for RSA, SEC1 for ECDSA.  A passphrase goes
              through one round of MD5 there.  Ed25519 has no such form and becomes PKCS#8
    pkcs8     PBES2: PBKDF2, AES-256-CBC (RFC 5958, RFC 8018)
    ppk       PuTTY's, version 3: Argon2id, AES-256-CBC
    ppk2      PuTTY's before 0.75: a passphrase goes through one round of SHA-1

Only OpenSSH's and PuTTY's formats hold a comment; of the others it is the one in the ``.pub`` file
beside the key, if that is its public half.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from netkit.engine.transport import keys
from netkit.engine.transport.keys import PrivateKeyFile, PublicKeyFile
from netkit.engine.transport.signatures import PrivateKey, public_blob
from netkit.errors import KeyFileError, UsageError
from netkit.model import Fix
from netkit.text import openssh_key, ppk
from netkit.text.fingerprints import key_type
from netkit.text.ppk_reading import is_ppk, parse_ppk
from netkit.text.public_keys import find_keys

FORMS: Final = ("openssh", "pem", "pkcs8", "ppk", "ppk2")

WEAK: Final = {
    "pem": "one round of MD5 turns its passphrase into a key; openssh and pkcs8 resist guessing",
    "ppk2": "one round of SHA-1 turns its passphrase into a key; ppk (version 3) resists guessing",
}
"""Forms whose passphrases can be guessed fast, and why."""

_ARGON2: Final = ppk.Argon2()
_BLOCK: Final = 16
_PEM: Final = re.compile(rb"-----BEGIN (?:(RSA|EC|ENCRYPTED) )?PRIVATE KEY-----")


@dataclass(frozen=True, slots=True)
class Costs:
    """How much work a guess at a passphrase shall be, for the forms that leave it to the writer."""

    rounds: int = openssh_key.ROUNDS
    argon2: ppk.Argon2 = _ARGON2


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key file that may still be locked.

    Attributes:
        file: what the transport makes of it.
        form: one of `FORMS`.
        protected: only the owner can read it.
        comment: empty where it takes the passphrase to see it, or there is none.
    """

    file: PrivateKeyFile
    form: str
    protected: bool
    comment: str

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.file.path

    @property
    def encrypted(self) -> bool:
        """Whether unlocking takes a passphrase."""
        return self.file.encrypted

    @property
    def public(self) -> bytes:
        """The public half; empty where only unlocking, or a ``.pub`` file, shows it."""
        return self.file.public or _beside(self.path)[0]

    def unlock(self, passphrase: str | None) -> tuple[PrivateKey, str]:
        """Return the key and its comment.

        Raises:
            KeyFileError: as `PrivateKeyFile.unlock`.
        """
        key = self.file.unlock(passphrase)
        if self.form in ("ppk", "ppk2"):
            return key, self.comment
        inside = openssh_key.comment_in(self.file.content, passphrase)
        blob, beside = _beside(self.path)
        return key, inside or (beside if blob == public_blob(key) else "")


def read_key(path: Path) -> KeyFile | PublicKeyFile:
    """Read a key file of any format; whoever else can read it too.

    Raises:
        KeyFileError: as `netkit.engine.transport.keys.read_content` and ``look_at``.
    """
    content, protected = keys.read_content(path)
    file = keys.look_at(path, content)
    if isinstance(file, PublicKeyFile):
        return file
    form = form_of(content)
    if form in ("ppk", "ppk2"):
        return KeyFile(file, form, protected, parse_ppk(content, str(path)).comment_text)
    comment = "" if file.encrypted or form != "openssh" else openssh_key.comment_in(content, None)
    blob, beside = _beside(path)
    if not comment and blob and file.public in (blob, b""):
        comment = beside
    return KeyFile(file, form, protected, comment)


def read_private(path: Path) -> KeyFile:
    """Read a private key file of any format.

    Raises:
        KeyFileError: as `read_key`; ``key-is-public``.
    """
    file = read_key(path)
    if isinstance(file, PublicKeyFile):
        private = path.with_suffix("") if path.suffix == ".pub" else None
        raise KeyFileError(
            f"{path} is a public key",
            code="key-is-public",
            cause=f"the private half is probably {private}" if private else "give the private one",
            fixes=(Fix(("netkit", "key", "show", str(path))),),
        )
    return file


def form_of(content: bytes) -> str:
    """Return which of `FORMS` the content of a private key file has."""
    if is_ppk(content):
        return "ppk2" if content.startswith(b"PuTTY-User-Key-File-2") else "ppk"
    pem = _PEM.search(content)
    if pem is None:
        return "openssh"
    return "pem" if pem[1] in (b"RSA", b"EC") else "pkcs8"


def _beside(path: Path) -> tuple[bytes, str]:
    """Return the blob and the comment of ``PATH.pub``, also for ``key`` beside ``key.ppk``."""
    for public in dict.fromkeys((Path(f"{path}.pub"), path.with_suffix(".pub"))):
        try:
            content, _ = keys.read_content(public)
        except KeyFileError:
            continue
        found = find_keys(content.decode("utf-8", "replace"))
        if len(found) == 1:
            return found[0].blob, found[0].comment
    return b"", ""


def public_line(blob: bytes, comment: str) -> str:
    """Return the line of a ``.pub`` file and of authorized_keys, without its end."""
    text = "".join(c for c in comment if c.isprintable()).strip()
    return f"{key_type(blob)} {base64.b64encode(blob).decode('ascii')} {text}".rstrip()


def write(
    key: PrivateKey, form: str, *, comment: str, passphrase: str | None, costs: Costs | None = None
) -> bytes:
    """Return the file for ``key`` in ``form``, encrypted where there is a passphrase.

    Raises:
        ValueError: there is no such form, or the key is of a kind that it lacks.
        UsageError: ``no-argon2``.
    """
    costs = costs or Costs()
    match form:
        case "openssh":
            return openssh_key.encode(
                key,
                comment=comment,
                passphrase=passphrase,
                seed=secrets.token_bytes(20),
                rounds=costs.rounds,
            )
        case "ppk" | "ppk2":
            return _putty(key, 2 if form == "ppk2" else 3, comment, passphrase, costs)
        case "pem":
            return _traditional(key, passphrase)
        case "pkcs8":
            return _pkcs8(key, passphrase)
    raise ValueError(f"{form!r} is no form of key")


def _putty(
    key: PrivateKey, version: int, comment: str, passphrase: str | None, costs: Costs
) -> bytes:
    try:
        return ppk.write_ppk(
            key,
            comment=comment,
            passphrase=passphrase,
            version=version,
            derivation=costs.argon2,
            salt=secrets.token_bytes(16),
        )
    except UnsupportedAlgorithm as error:
        raise UsageError(
            "PuTTY's version 3 encrypts with Argon2, which is missing here",
            code="no-argon2",
            cause=f"cryptography was built with an OpenSSL before 3.2: {error}",
            fixes=(Fix(("netkit", "key", "convert", "...", "--to", "ppk2")),),
        ) from None


def _pkcs8(key: PrivateKey, passphrase: str | None) -> bytes:
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        how = serialization.BestAvailableEncryption(_secret(passphrase))
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def _traditional(key: PrivateKey, passphrase: str | None) -> bytes:
    """Encrypted as ssh-keygen and OpenSSL do, with AES-128-CBC: PuTTYgen reads no other AES.

    Source: RFC 1421 section 4.6.1.3 for DEK-Info; EVP_BytesToKey(3) for the key.
    """
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return _pkcs8(key, passphrase)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    plain = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    if passphrase is None:
        return plain
    begin, *rows, end = plain.decode("ascii").strip().splitlines()
    data = base64.b64decode("".join(rows))
    iv = secrets.token_bytes(_BLOCK)
    padding = _BLOCK - len(data) % _BLOCK
    secret = hashlib.md5(_secret(passphrase) + iv[:8], usedforsecurity=False).digest()
    machine = Cipher(algorithms.AES(secret), modes.CBC(iv)).encryptor()
    sealed = machine.update(data + bytes([padding]) * padding) + machine.finalize()
    text = base64.b64encode(sealed).decode("ascii")
    lines = [begin, "Proc-Type: 4,ENCRYPTED", f"DEK-Info: AES-128-CBC,{iv.hex().upper()}", ""]
    lines += [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([*lines, end, ""]).encode("ascii")


def _secret(passphrase: str) -> bytes:
    return passphrase.encode("utf-8", "surrogateescape")
