"""Where PuTTY keeps its sessions: unix folders (unix/storage.c) and those of portable ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SESSIONS: Final = "sessions"
_HOST_KEYS: Final = "sshhostkeys"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of session files, and the host keys: a file of lines, or a folder with one each."""

    sessions: Path
    host_keys: Path

    def __str__(self) -> str:
        return str(self.sessions)


def own_place(environment: Mapping[str, str] | None = None, home: Path | None = None) -> Place:
    """Return where unix PuTTY of this user keeps its sessions, whether it is there or not.

    Args:
        environment: variables; by default this process's.
        home: by default ``$HOME``, else that of the user database.
    """
    variables = os.environ if environment is None else environment
    folder = _own_folder(variables, home or _home(variables))
    sessions = variables.get("PUTTYSESSIONS")
    host_keys = variables.get("PUTTYSSHHOSTKEYS")
    place = place_in(folder)
    return Place(
        Path(sessions) if sessions else place.sessions,
        Path(host_keys) if host_keys else place.host_keys,
    )


def place_in(folder: Path) -> Place:
    """Return the place that ``folder`` is: PuTTY's own, a portable one's, or its sessions alone."""
    children = _children(folder)
    if _SESSIONS not in children and _looks_like_sessions(folder):
        beside = _children(folder.parent)
        return Place(folder, folder.parent / beside.get(_HOST_KEYS, _HOST_KEYS))
    return Place(
        folder / children.get(_SESSIONS, _SESSIONS), folder / children.get(_HOST_KEYS, _HOST_KEYS)
    )


def _own_folder(variables: Mapping[str, str], home: Path) -> Path:
    if folder := variables.get("PUTTYDIR"):
        return Path(folder)
    configured = variables.get("XDG_CONFIG_HOME")
    xdg = (Path(configured) if configured else home / ".config") / "putty"
    return xdg if xdg.exists() else home / ".putty"


def _home(variables: Mapping[str, str]) -> Path:
    if home := variables.get("HOME"):
        return Path(home)
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.sep)


def _children(folder: Path) -> dict[str, str]:
    """Return the names in a folder by their lower-case form: portable ones write ``Sessions``."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return {}
    return {
        name.lower(): name for name in names[:10_000] if name.lower() in (_SESSIONS, _HOST_KEYS)
    }


def _looks_like_sessions(folder: Path) -> bool:
    if folder.name.lower() == _SESSIONS:
        return True
    try:
        with os.scandir(folder) as entries:
            return any(entry.is_file() for entry in entries)
    except OSError:
        return False
