r"""PuTTY's sessions in the registry of Windows, read through a port that tests can play.

Only ``HKEY_CURRENT_USER\Software\SimonTatham\PuTTY`` is read.  Nothing is written: a ``.reg`` file
is for that, which shows what it will do.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final, Protocol

from netkit.errors import UsageError
from netkit.text.putty.host_keys import parse_entries
from netkit.text.putty.names import from_registry_key
from netkit.text.putty.registry_file import MAX_SESSIONS, Registry
from netkit.text.putty.session import MAX_KEYS, MAX_VALUE, Session

Values = Sequence[tuple[str, object]]

_ROOT: Final = r"Software\SimonTatham\PuTTY"
_MAX_HOST_KEYS: Final = 50_000


class RegistryReader(Protocol):
    """What is asked of the registry; a key that is not there has nothing below it."""

    def subkeys(self, key: str, limit: int) -> list[str]:
        """Return the names of at most ``limit`` keys below one of HKEY_CURRENT_USER."""
        ...

    def values(self, key: str, limit: int) -> list[tuple[str, object]]:
        """Return at most ``limit`` values of a key by name."""
        ...


class WindowsRegistry:
    """The registry of this machine."""

    def subkeys(self, key: str, limit: int) -> list[str]:
        """Return the names of at most ``limit`` keys below one of HKEY_CURRENT_USER."""
        if sys.platform != "win32":
            return []
        import winreg  # noqa: PLC0415 - only there

        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, key) as opened:
                count = min(winreg.QueryInfoKey(opened)[0], limit)
                return [winreg.EnumKey(opened, index) for index in range(count)]
        except OSError:
            return []

    def values(self, key: str, limit: int) -> list[tuple[str, object]]:
        """Return at most ``limit`` values of a key by name."""
        if sys.platform != "win32":
            return []
        import winreg  # noqa: PLC0415 - only there

        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, key) as opened:
                count = min(winreg.QueryInfoKey(opened)[1], limit)
                return [winreg.EnumValue(opened, index)[:2] for index in range(count)]
        except OSError:
            return []


def read_registry(reader: RegistryReader, *, encoding: str = "") -> Registry:
    """Return PuTTY's part of the registry.

    Args:
        reader: what to ask.
        encoding: the code page of session names; by default this machine's.
    """
    encoding = encoding or ("mbcs" if sys.platform == "win32" else "cp1252")
    sessions: list[Session] = []
    left_out: list[str] = []
    for key in reader.subkeys(rf"{_ROOT}\Sessions", MAX_SESSIONS):
        values = reader.values(rf"{_ROOT}\Sessions\{key}", MAX_KEYS)
        try:
            name = from_registry_key(key, encoding)
        except UsageError as error:
            left_out.append(f"registry: {error.summary}: {error.cause}")
            continue
        sessions.append(Session(name, tuple(_understood(values))))
    keys = reader.values(rf"{_ROOT}\SshHostKeys", _MAX_HOST_KEYS)
    cache = parse_entries(
        (name, value, "registry") for name, value in keys if isinstance(value, str)
    )
    return Registry(tuple(sessions), cache, tuple(left_out))


def _text(value: str) -> str:
    """Return ``value`` with half characters replaced, which the registry does not refuse."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _understood(values: Values) -> list[tuple[str, str | int]]:
    """Return strings and numbers, the numbers signed as PuTTY reads them."""
    kept: dict[str, str | int] = {}
    for name, value in values:
        if not name or name in kept:
            continue
        if isinstance(value, int):
            kept[name] = value - 2**32 if value >= 2**31 else value
        elif isinstance(value, str):
            kept[_text(name)] = _text(value.partition("\0")[0][:MAX_VALUE])
    return list(kept.items())
