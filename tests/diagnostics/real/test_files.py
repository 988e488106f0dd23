from __future__ import annotations

import os
import socket
import stat
import time
from pathlib import Path

import pytest

from diagnostics.real import files
from diagnostics.system import FileRead, FileStat


def test_read(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert files.read(str(path), 10) == FileRead(str(path), "", b"0123456789")
    assert files.read(str(path), 4) == FileRead(str(path), "", b"0123", truncated=True)
    assert files.read(str(path), 0) == FileRead(str(path), "", b"", truncated=True)
    assert files.read(str(path), -1).data == b""


def test_a_file_of_proc_has_no_size():
    found = files.read("/proc/self/status", 1 << 20)
    assert found.data.startswith(b"Name:")
    assert not found.truncated
    assert files.look("/proc/self/status").size == 0


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("", "ENOENT"),
        ("/nonexistent/file", "ENOENT"),
        ("/etc/passwd/x", "ENOTDIR"),
        ("nul\0nul", "EINVAL"),
        ("/" + "x" * 5000, "ENAMETOOLONG"),
        ("/tmp", "EISDIR"),
        ("/dev/zero", "EINVAL"),
        ("\ud800", "EINVAL"),
    ],
)
def test_what_cannot_be_read(path: str, error: str):
    assert files.read(path, 10) == FileRead(path, error)


def test_nothing_waits_on_a_pipe(tmp_path: Path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    began = time.monotonic()
    assert files.read(str(path), 10).error == "EINVAL"
    assert time.monotonic() - began < 1


def test_a_file_that_becomes_a_pipe(tmp_path: Path, monkeypatch):
    """Between looking and opening somebody may put another thing there."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    regular = os.stat(__file__)  # noqa: PTH116 (the result is what os.stat returns)
    monkeypatch.setattr(files.os, "stat", lambda _path: regular)
    assert files.read(str(path), 10).error == "EINVAL"


def test_a_private_key_is_not_read(tmp_path: Path):
    path = tmp_path / "id_rsa"
    path.write_bytes(b"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n")
    assert b"MIIE" not in files.read(str(path), 1000).data


def test_look(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"123")
    path.chmod(0o640)
    os.utime(path, (1000, 2000))
    assert files.look(str(path)) == FileStat(str(path), "file", 0o640, os.getuid(), 3, 2000.0)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert files.look(str(link)).kind == "file"
    link.unlink()
    link.symlink_to(tmp_path / "nothing")
    assert files.look(str(link)).kind == "link"
    os.mkfifo(tmp_path / "fifo")
    assert files.look(str(tmp_path / "fifo")).kind == "fifo"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        assert files.look(str(tmp_path / "socket")).kind == "socket"
    assert files.look(str(tmp_path)).kind == "directory"
    assert files.look("/dev/null").kind == "other"


@pytest.mark.parametrize(
    ("path", "error"), [("/nonexistent", "ENOENT"), ("", "ENOENT"), ("nul\0nul", "EINVAL")]
)
def test_nothing_there(path: str, error: str):
    assert files.look(path) == FileStat(path, error=error)


def test_windows_has_no_uid(monkeypatch):
    monkeypatch.setattr(files.sys, "platform", "win32")
    assert files.look("/tmp").uid is None
    assert stat.S_IMODE(files.look("/tmp").mode) & 0o700 == 0o700


def test_names_in(tmp_path: Path, monkeypatch):
    for name in ("c", "a", "b", "d"):
        (tmp_path / name).touch()
    assert files.names_in(str(tmp_path), 1000) == ("a", "b", "c", "d")
    assert files.names_in(str(tmp_path), 2) == ("a", "b")
    assert files.names_in(str(tmp_path), -1) == ()
    monkeypatch.setattr(files, "_MAX_ENTRIES", 3)
    assert len(files.names_in(str(tmp_path), 1000)) == 3


@pytest.mark.parametrize("path", ["/nonexistent", "/etc/passwd", "nul\0nul"])
def test_no_names(path: str):
    assert files.names_in(path, 10) == ()


def test_a_name_that_is_no_text(tmp_path: Path):
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))).write_bytes(b"x")
    (name,) = files.names_in(str(tmp_path), 10)
    assert files.read(f"{tmp_path}/{name}", 10).data == b"x"
