"""Public keys: ssh-keygen's word counts, and hostile lines have an answer."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import public_keys
from diagnostics.parsers.public_keys import PublicKey, describe, fingerprint, parse_line, short_type
from netkit.text.fingerprints import sha256_fingerprint
from support.sshd import make_key


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize(
    ("kind", "options", "bits"),
    [
        ("ed25519", (), 256),
        ("rsa", ("-b", "1024"), 1024),
        ("ecdsa", ("-b", "384"), 384),
        ("dsa", (), 1024),
    ],
)
def test_says_what_ssh_keygen_says(tmp_path: Path, kind: str, options: tuple[str, ...], bits: int):
    key = make_key(tmp_path / "key", kind, *options)
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(key)], check=True, capture_output=True, text=True
    ).stdout.split()
    found = parse_line(Path(f"{key}.pub").read_bytes())
    assert found is not None
    assert (str(found.bits), found.fingerprint) == (listed[0], listed[1])
    assert found.bits == bits
    assert short_type(found.key_type) == listed[-1].strip("()")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm():
    blob = string(b"ssh-ed25519") + string(bytes(32))
    line = b"\xef\xbb\xbfssh-ed25519 " + base64.b64encode(blob) + b"\r\nmore"
    assert parse_line(line) == PublicKey("ssh-ed25519", 256, fingerprint(blob))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"ssh-ed25519",
        b"ssh-ed25519 %%%%",
        b"ssh-rsa " + base64.b64encode(string(b"ssh-ed25519")),
        b"ssh-ed25519 " + base64.b64encode(b"\0\0\0\xffssh"),
        b"x " + base64.b64encode(string(b"\0\1\2")),
        b"x " + base64.b64encode(string(b"k" * 65)),
    ],
)
def test_what_is_no_key(line: bytes):
    assert parse_line(line) is None


def test_an_unknown_type_and_cut_off_numbers_have_no_size():
    assert describe(string(b"ssh-new@example.org")) == PublicKey(
        "ssh-new@example.org", 0, fingerprint(string(b"ssh-new@example.org"))
    )
    assert describe(string(b"ssh-rsa") + string(b"\1") + b"\0\0\1").bits == 0


def test_megabytes_are_no_key():
    assert describe(string(b"ssh-rsa") + bytes(public_keys.MAX_BLOB)) is None


def test_short_names():
    assert short_type("ssh-ed25519-cert-v01@openssh.com") == "ED25519"
    assert short_type("ecdsa-sha2-nistp521") == "ECDSA"
    assert short_type("ssh-new") == "ssh-new"


@given(st.binary(max_size=300))
def test_total(data: bytes):
    parse_line(data)
    parse_line(b"ssh-rsa " + base64.b64encode(string(b"ssh-rsa") + data))
    assert fingerprint(data) == sha256_fingerprint(data)
