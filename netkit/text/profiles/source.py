"""A TOML file that people write: its content, and errors that name file, line and key."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any, Final

from netkit.errors import ConfigError
from netkit.text.endpoints import quoted
from netkit.text.profiles.lines import Path as KeyPath
from netkit.text.profiles.lines import line_of

MAX_SIZE: Final = 1 << 20
"""Bytes of a file."""

_AT_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)$")
_DOUBLED: Final = ("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate inline")


def to_text(data: bytes, file: str) -> str:
    """Return the text of a file.

    Raises:
        ConfigError: it is too long, or no UTF-8.
    """
    if len(data) > MAX_SIZE:
        raise ConfigError(f"{file} is longer than {MAX_SIZE >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file} line {line}: it is no UTF-8 text") from None


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a file; ``file`` is its name, for messages."""

    text: str
    file: str

    def parse(self) -> dict[str, Any]:
        """Return the document.

        Raises:
            ConfigError: it is no TOML; names the line.
        """
        try:
            return tomllib.loads(self.text)
        except RecursionError:
            raise ConfigError(f"{self.file}: values are nested too deeply") from None
        except ValueError as error:
            raise self._syntax(str(error)) from None

    def wrong(self, path: KeyPath, shown: KeyPath, summary: str, cause: str = "") -> ConfigError:
        """Return the error about ``path``, of which ``shown`` is named."""
        place = f"at {key_text(shown)}: " if shown else ""
        return ConfigError(
            f"{self.file} line {line_of(self.text, path)}: {place}{summary}", cause=cause
        )

    def _syntax(self, said: str) -> ConfigError:
        found = _AT_LINE.search(said)
        what = said[: found.start()] if found else said.replace(" (at end of document)", "")
        lines = self.text.splitlines() or [""]
        line = min(int(found[1]), len(lines)) if found else len(lines)
        cause = ""
        if what.startswith(_DOUBLED):
            key = lines[line - 1].partition("=")[0].strip()
            what = f"{quoted(key)} is there twice"
            cause = "a key, and a table such as [profiles.NAME], is said once"
        elif what.startswith("Exceeds the limit"):
            what = "a number has too many digits"
        what = what[:1].lower() + what[1:]
        return ConfigError(f"{self.file} line {line}: {what}", cause=cause)


def key_text(path: KeyPath) -> str:
    """Return a path as it is written: ``forwards[0].bind``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")
