"""A PuTTY session: what one of its saved sessions says, wherever it was kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

Value = str | int

MAX_KEYS = 4000
"""Most settings of one session; PuTTY 0.78 writes 240."""

MAX_VALUE = 64 * 1024
"""Longest value, in characters."""

_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Session:
    """Settings by name, in the order they were written.

    ``values`` holds each key once.  The two types are the registry's, REG_SZ and REG_DWORD; unix
    files know only text.
    """

    name: str
    values: tuple[tuple[str, Value], ...] = ()

    def get(self, key: str) -> Value | None:
        """Return a setting, None if it was not saved."""
        return next((value for name, value in self.values if name == key), None)

    def text(self, key: str, default: str = "") -> str:
        """Return a setting as text."""
        value = self.get(key)
        return default if value is None else str(value)

    def number(self, key: str, default: int = 0) -> int:
        """Return a setting as a number, read as C's ``atoi`` does: 0 for what is none."""
        value = self.get(key)
        if value is None:
            return default
        if isinstance(value, int):
            return value
        match = _NUMBER.match(value)
        return int(match[1]) if match else 0

    def changed(self, more: Mapping[str, Value]) -> Session:
        """Return the session with ``more`` settings, those it has already in their place."""
        merged = {**dict(self.values), **more}
        return replace(self, values=tuple(merged.items()))
