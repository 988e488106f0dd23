r"""PuTTY's part of the Windows registry as ``.reg`` files, both ways.

Read are the keys below ``HKEY_CURRENT_USER\Software\SimonTatham\PuTTY\Sessions`` and the values of
``SshHostKeys``; whatever else a file holds is passed over.  What the file deletes is deleted from
what it said before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from netkit.errors import ConfigError, UsageError
from netkit.text.putty.host_keys import Cache, CachedKey, entry_value, parse_entries, registry_name
from netkit.text.putty.names import from_registry_key, registry_key
from netkit.text.putty.registry_lines import HEADERS, KeyLine, ValueLine, parse_lines, quoted_text
from netkit.text.putty.session import MAX_KEYS, MAX_VALUE, Session, Value

ROOT: Final = r"HKEY_CURRENT_USER\Software\SimonTatham\PuTTY"
MAX_SESSIONS: Final = 10_000

_SESSIONS: Final = "sessions"
_HOST_KEYS: Final = "sshhostkeys"
_SHORT_ROOT: Final = "hkcu\\"


@dataclass(frozen=True, slots=True)
class Registry:
    """PuTTY's part of a registry."""

    sessions: tuple[Session, ...] = ()
    host_keys: Cache = field(default_factory=Cache)
    left_out: tuple[str, ...] = ()


def parse_registry_file(content: bytes, file: str) -> Registry:
    """Return the sessions and host keys of a ``.reg`` file.

    Raises:
        ConfigError: it is no such file, too large, or damaged; names the file and the line.
    """
    reader = _Reader(file)
    for line in parse_lines(content, file):
        if isinstance(line, KeyLine):
            reader.key(line)
        else:
            reader.value(line)
    return reader.result()


def format_registry_file(sessions: Iterable[Session], host_keys: Iterable[CachedKey] = ()) -> bytes:
    """Return a file that regedit imports: UTF-16 with a byte order mark, CR LF.

    Raises:
        UsageError: a session's name or a value cannot be written.
        ValueError: PuTTY cannot keep one of the host keys.
    """
    lines = [HEADERS[0], ""]
    for session in sessions:
        lines.append(f"[{ROOT}\\Sessions\\{registry_key(session.name)}]")
        lines += [_value_text(session, key, value) for key, value in session.values]
        lines.append("")
    keys = [
        f"{quoted_text(registry_name(key.host, key.port, key.blob))}="
        f"{quoted_text(entry_value(key.blob))}"
        for key in host_keys
    ]
    if keys:
        lines += [f"[{ROOT}\\SshHostKeys]", *keys, ""]
    return "\ufeff".encode("utf-16-le") + ("\r\n".join(lines) + "\r\n").encode("utf-16-le")


class _Reader:
    """Follows a file: which key is open, and what its values are about."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._sessions: dict[str, dict[str, Value]] = {}
        self._host_keys: dict[str, tuple[str, str]] = {}
        self._open: dict[str, Value] | None = None
        self._in_host_keys = False

    def key(self, line: KeyLine) -> None:
        self._open, self._in_host_keys = None, False
        parts = _below_root(line.key)
        if parts is None:
            return
        if line.deleted:
            self._delete(parts)
        elif len(parts) == 2 and parts[0].lower() == _SESSIONS:
            if len(self._sessions) >= MAX_SESSIONS and parts[1] not in self._sessions:
                raise self._bad(line, f"it holds more than {MAX_SESSIONS} sessions")
            self._open = self._sessions.setdefault(parts[1], {})
        else:
            self._in_host_keys = len(parts) == 1 and parts[0].lower() == _HOST_KEYS

    def value(self, line: ValueLine) -> None:
        if self._in_host_keys and line.name:
            self._host_keys.pop(line.name, None)
            if isinstance(line.value, str):
                self._host_keys[line.name] = (line.value, f"{self._file}:{line.line}")
        if self._open is None or not line.name:
            return
        if line.value is None:
            self._open.pop(line.name, None)
            return
        if len(str(line.value)) > MAX_VALUE or len(line.name) > MAX_VALUE:
            raise self._bad(line, f"the value is longer than {MAX_VALUE} characters")
        if len(self._open) >= MAX_KEYS:
            raise self._bad(line, f"a session has more than {MAX_KEYS} settings")
        self._open[line.name] = line.value

    def _delete(self, parts: list[str]) -> None:
        first = parts[0].lower() if parts else ""
        if first in ("", _SESSIONS):
            names = [parts[1]] if len(parts) > 1 else list(self._sessions)
            for name in names if len(parts) < 3 else []:
                self._sessions.pop(name, None)
        if first in ("", _HOST_KEYS) and len(parts) < 2:
            self._host_keys.clear()

    def result(self) -> Registry:
        sessions, left_out = [], []
        for key, values in self._sessions.items():
            try:
                sessions.append(Session(from_registry_key(key), tuple(values.items())))
            except UsageError as error:
                left_out.append(f"{self._file}: {error.summary}: {error.cause}")
        cache = parse_entries(
            (name, value, place) for name, (value, place) in self._host_keys.items()
        )
        return Registry(tuple(sessions), cache, tuple(left_out))

    def _bad(self, line: KeyLine | ValueLine, why: str) -> ConfigError:
        place = f"{self._file}:{line.line}"
        return ConfigError(f"{place} is too large", code="bad-registry-file", cause=why)


def _below_root(key: str) -> list[str] | None:
    """Return what follows PuTTY's own key, None for keys of others; names compare without case."""
    lowered = key.lower()
    if lowered.startswith(_SHORT_ROOT):
        key = f"HKEY_CURRENT_USER\\{key[len(_SHORT_ROOT) :]}"
        lowered = key.lower()
    root = ROOT.lower()
    if lowered == root:
        return []
    if not lowered.startswith(root + "\\"):
        return None
    return key[len(root) + 1 :].split("\\")


def _value_text(session: Session, key: str, value: Value) -> str:
    try:
        if isinstance(value, int):
            return f"{quoted_text(key)}=dword:{value & 0xFFFFFFFF:08x}"
        return f"{quoted_text(key)}={quoted_text(value)}"
    except ValueError as error:
        raise UsageError(
            f"session {session.name!r} cannot be written: {key!r}",
            code="bad-putty-session",
            cause=str(error),
        ) from None
