"""Text of ``.desktop`` files (freedesktop.org Desktop Entry Specification 1.5); pure.

Two layers of quoting meet in ``Exec``: its arguments are quoted in double quotes (section 7), then
the whole value is escaped as any string is (section 4), so that a backslash becomes four.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from netkit.errors import UsageError

_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_UNESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
# "Reserved characters" of section 7; the rest may stand unquoted.
_RESERVED = re.compile(r"""[ \t\n"'\\><~|&;$*?#()`]""")
_QUOTED_SPECIAL = re.compile(r'(["`$\\])')
_FIELD = re.compile(r"%(.)")
_KEY = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Action:
    """Something else that the menu of the icon offers; ``key`` is letters, digits and ``-``."""

    key: str
    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A program to start.

    ``extra`` are keys of our own (``X-…``).  ``terminal``: it runs in a terminal window.
    """

    name: str
    argv: tuple[str, ...]
    comment: str = ""
    icon: str = ""
    terminal: bool = True
    actions: tuple[Action, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()


def format_entry(entry: Entry) -> str:
    """Return the text of the file.

    Raises:
        UsageError: an argument cannot be said in such a file.
    """
    lines = [
        "[Desktop Entry]",
        "Type=Application",
        "Version=1.1",
        *_keys(("Name", entry.name), ("Comment", entry.comment), ("Icon", entry.icon)),
        f"Exec={_escaped(quote_exec(entry.argv))}",
        f"Terminal={'true' if entry.terminal else 'false'}",
        "Categories=Network;RemoteAccess;",
        *_keys(*entry.extra),
    ]
    if entry.actions:
        lines.append(f"Actions={''.join(f'{each.key};' for each in entry.actions)}")
    for action in entry.actions:
        lines += [
            "",
            f"[Desktop Action {action.key}]",
            *_keys(("Name", action.name)),
            f"Exec={_escaped(quote_exec(action.argv))}",
        ]
    return "\n".join([*lines, ""])


def _keys(*pairs: tuple[str, str]) -> list[str]:
    return [f"{key}={_escaped(value)}" for key, value in pairs if value]


def _escaped(value: str) -> str:
    """Return a string value as it stands in the file; a space at the front needs a form, too."""
    text = "".join(_ESCAPES.get(letter, letter) for letter in value)
    return f"\\s{text[1:]}" if text.startswith(" ") else text


def quote_exec(argv: tuple[str, ...]) -> str:
    """Return the value of ``Exec`` before it is escaped.

    Raises:
        UsageError: the program's name is empty or has ``=``, or an argument a control character.
    """
    if not argv or not argv[0] or "=" in argv[0]:
        raise _cannot(argv[0] if argv else "", "the path of a program there has no '='")
    return " ".join(_quoted(argument) for argument in argv)


def _quoted(argument: str) -> str:
    if any(ord(letter) < 32 or letter == "\x7f" for letter in argument):
        raise _cannot(argument, "it holds a control character")
    try:
        argument.encode("utf-8")
    except UnicodeEncodeError:
        raise _cannot(argument, "it is no text") from None
    text = argument.replace("%", "%%")  # section 7: field codes
    if argument and not _RESERVED.search(argument):
        return text
    escaped = _QUOTED_SPECIAL.sub(r"\\\1", text)
    return f'"{escaped}"'


def _cannot(argument: str, why: str) -> UsageError:
    return UsageError(
        f"{argument[:60]!r} cannot be started by a .desktop file", code="bad-shortcut", cause=why
    )


# ---------------------------------------------------------------- reading


def parse_entry(text: str) -> dict[str, dict[str, str]]:
    """Return the groups of a file, their keys, and the values without escapes.

    Raises:
        UsageError: it is no such file.
    """
    groups: dict[str, dict[str, str]] = {}
    group: dict[str, str] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("[") and line.rstrip().endswith("]"):
            group = groups.setdefault(line.rstrip()[1:-1], {})
            continue
        key, equals, value = line.partition("=")
        if group is None or not equals or not _KEY.fullmatch(key.rstrip().partition("[")[0]):
            raise UsageError(f"line {number} is no part of a .desktop file", code="bad-shortcut")
        group[key.rstrip()] = _unescaped(value.lstrip(" "))
    return groups


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: _UNESCAPES.get(found[1], found[0]), value)


def split_exec(value: str) -> tuple[str, ...]:
    """Return the arguments in the value of ``Exec``; field codes vanish, ``%%`` is ``%``.

    Raises:
        UsageError: a quote is not closed, or text follows one.
    """
    return tuple(_FIELD.sub(_field, word) for word in _words(value))


def _field(found: re.Match[str]) -> str:
    return "%" if found[1] == "%" else ""


def _words(value: str) -> Iterator[str]:
    rest = value.strip(" ")
    while rest:
        if rest[0] == '"':
            found = re.match(r'"((?:[^"\\]|\\.)*)"(?: +|$)', rest, re.DOTALL)
            if found is None:
                raise UsageError("a quote in Exec is not closed", code="bad-shortcut")
            yield re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)
            rest = rest[found.end() :]
        else:
            word, _, rest = rest.partition(" ")
            yield word
            rest = rest.lstrip(" ")
