"""Values out of the TOML of other programs, or an error that names the place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from netkit.errors import ConfigError, UsageError
from netkit.text.profiles.lines import Path as KeyPath
from netkit.text.profiles.source import Source

T = TypeVar("T")


@dataclass(slots=True)
class Fields:
    """A table of a file, whose keys are taken one by one; what nobody took is `rest`."""

    source: Source
    path: KeyPath
    table: Mapping[str, Any]
    taken: set[str] = field(default_factory=set)

    def text(self, key: str, default: str = "") -> str:
        """Return a text; a number counts as its digits."""
        self.taken.add(key)
        value = self.table.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return self._checked(key, value, str, "a text")

    def number(self, key: str, default: int = 0) -> int:
        """Return a whole number."""
        self.taken.add(key)
        value = self.table.get(key, default)
        if isinstance(value, bool):
            value = ""
        return self._checked(key, value, int, "a whole number")

    def flag(self, key: str) -> bool:
        """Return a truth value."""
        self.taken.add(key)
        return self._checked(key, self.table.get(key, False), bool, "true or false")

    def texts(self, key: str) -> list[str]:
        """Return a list of texts; a text alone counts as a list of it."""
        self.taken.add(key)
        value = self.table.get(key, [])
        values = value if isinstance(value, list) else [value]
        return [self._checked(key, each, str, "a list of texts") for each in values]

    def tables(self, key: str) -> list[Fields]:
        """Return a list of tables."""
        self.taken.add(key)
        value = self._checked(key, self.table.get(key, []), list, "a list of tables")
        made = []
        for at, each in enumerate(value):
            if not isinstance(each, dict):
                raise self.wrong(key, "a table is expected")
            made.append(Fields(self.source, (*self.path, key, at), each))
        return made

    def parsed(self, key: str, parse: Callable[[str], T], text: str) -> T:
        """Return what ``parse`` makes of ``text``, the value of ``key``."""
        try:
            return parse(text)
        except UsageError as error:
            raise self.wrong(key, error.summary, error.cause) from None

    def wrong(self, key: str, summary: str, cause: str = "") -> ConfigError:
        """Return the error about ``key``."""
        path = (*self.path, key)
        return self.source.wrong(path, path, summary, cause)

    def rest(self) -> list[str]:
        """Return the keys that nobody took."""
        return [key for key in self.table if key not in self.taken]

    def _checked(self, key: str, value: Any, kind: type[T], what: str) -> T:
        if not isinstance(value, kind):
            raise self.wrong(key, f"{what} is expected")
        return value
