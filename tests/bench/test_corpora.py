"""What compressed transfers carry: always the same, and as compressible as it says."""

from __future__ import annotations

import hashlib
import zlib

import corpora
import pytest


def share(data: bytes) -> float:
    """Return bytes out per byte in with OpenSSH's level and packets."""
    stream = zlib.compressobj(6)
    pieces = (data[at : at + 32_768] for at in range(0, len(data), 32_768))
    packed = (stream.compress(piece) + stream.flush(zlib.Z_PARTIAL_FLUSH) for piece in pieces)
    return sum(map(len, packed)) / len(data)


def test_text_is_text():
    text = corpora.text(1 << 20)
    assert len(text) == 1 << 20
    assert 0.25 < share(text) < 0.35
    assert text.isascii()
    assert b"\n" in text


def test_random_bytes_are_incompressible():
    assert share(corpora.noise(1 << 20)) > 1.0


@pytest.mark.parametrize("make", [corpora.text, corpora.noise])
def test_the_same_every_time(make):
    assert hashlib.sha256(make(50_000)).digest() == hashlib.sha256(make(50_000)).digest()
    assert make(50_000) != make(50_000, seed=2)


@pytest.mark.parametrize("name", corpora.NAMES)
def test_longer_than_what_deflate_remembers(name):
    data = corpora.corpus(corpora.named(name))
    assert len(data) == corpora.SIZE
    if name != "block":
        assert data.find(data[:64], 1) == -1


def test_unknown_name():
    with pytest.raises(KeyError):
        corpora.named("music")
