"""One tunnel per name: a lock that the running process holds, and what it says of itself.

The lock is the operating system's (flock(2), LockFileEx): it goes with the process, however that
ends.  So there is no stale one, whatever process has the number now that the file names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from netkit.errors import UsageError
from netkit.model import Endpoint

MAX_FILE = 16 * 1024
_LONGEST = 100
_LOCK_AT = 1 << 30
"""The byte that is locked on Windows, far beyond the text: what is locked there cannot be read."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that runs a tunnel of this name already.

    ``pid`` is 0 where it has not said so yet; ``addresses`` is where it listens, once it does.
    """

    pid: int = 0
    addresses: tuple[Endpoint, ...] = ()

    def __str__(self) -> str:
        """Return ``process 123``, for messages."""
        return f"process {self.pid}" if self.pid else "another process"


class Claim:
    """The right to run the tunnel of a name; lasts until ``close`` or the end of the process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def tell(self, addresses: Sequence[Endpoint] = ()) -> None:
        """Write who we are and where the tunnel listens, for whoever comes second."""
        listening = [[each.host, each.port] for each in addresses]
        text = json.dumps({"pid": os.getpid(), "addresses": listening})
        # In place: a new file would be without the lock.
        with contextlib.suppress(OSError):
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, text.encode("utf-8")[:MAX_FILE])

    def close(self) -> None:
        """Give it back.  Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        if sys.platform != "win32":  # there, a file that is open cannot be removed
            with contextlib.suppress(OSError):
                self._path.unlink()
        os.close(descriptor)


def claim(name: str, folder: Path | None = None) -> Claim | Holder:
    """Return the claim to the tunnel ``name``, or who has it.

    ``folder`` is where locks are kept; it is made if need be.

    Raises:
        UsageError: no lock can be kept there.
    """
    path = lock_path(name, folder)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            # never through a link that somebody put there
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            descriptor = os.open(path, flags, 0o600)
            try:
                if not _lock(descriptor):
                    return _holder(descriptor)
                if _is_still(path, descriptor):
                    made = Claim(path, descriptor)
                    made.tell()
                    descriptor = -1
                    return made
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{path} cannot be written: {reason}",
            code="cannot-write",
            cause="it holds the lock that lets a tunnel run once",
        ) from None


def lock_path(name: str, folder: Path | None = None) -> Path:
    """Return where the lock of ``name`` is: one file name for one name, whatever is in it."""
    if folder is None:
        folder = _state_folder() / "running"
    file = quote(name, safe=" @+=,")
    if len(file) > _LONGEST or not file.strip("."):
        file = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return folder / f"{file}.lock"


def _state_folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path("netkit", appauthor=False)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCK_AT, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Tell whether the locked file is the one at ``path``: its last owner may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> Holder:
    """Return what the file says; a file that says anything else says nothing."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    return parse_holder(os.read(descriptor, MAX_FILE))


def parse_holder(data: bytes) -> Holder:
    """Return the holder that ``data``, the content of a lock, names as far as it is well formed."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return Holder()
    if not isinstance(said, dict):
        return Holder()
    pid = said.get("pid")
    found = []
    for each in said.get("addresses") or () if isinstance(said.get("addresses"), list) else ():
        match each:
            case [str(host), int(port)] if host and host.isprintable() and 0 < port < 65536:
                found.append(Endpoint(host, port))
    number = pid if type(pid) is int and 0 < pid < 1 << 32 else 0
    return Holder(number, tuple(found))
