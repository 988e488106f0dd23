"""Which part of a transfer counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.bench.marks import (
    FIRST_WINDOW,
    MOST,
    PAUSE,
    SLOW_START,
    Mark,
    warm_stretch,
    warm_up,
)


def marks(*pairs, **more):
    return [Mark(time, size, size // 2, time / 4, **more) for time, size in pairs]


def test_too_little_to_say_anything():
    assert warm_stretch([], 0.1) is None
    assert warm_stretch(marks((1, 100)), 0.1) is None
    assert warm_stretch(marks((1, 100), (1, 200)), 0.1) is None
    assert warm_stretch(marks((1, 100), (2, 100)), 0.1) is None


@pytest.mark.parametrize(
    ("trip", "rate", "trips"),
    [
        (0.1, 0, SLOW_START),
        (0.1, 1e12, SLOW_START),
        (0.1, 100, 1),
        (0.1, 10 * FIRST_WINDOW, 1),
        (0.1, 80 * FIRST_WINDOW, 4),
        (0.0, 1e9, 0),
    ],
)
def test_warm_up_takes_as_long_as_windows_grow(trip, rate, trips):
    assert warm_up(trip, rate) == pytest.approx(PAUSE + trips * trip)


def test_slow_start_does_not_count():
    trip, size = 0.1, 10**9
    warm = SLOW_START * trip + PAUSE
    slow = [(0.0, 0), (0.4, 10), (warm, 100)]
    fast = [(warm + 1, 100 + size), (warm + 2, 100 + 2 * size)]
    found = warm_stretch(marks(*slow, *fast), trip)
    assert found is not None
    assert found.size == 2 * size
    assert found.seconds == pytest.approx(2)
    assert found.wire == size
    assert found.cpu == pytest.approx(0.5)


def test_the_warm_up_takes_no_more_than_its_share():
    found = warm_stretch(marks(*((n / 10, n * 10) for n in range(11))), 10.0)
    assert found is not None
    assert found.seconds == pytest.approx(1 - MOST)


def test_two_marks_are_enough():
    found = warm_stretch(marks((0, 0), (1, 50)), 10.0)
    assert found is not None
    assert (found.size, found.seconds) == (50, 1)


def test_starved_moments_are_a_share():
    some = [Mark(n, n, n, 0, starved=n % 4 == 0) for n in range(1, 9)]
    found = warm_stretch(some, 0.0)
    assert found is not None
    assert found.starved == pytest.approx(2 / 8, abs=0.15)
    assert warm_stretch(marks((0, 0), (1, 50)), 0).starved is None


@given(
    st.lists(
        st.builds(
            Mark,
            st.floats(0, 1e6),
            st.integers(0, 2**50),
            st.integers(0, 2**50),
            st.floats(0, 1e6),
            st.sampled_from([None, False, True]),
        )
    ),
    st.floats(0, 1e4),
)
def test_total(some, trip):
    found = warm_stretch(sorted(some, key=lambda mark: mark.time), trip)
    if found is not None:
        assert found.seconds > 0
        assert found.size > 0
        assert found.wire >= 0
        assert found.cpu >= 0
        assert found.starved is None or 0 <= found.starved <= 1
