"""Reading and writing the few files that netkit keeps, bounded and without losing the old one."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from netkit.errors import UsageError


def at_home(path: Path) -> Path:
    """Return ``path`` with ``~`` as the home directory; as it is where that user has none."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def read_bounded(path: Path, limit: int) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    Raises:
        UsageError: it cannot be read, is no file, or is larger.
    """
    try:
        # a pipe without a writer would make the open wait
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"{path} is not a regular file", code="bad-file")
            data = _read(descriptor, limit + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} cannot be read: {reason}", code="bad-file") from None
    if len(data) > limit:
        raise UsageError(f"{path} is larger than {limit} bytes", code="bad-file")
    return data


def _read(descriptor: int, limit: int) -> bytes:
    data = b""
    while len(data) < limit and (piece := os.read(descriptor, limit - len(data))):
        data += piece
    return data


def write_private(path: Path, data: bytes) -> None:
    """Write a file that is the user's alone (0600); whoever reads it sees the old one or the new.

    Raises:
        UsageError: it cannot be written; what was there is unchanged.
    """
    made: str | None = None
    try:
        # mkstemp makes it 0600
        descriptor, made = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        Path(made).replace(path)
    except (OSError, ValueError) as error:
        if made is not None:
            with contextlib.suppress(OSError):
                Path(made).unlink()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{path} cannot be written: {reason}",
            code="cannot-write",
            cause="the directory is missing or not yours, or the disk is full",
        ) from None
