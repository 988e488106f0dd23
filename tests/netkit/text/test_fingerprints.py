"""Fingerprints and random art, against ssh-keygen."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.text.fingerprints import (
    key_bits,
    key_type,
    md5_fingerprint,
    randomart,
    sha256_fingerprint,
)
from support import peers


@pytest.mark.parametrize(
    ("kind", "bits"),
    [
        ("ed25519", 256),
        ("rsa", 2048),
        ("rsa", 3072),
        ("ecdsa", 256),
        ("ecdsa", 384),
        ("ecdsa", 521),
    ],
)
def test_agrees_with_ssh_keygen(tmp_path: Path, kind: str, bits: int):
    keygen = peers.require("ssh-keygen")
    path = tmp_path / "key"
    subprocess.run(
        [keygen, "-q", "-t", kind, "-b", str(bits), "-N", "", "-C", "c", "-f", path], check=True
    )
    shown = subprocess.run(
        [keygen, "-lv", "-E", "sha256", "-f", f"{path}.pub"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    blob = base64.b64decode(path.with_suffix(".pub").read_text().split()[1])
    first, _, art = shown.partition("\n")
    assert first.split()[:2] == [str(bits), sha256_fingerprint(blob)]
    assert key_bits(blob) == bits
    assert randomart(blob) == art.rstrip("\n")


@given(st.binary(max_size=200))
def test_any_blob_has_a_fingerprint(blob: bytes):
    assert sha256_fingerprint(blob).startswith("SHA256:")
    assert key_bits(blob) >= 0
    assert key_type(blob).isascii()
    lines = randomart(blob).split("\n")
    assert [len(line) for line in lines] == [19] * 11


@pytest.mark.parametrize(
    ("blob", "expected"),
    [
        (b"", ""),
        (b"\0\0\0\x07ssh-rsa", "ssh-rsa"),
        (b"\0\0\0\x08ssh-rsa", ""),
        (b"\xff\xff\xff\xffssh-rsa", ""),
        (b"\0\0\0\x04a\nb ", ""),
        (b"\0\0\0\0", ""),
    ],
)
def test_key_type(blob: bytes, expected: str):
    assert key_type(blob) == expected


def test_md5_agrees_with_ssh_keygen(tmp_path: Path):
    path = tmp_path / "key"
    keygen = peers.require("ssh-keygen")
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    shown = subprocess.run(
        [keygen, "-l", "-E", "md5", "-f", path], check=True, capture_output=True, text=True
    ).stdout
    blob = base64.b64decode(path.with_suffix(".pub").read_text().split()[1])
    assert md5_fingerprint(blob) == shown.split()[1]
