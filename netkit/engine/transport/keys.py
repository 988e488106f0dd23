"""Private key files: what they are, whose they are, and unlocking them.

`read_key_file` looks at a file without a passphrase: OpenSSH's format and PuTTY's show the public
half in the clear, so a key can be offered first and unlocked only when the gateway wants it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

from netkit.engine.transport.signatures import PrivateKey, public_blob
from netkit.errors import KeyFileError, RemoteProtocolError
from netkit.model import Fix
from netkit.text.fingerprints import key_type
from netkit.text.ppk_reading import is_ppk, parse_ppk
from netkit.wire.messages import Fields

MAX_KEY_FILE: Final = 64 * 1024
MAX_KDF_ROUNDS: Final = 4096
"""bcrypt rounds; ssh-keygen writes 16 or 24, and 4096 already take minutes."""
MIN_RSA_BITS: Final = 1024

_MAGIC: Final = b"openssh-key-v1\0"
_ARMOR: Final = re.compile(
    rb"-----BEGIN OPENSSH PRIVATE KEY-----\s*(.*?)-----END OPENSSH PRIVATE KEY-----", re.DOTALL
)
_PEM: Final = re.compile(rb"-----BEGIN (?:(RSA|EC|DSA|ENCRYPTED) )?PRIVATE KEY-----")


@dataclass(frozen=True, slots=True)
class PublicKeyFile:
    """A file with a public key or certificate; ``blob`` is its wire form."""

    path: Path
    blob: bytes


@dataclass(frozen=True, slots=True)
class PrivateKeyFile:
    """A private key that may still be locked; ``public`` is empty if only unlocking shows it."""

    path: Path
    public: bytes
    encrypted: bool
    content: bytes

    def unlock(self, passphrase: str | None = None) -> PrivateKey:
        """Return the key.

        Raises:
            KeyFileError: ``key-wrong-passphrase``, or the file cannot be used at all.
        """
        if is_ppk(self.content):
            return _usable(self.path, parse_ppk(self.content, str(self.path)).unlock(passphrase))
        secret = passphrase.encode() if self.encrypted and passphrase is not None else None
        openssh = _ARMOR.search(self.content) is not None
        load = load_ssh_private_key if openssh else load_pem_private_key
        try:
            key = load(self.content, secret)
        except UnsupportedAlgorithm as error:
            raise _fault(
                self.path,
                "is encrypted or encoded in a way that is not supported",
                "key-unsupported",
                cause=str(error),
                fix=Fix(("ssh-keygen", "-p", "-Z", "aes256-ctr", "-f", str(self.path))),
            ) from error
        except (ValueError, TypeError) as error:
            if secret is not None:
                raise _fault(
                    self.path, "does not open with this passphrase", "key-wrong-passphrase"
                ) from error
            raise _garbage(self.path, str(error)) from error
        return _usable(self.path, key)


def read_key_file(path: Path) -> PrivateKeyFile | PublicKeyFile:
    """Read a file given as an identity and say what it is.

    Raises:
        KeyFileError: as `look_at` does, and ``key-missing``, ``key-unreadable``,
            ``key-permissions``.
    """
    content, protected = read_content(path)
    file = look_at(path, content)
    if isinstance(file, PrivateKeyFile) and not protected:
        raise _fault(
            path,
            "can be read by other users",
            "key-permissions",
            cause="a key that others can read proves nothing, so it is not used (as in ssh)",
            fix=Fix(("chmod", "600", str(path))),
        )
    return file


def look_at(path: Path, content: bytes) -> PrivateKeyFile | PublicKeyFile:
    """Say what the content of a key file is; ``path`` is for messages.

    Raises:
        KeyFileError: with a code for each way to be of no use: ``key-is-dsa``, ``key-is-ssh2``,
            ``key-needs-agent``, ``key-unsupported``, ``key-not-recognised``.
    """
    if len(content) > MAX_KEY_FILE:
        raise _garbage(path, f"it is longer than {MAX_KEY_FILE} bytes")
    if content.startswith((b"---- BEGIN SSH2", b"SSH PRIVATE KEY FILE FORMAT 1.1")):
        raise _fault(
            path,
            "is a key of ssh.com or of SSH protocol 1",
            "key-is-ssh2",
            fix=Fix(("ssh-keygen", "-i", "-f", str(path))),
        )
    if is_ppk(content):
        ppk = parse_ppk(content, str(path))
        if not ppk.encrypted:
            _usable(path, ppk.unlock())  # its MAC shows at once whether it is whole
        return PrivateKeyFile(path, ppk.public, ppk.encrypted, content)
    public = parse_public_line(content)
    if public:
        return PublicKeyFile(path, public)
    armored = _ARMOR.search(content)
    if armored:
        return _openssh(path, content, armored[1])
    pem = _PEM.search(content)
    if pem:
        return _pem(path, content, pem[1] or b"")
    raise _garbage(path, "it holds none of the formats OpenSSH, PEM, PKCS#8, PuTTY")


def parse_public_line(content: bytes) -> bytes:
    """Return the blob of a public key file or ``-cert.pub``; empty when it is none."""
    words = content.split(b"\n", 1)[0].split()
    if len(words) < 2 or not re.fullmatch(rb"[a-z0-9@.\-]{5,64}", words[0]):
        return b""
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return b""
    return blob if key_type(blob).encode() == words[0] else b""


def read_public(path: Path) -> bytes:
    """Return the blob in a ``.pub`` or ``-cert.pub`` file; empty when there is none to be had."""
    try:
        content, _ = read_content(path)
    except KeyFileError:
        return b""
    return parse_public_line(content)


def read_content(path: Path) -> tuple[bytes, bool]:
    """Return the content, and whether only the owner can read the file.

    Raises:
        KeyFileError: ``key-missing``, ``key-unreadable``; ``key-not-recognised`` where it is
            longer than `MAX_KEY_FILE`.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        # non-blocking, so that a FIFO does not hold the login up
        handle = os.open(path, flags)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise _fault(path, "is not a regular file", "key-unreadable")
            with os.fdopen(handle, "rb", closefd=False) as file:
                content = file.read(MAX_KEY_FILE + 1)
        finally:
            os.close(handle)
    except FileNotFoundError as error:
        fix = Fix(("ls", str(path.parent)), note="shows which keys are there")
        raise _fault(path, "does not exist", "key-missing", fix=fix) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _fault(path, "cannot be read", "key-unreadable", cause=reason or "") from error
    if len(content) > MAX_KEY_FILE:
        raise _garbage(path, f"it is longer than {MAX_KEY_FILE} bytes")
    if sys.platform == "win32":
        return content, True
    # OpenSSH's rule (sshkey_perm_ok): only files of one's own are judged
    return content, status.st_uid != os.getuid() or not status.st_mode & 0o077


def _openssh(path: Path, content: bytes, body: bytes) -> PrivateKeyFile:
    """Read the frame of OpenSSH's format (PROTOCOL.key), whose public half is not encrypted."""
    try:
        raw = base64.b64decode(body, validate=False)
        if not raw.startswith(_MAGIC):
            raise _garbage(path, "the OpenSSH key's frame is damaged")
        fields = Fields(raw, len(_MAGIC))
        cipher = fields.text()
        kdf = fields.text()
        kdf_options = bytes(fields.string())
        count = fields.u32()
        public = bytes(fields.string())
        fields.string()
        if kdf == "bcrypt":
            options = Fields(kdf_options, 0)
            options.string()
            if options.u32() > MAX_KDF_ROUNDS:
                raise _garbage(path, f"it asks for more than {MAX_KDF_ROUNDS} bcrypt rounds")
    except (RemoteProtocolError, binascii.Error) as error:
        raise _garbage(path, "the OpenSSH key is cut off or damaged") from error
    if count != 1:
        raise _garbage(path, f"it holds {count} keys, where one is expected")
    kind = key_type(public)
    if kind == "ssh-dss":
        raise _dsa(path)
    if kind.startswith("sk-"):
        raise _fault(
            path,
            "is the handle of a security key, which only an SSH agent can use",
            "key-needs-agent",
            fix=Fix(("ssh-add", str(path))),
        )
    return PrivateKeyFile(path, public, cipher != "none", content)


def _pem(path: Path, content: bytes, label: bytes) -> PrivateKeyFile:
    if label == b"DSA":
        raise _dsa(path)
    encrypted = label == b"ENCRYPTED" or b"Proc-Type: 4,ENCRYPTED" in content
    file = PrivateKeyFile(path, b"", encrypted, content)
    if encrypted:
        return file
    return PrivateKeyFile(path, public_blob(file.unlock()), encrypted, content)


def _usable(path: Path, key: object) -> PrivateKey:
    if isinstance(key, dsa.DSAPrivateKey):
        raise _dsa(path)
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise _fault(path, f"is an RSA key of only {key.key_size} bits", "key-unsupported")
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in {
        "secp256r1",
        "secp384r1",
        "secp521r1",
    }:
        raise _fault(path, f"uses the curve {key.curve.name}, which SSH lacks", "key-unsupported")
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        return key
    raise _fault(path, "is of a kind that SSH does not know", "key-unsupported")


def locked(path: Path) -> KeyFileError:
    """Return the error for an encrypted key and nobody to ask for its passphrase."""
    return _fault(
        path,
        "is encrypted and there is no terminal to ask for its passphrase",
        "key-encrypted",
        cause="load it into an SSH agent once, then no passphrase is needed",
        fix=Fix(("ssh-add", str(path))),
    )


def public_given(path: Path) -> KeyFileError:
    """Return the error for a public key given as identity whose private half is nowhere."""
    private = path.with_suffix("") if path.suffix == ".pub" else None
    there = private is not None and private.exists()
    return _fault(
        path,
        "is a public key and no SSH agent holds the private one",
        "key-is-public",
        cause=f"the private key is probably {private}" if there else "give the private key's file",
        fix=Fix(("netkit", "forward", "...", "-i", str(private)))
        if there
        else Fix(("ssh-add", "-L"), note="shows what the agent holds"),
    )


def _dsa(path: Path) -> KeyFileError:
    return _fault(
        path,
        "is a DSA key, which SSH servers no longer accept",
        "key-is-dsa",
        cause="OpenSSH retired DSA in 2015 and removed it in 2025",
        fix=Fix(("ssh-keygen", "-t", "ed25519")),
    )


def _garbage(path: Path, cause: str) -> KeyFileError:
    fix = Fix(("ssh-keygen", "-l", "-f", str(path)), note="shows what ssh makes of it")
    return _fault(path, "is not a private key", "key-not-recognised", cause=cause, fix=fix)


def _fault(
    path: Path, what: str, code: str, *, cause: str = "", fix: Fix | None = None
) -> KeyFileError:
    return KeyFileError(f"{path} {what}", code=code, cause=cause, fixes=(fix,) if fix else ())
