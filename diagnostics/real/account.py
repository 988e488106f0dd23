"""Who runs this, where, and what the clocks say."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

from diagnostics.system import Account, Clocks


def account() -> Account:
    """Return whose rights this process has."""
    home = str(Path("~").expanduser())
    if sys.platform == "win32":
        version = sys.getwindowsversion()
        system = f"Windows {version.major}.{version.minor}.{version.build}"
        user = os.environ.get("USERNAME", "")
        return Account(user, None, home, _is_windows_admin(), _hostname(), system)
    uid = os.geteuid()
    names = os.uname()
    system = f"{names.sysname} {names.release}"
    return Account(user_name(uid), uid, home, uid == 0, _hostname(), system)


def _hostname() -> str:
    try:
        return socket.gethostname()
    except (OSError, UnicodeError):
        return ""


def _is_windows_admin() -> bool:
    import ctypes  # noqa: PLC0415 (Windows alone needs it)

    try:
        return bool(ctypes.windll.shell32.IsUserAnAdmin())  # type: ignore[attr-defined,unused-ignore]
    except (AttributeError, OSError):
        return False


def user_name(uid: int) -> str:
    """Return the login name of ``uid``, or the number."""
    if sys.platform == "win32":
        return str(uid)
    import pwd  # noqa: PLC0415 (there is none on Windows)

    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OSError, OverflowError, TypeError):
        return str(uid)


def clocks() -> Clocks:
    """Read the three clocks, one right after the other."""
    if sys.platform == "win32":
        return Clocks(time.time(), *_windows_clocks())
    # macOS: CLOCK_MONOTONIC goes on during sleep, mach_absolute_time (Python's) does not
    counting = getattr(time, "CLOCK_BOOTTIME", None)
    if counting is None and sys.platform == "darwin":
        counting = time.CLOCK_MONOTONIC
    boot = None if counting is None else time.clock_gettime(counting)
    return Clocks(time.time(), time.monotonic(), boot)


def _windows_clocks() -> tuple[float, float | None]:
    """Return (without, with) the time asleep: sysinfoapi.h and realtimeapiset.h."""
    import ctypes  # noqa: PLC0415 (Windows alone needs it)

    try:
        kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
        kernel.GetTickCount64.restype = ctypes.c_uint64
        awake = ctypes.c_uint64()
        kernel.QueryUnbiasedInterruptTime(ctypes.byref(awake))
        return awake.value / 1e7, kernel.GetTickCount64() / 1e3
    except (AttributeError, OSError):
        return time.monotonic(), None
