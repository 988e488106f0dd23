from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.x_lock import parse, path_of


@pytest.mark.parametrize(
    ("data", "pid"),
    [
        (b"      4711\n", 4711),  # as Xvfb 21.1.7 writes it
        (b"4711", 4711),
        (b"", 0),
        (b"no number\n", 0),
        (b"12 34\n", 0),
        (b"9" * 100, 0),
        (b"\0" * 1000, 0),
    ],
)
def test_pid(data: bytes, pid: int):
    assert parse(data) == pid


def test_path():
    assert path_of(3) == "/tmp/.X3-lock"


@given(st.binary(max_size=100))
def test_total(data: bytes):
    assert 0 <= parse(data) < 10**10
