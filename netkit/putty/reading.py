"""Reading PuTTY's sessions and host keys from wherever they are; everything is bounded."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netkit.errors import UsageError
from netkit.files import read_bounded
from netkit.model import Fix
from netkit.putty.places import Place, own_place, place_in
from netkit.putty.windows import RegistryReader, WindowsRegistry, read_registry
from netkit.text.putty import host_keys, registry_lines, session_file
from netkit.text.putty.host_keys import Cache, CachedKey
from netkit.text.putty.names import from_file_name
from netkit.text.putty.registry_file import MAX_SESSIONS, parse_registry_file
from netkit.text.putty.session import Session

MAX_ENTRY: Final = 64 * 1024
"""Longest file of a single host key, in bytes."""

_REGISTRY: Final = r"HKEY_CURRENT_USER\Software\SimonTatham\PuTTY"


@dataclass(frozen=True, slots=True)
class Store:
    """What was found at a place, and what could not be read there."""

    place: str
    sessions: tuple[Session, ...] = ()
    host_keys: tuple[CachedKey, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def by_name(self) -> dict[str, Session]:
        """The sessions by name."""
        return {session.name: session for session in self.sessions}


def read_store(path: Path | None = None, *, registry: RegistryReader | None = None) -> Store:
    """Return the sessions and host keys at ``path``.

    Args:
        path: a ``.reg`` file, a session file, or a folder of PuTTY's or of a portable one; by
            default the registry on Windows, elsewhere the user's folder.
        registry: what to ask instead of the registry of this machine.

    Raises:
        UsageError: there is nothing, or nothing readable.
        ConfigError: a file that is named is damaged.
    """
    if path is None:
        if registry is not None or sys.platform == "win32":
            found = read_registry(registry or WindowsRegistry())
            cache, left_out = found.host_keys, found.left_out
            return _filled(
                Store(_REGISTRY, found.sessions, cache.keys, (*left_out, *cache.left_out))
            )
        return _filled(_read_place(own_place()))
    if path.is_dir():
        return _filled(_read_place(place_in(path)))
    if not path.exists():
        raise UsageError(
            f"{path} is not there",
            code="no-putty-sessions",
            cause="sessions are in a folder of PuTTY, in a .reg file, or in a file each",
        )
    if _is_registry_file(path):
        content = read_bounded(path, registry_lines.MAX_FILE)
        found = parse_registry_file(content, str(path))
        cache, left_out = found.host_keys, found.left_out
        return _filled(Store(str(path), found.sessions, cache.keys, (*left_out, *cache.left_out)))
    session = _read_session(path)
    cache = _read_host_keys(place_in(path.parent).host_keys)
    return Store(str(path), (session,), cache.keys, cache.left_out)


def read_cache(path: Path) -> bytes:
    """Return the file of host keys; one that is not there is empty.

    Raises:
        UsageError: it cannot be read, or is too large.
    """
    return read_bounded(path, host_keys.MAX_FILE) if path.exists() else b""


def read_session(path: Path) -> Session | None:
    """Return the session in a file, None where there is no file.

    Raises:
        UsageError: it cannot be read.
        ConfigError: it is no session.
    """
    return _read_session(path) if path.exists() else None


def _filled(store: Store) -> Store:
    if store.sessions or store.host_keys:
        return store
    why = "; ".join(store.left_out[:3])
    raise UsageError(
        f"there are no PuTTY sessions in {store.place}",
        code="no-putty-sessions",
        cause=why or "PuTTY has saved none there; name its folder, or a .reg file of its registry",
        fixes=(
            Fix(("reg", "export", r"HKCU\Software\SimonTatham", "putty.reg"), note="on Windows"),
            Fix(("netkit", "profile", "import", "putty", "putty.reg")),
        ),
    )


def _read_place(place: Place) -> Store:
    sessions: list[Session] = []
    left_out: list[str] = []
    try:
        names = sorted(os.listdir(place.sessions))  # noqa: PTH208 - names are all that is wanted
    except FileNotFoundError:
        names = []
    except OSError as error:
        left_out.append(f"{place.sessions} cannot be read: {error.strerror}")
        names = []
    if len(names) > MAX_SESSIONS:
        left_out.append(f"{place.sessions}: more than {MAX_SESSIONS} files; the rest is not read")
    for name in names[:MAX_SESSIONS]:
        path = place.sessions / name
        if not path.is_file():
            continue
        try:
            sessions.append(_read_session(path))
        except UsageError as error:
            if name.startswith("."):  # an editor's or a file manager's
                continue
            shown = error.summary if str(path) in error.summary else f"{path}: {error.summary}"
            left_out.append(f"{shown}: {error.cause}" if error.cause else shown)
    try:
        cache = _read_host_keys(place.host_keys)
    except UsageError as error:
        cache = Cache(left_out=(error.summary,))
    return Store(str(place), tuple(sessions), cache.keys, (*left_out, *cache.left_out))


def _read_session(path: Path) -> Session:
    content = read_bounded(path, session_file.MAX_FILE)
    return session_file.parse_session(content, from_file_name(path.name), str(path))


def _read_host_keys(path: Path) -> Cache:
    if path.is_dir():
        return host_keys.parse_entries(_entries(path))
    if path.exists():
        return host_keys.parse_cache_file(read_bounded(path, host_keys.MAX_FILE), str(path))
    return Cache()


def _entries(folder: Path) -> list[tuple[str, str, str]]:
    """Return the keys of a portable PuTTY: a file each, named by type, port and host."""
    entries = []
    for path in sorted(folder.iterdir())[: host_keys.MAX_KEYS]:
        if not path.is_file():
            continue
        try:
            name = from_file_name(path.name)
            value = read_bounded(path, MAX_ENTRY).decode("utf-8", "replace")
        except UsageError as error:
            entries.append((path.name, error.summary, str(path)))
            continue
        entries.append((name, value.strip("\r\n\0 \\"), str(path)))
    return entries


def _is_registry_file(path: Path) -> bool:
    if path.suffix.lower() == ".reg":
        return True
    try:
        with path.open("rb") as file:
            begun = file.read(64)
    except OSError:
        return False
    return begun.startswith((b"\xff\xfe", b"\xfe\xff")) or any(
        header.encode() in begun for header in registry_lines.HEADERS
    )
