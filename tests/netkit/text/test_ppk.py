"""PuTTY's key files: unlocked, written, tampered with."""

from __future__ import annotations

import dataclasses
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import KeyFileError
from netkit.text.ppk import Argon2, write_ppk
from netkit.text.ppk_blobs import PpkKey, public_blob
from netkit.text.ppk_reading import parse_ppk
from support.peers import require
from support.putty_keys import ppk
from support.sshd import make_key, public_line

QUICK = Argon2(memory=64, passes=1)
SALT = bytes(range(16))
KEYS: dict[str, PpkKey] = {
    "ed25519": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1"),
    "ecdsa": ec.derive_private_key(0x1234, ec.SECP521R1()),
    "rsa": rsa.generate_private_key(65537, 1024),
}
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs", "Cf", "Cn", "Co"]))


def made(kind="ed25519", passphrase=None, **more) -> bytes:
    more.setdefault("comment", "me")
    return write_ppk(KEYS[kind], passphrase=passphrase, derivation=QUICK, salt=SALT, **more)


def code(content: bytes, passphrase=None) -> str:
    with pytest.raises(KeyFileError) as caught:
        parse_ppk(content, "k.ppk").unlock(passphrase)
    assert caught.value.summary.startswith("k.ppk ")
    assert "Traceback" not in caught.value.cause
    return caught.value.code


@pytest.mark.parametrize("flavour", ["argon2id", "argon2i", "argon2d"])
def test_every_argon2_of_puttygen(tmp_path, flavour):
    key = make_key(tmp_path / "key")
    out = ppk(key, tmp_path / "k.ppk", passphrase="pässword", kdf=flavour, parallelism=2)
    file = parse_ppk(out.read_bytes(), "k.ppk")
    assert file.derivation == Argon2(flavour.capitalize(), 64, 1, 2)
    unlocked = file.unlock("pässword")
    assert public_blob(unlocked) == file.public
    assert file.encrypted
    assert public_line(key).split()[0] == file.algorithm
    again = write_ppk(
        unlocked,
        comment=file.comment_text,
        passphrase="pässword",
        derivation=file.derivation,
        salt=file.salt,
    )
    assert again == out.read_bytes()


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", KEYS)
@given(passphrase=st.none() | st.text(min_size=1, max_size=20), comment=TEXT)
def test_what_is_written_is_read(kind, version, passphrase, comment):
    content = made(kind, passphrase, version=version, comment=comment)
    file = parse_ppk(content, "k")
    assert (file.version, file.encrypted) == (version, passphrase is not None)
    assert file.comment_text == comment
    assert public_blob(file.unlock(passphrase)) == public_blob(KEYS[kind])


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", KEYS)
def test_wrong_passphrase(kind, version):
    content = made(kind, "right", version=version)
    assert code(content, "wrong") == "key-wrong-passphrase"
    assert code(content, "") == "key-wrong-passphrase"
    assert code(content, None) == "key-encrypted"


@pytest.mark.parametrize("passphrase", [None, "right"])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    "change",
    [
        lambda file: {"comment": file.comment + b"x"},
        lambda file: {"private": bytes([file.private[0] ^ 1]) + file.private[1:]},
        lambda file: {"mac": bytes([file.mac[0] ^ 1]) + file.mac[1:]},
        lambda file: {"mac": b""},
        lambda file: {"public": file.public[:-1] + bytes([file.public[-1] ^ 1])},
    ],
    ids=["comment", "private", "mac", "no mac", "public"],
)
def test_tampering_shows_before_anything_is_believed(version, passphrase, change):
    file = parse_ppk(made("ed25519", passphrase, version=version), "k.ppk")
    changed = dataclasses.replace(file, **change(file))
    with pytest.raises(KeyFileError) as caught:
        changed.unlock(passphrase)
    wanted = "key-wrong-passphrase" if passphrase else "key-not-recognised"
    assert caught.value.code == wanted
    assert ("MAC" if passphrase is None else "changed") in caught.value.cause


def test_halves_of_two_keys_with_a_right_mac():
    """Whoever can write the MAC of an unencrypted file can lie about the public half."""
    other = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\2")
    mine, theirs = parse_ppk(made(), "k"), public_blob(other)
    blob = dataclasses.replace(mine, public=theirs)
    from netkit.text import ppk as module

    mac = module._derive(blob, b"").mac(module._covered(blob, blob.private))
    with pytest.raises(KeyFileError) as caught:
        dataclasses.replace(blob, mac=mac).unlock()
    assert "not of one key" in caught.value.cause


@pytest.mark.parametrize("version", [2, 3])
def test_passphrases_and_comments_of_old_windows(tmp_path, version):
    key = make_key(tmp_path / "key")
    (tmp_path / "secret").write_bytes("pässword\n".encode("cp1252"))
    argv = [require("puttygen"), key, "-O", "private", "-o", tmp_path / "k.ppk", "-C", b"b\xfcro"]
    argv += ["--new-passphrase", tmp_path / "secret", "--ppk-param"]
    subprocess.run([*argv, f"version={version},memory=64,passes=1"], check=True, timeout=20)
    file = parse_ppk((tmp_path / "k.ppk").read_bytes(), "k")
    assert file.comment_text == "büro"
    assert public_blob(file.unlock("pässword")) == file.public
    assert code((tmp_path / "k.ppk").read_bytes(), "passwörd") == "key-wrong-passphrase"


def test_secrets_are_in_no_text():
    file = parse_ppk(made("ed25519", "right"), "k")
    assert file.private.hex() not in repr(file)
    assert repr(file.private) not in repr(file)


@pytest.mark.parametrize(
    ("error", "words"), [(MemoryError(), "more memory"), ("unsupported", "missing here")]
)
def test_argon2_that_the_machine_cannot_do(monkeypatch, error, words):
    from cryptography.exceptions import UnsupportedAlgorithm

    from netkit.text import ppk as module

    raised = UnsupportedAlgorithm("no argon2") if error == "unsupported" else error

    def derive(*_args):
        raise raised

    file = parse_ppk(made("ed25519", "right"), "k")
    monkeypatch.setattr(module, "_derive", derive)
    with pytest.raises(KeyFileError, match=words) as caught:
        file.unlock("right")
    assert caught.value.code == "key-unsupported"


def test_a_comment_is_one_line():
    file = parse_ppk(made(comment="a\nPrivate-Lines: 9\r\x1b[1m"), "k")
    assert file.comment_text == "aPrivate-Lines: 9[1m"
