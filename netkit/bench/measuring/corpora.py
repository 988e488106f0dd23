"""What is sent: four kinds of data that compress very differently, or a sample of the user's own.

All but the sample are found wherever netkit runs: prose is Python's own manual, a program the
machine code of the cryptography library.
"""

from __future__ import annotations

import importlib
import os
import stat
from pathlib import Path
from typing import Final

from netkit.bench.measuring.commands import WHOLE
from netkit.errors import UsageError
from netkit.model import Fix

SLICES: Final = 4
SIZE: Final = WHOLE
"""Bytes of a corpus; it is said over and over.  Compression looks 32 KiB back, so it does not
notice (RFC 1951 section 2)."""

SHORTEST: Final = 48 << 10
"""Bytes below which a repeated sample would compress because it is repeated."""

NAMES: Final = ("text", "program", "random", "zeros")


def corpora() -> dict[str, bytes]:
    """Return `SIZE` bytes of each corpus that this machine has."""
    made = {"random": os.urandom(SIZE), "zeros": bytes(SIZE)}
    for name, data in (("text", _text()), ("program", _program())):
        if len(data) >= SIZE:
            made[name] = data[:SIZE]
    return {name: made[name] for name in NAMES if name in made}


def _text() -> bytes:
    """Return prose: Python's manual, as ``help()`` shows it."""
    try:
        topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    except (ImportError, AttributeError):
        return b""
    return "\n".join(topics[name] for name in sorted(topics)).encode("utf-8", "replace")


def _program() -> bytes:
    """Return slices of a library of machine code."""
    try:
        library = importlib.import_module("cryptography.hazmat.bindings._rust").__file__
        return read_slices(Path(library or ""), SIZE)
    except (ImportError, AttributeError, OSError):
        return b""


def read_slices(path: Path, size: int) -> bytes:
    """Return at most ``size`` bytes from `SLICES` places of a file, evenly apart.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        if length <= size:
            file.seek(0)
            return file.read(size)
        part = size // SLICES
        data = bytearray()
        for number in range(SLICES):
            file.seek((length - part) * number // (SLICES - 1))
            data += file.read(part)
        return bytes(data)


def read_sample(path: Path) -> bytes:
    """Return `SIZE` bytes of the user's own data; a shorter file is repeated.

    Raises:
        UsageError: it is no file, cannot be read, or holds too little to say anything.
    """
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind):
            what = "a directory" if stat.S_ISDIR(kind) else "no regular file"
            raise _unusable(path, f"it is {what}")
        data = read_slices(path, SIZE)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _unusable(path, str(error)) from error  # a NUL in the name
    if len(data) < SHORTEST:
        what = "it is empty" if not data else f"it holds {len(data)} bytes"
        raise _unusable(path, f"{what}, and {SHORTEST} are needed to tell how well it compresses")
    return (data * (SIZE // len(data) + 1))[:SIZE]


def _unusable(path: Path, cause: str) -> UsageError:
    return UsageError(
        f"--sample {path} cannot be used",
        code="bad-sample",
        cause=cause,
        fixes=(
            Fix(
                ("netkit", "bench", "--sample", "FILE"),
                note="a file like what will pass through the tunnel, such as a dump or a log",
            ),
        ),
    )
