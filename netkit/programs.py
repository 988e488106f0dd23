"""Running a program to its end: an argument list, bounded output, a deadline."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

TIMEOUT: Final = 10.0
MAX_OUTPUT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a program.

    ``status`` is its exit status, None where it did not run or did not end in time; ``error``
    says why.  ``output`` and ``errors`` are the beginning of its two streams.
    """

    status: int | None
    output: bytes = b""
    errors: bytes = b""
    error: str = ""


def find(*names: str) -> str | None:
    """Return the path of the first of ``names`` that is installed."""
    return next((found for name in names if (found := shutil.which(name))), None)


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float = TIMEOUT,
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run ``argv`` to its end; never raises for what the program does or is.

    Args:
        argv: no shell is involved.
        stdin: what it reads.
        timeout: seconds; then it is killed.
        environment: in place of ours.
    """
    try:
        done = subprocess.run(  # noqa: S603 - an argument list, no shell
            list(argv),
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env=None if environment is None else dict(environment),
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return Ran(None, _cut(late.stdout), _cut(late.stderr), f"no end within {timeout:g} s")
    except (OSError, ValueError) as error:
        return Ran(None, error=getattr(error, "strerror", None) or str(error))
    return Ran(done.returncode, _cut(done.stdout), _cut(done.stderr))


def _cut(data: bytes | None) -> bytes:
    return (data or b"")[:MAX_OUTPUT]
