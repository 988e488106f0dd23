"""What a file that should be a private key looks like from outside, and what damaged it.

Reads headings only: the inner part of a key is masked before a check sees it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_LOOK = 64 * 1024

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_PPK = re.compile(rb"PuTTY-User-Key-File-(\d{1,2}): *(\S{1,64})")
_PUBLIC = re.compile(rb"(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]{1,60} +AAAA")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_MARK = b"\xef\xbb\xbf"
_FORMS = {
    b"OPENSSH PRIVATE KEY": "openssh",
    b"RSA PRIVATE KEY": "pem",
    b"DSA PRIVATE KEY": "pem",
    b"EC PRIVATE KEY": "pem",
    b"PRIVATE KEY": "pkcs8",
    b"ENCRYPTED PRIVATE KEY": "pkcs8",
    b"CERTIFICATE": "x509",
    b"PGP PRIVATE KEY BLOCK": "pgp",
}


@dataclass(frozen=True, slots=True)
class KeyForm:
    """The outside of a key file.

    Attributes:
        form: ``openssh``, ``pem``, ``pkcs8``, ``ppk``, ``ssh2``, ``ssh1``, ``x509``, ``pgp``,
            ``public``, ``html``, ``empty`` or ``unknown``.
        fault: ``utf-16``, ``byte-order-mark``, ``cut-off`` (no closing line), ``one-line`` (its
            line breaks are gone), ``indented`` or empty.
        version: of a PuTTY key: 2 or 3.
    """

    form: str
    fault: str = ""
    version: int = 0


def look(data: bytes) -> KeyForm:
    """Return what kind of file begins with ``data``."""
    data = data[:MAX_LOOK]
    if data[:2] in _UTF_16:
        plain = data[2:].replace(b"\0", b"")
        return KeyForm(_form(plain).form, "utf-16")
    if data.startswith(_UTF_8_MARK):
        return KeyForm(_form(data[3:]).form, "byte-order-mark")
    return _form(data)


def _form(data: bytes) -> KeyForm:
    text = data.strip()
    if not text.strip(b"\0"):
        return KeyForm("empty")
    if match := _PPK.match(text):
        return KeyForm("ppk", version=int(match[1]))
    if text.startswith(b"SSH PRIVATE KEY FILE FORMAT 1.1"):
        return KeyForm("ssh1")
    if text.startswith(b"---- BEGIN SSH2"):
        return KeyForm("ssh2")
    if match := _BEGIN.search(text):
        return KeyForm(_FORMS.get(match[1], "unknown"), _armour_fault(text, match))
    if _PUBLIC.match(text):
        return KeyForm("public")
    if text[:1] == b"<":
        return KeyForm("html")
    return KeyForm("unknown")


def _armour_fault(text: bytes, begin: re.Match[bytes]) -> str:
    body = text[begin.end() :]
    end = body.find(b"-----END " + begin[1] + b"-----")
    if end < 0:
        return "cut-off"
    inner = body[:end].strip(b" \t")
    if b"\n" not in inner.strip() and b"\r" not in inner.strip() and len(inner) > 100:
        return "one-line"
    return "indented" if re.search(rb"\n[ \t]+\S", inner) else ""
