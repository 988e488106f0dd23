"""Keys for the two sides of a tunnel: made for it, in memory.

Everything secret is random and used once; `placeholders` stands in where files are only shown.
"""

from __future__ import annotations

import base64
import datetime as dt
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

_YEARS: Final = 10
_STATIC_KEY: Final = "OpenVPN Static key V1"


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key and its public half, as text of one line."""

    private: str
    public: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A self-signed certificate in PEM, its key in PEM, its SHA-256 as ``AA:BB:…``."""

    certificate: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Everything secret or random that a writer may need.

    Attributes:
        wireguard_here, wireguard_gateway: X25519 pairs in base64.
        shared: 32 random bytes in base64, for both sides.
        tls_here, tls_gateway: identities for TLS.
        static: OpenVPN's static key of 2048 bit, for ``tls-crypt``.
        ula: 40 random bits (RFC 4193).
        secret: whether the private parts are there, not placeholders.
    """

    wireguard_here: Pair
    wireguard_gateway: Pair
    shared: str
    tls_here: Identity
    tls_gateway: Identity
    static: str
    ula: int
    secret: bool = True


def make_keys() -> Keys:
    """Return fresh keys."""
    return Keys(
        wireguard_here=_x25519(),
        wireguard_gateway=_x25519(),
        shared=base64.b64encode(secrets.token_bytes(32)).decode("ascii"),
        tls_here=_identity("netkit here", server=False),
        tls_gateway=_identity("netkit gateway", server=True),
        static=_static_key(),
        ula=secrets.randbits(40),
    )


def placeholders() -> Keys:
    """Return what stands for keys in files that are only shown."""
    return Keys(
        wireguard_here=Pair("(this side's private key)", "(this side's public key)"),
        wireguard_gateway=Pair("(the gateway's private key)", "(the gateway's public key)"),
        shared="(a key that both sides share)",
        tls_here=Identity(
            "(this side's certificate)\n",
            "(this side's private key)\n",
            "(the fingerprint of this side's certificate)",
        ),
        tls_gateway=Identity(
            "(the gateway's certificate)\n",
            "(the gateway's private key)\n",
            "(the fingerprint of the gateway's certificate)",
        ),
        static="(a key that both sides share)\n",
        ula=0,
        secret=False,
    )


def _x25519() -> Pair:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 (import cost)
    from cryptography.hazmat.primitives.asymmetric.x25519 import (  # noqa: PLC0415
        X25519PrivateKey,
    )

    key = X25519PrivateKey.generate()
    raw = serialization.Encoding.Raw
    private = key.private_bytes(raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    public = key.public_key().public_bytes(raw, serialization.PublicFormat.Raw)
    return Pair(_base64(private), _base64(public))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _static_key() -> str:
    """Return 256 random bytes as ``openvpn --genkey secret`` writes them."""
    lines = [secrets.token_hex(16) for _ in range(16)]
    return "\n".join([f"-----BEGIN {_STATIC_KEY}-----", *lines, f"-----END {_STATIC_KEY}-----", ""])


def _identity(name: str, *, server: bool) -> Identity:
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(name, key, server=server)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Identity(
        certificate.public_bytes(pem).decode("ascii"),
        private.decode("ascii"),
        certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
    )


def _certificate(name: str, key: EllipticCurvePrivateKey, *, server: bool) -> Certificate:
    """Return a certificate that is its own issuer and names its purpose.

    OpenVPN's ``remote-cert-tls`` wants both key usages (openvpn(8)).
    """
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: PLC0415

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    usage = x509.KeyUsage(
        digital_signature=True,
        key_agreement=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # a clock that is a little behind should not refuse it
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .sign(key, hashes.SHA256())
    )
