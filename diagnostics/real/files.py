"""Looking at files: bounded, never waiting on a pipe, opening nothing but regular files."""

from __future__ import annotations

import heapq
import itertools
import os
import stat
import sys

from diagnostics.parsers.secrets import without_private_keys
from diagnostics.real.errnos import name_of
from diagnostics.system import FileRead, FileStat

_MAX_READ = 64 << 20
_MAX_ENTRIES = 100_000
"""Entries of one directory looked at."""

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer would make the open wait
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_KINDS = (
    (stat.S_ISREG, "file"),
    (stat.S_ISDIR, "directory"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISFIFO, "fifo"),
    (stat.S_ISLNK, "link"),
)


def read(path: str, limit: int) -> FileRead:
    """Read the beginning of a regular file; what is secret in a private key is left out."""
    limit = max(0, min(limit, _MAX_READ))
    try:
        # A device may act on being opened, so it is not.
        if wrong := _no_file(os.stat(path).st_mode):  # noqa: PTH116 (Path('') is '.')
            return FileRead(path, wrong)
        descriptor = os.open(path, _FLAGS)
        try:
            if wrong := _no_file(os.fstat(descriptor).st_mode):
                return FileRead(path, wrong)
            data = _read(descriptor, limit + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        return FileRead(path, name_of(error))
    truncated = len(data) > limit
    return FileRead(path, "", without_private_keys(data[:limit]), truncated=truncated)


def _no_file(mode: int) -> str:
    if stat.S_ISREG(mode):
        return ""
    return "EISDIR" if stat.S_ISDIR(mode) else "EINVAL"


def _read(descriptor: int, limit: int) -> bytes:
    pieces = []
    # The size says nothing: files of /proc have 0.
    while limit > 0 and (piece := os.read(descriptor, min(limit, 1 << 20))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def look(path: str) -> FileStat:
    """Return what is at ``path``."""
    try:
        found = os.stat(path)  # noqa: PTH116 (Path('') is '.')
    except (OSError, ValueError) as error:
        try:
            found = os.lstat(path)
        except (OSError, ValueError):
            return FileStat(path, error=name_of(error))
    return FileStat(
        path,
        next((kind for test, kind in _KINDS if test(found.st_mode)), "other"),
        stat.S_IMODE(found.st_mode),
        None if sys.platform == "win32" else found.st_uid,
        found.st_size,
        found.st_mtime,
    )


def names_in(path: str, limit: int) -> tuple[str, ...]:
    """Return the first ``limit`` names of a directory in their sorted order."""
    try:
        with os.scandir(path) as entries:
            names = (entry.name for entry in itertools.islice(entries, _MAX_ENTRIES))
            return tuple(heapq.nsmallest(max(0, limit), names))
    except (OSError, ValueError):
        return ()
