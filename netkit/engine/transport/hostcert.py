"""OpenSSH certificates (PROTOCOL.certkeys): parsing, and what a host certificate must satisfy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netkit.engine.transport import signatures
from netkit.errors import RemoteProtocolError
from netkit.text.fingerprints import key_type
from netkit.text.patterns import matches
from netkit.wire.messages import Fields, string

HOST: Final = 2
USER: Final = 1
MAX_PRINCIPALS: Final = 256
_SUFFIX: Final = "-cert-v01@openssh.com"
_KEY_FIELDS: Final = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519": 2,
    "sk-ecdsa-sha2-nistp256": 3,
}
"""Strings of the public key inside a certificate, by certificate type without its suffix."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A parsed certificate.  Times are seconds since the epoch; ``kind`` is `HOST` or `USER`."""

    key_blob: bytes
    serial: int
    kind: int
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical: bytes
    ca_blob: bytes
    signature: bytes
    signed: bytes


def parse_certificate(blob: bytes) -> Certificate:
    """Parse a certificate blob; nothing about it is verified yet.

    Raises:
        RemoteProtocolError: it is no certificate of a known type.
    """
    fields = Fields(blob, 0)
    kind = fields.text()
    base = kind.removesuffix(_SUFFIX)
    if base == kind or base not in _KEY_FIELDS:
        raise RemoteProtocolError("the gateway sent a certificate of an unknown type")
    fields.string()  # the nonce
    plain = f"{base}@openssh.com" if base.startswith("sk-") else base
    key_blob = string(plain) + b"".join(
        string(bytes(fields.string())) for _ in range(_KEY_FIELDS[base])
    )
    serial = _u64(fields)
    cert_kind = fields.u32()
    key_id = fields.text(1024)
    principals = _principals(bytes(fields.string()))
    valid_after, valid_before = _u64(fields), _u64(fields)
    critical = bytes(fields.string())
    fields.string()  # extensions: none are defined for hosts
    fields.string()  # reserved
    ca_blob = bytes(fields.string())
    before_signature = len(blob) - len(fields.rest())
    signature = bytes(fields.string())
    if fields.rest():
        raise RemoteProtocolError("the gateway sent a certificate with bytes behind its end")
    return Certificate(
        key_blob=key_blob,
        serial=serial,
        kind=cert_kind,
        key_id=key_id,
        principals=principals,
        valid_after=valid_after,
        valid_before=valid_before,
        critical=critical,
        ca_blob=ca_blob,
        signature=signature,
        signed=bytes(blob[:before_signature]),
    )


def _u64(fields: Fields) -> int:
    return fields.u32() << 32 | fields.u32()


def _principals(packed: bytes) -> tuple[str, ...]:
    fields = Fields(packed, 0)
    names: list[str] = []
    while fields.rest():
        if len(names) == MAX_PRINCIPALS:
            raise RemoteProtocolError("the gateway sent a certificate with too many principals")
        names.append(fields.text(1024))
    return tuple(names)


def host_fault(certificate: Certificate, name: str, now: float) -> str:
    """Return why the certificate does not speak for host ``name``, or an empty string if it does.

    The rules are those of OpenSSH's sshkey_cert_check_host: type, critical options (none is
    defined for hosts, so any is unknown), validity, principals with ``*`` and ``?``, and the CA's
    signature with an algorithm that is not SHA-1.  A certificate without principals is valid
    for every host, as ssh-keygen(1) says.  Whether the CA is trusted is the caller's question.
    """
    if certificate.kind != HOST:
        return "it is a user certificate, not a host certificate"
    if certificate.critical:
        return "it has critical options, which no host certificate should have"
    if now < certificate.valid_after:
        return "it is not valid yet"
    if now >= certificate.valid_before:
        return "it has expired"
    if certificate.principals and not any(
        matches(name.lower(), principal.lower()) for principal in certificate.principals
    ):
        return f"it is made out to {', '.join(certificate.principals[:5])}, not to {name}"
    if key_type(certificate.ca_blob).endswith(_SUFFIX):
        return "its authority is itself a certificate"
    if not signatures.verify(
        certificate.ca_blob,
        certificate.signature,
        certificate.signed,
        algorithms=signatures.SIGNATURE_ALGORITHMS,
    ):
        return "its authority's signature is wrong"
    return ""
