from __future__ import annotations

import base64
import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from netkit.advise.keys import make_keys, placeholders
from support import advice


def test_wireguard_pairs():
    for pair in (advice.keys().wireguard_here, advice.keys().wireguard_gateway):
        private = X25519PrivateKey.from_private_bytes(base64.b64decode(pair.private))
        raw = private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        assert base64.b64decode(pair.public) == raw


def test_identities():
    for identity, purpose in (
        (advice.keys().tls_here, ExtendedKeyUsageOID.CLIENT_AUTH),
        (advice.keys().tls_gateway, ExtendedKeyUsageOID.SERVER_AUTH),
    ):
        certificate = x509.load_pem_x509_certificate(identity.certificate.encode())
        key = serialization.load_pem_private_key(identity.key.encode(), None)
        assert certificate.public_key() == key.public_key()
        assert identity.fingerprint == certificate.fingerprint(hashes.SHA256()).hex(":").upper()
        assert re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", identity.fingerprint)
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usage) == [purpose]


def test_static_key():
    lines = advice.keys().static.splitlines()
    assert lines[0] == "-----BEGIN OpenVPN Static key V1-----"
    assert len(bytes.fromhex("".join(lines[1:-1]))) == 256


def test_every_set_is_new():
    one, other = advice.keys(), make_keys()
    assert one.shared != other.shared
    assert one.wireguard_here != other.wireguard_here
    assert one.static != other.static
    assert len(base64.b64decode(one.shared)) == 32


def test_placeholders_are_told_apart():
    shown = placeholders()
    assert not shown.secret
    assert advice.keys().secret
    assert "private key" in shown.wireguard_here.private
