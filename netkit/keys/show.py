"""What is in a key file: every key with its fingerprints, and what is wrong with the file.

Private keys of any format, public keys, certificates, and files with several keys such as
authorized_keys and known_hosts.  No passphrase is asked for where the public half is in the clear
or in a ``.pub`` file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from netkit.engine.transport.hostcert import HOST, parse_certificate
from netkit.engine.transport.signatures import public_blob
from netkit.errors import KeyFileError, NetkitError, RemoteProtocolError, UsageError
from netkit.files import read_bounded
from netkit.keys.formats import WEAK, KeyFile, read_private
from netkit.text.fingerprints import (
    key_bits,
    key_type,
    md5_fingerprint,
    randomart,
    sha256_fingerprint,
)
from netkit.text.public_keys import PublicEntry, find_keys

MAX_LIST: Final = 1 << 20
"""Bytes of a file with several keys."""

_CERT: Final = "-cert-v01@openssh.com"
_FOREVER: Final = 2**64 - 1
_SHORT_RSA: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A key as it is shown.

    Attributes:
        path, line: where it is; line 0 for a private key.
        kind: ``private``, ``public`` or ``certificate``.
        form: of a private key, one of `netkit.keys.formats.FORMS`.
        type, bits, comment: of the key; empty and 0 where it is locked.
        sha256, md5, art: of the public half, for a certificate of the key in it.
        encrypted: a private key that takes a passphrase.
        before: options of authorized_keys, names of known_hosts.
        faults: what is wrong, or worth knowing; a sentence each.
        certificate: of a certificate: whose, for whom, how long.
    """

    path: Path
    line: int = 0
    kind: str = "public"
    form: str = ""
    type: str = ""
    bits: int = 0
    comment: str = ""
    sha256: str = ""
    md5: str = ""
    art: str = ""
    encrypted: bool = False
    before: str = ""
    faults: tuple[str, ...] = ()
    certificate: tuple[str, ...] = ()


def look(path: Path, ask: Callable[[str], str | None] = lambda _prompt: None) -> tuple[Shown, ...]:
    """Return the keys in a file.

    Args:
        path: the file.
        ask: asks for a passphrase; called only for a private key whose public half is nowhere in
            the clear.

    Raises:
        KeyFileError, UsageError: it cannot be read, or there is no key in it.
    """
    try:
        file = read_private(path)
    except KeyFileError as error:
        if error.code == "key-needs-agent":  # the handle of a security key
            return _public(Path(f"{path}.pub"), error)
        if error.code not in ("key-is-public", "key-not-recognised"):
            raise
        return _public(path, error)
    return (_private(file, ask),)


def _private(file: KeyFile, ask: Callable[[str], str | None]) -> Shown:
    faults: list[str] = []
    blob, comment = file.public, file.comment
    if not blob:
        answer = ask(f"Enter passphrase for key '{file.path}': ")
        if answer:
            key, comment = file.unlock(answer)
            blob = public_blob(key)
    if not file.protected:
        faults.append("other users can read it, so ssh and netkit refuse to use it: chmod 600")
    if file.encrypted and file.form in WEAK:
        faults.append(WEAK[file.form])
    if not blob:
        faults.append("its public half is encrypted too, and no .pub file is beside it")
    return _shown(blob, faults, path=file.path, kind="private", comment=comment, private=file)


def _public(path: Path, first: NetkitError) -> tuple[Shown, ...]:
    try:
        text = read_bounded(path, MAX_LIST).decode("utf-8", "replace")
    except UsageError:
        if first.code == "key-needs-agent":
            raise first from None
        raise
    found = find_keys(text)
    if not found and ("PRIVATE KEY" in text or text.startswith("PuTTY-User-Key-File")):
        raise first
    if not found:
        raise UsageError(
            f"there is no key in {path}",
            code="no-key-in-file",
            cause=first.cause or "it is neither a private nor a public key, nor a list of keys",
            fixes=first.fixes,
        )
    return tuple(_entry(path, entry) for entry in found)


def _entry(path: Path, entry: PublicEntry) -> Shown:
    if not key_type(entry.blob).endswith(_CERT):
        return _shown(
            entry.blob, [], path=path, comment=entry.comment, line=entry.line, before=entry.before
        )
    try:
        certificate = parse_certificate(entry.blob)
    except RemoteProtocolError as error:
        return Shown(
            path=path,
            line=entry.line,
            kind="certificate",
            type=key_type(entry.blob),
            comment=entry.comment,
            faults=(error.summary.replace("the gateway sent", "it is"),),
        )
    whose = "host" if certificate.kind == HOST else "user"
    about = (
        f"a {whose} certificate, key id {certificate.key_id!r}, serial {certificate.serial}",
        f"for {', '.join(certificate.principals) or 'everybody'}",
        f"from {_when(certificate.valid_after)} until {_when(certificate.valid_before)}",
        f"signed by {sha256_fingerprint(certificate.ca_blob)}",
    )
    return _shown(
        certificate.key_blob,
        [],
        path=path,
        kind="certificate",
        comment=entry.comment,
        line=entry.line,
        before=entry.before,
        certificate=about,
    )


def _shown(
    blob: bytes,
    faults: list[str],
    *,
    path: Path,
    kind: str = "public",
    comment: str = "",
    line: int = 0,
    before: str = "",
    certificate: tuple[str, ...] = (),
    private: KeyFile | None = None,
) -> Shown:
    bits = key_bits(blob)
    name = key_type(blob)
    if name == "ssh-rsa" and 0 < bits < _SHORT_RSA:
        faults.append(f"servers with current policies refuse RSA of {bits} bits")
    if name == "ssh-dss":
        faults.append("servers no longer accept DSA")
    return Shown(
        path=path,
        line=line,
        kind=kind,
        form=private.form if private else "",
        type=name,
        bits=bits,
        comment=comment,
        sha256=sha256_fingerprint(blob) if blob else "",
        md5=md5_fingerprint(blob) if blob else "",
        art=randomart(blob) if blob else "",
        encrypted=private.encrypted if private else False,
        before=before,
        faults=tuple(faults),
        certificate=certificate,
    )


def _when(seconds: int) -> str:
    if seconds in (0, _FOREVER):
        return "always" if not seconds else "forever"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, OSError, ValueError):
        return str(seconds)
