r"""Session names as file names (unix PuTTY) and as registry keys (PuTTY for Windows), both ways.

Unix keeps ``A-Z a-z 0-9 + - . @ _`` and writes every other byte as ``%XX`` (unix/storage.c).  The
registry escapes space, ``\ * ? %``, whatever is no printable ASCII, and a leading dot
(windows/utils/escape_registry_key.c).  A name that could lead out of its folder is refused.
"""

from __future__ import annotations

import re
from typing import Final

from netkit.errors import UsageError
from netkit.text.endpoints import quoted

DEFAULT_SETTINGS: Final = "Default Settings"
"""What PuTTY starts from; no session."""

MAX_NAME: Final = 200
"""Longest session name, in characters."""

ANSI: Final = "cp1252"
"""The code page of registry names where nothing else is known: Western Windows."""

_MAX_FILE_NAME: Final = 255
_PLAIN: Final = re.compile(rb"[A-Za-z0-9+\-.@_]")
_REGISTRY_ESCAPED: Final = frozenset(b" \\*?%")
_ESCAPE: Final = re.compile(rb"%(..)", re.DOTALL)


def file_name(name: str) -> str:
    """Return the name of the file in which unix PuTTY keeps the session ``name``.

    Raises:
        UsageError: it is no session name, or would lead out of the folder.
    """
    check_name(name)
    made = "".join(
        chr(byte) if _PLAIN.match(bytes([byte])) else f"%{byte:02X}" for byte in name.encode()
    )
    if made in (".", ".."):
        raise _bad(name, "such a file would lie outside the sessions' folder")
    if len(made) > _MAX_FILE_NAME:
        raise _bad(name, f"as a file name it has more than {_MAX_FILE_NAME} characters")
    return made


def from_file_name(text: str) -> str:
    """Return the session that a file of unix PuTTY's folder holds.

    Raises:
        UsageError: PuTTY writes no such name, or it stands for no text.
    """
    return _decoded(text.encode("utf-8", "surrogateescape"), "utf-8", text)


def registry_key(name: str, encoding: str = ANSI) -> str:
    """Return the registry key in which PuTTY for Windows keeps the session ``name``.

    Raises:
        UsageError: it is no session name, or ``encoding`` cannot write it.
    """
    check_name(name)
    return escape_registry(name, encoding)


def from_registry_key(text: str, encoding: str = ANSI) -> str:
    """Return the session that a registry key holds.

    Raises:
        UsageError: the name is damaged, or stands for no text.
    """
    return _decoded(text.encode("utf-8", "surrogatepass"), encoding, text)


def escape_registry(text: str, encoding: str = ANSI) -> str:
    """Return ``text`` as PuTTY writes it into names of the registry.

    Raises:
        UsageError: ``encoding`` cannot write it.
    """
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError:
        raise _bad(
            text, f"the code page {encoding} of PuTTY's names lacks one of its characters"
        ) from None
    return "".join(
        f"%{byte:02X}"
        if byte in _REGISTRY_ESCAPED or not 32 <= byte <= 126 or (byte == 0x2E and at == 0)
        else chr(byte)
        for at, byte in enumerate(data)
    )


def check_name(name: str) -> None:
    """Check that ``name`` can be a session's.

    Raises:
        UsageError: it is empty, too long, or holds control characters.
    """
    if not name:
        raise _bad(name, "it is empty")
    if len(name) > MAX_NAME:
        raise _bad(name, f"it is longer than {MAX_NAME} characters")
    if any(ord(each) < 32 or 0x7F <= ord(each) < 0xA0 for each in name):
        raise _bad(name, "it holds control characters")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise _bad(name, "it is no text") from None


def _decoded(data: bytes, encoding: str, text: str) -> str:
    """Undo ``%XX``, which PuTTY writes with capital digits; a lone ``%`` at the end stays."""
    damaged = next((m for m in _ESCAPE.finditer(data) if not _is_hex(m[1])), None)
    if damaged:
        raise _bad(text, "what follows a % are two digits, 0-9 or A-F")
    raw = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), data)
    try:
        name = raw.decode(encoding)
    except UnicodeDecodeError:
        name = raw.decode("latin-1")
    check_name(name)
    return name


def _is_hex(digits: bytes) -> bool:
    return all(digit in b"0123456789ABCDEF" for digit in digits)


def _bad(name: str, why: str) -> UsageError:
    return UsageError(
        f"{quoted(name)} cannot be the name of a PuTTY session", code="bad-session-name", cause=why
    )
