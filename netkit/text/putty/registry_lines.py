r"""The grammar of ``.reg`` files: logical lines, keys, values; regedit's own format.

``Windows Registry Editor Version 5.00`` files are UTF-16 with a byte order mark (other programs
write UTF-8), ``REGEDIT4`` ones are in the machine's code page.  A value is a string in quotes with
``\\`` and ``\"``, ``dword:`` and eight digits, ``hex:`` or ``hex(TYPE):`` and bytes, continued over
lines by a backslash, or ``-``: delete it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from netkit.errors import ConfigError

MAX_FILE: Final = 8 * 1024 * 1024
"""Longest ``.reg`` file, in bytes."""

MAX_LINE: Final = 256 * 1024
"""Longest logical line, in characters."""

HEADERS: Final = ("Windows Registry Editor Version 5.00", "REGEDIT4")

_HEX = re.compile(r"hex(?:\(([0-9a-fA-F]{1,8})\))?:([0-9a-fA-F, \t]*)\Z")
_DWORD = re.compile(r"dword:([0-9a-fA-F]{1,8})\Z")
_STRING, _EXPANDED, _DWORD_TYPE = 1, 2, 4


@dataclass(frozen=True, slots=True)
class KeyLine:
    """``[KEY]``, or ``[-KEY]``: the key and all below it is deleted."""

    key: str
    line: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class ValueLine:
    """``"NAME"=VALUE``; None deletes, and is also what PuTTY never writes (other types).

    Numbers are signed, 32 bits.
    """

    name: str
    value: str | int | None
    line: int


def parse_lines(content: bytes, file: str) -> Iterator[KeyLine | ValueLine]:
    """Yield the keys and values of a ``.reg`` file in order.

    Raises:
        ConfigError: it is no such file, too large, or damaged; names the file and the line.
    """
    text, wide = _decoded(content, file)
    lines = enumerate(text.splitlines(), 1)
    if next((line for _, line in lines if line.strip()), "").strip() not in HEADERS:
        raise _bad(file, f"its first line is neither {HEADERS[0]!r} nor {HEADERS[1]!r}")
    for number, line in lines:
        whole = _continued(line.strip(), lines, f"{file}:{number}")
        if not whole or whole.startswith(";"):
            continue
        if whole.startswith("["):
            yield _key_line(whole, file, number)
        elif whole[0] in '"@':
            yield _value_line(whole, file, number, wide=wide)
        else:
            raise _bad(f"{file}:{number}", 'it is neither a [KEY] nor a "NAME"=VALUE')


def quoted_text(text: str) -> str:
    """Return a string as ``.reg`` files write it.

    Raises:
        ValueError: it holds a line break or NUL.
    """
    if any(each in text for each in "\r\n\0\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"):
        raise ValueError("a .reg file holds no line breaks")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _decoded(content: bytes, file: str) -> tuple[str, bool]:
    """Return the text, and whether its ``hex(1):`` strings are UTF-16."""
    if len(content) > MAX_FILE:
        raise _bad(file, f"it is larger than {MAX_FILE >> 20} MiB")
    wide = not content.lstrip().startswith(b"REGEDIT4")
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            try:
                return content.decode(name), wide
            except UnicodeDecodeError:
                raise _bad(file, "its encoding is damaged") from None
    if b"\0" in content:
        raise _bad(file, "it is UTF-16 without a byte order mark, or no text at all")
    try:
        return content.decode("utf-8"), wide
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace"), wide


def _continued(line: str, lines: Iterator[tuple[int, str]], place: str) -> str:
    """Return a line with those that continue it: only ``hex`` values are."""
    if line.startswith("[") or "=hex" not in line:
        return line
    pieces = [line]
    size = len(line)
    while pieces[-1].endswith("\\"):
        pieces[-1] = pieces[-1][:-1]
        _, more = next(lines, (0, ""))
        pieces.append(more.strip())
        size += len(more)
        if size > MAX_LINE:
            raise _bad(place, f"the value is longer than {MAX_LINE} characters")
    return "".join(pieces)


def _key_line(line: str, file: str, number: int) -> KeyLine:
    key = line[1:].partition(";")[0].rstrip() if not line.endswith("]") else line[1:]
    if not key.endswith("]"):
        raise _bad(f"{file}:{number}", "a bracket is missing at the end")
    deleted = key.startswith("-")
    return KeyLine(key[1:-1] if deleted else key[:-1], number, deleted)


def _value_line(line: str, file: str, number: int, *, wide: bool) -> ValueLine:
    place = f"{file}:{number}"
    if len(line) > MAX_LINE:
        raise _bad(place, f"the line is longer than {MAX_LINE} characters")
    if line.startswith("@"):
        name, rest = "", line[1:]
    else:
        name, rest = _unquoted(line, place)
    rest = rest.strip()
    if not rest.startswith("="):
        raise _bad(place, "an equals sign is missing after the name")
    return ValueLine(name, _value(rest[1:].strip(), place, wide=wide), number)


def _value(text: str, place: str, *, wide: bool) -> str | int | None:
    if text == "-":
        return None
    if text.startswith('"'):
        value, rest = _unquoted(text, place)
        if rest.strip() and not rest.strip().startswith(";"):
            raise _bad(place, "something follows the string")
        return value
    if match := _DWORD.match(text):
        return _signed(int(match[1], 16))
    if match := _HEX.match(text):
        return _bytes_value(int(match[1] or "3", 16), match[2], place, wide=wide)
    raise _bad(place, "the value is neither a string, dword:, hex: nor -")


def _unquoted(text: str, place: str) -> tuple[str, str]:
    """Return the string that ``text`` begins with, and what follows it."""
    characters: list[str] = []
    at = 1
    while at < len(text):
        if text[at] == '"':
            return "".join(characters), text[at + 1 :]
        if text[at] == "\\":
            at += 1
        characters.append(text[at : at + 1])
        at += 1
    raise _bad(place, "a string is not closed")


def _signed(number: int) -> int:
    """Return what a program sees that reads 32 bits as an int, as PuTTY does."""
    return number - 2**32 if number >= 2**31 else number


def _bytes_value(kind: int, text: str, place: str, *, wide: bool) -> str | int | None:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if any(len(word) > 2 for word in words):
        raise _bad(place, "a byte has two digits")
    data = bytes(int(word, 16) for word in words)
    if kind == _DWORD_TYPE and len(data) == 4:
        return _signed(int.from_bytes(data, "little"))
    if kind in (_STRING, _EXPANDED):
        try:
            return data.decode("utf-16-le" if wide else "cp1252").partition("\0")[0]
        except UnicodeDecodeError:
            raise _bad(place, "its bytes are no text") from None
    return None


def _bad(place: str, why: str) -> ConfigError:
    return ConfigError(f"{place} is no registry file", code="bad-registry-file", cause=why)
