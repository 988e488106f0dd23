"""What is sent, and the user's own sample."""

from __future__ import annotations

import os
import zlib

import pytest

from netkit.bench.measuring import corpora as module
from netkit.bench.measuring.corpora import NAMES, SHORTEST, SIZE, corpora, read_sample
from netkit.errors import UsageError


def ratio(data):
    return len(zlib.compress(data, 6)) / len(data)


def test_all_of_them_are_here_and_compress_as_their_names_say():
    made = corpora()
    assert tuple(made) == NAMES
    assert {len(data) for data in made.values()} == {SIZE}
    assert 0.15 < ratio(made["text"]) < 0.45
    assert 0.1 < ratio(made["program"]) < 0.9
    assert ratio(made["random"]) > 0.99
    assert ratio(made["zeros"]) < 0.01
    assert made["random"] != corpora()["random"]


def test_a_python_without_its_manual(monkeypatch):
    monkeypatch.setattr(module, "_text", lambda: b"")
    assert "text" not in corpora()
    assert "random" in corpora()


def test_a_sample_of_a_large_file_comes_from_all_of_it(tmp_path):
    path = tmp_path / "dump"
    quarter = 1 << 20
    path.write_bytes(b"".join(bytes([n]) * quarter for n in range(4)))
    sample = read_sample(path)
    assert len(sample) == SIZE
    assert set(sample) == {0, 1, 2, 3}


def test_a_short_sample_is_repeated(tmp_path):
    path = tmp_path / "log"
    data = os.urandom(SHORTEST)
    path.write_bytes(data)
    sample = read_sample(path)
    assert len(sample) == SIZE
    assert sample[:SHORTEST] == data == sample[SHORTEST : 2 * SHORTEST]


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda path: path.touch(), "empty"),
        (lambda path: path.write_bytes(b"x" * 100), "100 bytes"),
        (lambda path: path.mkdir(), "a directory"),
        (os.mkfifo, "no regular file"),
        (lambda path: None, "No such file"),
    ],
)
def test_what_is_no_sample(tmp_path, make, cause):
    path = tmp_path / "sample"
    make(path)
    with pytest.raises(UsageError) as caught:
        read_sample(path)
    assert str(path) in caught.value.summary
    assert cause in caught.value.cause
    assert caught.value.fixes


def test_one_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    path.write_bytes(bytes(SIZE))

    def refuse(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module, "read_slices", refuse)
    with pytest.raises(UsageError, match="cannot be used"):
        read_sample(path)


def test_a_name_with_a_nul():
    with pytest.raises(UsageError):
        read_sample(module.Path("a\0b"))
