"""The agent and key files, as facts.  Asks nobody for anything, changes nothing."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from diagnostics.ssh import AgentFacts, AgentKeyFacts, KeyFileFacts
from netkit.engine.transport import keys
from netkit.engine.transport.agent import AgentError, AgentKey, open_agent
from netkit.engine.transport.hostcert import parse_certificate
from netkit.errors import KeyFileError, RemoteProtocolError
from netkit.text.fingerprints import key_bits, key_type, sha256_fingerprint

PATIENCE: Final = 4.0
"""Seconds for the agent's list of keys."""

_ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED, errno.ENOTSOCK}
_CERT: Final = "-cert-v01@openssh.com"


def ask_agent(path: str) -> AgentFacts:
    """Return what the agent at ``path`` holds; empty for no agent."""
    try:
        agent = open_agent(path)
        if agent is None:
            return AgentFacts(outcome="none")
        with agent:
            held = agent.list_keys(PATIENCE)
    except AgentError as error:
        outcome = "absent" if _is_absent(error) else "failed"
        text = f"{error.summary}: {error.cause}" if error.cause else error.summary
        return AgentFacts(outcome=outcome, path=path, text=text)
    return AgentFacts(outcome="ok", path=path, keys=tuple(map(_agent_key, held)))


def _is_absent(error: AgentError) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _ABSENT


def _agent_key(key: AgentKey) -> AgentKeyFacts:
    return AgentKeyFacts(
        key_type=key_type(key.blob),
        bits=_bits(key.blob),
        fingerprint=_fingerprint(key.blob),
        comment=key.comment,
    )


def look_at_key(path: str) -> KeyFileFacts:
    """Return what a private key file is; asks for no passphrase."""
    try:
        return _look(Path(path))
    except KeyFileError as error:
        public = keys.read_public(Path(f"{path}.pub"))
        return _facts(path, public, error=error)


def _look(path: Path) -> KeyFileFacts:
    file = keys.read_key_file(path)
    if isinstance(file, keys.PublicKeyFile):
        error = KeyFileError(
            f"{path} is a public key", code="key-is-public", cause="its private half signs"
        )
        return _facts(str(path), file.blob, error=error)
    if not file.encrypted:
        file.unlock()  # shows whether it is whole, and not too short
    public = file.public or keys.read_public(Path(f"{path}.pub"))
    return _facts(str(path), public, encrypted=file.encrypted)


def _facts(
    path: str, blob: bytes, *, encrypted: bool = False, error: KeyFileError | None = None
) -> KeyFileFacts:
    return KeyFileFacts(
        path=path,
        key_type=key_type(blob),
        bits=_bits(blob),
        fingerprint=_fingerprint(blob) if blob else "",
        encrypted=encrypted,
        error_code=error.code if error else "",
        error=error.summary if error else "",
        cause=error.cause if error else "",
    )


def _plain(blob: bytes) -> bytes:
    """Return the key in a certificate, as ssh-add(1) fingerprints it; other blobs as they are."""
    if not key_type(blob).endswith(_CERT):
        return blob
    try:
        return parse_certificate(blob).key_blob
    except RemoteProtocolError:
        return blob


def _bits(blob: bytes) -> int:
    return key_bits(_plain(blob))


def _fingerprint(blob: bytes) -> str:
    return sha256_fingerprint(_plain(blob))
