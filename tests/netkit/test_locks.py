"""One program at a time changes a file."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from netkit import locks
from netkit.errors import ResourceError, UsageError
from netkit.locks import locked
from support.cli import environment


@pytest.fixture
def file(tmp_path):
    return tmp_path / "file"


def test_nothing_is_left(file):
    with locked(file):
        assert [each.name for each in file.parent.iterdir()] == [".file.lock"]
    assert list(file.parent.iterdir()) == []
    with pytest.raises(RuntimeError), locked(file):
        raise RuntimeError
    assert list(file.parent.iterdir()) == []


def test_one_at_a_time(file):
    inside: list[int] = []
    most: list[int] = []

    def change(number):
        for _ in range(5):
            with locked(file):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (20, 1)


def test_another_one_takes_too_long(file, monkeypatch):
    monkeypatch.setattr(locks, "TIMEOUT", 0.1)
    with locked(file), pytest.raises(ResourceError) as raised, locked(file):
        pass
    assert raised.value.code == "file-locked"
    assert raised.value.retryable


def test_one_that_died_locks_nothing(file, tmp_path):
    code = (
        "import os, sys, pathlib; from netkit.locks import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): os._exit(0)"
    )
    subprocess.run(
        [sys.executable, "-c", code, file], env=environment(tmp_path), check=True, timeout=30
    )
    assert (tmp_path / ".file.lock").exists()
    with locked(file):
        pass
    assert not (tmp_path / ".file.lock").exists()


def test_where_nothing_can_be_written(tmp_path, monkeypatch):
    with pytest.raises(UsageError) as raised, locked(tmp_path / "absent/file"):
        pass
    assert raised.value.code == "cannot-write"

    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UsageError, match="Permission denied"), locked(tmp_path / "file"):
        pass


def test_a_link_is_not_followed(file, tmp_path):
    target = tmp_path / "precious"
    target.write_text("x")
    (tmp_path / ".file.lock").symlink_to(target)
    with pytest.raises(UsageError), locked(file):
        pass
    assert target.read_text() == "x"
