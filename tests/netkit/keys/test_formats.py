"""Key files of every format: recognised, with their comments.

Every pair of formats is converted, and judged by the real programs, in
tests/integration/recipe/test_key_formats.py.
"""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from netkit.engine.transport.keys import PublicKeyFile
from netkit.engine.transport.signatures import public_blob
from netkit.errors import KeyFileError, UsageError
from netkit.keys.formats import (
    FORMS,
    Costs,
    KeyFile,
    form_of,
    public_line,
    read_key,
    read_private,
    write,
)
from netkit.text.ppk import Argon2
from support.peers import require
from support.putty_keys import ppk
from support.sshd import make_key

KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
CHEAP = Costs(rounds=1, argon2=Argon2(memory=64, passes=1))


def written(path: Path, form: str, passphrase: str | None = None, key=KEY) -> Path:
    path.write_bytes(write(key, form, comment="me", passphrase=passphrase, costs=CHEAP))
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("passphrase", [None, "secret"])
def test_what_shows_without_the_passphrase(tmp_path, form, passphrase):
    file = read_private(written(tmp_path / "key", form, passphrase))
    clear = passphrase is None or form in ("openssh", "ppk", "ppk2")
    assert file.encrypted == (passphrase is not None)
    assert file.protected
    assert file.public == (public_blob(KEY) if clear else b"")
    assert file.form == ("pkcs8" if form == "pem" else form)  # Ed25519 has no older form
    inside = form in ("ppk", "ppk2") or (form == "openssh" and passphrase is None)
    assert file.comment == ("me" if inside else "")


@pytest.mark.parametrize("form", FORMS)
def test_wrong_passphrase(tmp_path, form):
    file = read_private(written(tmp_path / "key", form, "secret"))
    with pytest.raises(KeyFileError) as caught:
        file.unlock("wrong")
    assert caught.value.code == "key-wrong-passphrase"


def test_the_comment_of_a_locked_key_comes_out_with_it(tmp_path):
    file = read_private(written(tmp_path / "key", "openssh", "secret"))
    key, comment = file.unlock("secret")
    assert (public_blob(key), comment) == (public_blob(KEY), "me")


def test_the_comment_of_a_pem_is_that_of_its_own_pub_file(tmp_path):
    path = written(tmp_path / "key", "pkcs8", "secret")
    (tmp_path / "key.pub").write_text(public_line(public_blob(KEY), "beside") + "\n")
    file = read_private(path)
    assert (file.public, file.comment) == (public_blob(KEY), "beside")
    other = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "key.pub").write_text(public_line(public_blob(other), "of another") + "\n")
    assert read_private(path).unlock("secret")[1] == ""
    plain = written(tmp_path / "plain", "pkcs8")
    (tmp_path / "plain.pub").write_text(public_line(public_blob(other), "of another") + "\n")
    assert read_private(plain).comment == ""


def test_whoever_else_can_read_it_is_told(tmp_path):
    path = written(tmp_path / "key", "ppk")
    path.chmod(0o644)
    assert not read_private(path).protected


def test_pem_is_what_ssh_keygen_writes(tmp_path):
    """The same cipher and the same derivation, which PuTTYgen reads."""
    key = make_key(tmp_path / "key", "ecdsa", "-m", "PEM", passphrase="secret")
    theirs = key.read_bytes()
    unlocked, _ = read_private(key).unlock("secret")
    ours = write(unlocked, "pem", comment="", passphrase="secret")
    assert [line.split(b",")[0] for line in ours.splitlines()[:3]] == [
        line.split(b",")[0] for line in theirs.splitlines()[:3]
    ]
    assert len(ours) == len(theirs)
    assert len({len(line) for line in ours.splitlines()[4:-2]}) == 1


def test_public_and_foreign_files(tmp_path):
    key = make_key(tmp_path / "key")
    assert isinstance(read_key(Path(f"{key}.pub")), PublicKeyFile)
    assert isinstance(read_key(key), KeyFile)
    with pytest.raises(KeyFileError) as caught:
        read_private(Path(f"{key}.pub"))
    assert caught.value.code == "key-is-public"
    assert str(key) in caught.value.cause
    with pytest.raises(KeyFileError) as caught:
        read_private(tmp_path / "none")
    assert caught.value.code == "key-missing"


def test_forms_by_their_headings(tmp_path):
    key = make_key(tmp_path / "key")
    assert form_of(key.read_bytes()) == "openssh"
    for version, form in ((2, "ppk2"), (3, "ppk")):
        assert form_of(ppk(key, tmp_path / form, version=version).read_bytes()) == form
    assert form_of(b"-----BEGIN EC PRIVATE KEY-----") == "pem"
    assert form_of(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") == "pkcs8"


def test_there_is_no_other_form():
    with pytest.raises(ValueError, match="no form"):
        write(KEY, "pgp", comment="", passphrase=None)


@pytest.mark.parametrize("form", ["ppk", "ppk2"])
def test_curves_that_a_form_lacks(form):
    with pytest.raises(ValueError, match="SSH knows"):
        write(ec.generate_private_key(ec.SECP256K1()), form, comment="", passphrase=None)


def test_no_argon2(monkeypatch):
    from cryptography.exceptions import UnsupportedAlgorithm

    from netkit.text import ppk as module

    def derive(*_args):
        raise UnsupportedAlgorithm("no argon2")

    monkeypatch.setattr(module, "_derive", derive)
    with pytest.raises(UsageError) as caught:
        write(KEY, "ppk", comment="", passphrase="x")
    assert caught.value.code == "no-argon2"


def test_the_public_line_is_one_line():
    line = public_line(public_blob(KEY), " a\nb\r\0c ")
    assert line.split(" ", 2)[2] == "abc"
    assert base64.b64decode(line.split()[1]) == public_blob(KEY)
    said = subprocess.run(
        [require("ssh-keygen"), "-l", "-f", "-"],
        input=line,
        text=True,
        capture_output=True,
        check=True,
    )
    assert "abc" in said.stdout


@given(comment=st.text(max_size=20), passphrase=st.text(min_size=1, max_size=20))
def test_round_trip_of_weak_forms(tmp_path_factory, comment, passphrase):
    path = tmp_path_factory.getbasetemp() / "round-trip"
    for form in ("pem", "ppk2", "ppk"):
        path.write_bytes(write(KEY, form, comment=comment, passphrase=passphrase, costs=CHEAP))
        path.chmod(0o600)
        assert public_blob(read_private(path).unlock(passphrase)[0]) == public_blob(KEY)
