"""One line of ssh_config(5): keyword, arguments, quotes, comments, as ssh divides it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from netkit.errors import ConfigError
from netkit.model import Fix

MAX_FILE = 1024 * 1024
"""Longest configuration file read, in characters."""

_BLANK = " \t\r\n"
_BREAK = re.compile(r'[ \t\r\n"=]')


@dataclass(frozen=True, slots=True)
class Where:
    """A line of a file, for messages."""

    file: str
    line: int

    def error(self, what: str, cause: str = "", fixes: tuple[Fix, ...] = ()) -> ConfigError:
        """Return the error that ``what`` is wrong here."""
        return ConfigError(f"{self.file}:{self.line}: {what}", cause=cause, fixes=fixes)


@dataclass(frozen=True, slots=True)
class Line:
    """A keyword in lower case, the raw rest of the line, and the rest as arguments."""

    where: Where
    keyword: str
    rest: str
    arguments: tuple[str, ...]


def parse_line(text: str, where: Where) -> Line | None:
    """Divide a line; None when it is blank or a comment.

    Raises:
        ConfigError: no argument, an open quote, or a NUL.
    """
    if "\0" in text:
        raise where.error("a NUL character", "this is no text file")
    text = text.rstrip(_BLANK + "\f").lstrip(_BLANK)
    if not text or text.startswith("#"):
        return None
    keyword, rest = next_word(text)
    if keyword is None:
        raise where.error("an open quote")
    if not keyword:
        raise where.error("the line does not begin with a keyword")
    if not rest:
        raise where.error(f"{keyword} has no argument")
    arguments = split_arguments(rest)
    if arguments is None:
        raise where.error("an open quote")
    return Line(where, keyword.lower(), rest, arguments)


def next_word(text: str) -> tuple[str | None, str]:
    """Take the first word off ``text``, as ssh takes keywords and the words of ``Match``.

    A word ends at blanks or one ``=``; a double quote begins a quoted word.  The word is None when
    its quote is open.
    """
    found = _BREAK.search(text)
    if found is None:
        return text, ""
    at = found.start()
    if text[at] == '"':
        end = text.find('"', at + 1)
        if end < 0:
            return None, ""
        return text[:at] + text[at + 1 : end], text[end + 1 :].lstrip(_BLANK)
    rest = text[at + 1 :].lstrip(_BLANK)
    if text[at] != "=" and rest.startswith("="):
        rest = rest[1:].lstrip(_BLANK)
    return text[:at], rest


def split_arguments(text: str) -> tuple[str, ...] | None:
    r"""Split arguments at blanks; None when a quote is open.

    Single and double quotes enclose, a backslash makes ``\``, ``'``, ``"`` and (outside quotes) a
    blank ordinary, and a ``#`` that begins a word begins a comment.
    """
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    index = 0
    while index < len(text):
        character = text[index]
        index += 1
        if word is None:
            if character in " \t":
                continue
            if character == "#":
                break
            word = []
        if character == "\\" and _escapes(text[index : index + 1], quote):
            word.append(text[index])
            index += 1
        elif character in " \t" and not quote:
            words.append("".join(word))
            word = None
        elif character in "\"'" and quote in ("", character):
            quote = "" if quote else character
        else:
            word.append(character)
    if quote:
        return None
    if word is not None:
        words.append("".join(word))
    return tuple(words)


def _escapes(character: str, quote: str) -> bool:
    return character in ("\\", "'", '"') or (character == " " and not quote)
