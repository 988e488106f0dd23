"""Names of profiles: words for a command line that can be file names on every system."""

from __future__ import annotations

import re
from typing import Final

from netkit.errors import UsageError
from netkit.text.endpoints import quoted

MAX_NAME: Final = 64
"""Characters."""

PATTERN: Final = r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_-])?"
"""What a name is, as a regular expression for the whole of it."""

_NAME: Final = re.compile(PATTERN)
_OTHERS: Final = re.compile(r"[^A-Za-z0-9._-]+")
# Windows takes them for devices, with any extension (Naming Files, Paths, and Namespaces).
_DEVICES: Final = frozenset(
    [
        "con",
        "prn",
        "aux",
        "nul",
        *(f"{name}{digit}" for name in ("com", "lpt") for digit in "123456789"),
    ]
)


def check_name(name: str) -> str:
    """Return ``name`` if a profile can be called that.

    Raises:
        UsageError: it cannot, code ``bad-profile-name``; the cause says why.
    """
    why = why_not(name)
    if why:
        raise UsageError(
            f"{quoted(name)} cannot be the name of a profile", code="bad-profile-name", cause=why
        )
    return name


def why_not(name: str) -> str:
    """Return why a profile cannot be called ``name``; empty where it can."""
    if not name:
        return "it is empty"
    if len(name) > MAX_NAME:
        return f"it is longer than {MAX_NAME} characters"
    if not _NAME.fullmatch(name):
        return (
            "a name has letters, digits, '.', '_' and '-', begins with none of '-' and '.' and"
            " does not end with '.'"
        )
    if name.partition(".")[0].lower() in _DEVICES:
        return "Windows takes it for a device"
    return ""


def could_be_name(word: str) -> bool:
    """Tell whether ``word``, where a gateway is expected, may mean a profile."""
    return not why_not(word)


def name_from(text: str) -> str:
    """Return a name that resembles ``text``, for tunnels that other programs call so."""
    name = _OTHERS.sub("-", text)[:MAX_NAME].lstrip("-.").rstrip("-.")
    if not name:
        return "profile"
    return (
        name
        if not why_not(name)
        else f"{name.partition('.')[0]}_{name.partition('.')[2]}"[:MAX_NAME].rstrip(".")
    )
