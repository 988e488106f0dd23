"""Session files of unix PuTTY and of portable ones: lines ``Key=Value`` (unix/storage.c)."""

from __future__ import annotations

from typing import Final

from netkit.errors import ConfigError
from netkit.text.putty.defaults import is_text
from netkit.text.putty.session import MAX_KEYS, MAX_VALUE, Session, Value

MAX_FILE: Final = 1024 * 1024
"""Longest session file, in bytes; PuTTY 0.78 writes 5 KiB."""

_MARKS: Final = ("HostName", "Protocol", "Present", "PortForwardings")


def parse_session(content: bytes, name: str, file: str) -> Session:
    r"""Return the session ``name`` that ``file`` holds.

    As for PuTTY, lines without ``=`` say nothing, of a doubled key the first counts, and a value
    ends at ``\r``.  Portable KiTTY writes ``Key\Value\`` instead, with its own escapes.

    Raises:
        ConfigError: it is too large, binary, or no PuTTY session; the summary names the file.
    """
    if len(content) > MAX_FILE:
        raise _bad(file, f"it is larger than {MAX_FILE >> 10} KiB")
    if b"\0" in content:
        raise _bad(file, "it holds NUL bytes, so it is no text")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    values: dict[str, Value] = {}
    for number, line in enumerate(text.split("\n"), 1):
        key, separator, value = _split(line)
        if not separator or not key or key in values:
            continue
        value = value.partition("\r")[0]
        if len(value) > MAX_VALUE or len(key) > MAX_VALUE:
            raise _bad(f"{file}:{number}", f"the line is longer than {MAX_VALUE} characters")
        if len(values) >= MAX_KEYS:
            raise _bad(f"{file}:{number}", f"it has more than {MAX_KEYS} settings")
        values[key] = _typed(key, value)
    if not any(mark in values for mark in _MARKS):
        raise _bad(file, "no line of it is a setting that PuTTY saves")
    return Session(name, tuple(values.items()))


def format_session(session: Session) -> bytes:
    """Return the file that PuTTY would write.

    Raises:
        ConfigError: a key or value cannot stand in such a file.
    """
    lines = []
    for key, value in session.values:
        text = str(value)
        if not key or any(each in key for each in "=\r\n\0") or key.lstrip("\ufeff") != key:
            raise _unwritable(session, key)
        if any(each in text for each in "\r\n\0"):
            raise _unwritable(session, key)
        lines.append(f"{key}={text}\n")
    try:
        return "".join(lines).encode()
    except UnicodeEncodeError:
        raise _unwritable(session, "one of the settings") from None


def _split(line: str) -> tuple[str, str, str]:
    key, separator, value = line.partition("=")
    kitty, backslash, rest = line.rstrip("\r").partition("\\")
    if backslash and rest.endswith("\\") and kitty.isalnum() and len(kitty) < len(key):
        return kitty, backslash, _unescaped(rest[:-1])
    return key, separator, value


def _unescaped(value: str) -> str:
    """Undo the ``%XX`` of a portable KiTTY's values."""
    from_bytes = bytearray()
    data = value.encode("utf-8", "replace")
    at = 0
    while at < len(data):
        digits = data[at + 1 : at + 3]
        if data[at : at + 1] == b"%" and len(digits) == 2 and _is_hex(digits):
            from_bytes.append(int(digits, 16))
            at += 3
        else:
            from_bytes.append(data[at])
            at += 1
    return from_bytes.decode("utf-8", "replace").replace("\0", "")


def _is_hex(digits: bytes) -> bool:
    return all(digit in b"0123456789abcdefABCDEF" for digit in digits)


def _typed(key: str, value: str) -> Value:
    """Return a number for what PuTTY keeps as one and writes as one."""
    if is_text(key) or len(value) > 11 or not value.lstrip("-").isdecimal():
        return value
    number = int(value)
    return number if str(number) == value and -(2**31) <= number < 2**31 else value


def _bad(place: str, why: str) -> ConfigError:
    return ConfigError(f"{place} is not a PuTTY session", code="bad-putty-session", cause=why)


def _unwritable(session: Session, key: str) -> ConfigError:
    return ConfigError(
        f"PuTTY session {session.name!r} cannot be written",
        code="bad-putty-session",
        cause=f"{key!r} holds what cannot stand in a line",
    )
