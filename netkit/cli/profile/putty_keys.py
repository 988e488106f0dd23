"""Host keys between PuTTY's cache and known_hosts: what is added, and what is only told."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from netkit.engine.transport import hostkeys
from netkit.model import Hop
from netkit.text import known_hosts
from netkit.text.fingerprints import key_type, sha256_fingerprint
from netkit.text.known_hosts import Marker, hop_lookup, lookup_name
from netkit.text.putty.host_keys import CachedKey, entry_value


def learn(hop: Hop, blobs: Sequence[bytes], *, dry_run: bool) -> list[str]:
    """Add keys that PuTTY trusts for a gateway to known_hosts; return a line for each.

    Nothing is replaced: a key of a type for which known_hosts holds another one is only told, and
    so is a revoked one.
    """
    lines = []
    name, port = hop_lookup(hop)
    for blob in dict.fromkeys(blobs):
        shown = f"{lookup_name(name, port)}: {key_type(blob)} {sha256_fingerprint(blob)}"
        known = hostkeys.load(hop)
        if revoked := known.is_revoked(blob):
            lines.append(f"{shown}: not added: {revoked} revokes it")
            continue
        # what is recorded for the name at port 22 is not about this port
        if any(entry.key == blob for entry in known.known):
            lines.append(f"{shown}: known already")
            continue
        other = next((e for e in known.known if e.key_type == key_type(blob)), None)
        if other is not None:
            lines.append(
                f"{shown}: not added: {other} holds another key of that type,"
                f" {sha256_fingerprint(other.key)}; find out which one is right"
            )
        elif not hop.known_hosts:
            lines.append(f"{shown}: not added: ssh_config names no known_hosts file")
        else:
            lines.append(f"{shown}: {_add(hop, name, port, blob, dry_run=dry_run)}")
    return lines


def _add(hop: Hop, name: str, port: int, blob: bytes, *, dry_run: bool) -> str:
    path = hop.known_hosts[0]
    salt = secrets.token_bytes(20) if hop.hash_known_hosts else None
    try:
        line = known_hosts.format_line(name, port, blob, salt=salt)
        if not dry_run:
            hostkeys.append_line(path, line)
    except (OSError, ValueError) as error:
        return f"not added: {path}: {getattr(error, 'strerror', None) or error}"
    return f"{'would be added' if dry_run else 'added'} to {path}"


def cached(hop: Hop) -> tuple[list[CachedKey], list[str]]:
    """Return what known_hosts holds for a gateway as PuTTY keeps it, and what it cannot keep."""
    name, port = hop_lookup(hop)
    known = hostkeys.load(hop)
    keys: list[CachedKey] = []
    left_out: list[str] = []
    for entry in known.known or [e for e in known.elsewhere if e.marker is Marker.NONE]:
        if known.is_revoked(entry.key):
            left_out.append(f"host key {entry}: it is revoked")
            continue
        try:
            entry_value(entry.key)
        except ValueError as error:
            left_out.append(f"host key {entry}: {error}")
            continue
        keys.append(CachedKey(name, port, entry.key))
    if not keys:
        shown = lookup_name(name, port)
        more = "; only an authority's is, which PuTTY wants in its own dialogue" * bool(
            known.authorities
        )
        left_out.append(
            f"host key of {shown}: none is known, so PuTTY asks, and plink -batch refuses{more}"
        )
    return keys, left_out
