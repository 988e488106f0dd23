"""The next port: near, memorable, and outside every set that makes trouble."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.knowledge.ports import AIRPLAY, BROWSER_BLOCKED, SSHD_X11, X11
from diagnostics.ports.next_port import candidates, single, within

LINUX = [(32768, 60999)]
SPANS = st.lists(st.tuples(st.integers(-5, 70000), st.integers(-5, 70000)), max_size=8)


@pytest.mark.parametrize(
    ("port", "avoid", "expected"),
    [
        (8080, [], 8081),
        (80, [], 8080),
        (443, [], 8443),
        (3389, single([3390, 3391]), 3392),
        (40000, LINUX, 61000),
        (65535, LINUX, 10001),  # browsers and others: 10080 alone up there
        (4999, [], 5001),
        (5999, [], 7001),  # X11, sshd's X11 and AirPlay
        (6009, [], 7001),
        (2048, [], 2050),
        (50000, [(49152, 65535)], 10001),
        (50000, [(10000, 65535)], 1024),
    ],
)
def test_first(port, avoid, expected):
    assert next(candidates(port, [(10000, 10000), *avoid])) == expected


def test_limit_and_nothing_left():
    assert list(candidates(8080, [], 3)) == [8081, 8082, 8083]
    assert list(candidates(8080, [(0, 70000)])) == []
    assert list(candidates(8080, [], 0)) == []


def test_the_search_goes_round_once():
    left = [9000, 20000]
    avoid = [(0, 8999), (9001, 19999), (20001, 65535)]
    assert list(candidates(30000, avoid)) == [20000, 9000]
    assert list(candidates(15000, avoid)) == [20000, 9000]
    assert set(left) == set(candidates(1, avoid))


def test_within():
    assert within(5, [(1, 2), (5, 5)])
    assert not within(3, [(1, 2), (5, 5)])


@given(st.integers(0, 65535), SPANS)
def test_never_a_risky_port(port, avoid):
    found = list(islice(candidates(port, avoid), 40))
    assert len(found) == len(set(found)) <= 32
    for each in found:
        assert 1024 <= each <= 65535
        assert not within(each, [*avoid, X11, SSHD_X11])
        assert each not in BROWSER_BLOCKED
        assert each not in AIRPLAY
