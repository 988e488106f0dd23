"""Which keys to offer, in which order: what ssh does in sshconnect2.c, pubkey_prepare.

Keys of the identities that an agent holds come first, in the order of the identities; then the
agent's other keys, unless IdentitiesOnly; then key files.  So a full agent does not use up the
server's tries before the key the user named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from netkit.engine.transport import keys, signatures
from netkit.engine.transport.agent import Agent
from netkit.engine.transport.hostcert import parse_certificate
from netkit.errors import KeyFileError, RemoteProtocolError
from netkit.model import Hop
from netkit.prompt import Prompter
from netkit.text.fingerprints import key_type, sha256_fingerprint

CERT: Final = "-cert-v01@openssh.com"
PASSPHRASE_TRIES: Final = 3

Signer = Callable[[str, bytes], bytes]
"""``signer(algorithm, data)`` returns a signature blob made with the plain ``algorithm``."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A public key to offer, and how to sign for it.

    ``named`` tells keys the user named (``-i``, IdentityFile) from what an agent happens to hold.
    """

    blob: bytes
    label: str
    signer: Signer
    named: bool = False

    def __str__(self) -> str:
        kind = signatures.short_name(key_type(self.blob))
        return f"{self.label} ({kind} {sha256_fingerprint(self.blob)})"


@dataclass(slots=True)
class Credentials:
    """What there is to offer, and what could not be used."""

    offers: list[Credential] = field(default_factory=list)
    faults: list[KeyFileError] = field(default_factory=list)

    def add(self, credential: Credential) -> None:
        """Add a credential unless the same key is there already."""
        if all(other.blob != credential.blob for other in self.offers):
            self.offers.append(credential)


class FileKey:
    """A private key file that is unlocked at most once, when a signature is needed."""

    def __init__(self, file: keys.PrivateKeyFile, prompter: Prompter | None) -> None:
        self._file = file
        self._prompter = prompter
        self._key: signatures.PrivateKey | None = None

    def sign(self, algorithm: str, data: bytes) -> bytes:
        """Sign, asking for the passphrase if need be.

        Raises:
            KeyFileError: it cannot be unlocked.
        """
        return signatures.sign(self.key(), algorithm, data)

    def key(self) -> signatures.PrivateKey:
        """Return the unlocked key.

        Raises:
            KeyFileError: there is nobody to ask, or no right answer came.
        """
        if self._key is None:
            self._key = self._unlock()
            if self._file.public and signatures.public_blob(self._key) != self._file.public:
                raise KeyFileError(
                    f"{self._file.path}.pub is not the public half of {self._file.path}",
                    code="key-pair-mismatch",
                    cause="the pair was mixed up when it was copied; remove the .pub file",
                )
        return self._key

    def _unlock(self) -> signatures.PrivateKey:
        if not self._file.encrypted:
            return self._file.unlock()
        if self._prompter is None:
            raise keys.locked(self._file.path)
        wrong: KeyFileError | None = None
        for _ in range(PASSPHRASE_TRIES):
            answer = self._prompter.secret(f"Enter passphrase for key '{self._file.path}': ")
            if not answer:
                break
            try:
                return self._file.unlock(answer)
            except KeyFileError as error:
                if error.code != "key-wrong-passphrase":
                    raise
                wrong = error
        raise wrong or KeyFileError(
            f"no passphrase was given for {self._file.path}", code="key-encrypted"
        )


@dataclass(frozen=True, slots=True)
class _Identity:
    path: Path
    public: bytes
    file: FileKey | None
    certificates: tuple[bytes, ...]


def gather(hop: Hop, agent: Agent | None, prompter: Prompter | None) -> Credentials:
    """Collect what to offer to a hop.  Reads key files, never asks for a passphrase unless a
    PEM file shows its public half in no other way.

    Raises:
        AgentError: the agent does not list its keys.
    """
    found = Credentials()
    identities = [i for path in hop.identities if (i := _read(path, hop, found, prompter))]
    extra = [blob for path in hop.certificates if (blob := _certificate(path, found))]
    held = {key.blob: key.comment for key in agent.list_keys()} if agent else {}
    if agent:
        for identity in identities:
            _from_agent(found, agent, held, identity, extra)
        if not hop.identities_only:
            for blob, comment in held.items():
                _with_certificates(found, blob, _agent_signer(agent, blob), extra, f"{comment}")
    for identity in identities:
        if identity.file:
            label = str(identity.path)
            certs = [*identity.certificates, *extra]
            _with_certificates(found, identity.public, identity.file.sign, certs, label, named=True)
        elif not any(_plain(c.blob) == identity.public for c in found.offers):
            found.faults.append(keys.public_given(identity.path))
    return found


def _read(path: Path, hop: Hop, found: Credentials, prompter: Prompter | None) -> _Identity | None:
    certificates = tuple(_own_certificates(path))
    try:
        file = keys.read_key_file(path)
    except KeyFileError as error:
        public = keys.read_public(Path(f"{path}.pub"))
        if public and error.code in {"key-missing", "key-needs-agent"}:
            # the private half may live in the agent only
            return _Identity(path, public, None, certificates)
        if error.code != "key-missing" or hop.identities_explicit:
            found.faults.append(error)
        return None
    if isinstance(file, keys.PublicKeyFile):
        certs = (file.blob, *certificates) if _is_certificate(file.blob) else certificates
        return _Identity(path, _plain(file.blob), None, certs)
    return _private(file, certificates, found, prompter)


def _private(
    file: keys.PrivateKeyFile,
    certificates: tuple[bytes, ...],
    found: Credentials,
    prompter: Prompter | None,
) -> _Identity | None:
    public = file.public or keys.read_public(Path(f"{file.path}.pub"))
    key = FileKey(keys.PrivateKeyFile(file.path, public, file.encrypted, file.content), prompter)
    if not public:
        try:
            public = signatures.public_blob(key.key())
        except KeyFileError as error:
            found.faults.append(error)
            return None
    return _Identity(file.path, public, key, certificates)


def _own_certificates(path: Path) -> Iterable[bytes]:
    base = str(path).removesuffix(".pub")
    blob = keys.read_public(Path(f"{base}-cert.pub"))
    if _is_certificate(blob):
        yield blob


def _certificate(path: Path, found: Credentials) -> bytes:
    blob = keys.read_public(path)
    if _is_certificate(blob):
        return blob
    found.faults.append(
        KeyFileError(f"{path} is not a certificate that can be used", code="bad-certificate")
    )
    return b""


def _from_agent(
    found: Credentials,
    agent: Agent,
    held: dict[bytes, str],
    identity: _Identity,
    extra: list[bytes],
) -> None:
    for blob, comment in held.items():
        if _plain(blob) == identity.public:
            certs = [*identity.certificates, *extra]
            label = f"{identity.path} in the agent" if comment else str(identity.path)
            signer = _agent_signer(agent, blob)
            _with_certificates(found, blob, signer, certs, label, named=True)


def _with_certificates(
    found: Credentials,
    blob: bytes,
    signer: Signer,
    certificates: Iterable[bytes],
    label: str,
    *,
    named: bool = False,
) -> None:
    # certificates first: where they are in use the plain key is often not
    for certificate in certificates:
        if not _is_certificate(blob) and _plain(certificate) == blob:
            found.add(Credential(certificate, f"{label} with certificate", signer, named))
    found.add(Credential(blob, label, signer, named))


def _agent_signer(agent: Agent, blob: bytes) -> Signer:
    def sign(algorithm: str, data: bytes) -> bytes:
        return agent.sign(blob, algorithm, data)

    return sign


def _is_certificate(blob: bytes) -> bool:
    return key_type(blob).endswith(CERT) and _plain(blob) != blob


def _plain(blob: bytes) -> bytes:
    """Return the public key inside a certificate; any other blob as it is."""
    if not key_type(blob).endswith(CERT):
        return blob
    try:
        return parse_certificate(blob).key_blob
    except RemoteProtocolError:
        return blob
