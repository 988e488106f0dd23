"""Finding the file with the cookies, as libXau does, and reading it without xauth(1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.parsers import xauthority
from diagnostics.parsers.xauthority import Entry
from diagnostics.system import FileStat, System
from netkit.model import Fix

MAX_FILE = 4 << 20
_NAME = ".Xauthority"
_MAX_ELSEWHERE = 6
_PLAIN = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.:/-]{1,120}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class AuthorityFile:
    """A file of cookies.  Holds secrets: for probes, and no part of any facts.

    ``named`` says whether XAUTHORITY names it; ``error`` is an errno name; ``damaged`` is where the
    first entry begins that cannot be read, -1 for none.
    """

    path: str
    named: bool
    stat: FileStat
    error: str = ""
    entries: tuple[Entry, ...] = ()
    damaged: int = -1


def path_of(system: System) -> tuple[str, bool]:
    """Return where X programs look for cookies, and whether XAUTHORITY says so (Xau(3))."""
    named = system.variable("XAUTHORITY")
    if named:
        return named, True
    separator = "\\" if system.os == "windows" else "/"
    return f"{system.account().home.rstrip(separator)}{separator}{_NAME}", False


def read(system: System) -> AuthorityFile:
    """Read the file that X programs use."""
    path, named = path_of(system)
    return read_file(system, path, named=named)


def read_file(system: System, path: str, *, named: bool = False) -> AuthorityFile:
    """Read one file."""
    stat = system.stat(path)
    content = system.read(path, MAX_FILE)
    if content.error:
        return AuthorityFile(path, named, stat, content.error)
    found = xauthority.parse(content.data)
    # The last entry of what is longer than anybody's file is cut by us.
    damaged = -1 if content.truncated else found.damaged
    return AuthorityFile(path, named, stat, entries=found.entries, damaged=damaged)


def elsewhere(system: System, used: str) -> tuple[str, ...]:
    """Return other files in which display managers and startx keep cookies for this user."""
    account = system.account()
    found = [f"{account.home}/{_NAME}"]
    if account.uid is not None:
        run = f"/run/user/{account.uid}"
        found.append(f"{run}/gdm/Xauthority")
        found += [
            f"{run}/{name}"
            for name in system.list_dir(run)
            if name.startswith((".mutter-Xwaylandauth", "xauth_"))
        ]
    found += [
        f"{account.home}/{name}"
        for name in system.list_dir(account.home)
        if name.startswith(".serverauth.")
    ]
    files = [path for path in dict.fromkeys(found) if path != used]
    return tuple(path for path in files if system.stat(path).kind == "file")[:_MAX_ELSEWHERE]


def copy(kept: str, name: str, *, through: str = "", note: str = "") -> tuple[Fix, ...]:
    """Return the command that keeps the cookie of ``kept`` under ``name`` as well; none where
    either is no plain word.

    The cookie itself is in no command line.  ``-i``: two xauth that run at once wait for each
    other's lock on the file.  ``through`` are words of ssh, to another host.
    """
    if not (_PLAIN.match(kept) and _PLAIN.match(name)):
        return ()
    escaped = name.replace("/", "\\/")
    pick = f"xauth -i list {kept} | sed '1!d;s/^[^ ]*/add {escaped}/'"
    there = f"{through} " if through else ""
    return (Fix(("sh", "-c", f"{pick} | {there}xauth -q source -"), note=note),)
