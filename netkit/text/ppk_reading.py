"""PuTTY's private key files as they are read, before anything in them is believed.  Pure.

Source: PuTTY manual, appendix C "PPK file format".  Strict: whatever PuTTYgen would not have
written is refused, with the number of the line, and so is what would take too much to open.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from netkit.errors import KeyFileError
from netkit.model import Fix
from netkit.text import ppk_blobs
from netkit.text.ppk import BLOCK, CIPHER, KINDS, LINE, Argon2, PpkFile

MAX_FILE: Final = 64 * 1024
"""Bytes; RSA of 16384 bits takes 13 KiB."""

MAX_MEMORY: Final = 1 << 20
"""KiB of Argon2, so 1 GiB: 128 times what PuTTYgen takes by itself, and what the machines that run
netkit can still give.  A file that wants more would end the process instead of opening."""

MAX_WORK: Final = 1 << 26
"""KiB times passes; about a minute on one core.  PuTTYgen aims at 0.1 s, some 2**17."""

MAX_PARALLELISM: Final = 64
MAX_SALT: Final = 64
MIN_SALT: Final = 8

_HEADING: Final = b"PuTTY-User-Key-File-"
_MAX_LINES: Final = 1024


def is_ppk(content: bytes) -> bool:
    """Whether ``content`` begins as PuTTY's key files of any version do."""
    return content.startswith(_HEADING)


def parse_ppk(content: bytes, name: str) -> PpkFile:
    """Read a file of version 2 or 3; ``name`` is for messages.

    Raises:
        KeyFileError: ``key-is-dsa``; ``key-unsupported`` for a version, a type or a demand for
            resources beyond what is read here; ``key-not-recognised`` for everything that PuTTY
            would not have written.
    """
    if len(content) > MAX_FILE:
        raise _bad(name, f"it is longer than {MAX_FILE} bytes")
    return _Reader(content, name).read()


class _Reader:
    """Goes through the lines of a file, in the one order that there is."""

    def __init__(self, content: bytes, name: str) -> None:
        # PuTTY writes and accepts every kind of line end
        self._lines = re.split(rb"\r\n|\n|\r", content)
        self._at = 0
        self._name = name

    def read(self) -> PpkFile:
        version, algorithm = self._heading()
        cipher = self._value("Encryption")
        if cipher not in (b"none", CIPHER.encode()):
            cause = f"its encryption is {_shown(cipher)}"
            raise _fault(self._name, "is encrypted in an unknown way", "key-unsupported", cause)
        encrypted = cipher != b"none"
        comment = self._value("Comment")
        public = self._blob("Public-Lines")
        derivation, salt = self._derivation() if encrypted and version == 3 else (None, b"")
        private = self._blob("Private-Lines")
        mac = self._hex("Private-MAC", 20 if version == 2 else 32)
        if any(line.strip() for line in self._lines[self._at :]):
            raise _bad(self._name, f"line {self._at + 1}: there is more behind its end")
        if encrypted and len(private) % BLOCK:
            raise _bad(self._name, "its private half is no whole number of cipher blocks")
        if not ppk_blobs.is_public(algorithm, public):
            raise _bad(self._name, f"its public half is not of the type {algorithm}")
        return PpkFile(
            self._name,
            version,
            algorithm,
            encrypted,
            comment,
            public,
            private,
            mac,
            derivation,
            salt,
        )

    def _heading(self) -> tuple[int, str]:
        head, colon, rest = self._next().partition(b": ")
        number = head.removeprefix(_HEADING)
        if not colon or number == head or not number.isdigit():
            raise _bad(self._name, "line 1: it does not begin as PuTTY's keys do")
        if number not in (b"2", b"3"):
            raise _fault(
                self._name,
                f"is a PuTTY key of version {_shown(number)}",
                "key-unsupported",
                "netkit reads versions 2 and 3; PuTTYgen loads it and saves it anew",
            )
        algorithm = rest.decode("ascii", "backslashreplace")
        if algorithm == "ssh-dss":
            raise _fault(
                self._name,
                "is a DSA key, which SSH servers no longer accept",
                "key-is-dsa",
                "OpenSSH retired DSA in 2015 and removed it in 2025",
                Fix(("netkit", "key", "new")),
            )
        if algorithm not in ppk_blobs.ALGORITHMS:
            raise _fault(
                self._name,
                f"is a PuTTY key of the type {_shown(rest)}",
                "key-unsupported",
                "netkit signs with RSA, ECDSA and Ed25519",
                Fix(("netkit", "key", "new")),
            )
        return int(number), algorithm

    def _derivation(self) -> tuple[Argon2, bytes]:
        kind = self._value("Key-Derivation").decode("ascii", "backslashreplace")
        if kind not in KINDS:
            cause = f"its key derivation is {_shown(kind.encode())}"
            raise _fault(self._name, "is encrypted in an unknown way", "key-unsupported", cause)
        memory = self._number("Argon2-Memory")
        passes = self._number("Argon2-Passes")
        lanes = self._number("Argon2-Parallelism")
        salt = self._hex("Argon2-Salt")
        if not MIN_SALT <= len(salt) <= MAX_SALT:
            raise _bad(self._name, f"its salt has {len(salt)} bytes")
        if passes < 1 or lanes < 1 or memory < 8 * lanes:
            raise _bad(self._name, "its parameters of Argon2 are none (RFC 9106 section 3.1)")
        if memory > MAX_MEMORY or memory * passes > MAX_WORK or lanes > MAX_PARALLELISM:
            raise _fault(
                self._name,
                "asks for more memory or time than netkit gives a key file",
                "key-unsupported",
                f"Argon2 with {memory} KiB, {passes} passes, {lanes} lanes; at most {MAX_MEMORY} "
                f"KiB, {MAX_WORK} KiB in all passes and {MAX_PARALLELISM} lanes are used",
            )
        return Argon2(kind, memory, passes, lanes), salt

    def _next(self) -> bytes:
        if self._at >= len(self._lines):
            raise _bad(self._name, "it is cut off")
        self._at += 1
        return self._lines[self._at - 1]

    def _value(self, heading: str) -> bytes:
        line = self._next()
        start = f"{heading}: ".encode()
        if not line.startswith(start):
            is_end = not any(self._lines[self._at - 1 :])
            why = "it is cut off" if is_end else f"line {self._at}: {heading} is expected here"
            raise _bad(self._name, why)
        return line[len(start) :]

    def _number(self, heading: str) -> int:
        value = self._value(heading)
        if not re.fullmatch(rb"[0-9]{1,10}", value):
            raise _bad(self._name, f"line {self._at}: {heading} is no number")
        return int(value)

    def _blob(self, heading: str) -> bytes:
        count = self._number(heading)
        if not 0 < count <= _MAX_LINES:
            raise _bad(self._name, f"line {self._at}: {heading} is {count}")
        data = b""
        for _ in range(count):
            line = self._next()
            try:
                if not line or len(line) > LINE:
                    raise ValueError
                data += base64.b64decode(line, validate=True)
            except (binascii.Error, ValueError):
                why = f"line {self._at}: {count} lines of base64 are expected ({heading})"
                raise _bad(self._name, why) from None
        return data

    def _hex(self, heading: str, size: int | None = None) -> bytes:
        value = self._value(heading)
        if not re.fullmatch(rb"(?:[0-9a-fA-F]{2})*", value) or size not in (None, len(value) // 2):
            wanted = "hexadecimal digits" if size is None else f"{2 * size} hexadecimal digits"
            raise _bad(self._name, f"line {self._at}: {heading} takes {wanted}")
        return bytes.fromhex(value.decode())


def _shown(value: bytes) -> str:
    return repr(value[:40].decode("ascii", "backslashreplace"))


def _bad(name: str, cause: str) -> KeyFileError:
    return _fault(name, "is not a whole PuTTY key", "key-not-recognised", cause)


def _fault(name: str, what: str, code: str, cause: str, fix: Fix | None = None) -> KeyFileError:
    return KeyFileError(f"{name} {what}", code=code, cause=cause, fixes=(fix,) if fix else ())
