"""PuTTY's key files as text: every demand, every damage."""

from __future__ import annotations

import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import KeyFileError
from netkit.text.ppk import Argon2, write_ppk
from netkit.text.ppk_reading import MAX_FILE, is_ppk, parse_ppk

KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
PLAIN, LOCKED, OLD = (
    write_ppk(
        KEY,
        comment="me",
        passphrase=secret,
        version=version,
        derivation=Argon2(memory=64, passes=1),
        salt=bytes(16),
    )
    for secret, version in ((None, 3), ("x", 3), ("x", 2))
)


def fault(content: bytes) -> KeyFileError:
    with pytest.raises(KeyFileError) as caught:
        parse_ppk(content, "k.ppk")
    assert caught.value.summary.startswith("k.ppk ")
    return caught.value


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end(end):
    for content in (PLAIN, LOCKED, OLD):
        file = parse_ppk(content.replace(b"\n", end), "k")
        assert file == parse_ppk(content, "k")
        assert file.unlock("x").private_bytes_raw() == bytes(32)


def test_the_last_line_may_lack_its_end():
    assert parse_ppk(PLAIN.rstrip(b"\n"), "k") == parse_ppk(PLAIN + b"\n\n", "k")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"File-3", b"File-1", "key-unsupported"),
        (b"File-3", b"File-33", "key-unsupported"),
        (b"File-3", b"File-x", "key-not-recognised"),
        (b"3: ssh", b"3 ssh", "key-not-recognised"),
        (b"ssh-ed25519", b"ssh-dss", "key-is-dsa"),
        (b"ssh-ed25519", b"ssh-ed448", "key-unsupported"),
        (b"ssh-ed25519", b"ssh-rsa", "key-not-recognised"),
        (b"ssh-ed25519", b"\xff\x1b[1m", "key-unsupported"),
        (b"aes256-cbc", b"rot13", "key-unsupported"),
        (b"aes256-cbc", b"none", "key-not-recognised"),
        (b"Encryption", b"encryption", "key-not-recognised"),
        (b"Comment: ", b"Comment:", "key-not-recognised"),
        (b"Public-Lines: 2", b"Public-Lines: 1", "key-not-recognised"),
        (b"Public-Lines: 2", b"Public-Lines: 3", "key-not-recognised"),
        (b"Public-Lines: 2", b"Public-Lines: 0", "key-not-recognised"),
        (b"Public-Lines: 2", b"Public-Lines: -1", "key-not-recognised"),
        (b"Public-Lines: 2", b"Public-Lines: 9999999999", "key-not-recognised"),
        (b"Public-Lines: 2", b"Public-Lines: 99999999999", "key-not-recognised"),
        (b"Argon2id", b"Argon2x", "key-unsupported"),
        (b"Memory: 64", b"Memory: 1048577", "key-unsupported"),
        (b"Memory: 64", b"Memory: 4294967295", "key-unsupported"),
        (b"Memory: 64", b"Memory: 7", "key-not-recognised"),
        (b"Passes: 1", b"Passes: 0", "key-not-recognised"),
        (b"Passes: 1", b"Passes: 1048577", "key-unsupported"),
        (b"Parallelism: 1", b"Parallelism: 0", "key-not-recognised"),
        (b"Parallelism: 1", b"Parallelism: 9", "key-not-recognised"),
        (b"Salt: " + bytes(16).hex().encode(), b"Salt: 00", "key-not-recognised"),
        (b"Salt: " + bytes(16).hex().encode(), b"Salt: 0", "key-not-recognised"),
        (b"Salt: ", b"Salt: " + bytes(64).hex().encode(), "key-not-recognised"),
        (b"Private-Lines: 1", b"Private-Lines: 2", "key-not-recognised"),
        (b"Private-MAC: ", b"Private-MAC: 00", "key-not-recognised"),
        (b"Private-MAC: ", b"Private-Hash: ", "key-not-recognised"),
        (b"Private-MAC: ", b"Private-MAC: zz", "key-not-recognised"),
    ],
)
def test_changes(old, new, code):
    assert old in LOCKED
    error = fault(LOCKED.replace(old, new, 1))
    assert error.code == code
    assert error.cause
    assert (error.summary + error.cause).isprintable()


def test_lanes_beyond_what_a_file_gets():
    content = LOCKED.replace(b"Memory: 64", b"Memory: 1024")
    assert fault(content.replace(b"lism: 1", b"lism: 65")).code == "key-unsupported"


@pytest.mark.parametrize("content", [PLAIN, LOCKED, OLD], ids=["plain", "locked", "old"])
def test_every_cut_is_told(content):
    for end in range(len(content) - 1):
        error = fault(content[:end])
        assert error.code in ("key-not-recognised", "key-unsupported")


def test_nothing_may_be_behind_the_end():
    assert "more behind" in fault(PLAIN + b"Comment: another\n").cause


def test_private_half_of_no_whole_block():
    lines = LOCKED.split(b"\n")
    at = next(n for n, line in enumerate(lines) if line.startswith(b"Private-Lines")) + 1
    lines[at] = lines[at][:-4]
    assert "cipher blocks" in fault(b"\n".join(lines)).cause


def test_lines_longer_than_putty_writes_are_refused():
    joined = re.sub(rb"(Public-Lines: )2\n(\S+)\n(\S+)", rb"\g<1>1\n\2\3", PLAIN)
    assert fault(joined).code == "key-not-recognised"


def test_size_is_bounded():
    assert "longer" in fault(PLAIN + b"x" * MAX_FILE).cause


def test_what_is_a_putty_key():
    assert is_ppk(PLAIN)
    assert is_ppk(b"PuTTY-User-Key-File-9")
    assert not is_ppk(b" " + PLAIN)
    assert not is_ppk(b"")


@given(st.binary(max_size=300), st.sampled_from([b"", b"PuTTY-User-Key-File-3: ssh-ed25519\n"]))
def test_anything_else_is_a_declared_error(data, start):
    with pytest.raises(KeyFileError):
        parse_ppk(start + data, "k")


@given(st.data())
def test_damage_is_a_declared_error(data):
    content = bytearray(data.draw(st.sampled_from([PLAIN, LOCKED, OLD])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        file = parse_ppk(bytes(content), "k")
        if file.derivation is None or file.derivation.memory * file.derivation.passes < 10_000:
            file.unlock("x")
    except KeyFileError:
        pass
