"""Where a tunnel listens for control: a unix socket that this user alone reaches.

The socket is in a folder of mode 0700 below the runtime folder of the user.  Who binds it holds the
claim of the tunnel's name (`netkit.desktop.instance`), so one that is there already is left over
from a process that died, and is replaced.  Where there are no unix sockets it is a port of
127.0.0.1, and who comes shows a token that is in the claim's file (0600).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
import stat
import sys
import warnings
from pathlib import Path

from netkit.control.protocol import ControlError
from netkit.desktop.instance import ControlPoint

BACKLOG = 16
_LONGEST_PATH = 100
"""Bytes of a path; sun_path has 104 on macOS and the BSDs, 108 on Linux (unix(7))."""


def runtime_folder() -> Path:
    """Return the folder of the sockets; it need not be there yet."""
    from platformdirs import user_runtime_path  # noqa: PLC0415 - only who makes a socket needs it

    with warnings.catch_warnings():  # it tells that it falls back on the temporary directory
        warnings.simplefilter("ignore")
        return user_runtime_path("netkit", appauthor=False)


def socket_path(lock: Path, folder: Path | None = None) -> Path:
    """Return the path of the socket for the tunnel whose claim is the file ``lock``.

    Claims of two folders may have one name, so the path has a part made of the folder's.
    """
    folder = folder or runtime_folder()
    told = hashlib.sha256(os.fsencode(lock.absolute())).hexdigest()
    path = folder / f"{lock.stem}-{told[:8]}.sock"
    return path if len(os.fsencode(path)) <= _LONGEST_PATH else folder / f"{told[:16]}.sock"


def listen(lock: Path, folder: Path | None = None) -> tuple[socket.socket, ControlPoint]:
    """Return a listening socket, and where it is; ``lock`` is a claim that the caller holds.

    Raises:
        ControlError: there is no place for it that is this user's alone.
    """
    if sys.platform == "win32" or not hasattr(socket, "AF_UNIX"):
        return listen_tcp()
    path = socket_path(lock, folder)
    try:
        _prepare(path.parent)
        _remove_old(path)
        return _bind(path), ControlPoint(str(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ControlError(
            f"{path} cannot be listened on: {reason}",
            code="control-unavailable",
            cause="the folder is not there, not yours, or its path is too long for a socket",
        ) from None


def listen_tcp() -> tuple[socket.socket, ControlPoint]:
    """Return a listening socket on a port of 127.0.0.1, with a new token.

    Raises:
        ControlError: no port can be had.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ControlError(
            f"no port of 127.0.0.1 can be listened on: {error.strerror or error}",
            code="control-unavailable",
        ) from None
    point = ControlPoint(port=int(listener.getsockname()[1]), token=secrets.token_urlsafe(32))
    return listener, point


def remove(point: ControlPoint) -> None:
    """Remove the socket, if it is a path."""
    if point.path:
        with contextlib.suppress(OSError):
            Path(point.path).unlink()


def _prepare(folder: Path) -> None:
    """Make the folder, or see that nobody else can put anything into it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform == "win32":
        return
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise _refusal(f"{folder} is no folder")
    if found.st_uid != os.geteuid():
        raise _refusal(f"{folder} belongs to another user")
    above = folder.parent.stat()
    if above.st_uid not in (0, os.geteuid()):
        raise _refusal(f"{folder.parent} belongs to another user")
    if found.st_mode & 0o077:
        folder.chmod(0o700)


def _remove_old(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if sys.platform != "win32" and found.st_uid != os.geteuid():
        raise _refusal(f"{path} belongs to another user")
    if not stat.S_ISSOCK(found.st_mode):
        raise _refusal(f"{path} is there, and is no socket")
    path.unlink()


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _refusal(text: str) -> ControlError:
    return ControlError(
        text,
        code="control-unavailable",
        cause="the control socket of a tunnel is for its own user alone",
    )
