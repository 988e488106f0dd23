"""``/tmp/.Xn-lock``: ten digits and a line end, the process of the X server (dix, LockServer)."""

from __future__ import annotations

import re

_PID = re.compile(rb"\s{0,16}([0-9]{1,10})\s{0,4}\Z")


def parse(data: bytes) -> int:
    """Return the process id; 0 where there is none in it."""
    match = _PID.match(data[:64])
    return int(match[1]) if match else 0


def path_of(number: int) -> str:
    """Return where the X server of a display keeps its lock."""
    return f"/tmp/.X{number}-lock"  # noqa: S108 - the place is part of the protocol
