"""OpenSSH's format with its comment, against ssh-keygen."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from hypothesis import given
from hypothesis import strategies as st

from netkit.text.openssh_key import MAX_ROUNDS, comment_in, encode
from netkit.text.ppk_blobs import PpkKey, public_blob
from support.sshd import make_key

SEED = bytes(range(20))
KEYS: dict[str, PpkKey] = {
    "ed25519": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)),
    "ecdsa": ec.derive_private_key(0x1234, ec.SECP384R1()),
    "rsa": rsa.generate_private_key(65537, 1024),
}


def made(kind="ed25519", comment="me", passphrase=None) -> bytes:
    return encode(KEYS[kind], comment=comment, passphrase=passphrase, seed=SEED, rounds=1)


@pytest.mark.parametrize("passphrase", [None, "pässword"])
@pytest.mark.parametrize("kind", KEYS)
@given(comment=st.text(max_size=40))
def test_what_is_written_is_read(kind, passphrase, comment):
    content = made(kind, comment, passphrase)
    secret = passphrase.encode() if passphrase else None
    loaded: Any = load_ssh_private_key(content, secret)
    assert public_blob(loaded) == public_blob(KEYS[kind])
    shown = "".join(c for c in comment if c.isprintable())
    assert comment_in(content, passphrase) == shown


@pytest.mark.parametrize("passphrase", [None, "pässword"])
def test_ssh_keygen_reads_it(tmp_path, passphrase):
    path = tmp_path / "key"
    path.write_bytes(made("ed25519", "two words", passphrase))
    path.chmod(0o600)
    argv = ["ssh-keygen", "-y", "-P", passphrase or "", "-f", str(path)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert said.rstrip().endswith(" two words")


@pytest.mark.parametrize(
    "cipher",
    ["aes256-ctr", "aes256-cbc", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"],
)
def test_comments_of_every_cipher(tmp_path, cipher):
    options = ("-Z", cipher, "-a", "1")
    path = make_key(tmp_path / "its-comment", "ed25519", *options, passphrase="secret")
    wanted = "" if cipher.startswith("chacha") else "its-comment"
    assert comment_in(path.read_bytes(), "secret") == wanted
    assert comment_in(path.read_bytes(), "wrong") == ""
    assert comment_in(path.read_bytes(), None) == ""


def test_rounds_are_bounded():
    content = made(passphrase="x")
    import base64

    body = b"".join(content.splitlines()[1:-1])
    raw = base64.b64decode(body)
    rounds = (MAX_ROUNDS + 1).to_bytes(4, "big")
    at = raw.index(SEED[:16]) + 16
    raw = raw[:at] + rounds + raw[at + 4 :]
    first, *_, last = content.splitlines()
    assert comment_in(b"\n".join([first, base64.b64encode(raw), last]), "x") == ""


@given(st.data())
def test_damage_shows_no_comment_and_raises_nothing(data):
    content = bytearray(made("ecdsa"))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(comment_in(bytes(content), data.draw(st.none() | st.just("x"))), str)


@given(st.binary(max_size=200))
def test_anything_else_has_none(data):
    assert comment_in(data, "x") == ""
