"""What is shown of key files, against ssh-keygen and puttygen."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import KeyFileError, NetkitError, UsageError
from netkit.keys import show
from netkit.keys.show import look
from support.putty_keys import ppk
from support.security_keys import write_pair
from support.sshd import make_key, public_line


def never(_prompt: str) -> str:
    raise AssertionError("nobody is to be asked")


def listed(path: Path, *options: str) -> str:
    argv = ["ssh-keygen", "-l", *options, "-f", str(path)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("kind", "options", "form"),
    [
        ("ed25519", (), "openssh"),
        ("ecdsa", ("-b", "521"), "openssh"),
        ("rsa", ("-b", "2048", "-m", "PEM"), "pem"),
        ("ecdsa", ("-m", "PKCS8"), "pkcs8"),
    ],
)
@pytest.mark.parametrize("passphrase", ["", "secret"])
def test_private_keys(tmp_path, kind, options, form, passphrase):
    path = make_key(tmp_path / "key", kind, *options, passphrase=passphrase)
    (shown,) = look(path, never)
    bits, sha256, comment, _ = listed(Path(f"{path}.pub")).split()
    md5 = listed(Path(f"{path}.pub"), "-E", "md5").split()[1]
    assert (shown.kind, shown.form, shown.encrypted) == ("private", form, bool(passphrase))
    assert (str(shown.bits), shown.sha256, shown.md5) == (bits, sha256, md5)
    assert shown.comment == comment
    assert shown.art in listed(Path(f"{path}.pub"), "-v")
    assert shown.faults == (() if not passphrase or form != "pem" else (show.WEAK["pem"],))


@pytest.mark.parametrize("version", [2, 3])
def test_putty_keys(tmp_path, version):
    key = make_key(tmp_path / "its comment")
    (shown,) = look(ppk(key, tmp_path / "k.ppk", version=version, passphrase="x"), never)
    assert (shown.encrypted, shown.comment) == (True, "its comment")
    assert shown.sha256 == listed(key).split()[1]
    assert bool(shown.faults) == (version == 2)


def test_a_locked_pem_alone(tmp_path):
    path = make_key(tmp_path / "key", "ecdsa", "-m", "PEM", passphrase="secret")
    fingerprint = listed(path).split()[1]
    Path(f"{path}.pub").unlink()
    asked: list[str] = []
    (shown,) = look(path, asked.append)
    assert (len(asked), shown.sha256, shown.encrypted) == (1, "", True)
    assert "encrypted too" in shown.faults[-1]
    (shown,) = look(path, lambda _prompt: "secret")
    assert shown.sha256 == fingerprint
    with pytest.raises(KeyFileError) as caught:
        look(path, lambda _prompt: "wrong")
    assert caught.value.code == "key-wrong-passphrase"


def test_security_keys_show_their_public_half(tmp_path):
    path = write_pair(tmp_path / "id_sk")
    (shown,) = look(path)
    assert (shown.type, shown.comment) == ("sk-ssh-ed25519@openssh.com", "token")
    Path(f"{path}.pub").unlink()
    with pytest.raises(KeyFileError) as caught:
        look(path)
    assert caught.value.code == "key-needs-agent"


def test_permissions(tmp_path):
    path = make_key(tmp_path / "key")
    path.chmod(0o644)
    (shown,) = look(path)
    assert "other users can read it" in shown.faults[0]


def test_lists_of_keys(tmp_path):
    first, second = make_key(tmp_path / "first"), make_key(tmp_path / "second")
    path = tmp_path / "authorized_keys"
    path.write_text(
        f"# a comment\nrestrict {public_line(first)} one\n\ngw {public_line(second)}\njunk\n"
    )
    shown = look(path)
    assert [(key.line, key.before, key.comment) for key in shown] == [
        (2, "restrict", "one"),
        (4, "gw", ""),
    ]
    assert [key.sha256 for key in shown] == [listed(first).split()[1], listed(second).split()[1]]


def test_certificates(tmp_path):
    authority, key = make_key(tmp_path / "ca"), make_key(tmp_path / "key")
    argv = ["ssh-keygen", "-q", "-s", str(authority), "-I", "work key", "-n", "me,you", "-z", "7"]
    subprocess.run([*argv, "-V", "20200101Z:20300101Z", f"{key}.pub"], check=True)
    (shown,) = look(Path(f"{key}-cert.pub"))
    assert shown.kind == "certificate"
    assert shown.sha256 == listed(key).split()[1]
    text = "\n".join(shown.certificate)
    assert "a user certificate, key id 'work key', serial 7" in text
    assert "for me, you" in text
    assert "from 2020-01-01 00:00 UTC until 2030-01-01 00:00 UTC" in text
    assert listed(authority).split()[1] in text


def test_a_certificate_for_ever(tmp_path):
    authority, key = make_key(tmp_path / "ca"), make_key(tmp_path / "key")
    subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "x", f"{key}.pub"], check=True)
    (shown,) = look(Path(f"{key}-cert.pub"))
    assert "from always until forever" in shown.certificate
    assert "for everybody" in shown.certificate


def test_what_is_no_key(tmp_path):
    path = tmp_path / "file"
    for data in (b"", b"hello\n", b"\xff\xfe\0\0", b"x" * (2 << 20)):
        path.write_bytes(data)
        with pytest.raises(NetkitError):
            look(path)
    key = make_key(tmp_path / "key")
    key.write_bytes(key.read_bytes()[:120])
    with pytest.raises(KeyFileError) as caught:
        look(key)
    assert caught.value.code == "key-not-recognised"
    with pytest.raises(UsageError):
        look(path)


def test_short_rsa_and_dsa(tmp_path):
    from netkit.keys.formats import public_line as line
    from netkit.text.ppk_blobs import string

    path = tmp_path / "keys"
    n = (1 << 1023).to_bytes(129, "big")
    short = string(b"ssh-rsa") + string(b"\1\0\1") + string(n)
    old = string(b"ssh-dss") + string(n) * 4
    path.write_text(f"{line(short, '')}\n{line(old, '')}\n")
    first, second = look(path)
    assert "1024 bits" in first.faults[0]
    assert "DSA" in second.faults[0]


@given(st.binary(max_size=300))
def test_anything_is_shown_or_a_declared_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "anything"
    path.write_bytes(data)
    with contextlib.suppress(NetkitError):
        look(path)
