"""Giving a Mac its second loopback address, and taking it back.

macOS answers at 127.0.0.1 alone of 127.0.0.0/8 (ifconfig(8)); another address is an alias of lo0
that lasts until the machine restarts.  It takes the administrator, so sudo asks on the terminal.
"""

from __future__ import annotations

import subprocess

from netkit import programs
from netkit.model import Fix


def alias_fix(host: str) -> Fix:
    """Return the command that adds ``host``, and the one that removes it."""
    return Fix(
        ("sudo", "ifconfig", "lo0", "alias", host, "up"),
        note="gone after a restart",
        needs_admin=True,
        undo=("sudo", "ifconfig", "lo0", "-alias", host),
    )


def add(host: str, *, terminal: bool) -> bool:
    """Add ``host``; return whether that succeeded.  Without a ``terminal`` sudo must not ask."""
    return _sudo(alias_fix(host).argv, terminal=terminal)


def remove(host: str, *, terminal: bool) -> bool:
    """Remove ``host``; return whether that succeeded."""
    return _sudo(alias_fix(host).undo, terminal=terminal)


def _sudo(argv: tuple[str, ...], *, terminal: bool) -> bool:
    words = argv[1:]
    if not terminal:
        return programs.run(("sudo", "-n", *words)).status == 0
    try:
        return subprocess.run(["sudo", *words], check=False).returncode == 0  # noqa: S607
    except OSError:
        return False
