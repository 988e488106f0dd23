"""Making a key pair for a person: both halves are written, or none; nothing is overwritten."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from netkit.engine.transport.signatures import PrivateKey, public_blob
from netkit.errors import UsageError
from netkit.keys.formats import Costs, public_line, write
from netkit.model import Fix

KINDS: Final = ("ed25519", "rsa", "ecdsa")
DEFAULT_BITS: Final = {"ed25519": 256, "rsa": 3072, "ecdsa": 256}
"""As in ssh-keygen(1)."""

MIN_RSA: Final = 2048
MAX_RSA: Final = 16384
_CURVES: Final[dict[int, type[ec.EllipticCurve]]] = {
    256: ec.SECP256R1,
    384: ec.SECP384R1,
    521: ec.SECP521R1,
}
_EXPONENT: Final = 65537


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair that was written: where, and the public half in SSH's wire form."""

    private: Path
    public: Path
    blob: bytes


def generate(kind: str, bits: int | None = None) -> PrivateKey:
    """Make a key.

    Raises:
        UsageError: the kind does not come in this size.
    """
    size = DEFAULT_BITS[kind] if bits is None else bits
    if kind == "ed25519":
        if size != 256:
            raise _wrong_size(kind, "always has 256 bits")
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ecdsa":
        if size not in _CURVES:
            raise _wrong_size(kind, "comes with 256, 384 or 521 bits")
        return ec.generate_private_key(_CURVES[size]())
    if not MIN_RSA <= size <= MAX_RSA:
        raise _wrong_size(kind, f"takes {MIN_RSA} to {MAX_RSA} bits; 3072 is a good choice")
    return rsa.generate_private_key(_EXPONENT, size)


def make_pair(
    path: Path,
    key: PrivateKey,
    *,
    form: str,
    comment: str,
    passphrase: str | None,
    costs: Costs | None = None,
) -> Pair:
    """Write ``key`` to ``path`` (0600) and its public half to ``PATH.pub``.

    Raises:
        UsageError: ``file-exists``, ``cannot-write``; neither file is there then.
    """
    public = Path(f"{path}.pub")
    blob = public_blob(key)
    private_bytes = write(key, form, comment=comment, passphrase=passphrase, costs=costs)
    line = f"{public_line(blob, comment)}\n".encode("utf-8", "surrogateescape")
    write_new({path: (private_bytes, 0o600), public: (line, 0o644)})
    return Pair(path, public, blob)


def refuse_existing(*paths: Path) -> None:
    """Raise `UsageError` (``file-exists``) where one of ``paths`` is there."""
    for path in paths:
        if os.path.lexists(path):
            raise UsageError(
                f"{path} is there already",
                code="file-exists",
                cause="a key that is overwritten is lost, and with it every login that needs it",
                fixes=(Fix(("netkit", "key", "show", str(path)), note="shows what it is"),),
            )


def write_new(files: dict[Path, tuple[bytes, int]]) -> None:
    """Write every file with its content and mode, or none of them; none replaces another.

    Raises:
        UsageError: ``file-exists``, ``cannot-write``.
    """
    refuse_existing(*files)
    drafts: list[Path] = []
    placed: list[Path] = []
    at = next(iter(files))
    try:
        for path, (data, mode) in files.items():
            at = path
            drafts.append(_draft(path, data, mode))
        for draft, path in zip(drafts, files, strict=True):
            at = path
            _place(draft, path)
            placed.append(path)
    except BaseException as error:
        for path in placed:
            with contextlib.suppress(OSError):
                path.unlink()
        if not isinstance(error, OSError | ValueError):
            raise
        if isinstance(error, FileExistsError):
            refuse_existing(at)
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{at} cannot be written: {reason}",
            code="cannot-write",
            cause="the directory is missing or not yours, or the disk is full",
        ) from None
    finally:
        for draft in drafts:
            with contextlib.suppress(OSError):
                draft.unlink()


def _draft(path: Path, data: bytes, mode: int) -> Path:
    """Write a temporary file beside ``path``; raises OSError, and leaves nothing then."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        Path(name).chmod(mode)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    return Path(name)


def _place(draft: Path, path: Path) -> None:
    """Give the draft its name; raises FileExistsError where that is taken meanwhile."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        draft.rename(path)


def _wrong_size(kind: str, what: str) -> UsageError:
    return UsageError(
        f"a key of the type {kind} {what}",
        code="bad-key-size",
        fixes=(Fix(("netkit", "key", "new", "--type", kind)),),
    )
