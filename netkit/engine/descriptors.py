"""How many descriptors this process may have."""

from __future__ import annotations

import sys
from typing import Final

_UNBOUNDED: Final = 1 << 30


def most_descriptors() -> int:
    """Return the soft limit (RLIMIT_NOFILE, getrlimit(2)); what it is where there is none."""
    if sys.platform == "win32":
        return _UNBOUNDED
    import resource  # noqa: PLC0415 (not on Windows)

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNBOUNDED if soft == resource.RLIM_INFINITY else soft
