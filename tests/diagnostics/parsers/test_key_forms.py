"""Key files from outside: real ones of ssh-keygen and puttygen, and what people do to them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.key_forms import MAX_LOOK, KeyForm, look
from diagnostics.parsers.secrets import without_private_keys
from support.peers import require
from support.sshd import make_key


@pytest.mark.parametrize(
    ("kind", "options", "form"),
    [
        ("ed25519", (), "openssh"),
        ("rsa", ("-b", "2048", "-m", "PEM"), "pem"),
        ("ecdsa", ("-m", "PKCS8"), "pkcs8"),
    ],
)
def test_real_keys(tmp_path: Path, kind: str, options: tuple[str, ...], form: str):
    data = without_private_keys(make_key(tmp_path / "key", kind, *options).read_bytes())
    assert look(data) == KeyForm(form)
    assert look(data.replace(b"\n", b"\r\n")) == KeyForm(form)
    assert look(b"\xef\xbb\xbf" + data) == KeyForm(form, "byte-order-mark")
    assert look(data.decode().encode("utf-16")) == KeyForm(form, "utf-16")
    assert look(data[: len(data) // 2]) == KeyForm(form, "cut-off")
    assert look(data.replace(b"\n", b" ")) == KeyForm(form, "one-line")
    assert look(data.replace(b"\n", b"\n  ")) == KeyForm(form, "indented")
    assert look(Path(f"{tmp_path / 'key'}.pub").read_bytes()) == KeyForm("public")


@pytest.mark.parametrize("version", [2, 3])
def test_putty_keys(tmp_path: Path, version: int):
    out = tmp_path / "key.ppk"
    (tmp_path / "empty").write_text("")
    argv = [str(require("puttygen")), "-q", "-t", "ed25519", "-o", str(out)]
    argv += ["--new-passphrase", str(tmp_path / "empty"), "--ppk-param", f"version={version}"]
    subprocess.run(argv, check=True, capture_output=True)
    assert look(out.read_bytes()) == KeyForm("ppk", version=version)


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"", "empty"),
        (b" \r\n\0\0", "empty"),
        (b"SSH PRIVATE KEY FILE FORMAT 1.1\n\0", "ssh1"),
        (b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n", "ssh2"),
        (b"<!DOCTYPE html><p>Log in", "html"),
        (b"-----BEGIN NONSENSE-----\nx\n-----END NONSENSE-----\n", "unknown"),
        (b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", "x509"),
        (b"\x00\x01\xff", "unknown"),
    ],
)
def test_other_files(data: bytes, form: str):
    assert look(data).form == form


def test_only_the_beginning_counts():
    assert look(b"x" * MAX_LOOK + b"\n-----BEGIN PRIVATE KEY-----").form == "unknown"


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([b"-----BEGIN ", b"PRIVATE KEY-----", b"-----END ", b"\n", b" ",
                                b"x" * 101, b"\xff\xfe", b"\0", b"PuTTY-User-Key-File-3: x"]))
    .map(b"".join)
)  # fmt: skip
def test_total(data: bytes):
    assert look(data).form
