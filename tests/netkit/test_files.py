"""Files of netkit's own: bounded, private, never half written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netkit.errors import UsageError
from netkit.files import at_home, read_bounded, write_private


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "file"
    write_private(path, b"one")
    write_private(path, b"two")
    assert read_bounded(path, 100) == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_large_file_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 11)
    with pytest.raises(UsageError, match="larger than 10 bytes"):
        read_bounded(path, 10)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_without_waiting(tmp_path, make):
    make(tmp_path / "it")
    with pytest.raises(UsageError, match="it"):
        read_bounded(tmp_path / "it", 10)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="nothing cannot be read: No such file"):
        read_bounded(tmp_path / "nothing", 10)
    with pytest.raises(UsageError, match="cannot be read"):
        read_bounded(tmp_path / "a\0b", 10)


def test_a_directory_that_is_missing_is_said(tmp_path):
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        write_private(tmp_path / "no" / "file", b"x")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_private(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_home_directory(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert at_home(Path("~/key")) == Path("/home/me/key")
    assert at_home(Path("/key")) == Path("/key")
    assert at_home(Path("~nobody-of-that-name/key")) == Path("~nobody-of-that-name/key")
