"""Fingerprints of public keys as ``ssh-keygen -lv`` prints them.

A key is its wire form (RFC 4253 section 6.6): a string with the type, then the numbers.
"""

from __future__ import annotations

import base64
import hashlib
import struct

_WIDTH = 17
_HEIGHT = 9
# How often a cell was visited; the last two mark the start and the end.
_SYMBOLS = " .o+=*BOX@%&#/^SE"
_TITLES = {
    "ssh-rsa": "RSA",
    "ssh-dss": "DSA",
    "ssh-ed25519": "ED25519",
    "ecdsa-sha2-nistp256": "ECDSA",
    "ecdsa-sha2-nistp384": "ECDSA",
    "ecdsa-sha2-nistp521": "ECDSA",
    "sk-ssh-ed25519@openssh.com": "ED25519-SK",
    "sk-ecdsa-sha2-nistp256@openssh.com": "ECDSA-SK",
}
_BITS = {"256": 256, "384": 384, "521": 521, "25519": 256}


def sha256_fingerprint(blob: bytes) -> str:
    """Return ``SHA256:`` and the digest in base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def md5_fingerprint(blob: bytes) -> str:
    """Return ``MD5:`` and the digest as sixteen pairs, as before OpenSSH 6.8 and in PuTTY."""
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return "MD5:" + ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def key_type(blob: bytes) -> str:
    """Return the key type named in a key's wire form; empty when there is none.

    Never raises: the blob may be anything.
    """
    fields = _strings(blob, 1)
    if not fields or not 0 < len(fields[0]) <= 128:
        return ""
    name = fields[0]
    return name.decode("ascii") if all(33 <= byte <= 126 for byte in name) else ""


def key_bits(blob: bytes) -> int:
    """Return the size of a key in bits; 0 when it cannot be told."""
    name = key_type(blob)
    if name in ("ssh-rsa", "ssh-dss"):
        # RSA: e, n (RFC 4253 section 6.6); DSA: p first.
        fields = _strings(blob, 3)
        index = 2 if name == "ssh-rsa" else 1
        return int.from_bytes(fields[index], "big").bit_length() if len(fields) > index else 0
    for suffix, bits in _BITS.items():
        if name.partition("@")[0].endswith(suffix):
            return bits
    return 0


def randomart(blob: bytes) -> str:
    """Return the eleven lines of OpenSSH's random art over the SHA-256 digest.

    The digest steers a walk over a board, two bits a step (Loss, Limmer, von Gernler: "The drunken
    bishop", 2009); a cell shows how often it was visited.
    """
    board = [[0] * _WIDTH for _ in range(_HEIGHT)]
    x, y = _WIDTH // 2, _HEIGHT // 2
    for byte in hashlib.sha256(blob).digest():
        for shift in (0, 2, 4, 6):
            x = min(max(x + (1 if byte >> shift & 1 else -1), 0), _WIDTH - 1)
            y = min(max(y + (1 if byte >> shift & 2 else -1), 0), _HEIGHT - 1)
            board[y][x] = min(board[y][x] + 1, len(_SYMBOLS) - 3)
    board[_HEIGHT // 2][_WIDTH // 2] = len(_SYMBOLS) - 2
    board[y][x] = len(_SYMBOLS) - 1
    rows = ["|" + "".join(_SYMBOLS[cell] for cell in row) + "|" for row in board]
    return "\n".join([_border(_title(blob)), *rows, _border("[SHA256]")])


def _title(blob: bytes) -> str:
    name = key_type(blob)
    kind = _TITLES.get(name, name.upper() or "KEY")
    title = f"[{kind} {key_bits(blob)}]"
    return title if len(title) <= _WIDTH else f"[{kind}]"[:_WIDTH]


def _border(title: str) -> str:
    left = (_WIDTH - len(title)) // 2
    return "+" + "-" * left + title + "-" * (_WIDTH - left - len(title)) + "+"


def _strings(blob: bytes, count: int) -> list[bytes]:
    """Return up to ``count`` leading strings of RFC 4251 section 5, as many as are whole."""
    fields: list[bytes] = []
    at = 0
    while len(fields) < count and at + 4 <= len(blob):
        (size,) = struct.unpack_from(">I", blob, at)
        if size > len(blob) - at - 4:
            break
        fields.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    return fields
