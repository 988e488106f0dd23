"""Making key pairs for the moment: those of trials and demonstrations, without a passphrase."""

from __future__ import annotations

from pathlib import Path


def write_key(path: Path, comment: str) -> str:
    """Make an Ed25519 key pair, write the private half (0600), return the public line.

    The private half is in OpenSSH's format.  Raises OSError; FileExistsError if ``path`` is there.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 (import cost)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    path.touch(0o600, exist_ok=False)
    path.write_bytes(private)
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return f"{public.decode('ascii')} {comment}"
