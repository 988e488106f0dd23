"""Making pairs: both halves or none, and nothing is lost."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from netkit.errors import UsageError
from netkit.keys import pair
from netkit.keys.formats import Costs, read_private
from netkit.keys.pair import generate, make_pair, write_new
from netkit.text.fingerprints import key_bits, key_type

KEY = generate("ed25519")


def make(path: Path, **more) -> pair.Pair:
    values = {"form": "openssh", "comment": "me", "passphrase": None, "costs": Costs(rounds=1)}
    return make_pair(path, KEY, **{**values, **more})


def code(call, *args) -> str:
    with pytest.raises(UsageError) as caught:
        call(*args)
    return caught.value.code


@pytest.mark.parametrize(
    ("kind", "bits", "type_"),
    [
        ("ed25519", None, "ssh-ed25519"),
        ("ecdsa", None, "ecdsa-sha2-nistp256"),
        ("ecdsa", 521, "ecdsa-sha2-nistp521"),
        ("rsa", 2048, "ssh-rsa"),
    ],
)
def test_kinds(tmp_path, kind, bits, type_):
    made = make_pair(
        tmp_path / "key", generate(kind, bits), form="openssh", comment="me", passphrase=None
    )
    assert key_type(made.blob) == type_
    assert key_bits(made.blob) == (bits or 256)
    said = subprocess.run(
        ["ssh-keygen", "-y", "-f", made.private], check=True, capture_output=True, text=True
    ).stdout
    assert said == made.public.read_text()


@pytest.mark.parametrize(
    ("kind", "bits"), [("ed25519", 512), ("ecdsa", 255), ("rsa", 1024), ("rsa", 20_000), ("rsa", 0)]
)
def test_sizes_that_there_are_not(kind, bits):
    assert code(generate, kind, bits) == "bad-key-size"


def test_modes(tmp_path):
    made = make(tmp_path / "key")
    assert made.private.stat().st_mode & 0o777 == 0o600
    assert made.public.stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "key.pub"]


def test_encrypted(tmp_path):
    make(tmp_path / "key", passphrase="secret")
    file = read_private(tmp_path / "key")
    assert file.encrypted
    assert file.unlock("secret")[1] == "me"


@pytest.mark.parametrize("there", ["key", "key.pub"])
def test_nothing_is_overwritten(tmp_path, there):
    (tmp_path / there).write_text("precious")
    assert code(make, tmp_path / "key") == "file-exists"
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "precious"


def test_a_dangling_link_is_something(tmp_path):
    (tmp_path / "key").symlink_to("nowhere")
    assert code(make, tmp_path / "key") == "file-exists"
    assert not (tmp_path / "nowhere").exists()


def test_no_directory(tmp_path):
    assert code(make, tmp_path / "none" / "key") == "cannot-write"


@pytest.mark.parametrize("fails_at", [1, 2])
def test_both_or_none_when_the_disk_is_full(tmp_path, monkeypatch, fails_at):
    count = 0
    real = os.fsync

    def full(descriptor):
        nonlocal count
        count += 1
        if count == fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(pair.os, "fsync", full)
    assert code(make, tmp_path / "key") == "cannot-write"
    assert list(tmp_path.iterdir()) == []


def test_both_or_none_when_the_second_name_is_taken_meanwhile(tmp_path, monkeypatch):
    real = pair._place

    def place(draft, path):
        if path.suffix == ".pub":
            path.write_text("somebody was faster")
        real(draft, path)

    monkeypatch.setattr(pair, "_place", place)
    assert code(make, tmp_path / "key") == "file-exists"
    assert [path.name for path in tmp_path.iterdir()] == ["key.pub"]
    assert (tmp_path / "key.pub").read_text() == "somebody was faster"


def test_file_systems_without_links(tmp_path, monkeypatch):
    def no_links(*_paths):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(pair.os, "link", no_links)
    make(tmp_path / "key")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "key.pub"]
    write_new({tmp_path / "other": (b"x", 0o600)})
    assert code(write_new, {tmp_path / "other": (b"y", 0o600)}) == "file-exists"
    assert (tmp_path / "other").read_bytes() == b"x"


def test_a_name_that_is_none(tmp_path):
    assert code(write_new, {tmp_path / ("x" * 300): (b"x", 0o600)}) == "cannot-write"
