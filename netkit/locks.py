"""Changing a file while no other program of ours changes it.

The lock is a file beside it, which is gone afterwards.  The system frees it when a program dies, so
one that is left over locks nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from netkit.errors import ResourceError, UsageError

TIMEOUT: Final = 10.0
"""Seconds that a change waits for another one."""

_POLL: Final = 0.02


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other changes of ``path`` waiting meanwhile, in this process and in others.

    Raises:
        UsageError: the folder cannot be written.
        ResourceError: another change takes longer than `TIMEOUT`.
    """
    lock = path.with_name(f".{path.name}.lock")
    deadline = time.monotonic() + TIMEOUT
    pause = threading.Event()
    while (held := _take(lock, path)) is None:
        if time.monotonic() > deadline:
            raise ResourceError(
                f"{path} is locked by another program",
                code="file-locked",
                cause=f"it has kept {lock} for {TIMEOUT:g} s",
                retryable=True,
            )
        pause.wait(_POLL)
    try:
        yield
    finally:
        _give_back(held, lock)


def _take(lock: Path, path: Path) -> int | None:
    """Return a descriptor that holds the lock, None while another one does."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except PermissionError as error:
        if sys.platform == "win32" and lock.exists():  # it is being removed
            return None
        raise cannot_write(path, error) from None
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        if _lock(descriptor) and _is_still(lock, descriptor):
            return descriptor
    except OSError as error:
        os.close(descriptor)
        raise cannot_write(path, error) from None
    os.close(descriptor)
    return None


def _is_still(lock: Path, descriptor: int) -> bool:
    """Tell whether ``lock`` is the file that was locked: whoever had it before has removed it."""
    try:
        return os.path.samestat(lock.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _give_back(descriptor: int, lock: Path) -> None:
    if sys.platform == "win32":  # a file that is open cannot be removed there
        os.close(descriptor)
        with contextlib.suppress(OSError):
            lock.unlink()
        return
    with contextlib.suppress(OSError):
        lock.unlink()
    os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock the file for us alone, unless another one has it."""
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - only there

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def cannot_write(path: Path, error: Exception) -> UsageError:
    """Return the error that ``path`` cannot be written."""
    reason = getattr(error, "strerror", None) or str(error)
    return UsageError(
        f"{path} cannot be written: {reason}",
        code="cannot-write",
        cause="the directory is missing or not yours, or the disk is full",
    )
