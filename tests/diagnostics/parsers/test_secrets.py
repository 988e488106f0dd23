from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.secrets import (
    MASK,
    without_passwords,
    without_private_keys,
    without_url_password,
)
from support import peers

PPK = b"""PuTTY-User-Key-File-3: ssh-ed25519
Encryption: none
Comment: somebody@example
Public-Lines: 2
AAAAC3NzaC1lZDI1NTE5AAAAIPublicPublicPublicPublicPublicPublicPubli
c01=
Private-Lines: 1
AAAAIPrivatePrivatePrivatePrivatePrivatePrivatePrivatePriv
Private-MAC: 0011223344
"""


@pytest.mark.parametrize("form", ["RFC4716", "PEM"])
def test_a_real_key(form: str, tmp_path: Path):
    path = tmp_path / "key"
    subprocess.run(
        [
            *(peers.require("ssh-keygen"), "-q", "-t", "rsa", "-b", "1024", "-m", form),
            *("-N", "", "-f", str(path)),
        ],
        check=True,
    )
    data = path.read_bytes()
    masked = without_private_keys(b"# before\n" + data + b"after\n")
    lines = data.splitlines()
    assert masked.startswith(b"# before\n" + lines[0])
    assert masked.endswith(lines[-1] + b"\nafter\n")
    assert len(masked) == len(data) + 15
    assert not any(line in masked for line in lines[1:-1])
    assert without_private_keys(masked) == masked


def test_how_it_is_encrypted_is_no_secret():
    head = b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\n"
    key = b"-----BEGIN RSA PRIVATE KEY-----\n" + head + b"MIIE\n-----END RSA PRIVATE KEY-----\n"
    assert without_private_keys(key) == key.replace(b"MIIE", b"****")


def test_a_key_that_is_cut():
    key = b"-----BEGIN PRIVATE KEY-----\nMIIEvQ"
    assert without_private_keys(key) == b"-----BEGIN PRIVATE KEY-----\n******"


def test_a_ppk():
    masked = without_private_keys(PPK)
    assert b"IPrivate" not in masked
    assert b"IPublic" in masked
    assert b"Private-MAC: 0011223344" in masked
    assert without_private_keys(PPK.partition(b"Private-MAC")[0]).count(b"*") == 58


def test_a_public_key_stays():
    for data in (b"ssh-ed25519 AAAA me", b"-----BEGIN PUBLIC KEY-----\nMIIE\n-----END", b""):
        assert without_private_keys(data) == data


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_whatever_is_around(before: bytes, after: bytes):
    secret = b"S3cretS3cretS3cret"
    for head in (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", b"-----BEGIN PRIVATE KEY-----\r\n"):
        assert secret not in without_private_keys(before + head + secret + b"\n" + after)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:secret@proxy:3128/", f"http://me:{MASK}@proxy:3128/"),
        ("socks5://:secret@proxy", f"socks5://:{MASK}@proxy"),
        ("http://me@proxy:3128", "http://me@proxy:3128"),
        ("http://proxy:3128/a@b", "http://proxy:3128/a@b"),
        ("a http://u:p@x b http://v:q/r@y", f"a http://u:{MASK}@x b http://v:{MASK}@y"),
        ("nothing:of@kind", "nothing:of@kind"),
    ],
)
def test_urls(text: str, shown: str):
    assert without_url_password(text) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("plink -pw secret host", f"plink -pw {MASK} host"),
        ("plink.exe -pwfile file host", "plink.exe -pwfile file host"),
        ("mysql --password=secret", f"mysql --password={MASK}"),
        ("mysql --password secret", f"mysql --password {MASK}"),
        ("/usr/bin/sshpass -p secret ssh h", f"/usr/bin/sshpass -p {MASK} ssh h"),
        (r"C:\x\SSHPASS.EXE -psecret ssh h", rf"C:\x\SSHPASS.EXE -p{MASK} ssh h"),
        ("sshpass -f file ssh -p 22 h", f"sshpass -f file ssh -p {MASK} h"),
        ("ssh -p 22 h", "ssh -p 22 h"),
        ("app API_KEY=secret", f"app API_KEY={MASK}"),
        ("app /token:x /token x", f"app /token:{MASK} /token {MASK}"),
        ("curl --proxy-pass=a:b", f"curl --proxy-pass={MASK}"),
        ("app token:x", "app token:x"),
        ("app --tokenizer x", "app --tokenizer x"),
        ("app --password-stdin yes", "app --password-stdin yes"),
        ("app http://u:secret@h", f"app http://u:{MASK}@h"),
        ("app password secret", "app password secret"),
        ("password x", "password x"),
    ],
)
def test_argument_lists(words: str, shown: str):
    assert " ".join(without_passwords(tuple(words.split(" ")))) == shown


def test_nothing():
    assert without_passwords(()) == ()


@given(st.lists(st.text(max_size=20), max_size=8))
def test_any_argument_list_keeps_its_length(words: list[str]):
    assert len(without_passwords(tuple(words))) == len(words)
