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
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, unquote

from netkit.errors import UsageError
from netkit.model import Endpoint

MAX_FILE = 16 * 1024
MAX_LOCKS = 1000
"""Locks that are looked at."""

_LONGEST = 100
_LONGEST_TEXT = 1000
_TRIES = 3
_LOOK = 0.005
"""Seconds after which a lock that somebody only looked at is free again."""
_LOCK_AT = 1 << 30
"""The byte that is locked on Windows, far beyond the text: what is locked there cannot be read."""


@dataclass(frozen=True, slots=True)
class ControlPoint:
    """Where a running tunnel answers: the ``path`` of a unix socket, or a ``port`` of 127.0.0.1.

    Whoever comes to the port shows the ``token``, which this user alone can read.
    """

    path: str = ""
    port: int = 0
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that runs a tunnel of this name already.

    Attributes:
        pid: 0 where it has not said so yet.
        addresses: where it listens, once it does.
        name: what the tunnel is called.
        gateway: what it goes through, as typed.
        binds: what it was asked to listen on, in words to compare.
        control: where it answers, once it does.
    """

    pid: int = 0
    addresses: tuple[Endpoint, ...] = ()
    name: str = ""
    gateway: str = ""
    binds: tuple[str, ...] = ()
    control: ControlPoint | None = None

    def __str__(self) -> str:
        """Return ``process 123``, for messages."""
        return f"process {self.pid}" if self.pid else "another process"


class Claim:
    """The right to run the tunnel of a name; lasts until ``close`` or the end of the process."""

    def __init__(self, path: Path, descriptor: int, name: str = "") -> None:
        self.path = path
        self._descriptor = descriptor
        self._said = Holder(os.getpid(), name=name)
        self._lock = threading.Lock()

    def tell(
        self,
        addresses: Sequence[Endpoint] | None = None,
        *,
        gateway: str | None = None,
        binds: Sequence[str] | None = None,
        control: ControlPoint | None = None,
    ) -> None:
        """Write who we are and where the tunnel listens, for whoever comes second.

        What is not given stays as it was told before.
        """
        with self._lock:
            said = self._said
            self._said = replace(
                said,
                addresses=said.addresses if addresses is None else tuple(addresses),
                gateway=said.gateway if gateway is None else gateway,
                binds=said.binds if binds is None else tuple(binds),
                control=control or said.control,
            )
            # In place: a new file would be without the lock.
            with contextlib.suppress(OSError):
                os.lseek(self._descriptor, 0, os.SEEK_SET)
                os.ftruncate(self._descriptor, 0)
                os.write(self._descriptor, format_holder(self._said))

    def close(self) -> None:
        """Give it back.  Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        if sys.platform != "win32":  # there, a file that is open cannot be removed
            with contextlib.suppress(OSError):
                self.path.unlink()
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
        tries = _TRIES
        while True:
            # never through a link that somebody put there
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            descriptor = os.open(path, flags, 0o600)
            try:
                if not _lock(descriptor):
                    tries -= 1
                    if tries > 0:  # somebody may only be looking (`running`)
                        threading.Event().wait(_LOOK)
                        continue
                    return _holder(descriptor)
                if _is_still(path, descriptor):
                    made = Claim(path, descriptor, name)
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


def running(folder: Path | None = None) -> tuple[Holder, ...]:
    """Return what runs now, by name; a lock that nobody holds is nothing."""
    folder = folder or locks_folder()
    found = {path: holder for path in _locks(folder) if (holder := _look(path)) is not None}
    named = [
        holder if holder.name else replace(holder, name=unquote(path.stem))
        for path, holder in found.items()
    ]
    return tuple(sorted(named, key=lambda each: each.name))


def _locks(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.lock"))[:MAX_LOCKS]
    except OSError:
        return []


def _look(path: Path) -> Holder | None:
    """Return who holds the lock at ``path``."""
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    try:
        return None if _lock(descriptor) else _holder(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)  # and with it the lock, where we got it


def lock_path(name: str, folder: Path | None = None) -> Path:
    """Return where the lock of ``name`` is: one file name for one name, whatever is in it."""
    if folder is None:
        folder = locks_folder()
    file = quote(name, safe=" @+=,")
    if len(file) > _LONGEST or not file.strip("."):
        file = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return folder / f"{file}.lock"


def state_folder() -> Path:
    """Return the folder of what netkit keeps about this machine."""
    from platformdirs import user_state_path

    return user_state_path("netkit", appauthor=False)


def locks_folder() -> Path:
    """Return the folder of the locks."""
    return state_folder() / "running"


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


def format_holder(holder: Holder) -> bytes:
    """Return the content of a lock; where it would be too long, without what is least needed."""
    control = holder.control
    said = {
        "pid": holder.pid,
        "name": holder.name,
        "gateway": holder.gateway,
        "control": None
        if control is None
        else {"path": control.path, "port": control.port, "token": control.token},
        "addresses": [[each.host, each.port] for each in holder.addresses],
        "binds": list(holder.binds),
    }
    for name in ("binds", "addresses", "name", "gateway"):
        if len(data := json.dumps(said).encode("ascii")) <= MAX_FILE:
            return data
        del said[name]
    return json.dumps(said).encode("ascii")[:MAX_FILE]


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
    for each in _list(said.get("addresses")):
        match each:
            case [str(host), int(port)] if host and host.isprintable() and 0 < port < 65536:
                found.append(Endpoint(host, port))
    return Holder(
        pid if type(pid) is int and 0 < pid < 1 << 32 else 0,
        tuple(found),
        _text(said.get("name")),
        _text(said.get("gateway")),
        tuple(filter(None, map(_text, _list(said.get("binds"))))),
        _control(said.get("control")),
    )


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    is_fine = isinstance(value, str) and len(value) <= _LONGEST_TEXT and value.isprintable()
    return str(value) if is_fine else ""


def _control(value: object) -> ControlPoint | None:
    if not isinstance(value, dict):
        return None
    path, port, token = _text(value.get("path")), value.get("port"), _text(value.get("token"))
    if path and Path(path).is_absolute():
        return ControlPoint(path)
    if type(port) is int and 0 < port < 65536 and token:
        return ControlPoint(port=port, token=token)
    return None
