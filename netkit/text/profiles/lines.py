"""On which line of a TOML text a key is.  tomllib gives values without places."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

Path = tuple[str | int, ...]
"""Keys and positions from the top of a document to a value."""

_TOKEN: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[\]{}\n]"
    r"|[^\[\]{}\n\"'#]+"
    r"|.",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A header or a key with its value; ``line`` is where it begins, the first is 1."""

    line: int
    start: int
    end: int
    text: str

    @property
    def is_header(self) -> bool:
        """Whether it is ``[table]`` or ``[[table]]``."""
        return self.text.lstrip().startswith("[")


def statements(text: str) -> Iterator[Statement]:
    """Yield the statements of a valid TOML document, in order."""
    line = first = 1
    depth = start = 0
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in ("[", "{"):
            depth += 1
        elif word in ("]", "}"):
            depth -= 1
        line += word.count("\n")
        if word == "\n" and depth <= 0:
            if _says_something(text[start : token.start()]):
                yield Statement(first, start, token.start(), text[start : token.start()])
            first, start, depth = line, token.end(), 0
    if _says_something(text[start:]):
        yield Statement(first, start, len(text), text[start:])


def line_of(text: str, path: Path) -> int:
    """Return the line on which ``path`` is, or what is nearest above it; ``text`` is valid TOML."""
    best, line = 0, 1
    table: Path = ()
    arrays: dict[Path, int] = {}
    for statement in statements(text):
        keys = header_keys(statement)
        if keys is not None:
            table = _table(keys, arrays, is_array=statement.text.lstrip().startswith("[["))
            depth = _common(table, path)
        elif path[: len(table)] == table:
            depth = len(table) + _depth(_parsed(statement.text), path[len(table) :])
        else:
            continue
        if depth > best:
            best, line = depth, statement.line
    return line


def header_keys(statement: Statement) -> tuple[str, ...] | None:
    """Return the keys of a header, None for any other statement."""
    if not statement.is_header:
        return None
    keys = []
    tree: Any = _parsed(statement.text)
    while tree and isinstance(tree, dict):
        key, tree = next(iter(tree.items()))
        keys.append(key)
    return tuple(keys)


def _says_something(text: str) -> bool:
    stripped = text.strip()
    return bool(stripped) and not stripped.startswith("#")


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError:
        return {}


def _table(keys: tuple[str, ...], arrays: dict[Path, int], *, is_array: bool) -> Path:
    """Return the path of a header, with the positions in arrays; count where it adds to one."""
    path: Path = ()
    for index, key in enumerate(keys):
        path = (*path, key)
        if is_array and index == len(keys) - 1:
            arrays[path] = arrays.get(path, 0) + 1
        if path in arrays:
            path = (*path, arrays[path] - 1)
    return path


def _common(one: Path, other: Path) -> int:
    depth = 0
    while depth < min(len(one), len(other)) and one[depth] == other[depth]:
        depth += 1
    return depth


def _depth(tree: Any, path: Path) -> int:
    """Return how many steps of ``path`` there are in ``tree``."""
    for depth, step in enumerate(path):
        try:
            tree = tree[step]
        except (LookupError, TypeError):
            return depth
    return len(path)
